"""Units and dates, value by value."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_io.errors import FhirImportError
from fhir_io.mapping.code_rows import QuantityRow
from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.times import BirthDate, Moment, Span, birth_date, check_zone, moment, observed_at, when
from fhir_io.mapping.ucum import without_annotations
from fhir_io.mapping.units import Measured, to_canonical
from fhir_io.reasons import Reason

TABLES = Tables.load()
UCUM = "http://unitsofmeasure.org"


def row(loinc: str) -> QuantityRow:
    return TABLES.quantities["loinc", loinc]


def converted(name: str, value: float, **element: Any) -> float | Reason:
    """A value under the preferred code of its quantity."""
    preferred = TABLES.preferred_code(name)
    assert preferred is not None
    found = to_canonical(value, element, preferred, TABLES)
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
        ("calcium", 4.99, "meq/L", 10.0),  # charge 2: 2 meq are 1 mmol
        ("potassium", 4.1, "mEq/L", 4.1),
        ("triglycerides", 1.129, "mmol/L", 100.0),  # AMA Manual of Style: 0.01129 mmol/L per mg/dL
        ("haemoglobin", 9.309, "mmol/L", 15.0),  # AMA: 0.6206 mmol/L per g/dL, of the monomer
        ("mean_corpuscular_haemoglobin", 1.862, "fmol", 30.0),  # 30 pg / 16 114.5 g/mol
        ("urine_albumin_creatinine_ratio", 3.394, "mg/mmol", 30.0),  # KDIGO 2012: 3 mg/mmol is about 30 mg/g
        ("phosphate", 1.0, "mmol/L", 3.0974),
        # the master equation: 53 mmol/mol is 7.0 % (ngsp.org/ifcc.asp: 0.09148 x 53 + 2.152 = 7.0004)
        ("haemoglobin_a1c", 53, "mmol/mol", 7.0004),
        ("haemoglobin_a1c", 53, "mmol/mol{Hb}", 7.0004),
        ("alanine_aminotransferase", 0.5, "ukat/L", 30.0),  # 1 ukat/L is 60 U/L by definition of the katal
        ("alanine_aminotransferase", 30, "[IU]/L", 30.0),
        ("cardiac_troponin_t", 0.014, "ng/mL", 14.0),
        ("platelets", 250_000, "/uL", 250),
        ("haematocrit", 0.42, "L/L", 42),
        ("arterial_ph", 7.4, "pH", 7.4),
        ("glasgow_coma_score", 15, "{score}", 15),
        ("bone_density_t_score", -2.5, "{T-Score}", -2.5),
        ("femur_bone_mineral_density", 0.8, "g/cm-2", 0.8),
        ("urea_nitrogen", 3.57, "mmol/l", 10.0),
    ],
)
def test_a_unit_is_converted_to_the_canonical_one(name: str, value: float, unit: str, expected: float):
    assert converted(name, value, code=unit) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("glucose", "meq/L"),  # no ion
        ("haemoglobin_a1c", "1"),  # of which standard?
        ("potassium", "mg/dL"),
        ("body_weight", "cm"),
        ("body_weight", "stone and a bit"),
        ("creatinine_clearance", "mL/min/{1.73_m2}"),  # an indexed value is no plain one
        ("ecog_performance_status", "/80"),
        ("body_weight", "27113001"),
        ("total_cholesterol", "[degF]"),
        ("heart_rate", "x" * 5000),
        ("heart_rate", "{" * 50),
    ],
)
def test_a_unit_that_would_have_to_be_guessed_is_refused(name: str, unit: str):
    assert converted(name, 4.0, code=unit) is Reason.UNIT_NOT_CONVERTIBLE


def test_the_unit_text_helps_where_the_code_is_no_unit():
    found = to_canonical(24.0, {"code": "258814008", "unit": "mmol/L"}, row("1963-8"), TABLES)
    assert found == Measured(24.0, from_text=True)


def test_the_unit_text_does_not_overrule_a_ucum_code_of_something_else():
    element = {"system": UCUM, "code": "kg", "unit": "mmHg"}
    assert to_canonical(120.0, element, row("8480-6"), TABLES) is Reason.UNIT_NOT_CONVERTIBLE


def test_only_the_code_makes_a_plain_filtration_rate_an_indexed_one():
    """33914-3 says "/1.73 sq M" in its name; a local code does not unless its row says so."""
    local = QuantityRow(
        system="urn:lab", code="GFR", quantity="estimated_gfr", unit="mL/min/{1.73_m2}", source="ours"
    )
    plain, indexed = {"code": "mL/min"}, {"code": "mL/min/{1.73_m2}"}
    assert to_canonical(88.0, plain, row("33914-3"), TABLES) == Measured(88.0, from_text=False)
    assert to_canonical(88.0, plain, local, TABLES) is Reason.UNIT_NOT_CONVERTIBLE
    assert to_canonical(88.0, indexed, local, TABLES) == Measured(88.0, from_text=False)


def test_urea_by_mass_is_more_than_its_nitrogen():
    """60 mg of urea (60.056 g/mol) hold 28 mg of nitrogen (2 x 14.007); moles are counted by urea."""
    by_mass = to_canonical(60.056, {"code": "mg/dL"}, row("3091-6"), TABLES)
    by_mole = to_canonical(10.0, {"code": "mmol/L"}, row("22664-7"), TABLES)
    assert isinstance(by_mass, Measured)
    assert isinstance(by_mole, Measured)
    assert [by_mass.value, by_mole.value] == pytest.approx([28.014, 28.014])


def test_the_code_of_the_ifcc_method_takes_its_own_unit_only():
    """IFCC per cent, a tenth of mmol/mol, is not NGSP per cent."""
    assert to_canonical(5.3, {"code": "%"}, row("59261-8"), TABLES) is Reason.UNIT_NOT_CONVERTIBLE


@pytest.mark.parametrize(
    ("unit", "plain"),
    [
        ("mL/min/{1.73_m2}", "mL/min"),
        ("{beats}/min", "1/min"),
        ("10*3{cells}/uL", "10*3/uL"),
        ("{score}", "1"),
        ("mg/g{creat}", "mg/g"),
        ("%", "%"),
    ],
)
def test_annotations_are_taken_off(unit: str, plain: str):
    assert without_annotations(unit) == plain


@given(st.text(max_size=12), st.sampled_from(["8480-6", "2160-0", "33914-3", "4548-4", "89247-1"]))
def test_no_text_breaks_the_reading_of_units(text: str, code: str):
    found = to_canonical(1.0, {"code": text, "unit": text}, row(code), TABLES)
    assert isinstance(found, Measured | Reason)


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


@pytest.mark.parametrize(
    ("text", "first", "last", "precision"),
    [("2024", "2024-01-01", "2024-12-31", "year"), ("2024-02", "2024-02-01", "2024-02-29", "month")],
)
def test_a_partial_date_is_all_its_days(text: str, first: str, last: str, precision: str):
    found = when(text)
    ends = [date.fromisoformat(day).toordinal() for day in (first, last)]
    assert found == Span(ends[0], ends[1], precision)  # type: ignore[arg-type]
    assert moment(text) is Reason.PARTIAL_DATE
    assert found.days_after(date(2024, 2, 1))[1] == ends[1] + 1 - date(2024, 2, 1).toordinal()


def test_precision_tells_a_date_from_a_time():
    assert [m.precision for m in map(moment, ("2024-05-01", "2024-05-01T00:00:00Z"))] == ["day", "time"]  # type: ignore[union-attr]


def test_a_time_without_a_zone_counts_once_somebody_says_which_clock_it_was():
    text = "2024-05-01T18:00:00"
    assert moment(text) is Reason.NO_ZONE
    found = moment(text, "Europe/Berlin")
    assert isinstance(found, Moment)
    assert (found.fraction, found.zone_assumed) == (0.75, True)
    assert not moment("2024-05-01T18:00:00+02:00", "Europe/Berlin").zone_assumed  # type: ignore[union-attr]


def test_an_unknown_zone_is_an_error_with_a_remedy():
    check_zone("Europe/Berlin")
    with pytest.raises(FhirImportError, match="such as Europe/Berlin"):
        check_zone("Europe/Atlantis")


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("2024-05-01T08:00:00+14:00", True),
        ("2024-05-01T08:00:00-13:59", True),
        ("2024-05-01T08:00:00+14:30", False),
        ("2024-05-01T08:00:00+05:60", False),
        ("2024-05-01T24:00:00Z", False),
        ("2016-12-31T23:59:60Z", True),
        ("2016-12-31T23:59:61Z", False),
        ("2023-02-29", False),
        ("0000", False),
        ("2024-13", False),
    ],
)
def test_times_are_what_fhir_says(text: str, valid: bool):
    assert (when(text) is not Reason.MALFORMED_DATE) is valid


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"event": ["2024-05-01"]}, "2024-05-01"),
        ({"repeat": {"boundsPeriod": {"start": "2024-05-02", "end": "2024-05-03"}}}, "2024-05-02"),
        ({"repeat": {"boundsPeriod": {"end": "2024-05-03"}}}, "2024-05-03"),
        ({"event": ["2024-05-01", "2024-05-02"]}, Reason.SEVERAL_TIMES),
        ({"code": {"text": "daily"}}, Reason.NO_DATE),
    ],
)
def test_a_timing_is_one_time_or_none(timing: Any, expected: Any):
    found = observed_at({"effectiveTiming": timing})
    wanted = moment(expected) if isinstance(expected, str) else expected
    assert found == wanted


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_dates(text: str):
    assert isinstance(moment(text), Moment | Reason)
    assert isinstance(birth_date(text), BirthDate | None)


@given(st.datetimes(timezones=st.timezones()))
def test_every_date_and_time_with_a_zone_is_a_moment(when: Any):
    text = when.isoformat(timespec="seconds")
    if len(text) != 25 or text[-5:] > "14:00":  # a historic zone, of seconds or of Saipan: no FHIR dateTime
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
