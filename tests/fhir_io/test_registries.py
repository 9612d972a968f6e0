"""The registries of quantities and concepts that codes are mapped to."""

from __future__ import annotations

from collections import Counter

import pytest
from ucumvert import PintUcumRegistry

from fhir_io.mapping.codes import LOINC, concept_of, quantity_of
from fhir_io.reasons import Reason
from vht.concepts import CONCEPTS
from vht.quantities import QUANTITIES


def test_a_code_means_one_thing():
    loinc = Counter(code for quantity in QUANTITIES.values() for code in quantity.loinc)
    others = Counter((c.system, code) for c in CONCEPTS.values() for code in c.codes)
    assert [code for code, count in (loinc + others).items() if count > 1] == []


def test_every_canonical_unit_is_ucum():
    registry = PintUcumRegistry()
    for quantity in QUANTITIES.values():
        registry.from_ucum(quantity.unit)


@pytest.mark.parametrize("name", sorted(CONCEPTS))
def test_every_concept_is_found_by_each_of_its_codes(name: str):
    concept = CONCEPTS[name]
    for code in concept.codes:
        element = {"coding": [{"system": concept.system, "code": code}]}
        assert concept_of(element, concept.kind) is concept


def test_a_code_of_another_kind_is_not_taken():
    amlodipine = {"coding": [{"system": CONCEPTS["amlodipine"].system, "code": "197361"}]}
    assert concept_of(amlodipine, "condition") is Reason.UNKNOWN_CODE


def test_a_loinc_code_under_another_system_is_no_quantity():
    """Published Synthea bundles carry a LOINC code under the SNOMED system."""
    assert (
        quantity_of({"coding": [{"system": LOINC, "code": "8480-6"}]})
        is QUANTITIES["systolic_blood_pressure"]
    )
    assert (
        quantity_of({"coding": [{"system": "http://snomed.info/sct", "code": "8480-6"}]})
        is Reason.UNKNOWN_CODE
    )
