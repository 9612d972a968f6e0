"""FHIR versions: which one a resource is in, its validation, and R5 under the names of R4.

R4 is read with the classes of R4B, a superset of it for what is needed here. The two cannot be told
apart by their resources, and need not be. R5 renamed elements, most of them required ones, so that a
resource says by its elements which version it is in; one that has none of these elements means the
same in both and counts as R4.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any, Literal

from fhir_io.errors import FhirImportError
from fhir_io.reading.records import Json, Place

Version = Literal["R4", "R5"]
Declared = Literal["R4", "R4B", "R5"]

DECLARABLE = ("R4", "R4B", "R5")

_MOST_FORMS = 10_000
_NESTED: dict[str, tuple[str, frozenset[str], frozenset[str]]] = {
    # type: (element, its members in R5 only, its members in R4 only)
    "Condition": ("evidence", frozenset({"concept", "reference"}), frozenset({"code", "detail"})),
    "Medication": (
        "ingredient",
        frozenset({"item", "strengthRatio", "strengthCodeableConcept", "strengthQuantity"}),
        frozenset({"itemCodeableConcept", "itemReference", "strength"}),
    ),
    "Observation": ("component", frozenset({"valueAttachment", "valueReference"}), frozenset()),
}


class Versions:
    """Tells the version of each resource and remembers what it saw in each file.

    Args:
        declared: the version that the source is said to be in; None to tell by the resources.

    Raises:
        FhirImportError: a version that is not read.
    """

    def __init__(self, declared: Declared | None = None):
        if declared is not None and declared not in DECLARABLE:
            raise FhirImportError("this FHIR version is not read; give R4, R4B or R5, or let it be detected")
        self.declared = declared
        self.seen: dict[int, set[Version]] = {}
        self._forms: set[Any] = set()
        self._plain: set[tuple[str, ...]] = set()

    def of(self, resource: Json, place: Place) -> Version:
        """The version that a resource is in.

        Elements of R5 alone count if the resource is valid under R5: a mistake in an R4 resource
        is left to validation.

        Raises:
            FhirImportError: it contradicts the declared version.
        """
        if self.plain(resource["resourceType"], tuple(resource), place.file):
            return "R4"
        version = self._of(resource, place)
        self.seen.setdefault(place.file, set()).add(version)
        return version

    def plain(self, kind: str, elements: tuple[str, ...], file: int) -> bool:
        """Whether a resource with these elements is R4 whatever they hold; if so, it counts as seen."""
        plain = self.declared != "R5" and self._is_plain((kind, *elements))
        if plain and "R4" not in self.seen.get(file, ()):
            self.seen.setdefault(file, set()).add("R4")
        return plain

    def _is_plain(self, form: tuple[str, ...]) -> bool:
        """Told once for each type with its elements."""
        if form in self._plain:
            return True
        kind, *elements = form
        newer, _ = _only(kind)
        if not newer.isdisjoint(elements) or (kind in _NESTED and _NESTED[kind][0] in elements):
            return False
        if len(self._plain) < _MOST_FORMS:
            self._plain.add(form)
        return True

    def _of(self, resource: Json, place: Place) -> Version:
        newer, older = _marks(resource)
        if newer and not older and self._valid("R5", resource):
            if self.declared in ("R4", "R4B"):
                raise self._contradiction(place, "R5")
            return "R5"
        if self.declared != "R5":
            return "R4"
        if older and not newer and self._valid("R4", resource):
            raise self._contradiction(place, "R4")
        return "R5"

    def _valid(self, version: Version, resource: Json) -> bool:
        """Whether a resource is valid under a version; told once for each set of elements."""
        form = (version, resource["resourceType"], frozenset(resource))
        if form in self._forms:
            return True
        valid = is_valid(resource, version)
        if valid and len(self._forms) < _MOST_FORMS:
            self._forms.add(form)
        return valid

    def _contradiction(self, place: Place, found: Version) -> FhirImportError:
        return FhirImportError(
            f"{place}: this resource is FHIR {found}, and the source was said to be {self.declared}; "
            f"import it as {found}, or without naming a version"
        )

    def merge(self, other: Versions) -> None:
        """Add what a worker saw."""
        for file, versions in other.seen.items():
            self.seen.setdefault(file, set()).update(versions)

    def files(self) -> dict[str, int]:
        """Number of files by version ("R4", "R5", "R4 and R5"); R4 stands for R4B too."""
        counts = Counter(" and ".join(sorted(versions)) for versions in self.seen.values())
        return dict(sorted(counts.items()))


def model_class(kind: str, version: Version) -> Any:
    """The class of ``fhir.resources`` that describes a type; R4 is described by R4B.

    Raises:
        KeyError: there is no such type in that version.
    """
    # loaded here: a process that validates nothing need not hold them
    if version == "R5":
        import fhir.resources as module
    else:
        from fhir.resources import R4B as module  # type: ignore[no-redef]
    return module.get_fhir_model_class(kind)


def is_valid(resource: Json, version: Version) -> bool:
    """Whether ``fhir.resources`` accepts a resource; its messages quote values and are dropped."""
    try:
        model_class(resource["resourceType"], version).model_validate(resource)
    except Exception:  # pydantic, fhir-core and datetime raise many kinds, and all quote the value
        return False
    return True


def _marks(resource: Json) -> tuple[bool, bool]:
    """Whether it has an element that only R5 has, and one that only R4 has."""
    kind = resource["resourceType"]
    newer, older = _only(kind)
    has_newer, has_older = not newer.isdisjoint(resource), not older.isdisjoint(resource)
    nested = _NESTED.get(kind)
    if nested is not None and nested[0] in resource:
        members = resource[nested[0]]
        for member in members if isinstance(members, list) else ():
            if isinstance(member, dict):
                has_newer = has_newer or not nested[1].isdisjoint(member)
                has_older = has_older or not nested[2].isdisjoint(member)
    return has_newer, has_older


@functools.lru_cache(maxsize=512)
def _only(kind: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names of elements of a type that R5 has and R4B lacks, and the other way round."""
    try:
        newer = frozenset(model_class(kind, "R5").elements_sequence())
        older = frozenset(model_class(kind, "R4").elements_sequence())
    except Exception:  # a type that one of the versions does not have
        return frozenset(), frozenset()
    return newer - older, older - newer


