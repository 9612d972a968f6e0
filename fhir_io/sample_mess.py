"""What is untidy in the record of each patient of the synthetic cohort.

Real records are: two codes for one panel, two units for one quantity, two ways to refer, readings
that were withdrawn, values that are not there. Each kind of mess has a fixed share: it is present
in the patients whose index leaves a given remainder, so that the share holds for any cohort.
"""

from __future__ import annotations

from collections.abc import Callable

MESS: dict[str, Callable[[int], bool]] = {
    "relative_references": lambda i: i % 3 == 0,  # the others use urn:uuid
    "collection_bundle": lambda i: i % 2 == 1,  # the others are transactions
    "older_pressure_panel": lambda i: i % 4 in (1, 2),  # LOINC 55284-4 in place of 85354-9
    "lone_pressures": lambda i: i % 10 == 7,  # no panel: two Observations
    "pressure_unit_as_text": lambda i: i % 8 == 6,  # unit text only, no UCUM code
    "no_heart_rate": lambda i: i % 4 == 3,
    "birth_year_only": lambda i: i % 10 == 4,
    "birth_month_only": lambda i: i % 10 == 9,
    "entered_in_error": lambda i: i % 5 == 2,
    "preliminary_reading": lambda i: i % 11 == 5,
    "absent_diastolic": lambda i: i % 9 == 0,  # dataAbsentReason in one component
    "creatinine_molar": lambda i: i % 2 == 1,  # umol/L in place of mg/dL
    "haemoglobin_per_litre": lambda i: i % 3 == 1,  # g/L in place of g/dL
    "weight_in_pounds": lambda i: i % 6 == 5,
    "bound_in_place_of_value": lambda i: i % 7 == 0,  # bilirubin < 0.2 mg/dL
    "exact_duplicate": lambda i: i % 12 == 8,
    "refuted_diabetes": lambda i: i % 8 == 1,
    "planned_medication": lambda i: i % 6 == 1,
    "month_only_reading": lambda i: i % 9 == 4,  # a date without a day
}
"""Name of each mess, and the rule by which a patient's index has it."""


def lesion_in_centimetres(index: int, lesion: int) -> bool:
    """Whether a lesion's diameter is written in cm; the others are in mm."""
    return (index + lesion) % 3 == 0
