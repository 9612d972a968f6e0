"""The registry of clinical quantities: each is named once, here.

FHIR import maps codes to these names, :class:`vht.state.PatientState` stores by them, outputs of
organ models are matched to them, and reports print their label and unit. Adding a quantity is one
entry in ``_REGISTRY``; which codes mean it is data of the door, in the tables of ``fhir_io``.

Units are UCUM. Plausible ranges reject unit mix-ups and identifiers in a value field, not unusual
patients. How large the error of a measurement is belongs to a trial's protocol, with its source.

Molar masses are sums of the standard atomic weights (IUPAC 2021). Haemoglobin counts by its monomer
(one haem, 16 114.5 g/mol: International Council for Standardization in Haematology, 1987), which is
what laboratories that report mmol/L mean; of the tetramer, which nobody reports, a mole is four times that.
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
        plausible: closed range of values accepted at import, in ``unit``.
        molar_mass: g/mol of the analyte, where molar units occur; of a ratio by mass, of its denominator
            (of albumin per creatinine, creatinine).
        charge: of an ion, how many equivalents a mole is; where milliequivalents occur.
        decimals: digits after the point that people are shown.
        indexed: the quantity is per 1.73 m2 of body surface, which UCUM can only say in an annotation.
    """

    name: str
    label: str
    unit: str
    plausible: tuple[float, float] = (float("-inf"), float("inf"))
    molar_mass: float | None = None
    charge: int | None = None
    decimals: int = 1
    indexed: bool = False


def _q(
    name: str,
    label: str,
    unit: str,
    low: float,
    high: float,
    *,
    molar_mass: float | None = None,
    charge: int | None = None,
    decimals: int = 1,
    indexed: bool = False,
) -> Quantity:
    return Quantity(name, label, unit, (low, high), molar_mass, charge, decimals, indexed)