# -- R5 under the names of R4

_PLAIN = {
    "MedicationRequest": {"reported": "reportedBoolean"},
    "MedicationAdministration": {
        # the specification of R5 spells it with one r
        "occurenceDateTime": "effectiveDateTime",
        "occurencePeriod": "effectivePeriod",
        "encounter": "context",
    },
    "MedicationStatement": {"encounter": "context"},
    "Procedure": {
        f"occurrence{form}": f"performed{form}" for form in ("DateTime", "Period", "String", "Age", "Range")
    },
    "Medication": {"doseForm": "form"},
    "Consent": {"subject": "patient", "date": "dateTime"},
}
_TIMING = {
    "MedicationAdministration": ("occurenceTiming", "effective"),
    "MedicationStatement": ("effectiveTiming", "effective"),
    "Procedure": ("occurrenceTiming", "performed"),
}
_MEDICATION = frozenset({"MedicationRequest", "MedicationAdministration", "MedicationStatement"})
_REASON = _MEDICATION | {"Procedure"}

_REQUEST_STATUS = {"ended": "stopped"}
"""https://hl7.org/fhir/R5/codesystem-medicationrequest-status.html: 'the subject should no longer be
taking the medication'; R4 has no word that is as wide."""

ADHERENCE = "http://hl7.org/fhir/CodeSystem/medication-statement-adherence"
_STATEMENT_STATUS = {
    # https://hl7.org/fhir/R5/codesystem-medication-statement-adherence.html
    "taking": "active",
    "not-taking": "not-taken",
    "on-hold": "on-hold",
    "stopped": "stopped",
    "unknown": "unknown",
}

NOT_IN_R4 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-{}.{}"
"""Canonical form of the cross-version extensions (https://hl7.org/fhir/R5/versions.html#extensions)."""


