"""Which resources the toolkit takes something from, and which status of them counts.

The required codes of FHIR R4 are checked here, since ``fhir.resources`` accepts any word.
"""

from __future__ import annotations

import functools
import importlib.util
import pkgutil
import re
from typing import Any

from fhir_io.read import Json
from fhir_io.reasons import Reason
from fhir_io.vocabulary import is_computed

CLINICAL_TYPES = frozenset(
    {
        "Observation",
        "Condition",
        "MedicationRequest",
        "MedicationAdministration",
        "MedicationStatement",
        "Procedure",
    }
)
NEEDED_TYPES = CLINICAL_TYPES | {"Patient", "Medication"}

_ERROR = {"entered-in-error": Reason.ENTERED_IN_ERROR}
_STATUS: dict[str, dict[str, Reason | None]] = {
    # https://hl7.org/fhir/R4/valueset-observation-status.html
    "Observation": {
        **_ERROR,
        **dict.fromkeys(("final", "amended", "corrected")),
        **dict.fromkeys(("registered", "preliminary", "cancelled", "unknown"), Reason.NOT_FINAL),
    },
    # https://hl7.org/fhir/R4/valueset-medicationrequest-status.html
    "MedicationRequest": {
        **_ERROR,
        **dict.fromkeys(("active", "on-hold", "completed", "stopped")),
        **dict.fromkeys(("cancelled", "draft", "unknown"), Reason.NOT_DONE),
    },
    # https://hl7.org/fhir/R4/valueset-medication-admin-status.html
    "MedicationAdministration": {
        **_ERROR,
        **dict.fromkeys(("in-progress", "completed", "stopped", "on-hold")),
        **dict.fromkeys(("not-done", "unknown"), Reason.NOT_DONE),
    },
    # https://hl7.org/fhir/R4/valueset-medication-statement-status.html
    "MedicationStatement": {
        **_ERROR,
        **dict.fromkeys(("active", "completed", "stopped", "on-hold")),
        **dict.fromkeys(("intended", "unknown", "not-taken"), Reason.NOT_DONE),
    },
    # https://hl7.org/fhir/R4/valueset-event-status.html
    "Procedure": {
        **_ERROR,
        **dict.fromkeys(("in-progress", "completed")),
        **dict.fromkeys(("preparation", "not-done", "on-hold", "stopped", "unknown"), Reason.NOT_DONE),
    },
}

# https://hl7.org/fhir/R4/valueset-medicationrequest-intent.html
_INTENT: dict[str, Reason | None] = {
    **dict.fromkeys(("order", "original-order", "reflex-order", "filler-order", "instance-order")),
    **dict.fromkeys(("proposal", "plan", "option"), Reason.NOT_AN_ORDER),
}

# https://hl7.org/fhir/R4/valueset-condition-ver-status.html
_VERIFICATION: dict[str, Reason | None] = {
    **_ERROR,
    **dict.fromkeys(("confirmed", "refuted")),  # what is refuted is an absence
    **dict.fromkeys(("unconfirmed", "provisional", "differential"), Reason.NOT_CONFIRMED),
}
VERIFICATION_SYSTEM = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CLINICAL_SYSTEM = "http://terminology.hl7.org/CodeSystem/condition-clinical"
OVER = frozenset({"inactive", "remission", "resolved"})
"""Values of Condition.clinicalStatus that say that it is over."""
# https://hl7.org/fhir/R4/valueset-condition-clinical.html; "unknown" came with R5
_CLINICAL = OVER | {"active", "recurrence", "relapse", "unknown"}

_TYPE_NAME = re.compile(r"[A-Z][A-Za-z]{1,60}")


@functools.lru_cache(maxsize=1024)
def public_type(kind: str) -> str:
    """The resource type as reports may print it: a made-up type could carry a name."""
    known = _TYPE_NAME.fullmatch(kind) and kind.lower() in _r4b_types()
    return kind if known else "other"


@functools.cache
def _r4b_types() -> frozenset[str]:
    """Names of the modules of R4B, one a type; none of them is loaded for that."""
    package = importlib.util.find_spec("fhir.resources.R4B")
    places = package.submodule_search_locations if package is not None else None
    return frozenset(module.name for module in pkgutil.iter_modules(places or ()))


def status_reason(resource: Json, *, accept_predictions: bool = False) -> Reason | None:
    """Why the status, intent, modifiers or marks of a needed resource keep it out; None if they do not.

    What is marked as computed (simulated, derived, imputed) is no measurement. With ``accept_predictions`` it
    is taken for one, and a preliminary Observation counts then, for that is what a prediction is.
    """
    if resource.get("implicitRules") or resource.get("modifierExtension"):
        return Reason.MODIFIED_MEANING
    computed = is_computed(resource)
    if computed and not accept_predictions:
        return Reason.SIMULATED
    if computed and resource["resourceType"] == "Observation" and resource.get("status") == "preliminary":
        return None
    kind = resource["resourceType"]
    if kind == "Condition":
        clinical = code_in(resource.get("clinicalStatus"), CLINICAL_SYSTEM)
        if clinical is not None and clinical not in _CLINICAL:
            return Reason.UNKNOWN_STATUS
        verification = code_in(resource.get("verificationStatus"), VERIFICATION_SYSTEM)
        if verification is None:
            # it is optional, and most records without it mean what they say; one in another system may deny
            stated = resource.get("verificationStatus")
            return Reason.UNKNOWN_STATUS if isinstance(stated, dict) and stated.get("coding") else None
        return _VERIFICATION.get(verification, Reason.UNKNOWN_STATUS)
    if kind not in _STATUS:
        return None
    reason = _lookup(_STATUS[kind], resource.get("status"))
    if reason is None and kind == "MedicationRequest":
        if resource.get("doNotPerform") is True:
            return Reason.NOT_AN_ORDER
        return _lookup(_INTENT, resource.get("intent"))
    return reason


def code_in(concept: Any, system: str) -> str | None:
    """The first code of a CodeableConcept in one code system."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict) and coding.get("system") == system:
            code = coding.get("code")
            return code if isinstance(code, str) else None
    return None


def _lookup(table: dict[str, Reason | None], word: Any) -> Reason | None:
    return table.get(word, Reason.UNKNOWN_STATUS) if isinstance(word, str) else Reason.UNKNOWN_STATUS