_REGISTRY = (
    # vital signs and circulation
    _q("systolic_blood_pressure", "Systolic blood pressure", "mm[Hg]", 40, 300),
    _q("diastolic_blood_pressure", "Diastolic blood pressure", "mm[Hg]", 20, 200),
    _q("mean_blood_pressure", "Mean blood pressure", "mm[Hg]", 30, 250),
    _q("heart_rate", "Heart rate", "/min", 20, 250),
    _q("respiratory_rate", "Respiratory rate", "/min", 3, 80),
    _q("body_temperature", "Body temperature", "Cel", 25, 45),
    _q("oxygen_saturation", "Oxygen saturation", "%", 30, 100),
    _q("body_weight", "Body weight", "kg", 0.3, 400),
    _q("body_height", "Body height", "cm", 20, 260),
    _q("body_mass_index", "Body mass index", "kg/m2", 5, 120),
    _q(
        "left_ventricular_ejection_fraction",
        "Left-ventricular ejection fraction",
        "%",
        5,
        90,
    ),
    _q("stroke_volume", "Stroke volume", "mL", 5, 300),
    _q("cardiac_output", "Cardiac output", "L/min", 0.5, 25),
    _q("pr_interval", "PR interval", "ms", 40, 600, decimals=0),
    _q("qrs_duration", "QRS duration", "ms", 30, 400, decimals=0),
    _q("qt_interval", "QT interval", "ms", 150, 900, decimals=0),
    _q("corrected_qt_interval", "QT interval, corrected", "ms", 150, 900, decimals=0),
    _q("pain_severity", "Pain severity, 0 to 10", "1", 0, 10, decimals=0),
    # breathing and intensive care
    _q("fev1_fvc_ratio", "FEV1/FVC", "%", 5, 120),
    _q("inhaled_oxygen_flow", "Inhaled oxygen flow", "L/min", 0, 100),
    _q("inspired_oxygen_fraction", "Inspired oxygen fraction", "%", 15, 100),
    _q("positive_end_expiratory_pressure", "Positive end-expiratory pressure", "cm[H2O]", 0, 60),
    _q("mean_airway_pressure", "Mean airway pressure", "cm[H2O]", 0, 100),
    _q("tidal_volume", "Tidal volume", "mL", 5, 5000, decimals=0),
    _q("horowitz_index", "PaO2/FiO2 (Horowitz)", "mm[Hg]", 20, 900, decimals=0),
    _q("arterial_ph", "pH of arterial blood", "[pH]", 6.3, 8, decimals=2),
    _q("arterial_oxygen_pressure", "Oxygen pressure, arterial", "mm[Hg]", 10, 760),
    _q("arterial_carbon_dioxide_pressure", "Carbon dioxide pressure, arterial", "mm[Hg]", 5, 250),
    _q("lactate", "Lactate", "mmol/L", 0.05, 40, molar_mass=90.078),
    _q("central_venous_pressure", "Central venous pressure", "mm[Hg]", -20, 80),
    _q("intracranial_pressure", "Intracranial pressure", "mm[Hg]", -20, 150),
    _q("urine_output", "Urine output", "mL", 0, 30000, decimals=0),
    _q("glasgow_coma_score", "Glasgow coma score", "1", 3, 15, decimals=0),
    _q("glasgow_coma_score_eye", "Glasgow coma score, eye", "1", 1, 4, decimals=0),
    _q("glasgow_coma_score_verbal", "Glasgow coma score, verbal", "1", 1, 5, decimals=0),
    _q("glasgow_coma_score_motor", "Glasgow coma score, motor", "1", 1, 6, decimals=0),
    _q("sofa_score", "SOFA score", "1", 0, 24, decimals=0),
    # lipids and metabolism
    _q("total_cholesterol", "Total cholesterol", "mg/dL", 20, 1500, molar_mass=386.65),
    _q("hdl_cholesterol", "HDL cholesterol", "mg/dL", 2, 300, molar_mass=386.65),
    _q("ldl_cholesterol", "LDL cholesterol", "mg/dL", 2, 1000, molar_mass=386.65),
    _q("triglycerides", "Triglycerides", "mg/dL", 5, 10000, molar_mass=885.7),
    _q("glucose", "Glucose", "mg/dL", 10, 2000, molar_mass=180.156),
    _q("haemoglobin_a1c", "Haemoglobin A1c", "%", 2, 25),
    # kidney and electrolytes
    _q("creatinine", "Creatinine", "mg/dL", 0.05, 40, molar_mass=113.12, decimals=2),
    _q(
        "estimated_gfr",
        "Estimated GFR",
        "mL/min/{1.73_m2}",
        1,
        250,
        indexed=True,
    ),
    _q("creatinine_clearance", "Creatinine clearance", "mL/min", 1, 400),
    _q("urea_nitrogen", "Urea nitrogen", "mg/dL", 1, 300, molar_mass=28.014),
    _q("potassium", "Potassium", "mmol/L", 1, 12, charge=1),
    _q("sodium", "Sodium", "mmol/L", 90, 200, charge=1),
    _q("chloride", "Chloride", "mmol/L", 50, 160, charge=1),
    _q("carbon_dioxide", "Carbon dioxide, total", "mmol/L", 2, 60, charge=1),
    _q("calcium", "Calcium", "mg/dL", 2, 25, molar_mass=40.078, charge=2),
    _q(
        "urine_albumin_creatinine_ratio",
        "Urine albumin/creatinine ratio",
        "mg/g",
        0,
        30000,
        molar_mass=113.12,
    ),
    _q("phosphate", "Phosphate, as phosphorus", "mg/dL", 0.2, 30, molar_mass=30.974),
    _q("parathyroid_hormone", "Parathyroid hormone, intact", "pg/mL", 0.5, 10000, decimals=0),
    # blood and liver
    _q("haemoglobin", "Haemoglobin", "g/dL", 1, 30, molar_mass=16_114.5),
    _q("haematocrit", "Haematocrit", "%", 5, 80),
    _q("erythrocytes", "Erythrocytes", "10*6/uL", 0.3, 12, decimals=2),
    _q("mean_corpuscular_volume", "Mean corpuscular volume", "fL", 30, 200),
    _q("mean_corpuscular_haemoglobin", "Mean corpuscular haemoglobin", "pg", 5, 80, molar_mass=16_114.5),
    _q(
        "mean_corpuscular_haemoglobin_concentration",
        "Mean corpuscular haemoglobin concentration",
        "g/dL",
        10,
        60,
        molar_mass=16_114.5,
    ),
    _q("erythrocyte_distribution_width", "Erythrocyte distribution width", "fL", 10, 200),
    _q("leukocytes", "Leukocytes", "10*3/uL", 0.01, 1000),
    _q("neutrophils", "Neutrophils", "10*3/uL", 0, 500, decimals=2),
    _q("lymphocytes", "Lymphocytes", "10*3/uL", 0, 1000, decimals=2),
    _q("monocytes", "Monocytes", "10*3/uL", 0, 200, decimals=2),
    _q("eosinophils", "Eosinophils", "10*3/uL", 0, 200, decimals=2),
    _q("basophils", "Basophils", "10*3/uL", 0, 100, decimals=2),
    _q("platelets", "Platelets", "10*3/uL", 1, 5000, decimals=0),
    _q("mean_platelet_volume", "Mean platelet volume", "fL", 3, 40),
    _q("platelet_distribution_width", "Platelet distribution width", "fL", 1, 1000),
    _q("total_bilirubin", "Bilirubin, total", "mg/dL", 0.01, 80, molar_mass=584.66),
    _q("direct_bilirubin", "Bilirubin, direct", "mg/dL", 0, 60, molar_mass=584.66),
    _q("alanine_aminotransferase", "Alanine aminotransferase", "U/L", 1, 20000, decimals=0),
    _q("aspartate_aminotransferase", "Aspartate aminotransferase", "U/L", 1, 20000, decimals=0),
    _q("alkaline_phosphatase", "Alkaline phosphatase", "U/L", 1, 10000, decimals=0),
    _q("gamma_glutamyl_transferase", "Gamma-glutamyl transferase", "U/L", 1, 20000, decimals=0),
    _q("lactate_dehydrogenase", "Lactate dehydrogenase", "U/L", 10, 50000, decimals=0),
    _q("albumin", "Albumin", "g/dL", 0.5, 8),
    _q("globulin", "Globulin", "g/L", 1, 150),
    _q("total_protein", "Total protein", "g/dL", 1, 20),
    _q("c_reactive_protein", "C-reactive protein", "mg/L", 0, 1000),
    _q("procalcitonin", "Procalcitonin", "ng/mL", 0, 2000, decimals=2),
    _q("nt_probnp", "NT-proBNP", "pg/mL", 1, 200000, decimals=0),
    _q("b_type_natriuretic_peptide", "B-type natriuretic peptide", "pg/mL", 1, 100000, decimals=0),
    _q("cardiac_troponin_i", "Cardiac troponin I", "ng/L", 0, 1e6),
    _q("cardiac_troponin_t", "Cardiac troponin T", "ng/L", 0, 1e6),
    # oncology
    _q("target_lesion_diameter", "Target lesion, longest diameter", "mm", 0, 500),
    _q("sum_of_longest_diameters", "Sum of longest diameters", "mm", 0, 2500),
    _q("tumour_size", "Tumour size", "mm", 0, 1000),
    _q("polyp_size", "Polyp size, greatest dimension", "mm", 0, 300),
    _q("nottingham_grade", "Nottingham grade", "1", 1, 3, decimals=0),
    _q("tumour_volume", "Tumour volume", "mm3", 0, 1e7),
    _q("prostate_specific_antigen", "Prostate-specific antigen", "ng/mL", 0, 20000),
    _q("carcinoembryonic_antigen", "Carcinoembryonic antigen", "ng/mL", 0, 100000),
    _q("ecog_performance_status", "ECOG performance status", "1", 0, 5, decimals=0),
    _q("karnofsky_performance_status", "Karnofsky performance status", "1", 0, 100, decimals=0),
    # bone and nerves
    _q("bone_density_t_score", "Bone density, T-score", "1", -10, 10),
    _q("hip_t_score", "Bone density of the hip, T-score", "1", -10, 10),
    _q("femur_t_score", "Bone density of the femur, T-score", "1", -10, 10),
    _q("hip_bone_mineral_density", "Bone mineral density, hip", "g/cm2", 0.1, 3, decimals=3),
    _q("femur_bone_mineral_density", "Bone mineral density, femur", "g/cm2", 0.1, 3, decimals=3),
    _q("mini_mental_state", "Mini-Mental State Examination", "1", 0, 30, decimals=0),
    _q("nih_stroke_scale", "NIH Stroke Scale", "1", 0, 42, decimals=0),
    _q("phq_9", "PHQ-9, total", "1", 0, 27, decimals=0),
    _q("phq_2", "PHQ-2, total", "1", 0, 6, decimals=0),
    _q("gad_7", "GAD-7, total", "1", 0, 21, decimals=0),
)

QUANTITIES: Mapping[str, Quantity] = MappingProxyType({q.name: q for q in _REGISTRY})


def quantity(name: str) -> Quantity:
    """The registered quantity called ``name``.

    Raises:
        UnknownQuantity: with the nearest known name.
    """
    try:
        return QUANTITIES[name]
    except KeyError:
        raise UnknownQuantity(name, QUANTITIES) from None
