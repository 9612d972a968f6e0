"""Units and dates, value by value."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_io.mapping.times import BirthDate, Moment, birth_date, moment
from fhir_io.mapping.units import Measured, to_canonical
from fhir_io.reasons import Reason
from vht.quantities import quantity


def converted(name: str, value: float, **element: Any) -> float | Reason:
    found = to_canonical(value, element, quantity(name))
    return found.value if isinstance(found, Measured) else found


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("systolic_blood_pressure", 120, "mm[Hg]", 120),
        ("systolic_blood_pressure", 120, "mmHg", 120),
        (
            "systolic_blood_pressure",
            16,
            "kPa",
            16 / 0.133322387415,
        ),  # NIST SP 811: 1 mmHg = 133.322 387 415 Pa
        ("body_weight", 150, "[lb_av]", 150 * 0.45359237),  # the international pound, exact
        ("body_weight", 150, "lbs", 150 * 0.45359237),
        ("body_height", 70, "[in_i]", 177.8),  # the inch, 2.54 cm exact
        ("body_temperature", 98.6, "[degF]", 37.0),
        ("heart_rate", 70, "beats/minute", 70),
        ("haemoglobin", 141, "g/L", 14.1),
        ("haemoglobin", 14.1, "g/dl", 14.1),
        ("platelets", 250, "10*9/L", 250),
        ("erythrocytes", 4.5, "10*12/L", 4.5),
        ("left_ventricular_ejection_fraction", 0.55, "1", 55),
        ("target_lesion_diameter", 4.2, "cm", 42),
        ("estimated_gfr", 88, "mL/min", 88),  # the LOINC code says that it is indexed
        ("estimated_gfr", 88, "mL/min/1.73m2", 88),
        ("potassium", 4.1, "meq/L", 4.1),  # charge 1
        # molar conversions as tabulated: 88.4 umol/L creatinine is 1 mg/dL, 5.55 mmol/L glucose is
        # 100 mg/dL, 2.586 mmol/L cholesterol is 100 mg/dL (AMA Manual of Style, SI conversion table)
        ("creatinine", 88.4, "umol/L", 1.0),
        ("glucose", 5.55, "mmol/L", 100.0),
        ("total_cholesterol", 2.586, "mmol/L", 100.0),
        ("urea_nitrogen", 3.57, "mmol/L", 10.0),
        ("total_bilirubin", 17.104, "umol/L", 1.0),
        ("calcium", 2.495, "mmol/L", 10.0),
    ],
)
def test_a_unit_is_converted_to_the_canonical_one(name: str, value: float, unit: str, expected: float):
    assert converted(name, value, code=unit) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("calcium", "meq/L"),  # charge 2: an equivalent is half a mole
        ("haemoglobin_a1c", "mmol/mol"),  # IFCC and NGSP differ by more than a factor
        ("haemoglobin", "mmol/L"),  # no molar mass is declared: monomer or tetramer?
        ("potassium", "mg/dL"),
        ("body_weight", "cm"),
        ("body_weight", "stone and a bit"),
        ("urine_albumin_creatinine_ratio", "mg/mmol"),
    ],
)
def test_a_unit_that_would_have_to_be_guessed_is_refused(name: str, unit: str):
    assert converted(name, 4.0, code=unit) is Reason.UNIT_NOT_CONVERTIBLE


def test_the_unit_text_helps_where_the_code_is_no_unit():
    found = to_canonical(24.0, {"code": "258814008", "unit": "mmol/L"}, quantity("carbon_dioxide"))
    assert found == Measured(24.0, from_text=True)


def test_a_score_needs_no_unit_but_a_pressure_does():
    assert converted("ecog_performance_status", 1) == 1
    assert converted("systolic_blood_pressure", 120) is Reason.NO_UNIT


def test_days_count_from_midnight_on_the_clock_of_the_record():
    found = moment("2024-05-02T06:00:00+05:00")
    assert isinstance(found, Moment)
    assert found.day_after(date(2024, 5, 1)) == 1.25


def test_a_leap_second_and_a_fraction_are_read():
    found = moment("2016-12-31T23:59:60.5Z")
    assert isinstance(found, Moment)
    assert found.fraction == pytest.approx(1 + 0.5 / 86_400)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_dates(text: str):
    assert isinstance(moment(text), Moment | Reason)
    assert isinstance(birth_date(text), BirthDate | None)


@given(st.datetimes(timezones=st.timezones()))
def test_every_date_and_time_with_a_zone_is_a_moment(when: Any):
    text = when.isoformat(timespec="seconds")
    if len(text) != 25:  # a historic zone with seconds in its offset: no FHIR dateTime
        return
    found = moment(text)
    assert isinstance(found, Moment)
    assert found.calendar_date == when.date()


@pytest.mark.parametrize(
    ("born", "at", "years"),
    [("1960-06-15", "2024-06-14", 63), ("1960-06-15", "2024-06-15", 64), ("1960-02-29", "2023-02-28", 62)],
)
def test_age_is_completed_years(born: str, at: str, years: int):
    known = birth_date(born)
    assert known is not None
    assert known.age(date.fromisoformat(at)) == (years, 0.0)


def test_a_year_of_birth_leaves_half_a_year_of_uncertainty():
    known = birth_date("1960")
    assert known is not None
    years, uncertainty = known.age(date(2024, 1, 1))
    assert years == 63  # born on 1 July 1960, the middle of the year
    assert uncertainty == pytest.approx(0.5, abs=0.002)


def test_a_month_of_birth_leaves_two_weeks_of_uncertainty():
    known = birth_date("1960-06")
    assert known is not None
    assert known.age(date(2024, 6, 30)) == (64, pytest.approx(15 / 365.25))


def test_a_version_of_any_length_is_survived() -> None:
    """Python refuses to read numbers of more than 4300 digits."""
    from fhir_io.mapping.times import version_rank

    assert version_rank({"meta": {"versionId": "9" * 5000}}) == (0.0, 0)
    assert version_rank({"meta": {"versionId": "12"}}) == (0.0, 12)