def to_r4(resource: Json) -> Json:
    """A resource of R5 under the names of R4, as far as the import reads it; the argument is not changed.

    A word of R5 for a status becomes the word of R4 that means as much. An element that changes what a
    resource says and that R4 lacks (``Procedure.focus``: it was done to someone else) becomes a
    modifier extension, so that whoever does not know it leaves the resource alone.
    """
    kind = resource["resourceType"]
    made = {_PLAIN.get(kind, {}).get(key, key): item for key, item in resource.items()}
    if kind in _MEDICATION:
        _split(made, "medication", "medicationCodeableConcept", "medicationReference")
    if kind in _REASON and isinstance(made.get("reason"), list):
        reasons = made.pop("reason")
        _put(made, "reasonCode", [r["concept"] for r in reasons if _has(r, "concept")])
        _put(made, "reasonReference", [r["reference"] for r in reasons if _has(r, "reference")])
    if kind in _TIMING:
        _unfold_timing(made, *_TIMING[kind])
    if kind == "MedicationRequest":
        _medication_request(made)
    elif kind == "MedicationStatement":
        made["status"] = _statement_status(made.get("status"), made.pop("adherence", None))
    elif kind == "Procedure" and "focus" in made:
        mark = {"url": NOT_IN_R4.format(kind, "focus"), "valueReference": made.pop("focus")}
        made["modifierExtension"] = [*(made.get("modifierExtension") or []), mark]
    elif kind == "Condition":
        _condition(made)
    elif kind == "Medication" and isinstance(made.get("ingredient"), list):
        made["ingredient"] = [_ingredient(item) for item in made["ingredient"]]
    return made


def _medication_request(made: Json) -> None:
    made["status"] = _REQUEST_STATUS.get(made.get("status", ""), made.get("status"))
    informants = made.pop("informationSource", None)
    if isinstance(informants, list) and informants and "reportedBoolean" not in made:
        made["reportedReference"] = informants[0]
    # R5 moved the period of taking out of the dosage
    period = made.pop("effectiveDosePeriod", None)
    if isinstance(period, dict):
        dosages = made.get("dosageInstruction")
        first: Any = {"timing": {"repeat": {"boundsPeriod": period}}}
        made["dosageInstruction"] = [first, *(dosages if isinstance(dosages, list) else [])]


def _statement_status(status: Any, adherence: Any) -> Any:
    """R5 says in two elements what R4 says in one: whether it was recorded, and whether it is taken."""
    if status != "recorded":
        return "intended" if status == "draft" else status
    concept = adherence.get("code") if isinstance(adherence, dict) else None
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict) and coding.get("system") == ADHERENCE:
            word = str(coding.get("code")).removesuffix("-as-directed").removesuffix("-not")
            return _STATEMENT_STATUS.get(word, "unknown")
    return "unknown" if codings else "active"


def _condition(made: Json) -> None:
    roles = {"informant": "asserter", "author": "recorder", "enterer": "recorder"}
    for participant in made.pop("participant", None) or ():
        function = participant.get("function") if isinstance(participant, dict) else None
        codings = function.get("coding") if isinstance(function, dict) else None
        for coding in codings if isinstance(codings, list) else ():
            role = roles.get(str(coding.get("code"))) if isinstance(coding, dict) else None
            if role and "actor" in participant:
                made.setdefault(role, participant["actor"])
    evidence = made.get("evidence")
    if isinstance(evidence, list):
        made["evidence"] = [_evidence(item) for item in evidence]


def _evidence(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    made = dict(item)
    for new, old in (("concept", "code"), ("reference", "detail")):
        if new in made:
            made[old] = [made.pop(new)]
    return made


def _ingredient(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    made = dict(item)
    _split(made, "item", "itemCodeableConcept", "itemReference")
    if "strengthRatio" in made:
        made["strength"] = made.pop("strengthRatio")
    return made


def _split(made: Json, name: str, concept: str, reference: str) -> None:
    """Replace a CodeableReference by the element of R4 that holds its part."""
    element = made.pop(name, None)
    if _has(element, "concept"):
        made[concept] = element["concept"]
    if _has(element, "reference") and concept not in made:
        made[reference] = element["reference"]


def _unfold_timing(made: Json, name: str, stem: str) -> None:
    """Replace a Timing, which R4 does not allow there, by its one event or its bounds."""
    timing = made.pop(name, None)
    if not isinstance(timing, dict):
        return
    events, repeat = timing.get("event"), timing.get("repeat")
    if isinstance(events, list) and len(events) == 1:
        made.setdefault(f"{stem}DateTime", events[0])
    elif isinstance(events, list) and len(events) > 1:
        made.setdefault(f"{stem}Period", {"start": min(events, key=str), "end": max(events, key=str)})
    elif isinstance(repeat, dict) and "boundsPeriod" in repeat:
        made.setdefault(f"{stem}Period", repeat["boundsPeriod"])


def _has(element: Any, name: str) -> bool:
    return isinstance(element, dict) and name in element


def _put(made: Json, name: str, found: list[Any]) -> None:
    if found:
        made[name] = found
