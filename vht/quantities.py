"""The registry of clinical quantities: each is named once, here.

FHIR import maps codes to these names, :class:`vht.state.PatientState` stores by them, outputs of
organ models are matched to them, and reports print their label and unit. Adding a quantity is one
entry in ``_REGISTRY``.

Units are UCUM. LOINC codes were checked against their displays in published FHIR data. Plausible
ranges reject unit mix-ups and identifiers in a value field, not unusual patients. How large the error
of a measurement is belongs to a trial's protocol, with its source.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


class UnknownQuantity(KeyError):
    """Raised for a name that the registry does not hold; suggests the nearest one."""

    def __init__(self, name: str, known: Iterable[str]):
        near = difflib.get_close_matches(name, list(known), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "; `vht quantities` lists the known ones"
        super().__init__(f"unknown quantity '{name}'{hint}")

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Quantity:
    """One clinical quantity.

    Attributes:
        name: the key used everywhere in the toolkit.
        label: what people read.
        unit: canonical UCUM unit; every stored value is in it.
        loinc: LOINC codes read as this quantity.
        plausible: closed range of values accepted at import, in ``unit``.
        molar_mass: g/mol of the analyte, where molar units occur.
        decimals: digits after the point that people are shown.
        indexed: the quantity is per 1.73 m2 whatever annotation the unit carries.
    """

    name: str
    label: str
    unit: str
    loinc: tuple[str, ...] = ()
    plausible: tuple[float, float] = (float("-inf"), float("inf"))
    molar_mass: float | None = None
    decimals: int = 1
    indexed: bool = False


def _q(
    name: str,
    label: str,
    unit: str,
    loinc: str,
    low: float,
    high: float,
    *,
    molar_mass: float | None = None,
    decimals: int = 1,
    indexed: bool = False,
) -> Quantity:
    codes = tuple(loinc.split())
    return Quantity(name, label, unit, codes, (low, high), molar_mass, decimals, indexed)


_REGISTRY = (
    # vital signs and circulation
    _q("systolic_blood_pressure", "Systolic blood pressure", "mm[Hg]", "8480-6 76534-7 76215-3", 40, 300),
    _q("diastolic_blood_pressure", "Diastolic blood pressure", "mm[Hg]", "8462-4", 20, 200),
    _q("mean_blood_pressure", "Mean blood pressure", "mm[Hg]", "8478-0", 30, 250),
    _q("heart_rate", "Heart rate", "/min", "8867-4", 20, 250),
    _q("respiratory_rate", "Respiratory rate", "/min", "9279-1", 3, 80),
    _q("body_temperature", "Body temperature", "Cel", "8310-5 8331-1", 25, 45),
    _q("oxygen_saturation", "Oxygen saturation", "%", "59408-5 2708-6", 30, 100),
    _q("body_weight", "Body weight", "kg", "29463-7 3141-9", 0.3, 400),
    _q("body_height", "Body height", "cm", "8302-2 8306-3", 20, 260),
    _q("body_mass_index", "Body mass index", "kg/m2", "39156-5", 5, 120),
    _q(
        "left_ventricular_ejection_fraction",
        "Left-ventricular ejection fraction",
        "%",
        "10230-1 18043-0",
        5,
        90,
    ),
    _q("stroke_volume", "Stroke volume", "mL", "76561-0", 5, 300),
    _q("cardiac_output", "Cardiac output", "L/min", "8731-2", 0.5, 25),
    # lipids and metabolism
    _q("total_cholesterol", "Total cholesterol", "mg/dL", "2093-3", 20, 1500, molar_mass=386.65),
    _q("hdl_cholesterol", "HDL cholesterol", "mg/dL", "2085-9", 2, 300, molar_mass=386.65),
    _q("ldl_cholesterol", "LDL cholesterol", "mg/dL", "18262-6 13457-7", 2, 1000, molar_mass=386.65),
    _q("triglycerides", "Triglycerides", "mg/dL", "2571-8", 5, 10000, molar_mass=885.7),
    _q("glucose", "Glucose", "mg/dL", "2339-0 2345-7 15074-8", 10, 2000, molar_mass=180.156),
    _q("haemoglobin_a1c", "Haemoglobin A1c", "%", "4548-4 17856-6", 2, 25),
    # kidney and electrolytes
    _q("creatinine", "Creatinine", "mg/dL", "38483-4 2160-0", 0.05, 40, molar_mass=113.12, decimals=2),
    _q(
        "estimated_gfr",
        "Estimated GFR",
        "mL/min/{1.73_m2}",
        "33914-3 48642-3",
        1,
        250,
        indexed=True,
    ),
    _q("urea_nitrogen", "Urea nitrogen", "mg/dL", "6299-2 3094-0", 1, 300, molar_mass=28.014),
    _q("potassium", "Potassium", "mmol/L", "6298-4 2823-3", 1, 12),
    _q("sodium", "Sodium", "mmol/L", "2947-0 2951-2", 90, 200),
    _q("chloride", "Chloride", "mmol/L", "2069-3 2075-0", 50, 160),
    _q("carbon_dioxide", "Carbon dioxide, total", "mmol/L", "20565-8 2028-9 1963-8", 2, 60),
    _q("calcium", "Calcium", "mg/dL", "49765-1 17861-6", 2, 25, molar_mass=40.078),
    _q("urine_albumin_creatinine_ratio", "Urine albumin/creatinine ratio", "mg/g", "14959-1", 0, 30000),
    # blood and liver
    _q("haemoglobin", "Haemoglobin", "g/dL", "718-7", 1, 30),
    _q("haematocrit", "Haematocrit", "%", "4544-3 20570-8", 5, 80),
    _q("erythrocytes", "Erythrocytes", "10*6/uL", "789-8", 0.3, 12, decimals=2),
    _q("mean_corpuscular_volume", "Mean corpuscular volume", "fL", "787-2", 30, 200),
    _q("mean_corpuscular_haemoglobin", "Mean corpuscular haemoglobin", "pg", "785-6", 5, 80),
    _q(
        "mean_corpuscular_haemoglobin_concentration",
        "Mean corpuscular haemoglobin concentration",
        "g/dL",
        "786-4",
        10,
        60,
    ),
    _q("leukocytes", "Leukocytes", "10*3/uL", "6690-2", 0.01, 1000),
    _q("neutrophils", "Neutrophils", "10*3/uL", "751-8", 0, 500, decimals=2),
    _q("platelets", "Platelets", "10*3/uL", "777-3", 1, 5000, decimals=0),
    _q("total_bilirubin", "Bilirubin, total", "mg/dL", "1975-2", 0.01, 80, molar_mass=584.66),
    _q("alanine_aminotransferase", "Alanine aminotransferase", "U/L", "1742-6", 1, 20000, decimals=0),
    _q("aspartate_aminotransferase", "Aspartate aminotransferase", "U/L", "1920-8", 1, 20000, decimals=0),
    _q("alkaline_phosphatase", "Alkaline phosphatase", "U/L", "6768-6", 1, 10000, decimals=0),
    _q("albumin", "Albumin", "g/dL", "1751-7", 0.5, 8),
    _q("total_protein", "Total protein", "g/dL", "2885-2", 1, 20),
    _q("c_reactive_protein", "C-reactive protein", "mg/L", "1988-5", 0, 1000),
    _q("nt_probnp", "NT-proBNP", "pg/mL", "33762-6", 1, 200000, decimals=0),
    # oncology
    _q("target_lesion_diameter", "Target lesion, longest diameter", "mm", "33728-7", 0, 500),
    _q("sum_of_longest_diameters", "Sum of longest diameters", "mm", "", 0, 2500),
    _q("tumour_volume", "Tumour volume", "mm3", "", 0, 1e7),
    _q("prostate_specific_antigen", "Prostate-specific antigen", "ng/mL", "2857-1", 0, 20000),
    _q("ecog_performance_status", "ECOG performance status", "1", "89247-1", 0, 5, decimals=0),
)

QUANTITIES: Mapping[str, Quantity] = MappingProxyType({q.name: q for q in _REGISTRY})
_BY_LOINC = {code: q for q in _REGISTRY for code in q.loinc}


def quantity(name: str) -> Quantity:
    """The registered quantity called ``name``.

    Raises:
        UnknownQuantity: with the nearest known name.
    """
    try:
        return QUANTITIES[name]
    except KeyError:
        raise UnknownQuantity(name, QUANTITIES) from None


def by_loinc(code: str) -> Quantity | None:
    """The quantity that a LOINC code stands for, or None."""
    return _BY_LOINC.get(code)
