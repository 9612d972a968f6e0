"""Drawing the patients of the synthetic cohort: who they are and what is true of them.

Adults with metastatic gastrointestinal stromal tumour. Numbers come from the sources named beside
them; those marked *chosen* are choices of this generator, which no model or analysis relies on.
A patient depends on the seed and their own index only, not on how many are asked for.

Sources:
    SUTENT: Sutent prescribing information, Study A in GIST, table of baseline demographics (n = 312).
    PWDB: Charlton et al. 2019, Am J Physiol Heart 317:H1062, input parameters of healthy men:
        mean and diastolic pressure by age after McEniery 2005, heart rate by age after Yashin 2006.
    NHANES: Anthropometric Reference Data, United States, 2011-2014, Vital Health Stat 3(39) (means);
        Vital Health Stat 11(8), 1960-1962 (standard deviations).
    OSTCHEGA: Ostchega et al. 2020, NCHS Data Brief 364, prevalence of hypertension by age.
    BMI_PRESSURE: Sci Rep 2017;7:5364, table 2 (NHANES, n = 10,875), mmHg per SD of body mass index.
    HANSSON: Hansson et al. 2013, CPT Pharmacometrics Syst Pharmacol 2:e84, doi:10.1038/psp.2013.61,
        median baseline sum of longest diameters 108-255 mm by study.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.random import Generator

# SUTENT: 196 of 312 were men; 219 of 312 were younger than 65, which a normal law with mean 58 and
# SD 13 years gives (P = 0.70).
_MALE = 196 / 312
_AGE_MEAN, _AGE_SD, _AGE_RANGE = 58.0, 13.0, (23.0, 84.0)
# SUTENT: performance status 0, 1, 2 in 140, 168 and 4 of 312.
_ECOG = (140 / 312, 168 / 312, 4 / 312)

# PWDB, ages 15.5 to 85.5 by 10 years, mmHg.
_PRESSURE_AGES = np.arange(15.5, 86.0, 10.0)
_MEAN_PRESSURE = np.array([88.0, 89.0, 92.0, 95.0, 95.0, 94.0, 93.0, 92.0])
_DIASTOLIC = np.array([73.0, 75.0, 77.0, 79.0, 79.0, 78.0, 76.0, 75.0])
_MEAN_PRESSURE_SD, _DIASTOLIC_SD = 7.0, 6.0
# Chosen: makes the correlation of systolic and diastolic pressure in the cohort 0.5 to 0.6.
_MEAN_DIASTOLIC_CORRELATION = 0.83

# PWDB, /min at 25, 35 ... 75 years; SD 11 (Petersen 2017).
_HEART_RATE_AGES = np.array([25.0, 35.0, 45.0, 55.0, 65.0, 75.0])
_HEART_RATE = np.array([72.9, 76.8, 77.7, 77.3, 76.5, 74.4])
_HEART_RATE_SD = 11.0

# NHANES: 5 ft 9 1/4 in and 5 ft 3 3/4 in; SD 2.85 and 2.58 in. Body mass index: mean 28 kg/m2; SD 4.1
# is the SD of weight, 27.7 lb, over the square of the men's mean height.
_HEIGHT_CM = {"male": (175.9, 7.24), "female": (161.9, 6.55)}
_BMI_MEAN, _BMI_SD, _BMI_RANGE = 28.0, 4.1, (18.0, 42.0)
_PRESSURE_PER_BMI_SD = (2.39, 1.53)

# OSTCHEGA, from age 18, 40 and 60.
_HYPERTENSION = ((60.0, 0.745), (40.0, 0.545), (0.0, 0.224))
# Chosen: usual pressure (systolic, diastolic) above that of healthy people, mmHg.
_UNTREATED_EXCESS, _TREATED_EXCESS = (16.0, 8.0), (6.0, 3.0)
# Chosen: in older people it is the systolic pressure that is high, mmHg per year from the mean age.
_SYSTOLIC_EXCESS_PER_YEAR = 0.4
_TREATED = 0.6  # chosen: share of hypertensive patients on medication
# Chosen: spread of the pressure from visit to visit, mmHg, and the correlation of its two parts.
_VISIT_SD, _VISIT_CORRELATION = (5.0, 3.0), 0.5

# HANSSON: within 108-255 mm; the range is chosen.
_SUM_MEDIAN_MM, _SUM_LOG_SD, _SUM_RANGE_MM = 170.0, 0.45, (60.0, 400.0)
_SMALLEST_LESION_MM = 10.0  # measurable under RECIST 1.1 (Eisenhauer 2009)

_LAST_SCREENING = date(2024, 6, 28)
_VISITS_BEFORE = (330, 240, 150, 75)

_GIVEN = {
    "female": "Amélie Beatrix Carmen Dorota Elif Fatoumata Greta Hanneke Ingrid Jolanda Kamala Linnea Marit "
    "Noor Oksana Philippa Rosalind Saoirse Thandiwe Yasmin",
    "male": "Anselm Bartholomew Cornelius Dmitri Emeka Florian Gustavo Hiroshi Ignatius Joaquín Kofi Lorcan "
    "Matteo Nikolai Osvaldo Przemysław Rajesh Søren Tomasz Yusuf",
}
_FAMILY = (
    "Abernathy Bjørnstad Castellanos Dąbrowska Eszterhazy Featherstone Grünwald Hathersage Iwasaki "
    "Jorgensson Kowalczyk Lindqvist Mbeki-Owusu Nakagawa Oyelaran Pemberton Quartermaine Rosenkrantz "
    "Szymanski Thistlethwaite Umarov Vandenberghe Winterbottom Yamaguchi Zielonka"
)
_STREETS = "Larkspur Tannery Cobbler Harbourmaster Kingfisher Mulberry Observatory Quarry Saddler Weaver"
_TOWNS = "Ambleforth Brackenhurst Cottesmere Dunhollow Elderwick Fernleigh Gristhorpe Hollinswood"


@dataclass(frozen=True, slots=True)
class Visit:
    """One reading of the vital signs; pressures in mmHg, heart rate in /min."""

    on: date
    minute: int
    systolic: int
    diastolic: int
    heart_rate: int


@dataclass(frozen=True, slots=True)
class SyntheticPatient:
    """A patient as drawn, before any of it is written as FHIR. ``screening`` is the latest date."""

    index: int
    sex: str
    born: date
    given: str
    family: str
    record_number: str
    social_security: str
    phone: str
    email: str
    street: str
    town: str
    postal_code: str
    ids: tuple[str, ...]
    zone: str
    screening: date
    diagnosed: date
    hypertensive_since: date | None
    treated: bool
    visits: tuple[Visit, ...]
    height_cm: float
    weight_kg: float
    lesions_mm: tuple[int, ...]
    scanned: date
    ecog: int
    creatinine_mg_dl: float
    haemoglobin_g_dl: float
    platelets: int


def draw_patient(seed: int, index: int) -> SyntheticPatient:
    """The patient with an index in the cohort of a seed."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
    sex = "male" if rng.random() < _MALE else "female"
    age = _within(rng, _AGE_MEAN, _AGE_SD, _AGE_RANGE)
    screening = _LAST_SCREENING - timedelta(days=int(rng.integers(0, 700)))
    height = float(rng.normal(*_HEIGHT_CM[sex]))
    bmi = _within(rng, _BMI_MEAN, _BMI_SD, _BMI_RANGE)
    hypertensive = bool(rng.random() < next(share for from_age, share in _HYPERTENSION if age >= from_age))
    treated = bool(rng.random() < _TREATED) and hypertensive
    usual = _usual_pressure(rng, age, (bmi - _BMI_MEAN) / _BMI_SD, hypertensive, treated)
    creatinine = (0.75, 1.25) if sex == "male" else (0.60, 1.05)  # chosen
    haemoglobin = (11.0, 16.0) if sex == "male" else (10.0, 14.5)  # chosen
    given = str(rng.choice(_GIVEN[sex].split()))
    family = str(rng.choice(_FAMILY.split()))
    return SyntheticPatient(
        index=index,
        sex=sex,
        born=screening - timedelta(days=int(age * 365.2425)),
        given=given,
        family=family,
        record_number=f"MRN-{rng.integers(10_000_000, 99_999_999)}",
        social_security=f"999-{rng.integers(10, 99)}-{rng.integers(1000, 9999)}",
        phone=f"+44 1632 96{rng.integers(1000, 9999)}",
        email=f"{_plain(given)}.{_plain(family)}{rng.integers(100, 999)}@example.org",
        street=f"{rng.integers(2, 198)} {rng.choice(_STREETS.split())} Lane",
        town=str(rng.choice(_TOWNS.split())),
        postal_code=f"ZZ{rng.integers(10, 99)} {rng.integers(1, 9)}QX",
        ids=tuple(str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(64)),
        zone=str(rng.choice(["+00:00", "+01:00", "-05:00", "Z"])),
        screening=screening,
        diagnosed=screening - timedelta(days=int(rng.integers(180, 2200))),
        hypertensive_since=screening - timedelta(days=int(rng.integers(400, 5000))) if hypertensive else None,
        treated=treated,
        visits=_visits(rng, screening, age, usual),
        height_cm=round(height, 1),
        weight_kg=round(bmi * (height / 100) ** 2, 1),
        lesions_mm=_lesions(rng),
        scanned=screening - timedelta(days=int(rng.integers(0, 28))),
        ecog=int(rng.choice(3, p=_ECOG)),
        creatinine_mg_dl=round(float(rng.uniform(*creatinine)), 2),
        haemoglobin_g_dl=round(float(rng.uniform(*haemoglobin)), 1),
        platelets=int(rng.integers(150, 400)),
    )


def _usual_pressure(
    rng: Generator, age: float, bmi_score: float, hypertensive: bool, treated: bool
) -> tuple[float, float]:
    """Usual systolic and diastolic pressure, mmHg.

    Mean and diastolic pressure are drawn by age; systolic = diastolic + 3 (mean - diastolic).
    """
    middle = float(np.interp(age, _PRESSURE_AGES, _MEAN_PRESSURE))
    low = float(np.interp(age, _PRESSURE_AGES, _DIASTOLIC))
    excess = (_TREATED_EXCESS if treated else _UNTREATED_EXCESS) if hypertensive else (0.0, 0.0)
    by_age = _SYSTOLIC_EXCESS_PER_YEAR * (age - _AGE_MEAN) if hypertensive else 0.0
    r = _MEAN_DIASTOLIC_CORRELATION
    while True:
        first, second = rng.standard_normal(2)
        mean = middle + _MEAN_PRESSURE_SD * first
        diastolic = low + _DIASTOLIC_SD * (r * first + np.sqrt(1 - r * r) * second)
        systolic = diastolic + 3 * (mean - diastolic)
        systolic += excess[0] + by_age + _PRESSURE_PER_BMI_SD[0] * bmi_score
        diastolic += excess[1] + _PRESSURE_PER_BMI_SD[1] * bmi_score
        if 95 <= systolic <= 190 and 55 <= diastolic <= 115 and systolic - diastolic >= 28:
            return float(systolic), float(diastolic)


def _visits(rng: Generator, screening: date, age: float, usual: tuple[float, float]) -> tuple[Visit, ...]:
    """Visits over the last year, the last one within 20 days of screening."""
    rate = float(
        np.clip(np.interp(age, _HEART_RATE_AGES, _HEART_RATE) + rng.normal(0, _HEART_RATE_SD), 48, 115)
    )
    before = [days - int(rng.integers(0, 30)) for days in _VISITS_BEFORE] + [int(rng.integers(0, 21))]
    visits = []
    for days in before:
        first, second = rng.standard_normal(2)
        shared = _VISIT_CORRELATION * first + np.sqrt(1 - _VISIT_CORRELATION**2) * second
        visits.append(
            Visit(
                on=screening - timedelta(days=days),
                minute=int(rng.integers(8 * 60, 17 * 60)),
                systolic=round(usual[0] + _VISIT_SD[0] * first),
                diastolic=round(usual[1] + _VISIT_SD[1] * shared),
                heart_rate=round(rate + rng.normal(0, 4)),
            )
        )
    return tuple(visits)


def _lesions(rng: Generator) -> tuple[int, ...]:
    """Longest diameters of two to five target lesions, mm."""
    count = int(rng.integers(2, 6))
    log_sum = _within(rng, np.log(_SUM_MEDIAN_MM), _SUM_LOG_SD, tuple(np.log(_SUM_RANGE_MM)))
    spare = float(np.exp(log_sum)) - count * _SMALLEST_LESION_MM
    shares = rng.dirichlet(np.full(count, 3.0))
    return tuple(round(_SMALLEST_LESION_MM + spare * float(share)) for share in shares)


def _within(rng: Generator, mean: float, sd: float, limits: tuple[float, ...]) -> float:
    """A normal draw, repeated until it lies within limits."""
    while True:
        value = float(rng.normal(mean, sd))
        if limits[0] <= value <= limits[1]:
            return value


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isascii() and c.isalpha())
