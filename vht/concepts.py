"""The registry of clinical concepts (conditions, drugs, procedures), each named once.

States, eligibility and risk scores speak of these names only. Which codes mean a concept is data of
the door, in the tables of ``fhir_io``. Drugs name their class, as the Anatomical Therapeutic Chemical
classification groups them; a class is a concept of its own, for records that name no more than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["condition", "medication", "procedure"]


@dataclass(frozen=True)
class Concept:
    """One concept.

    Attributes:
        name: the key used everywhere in the toolkit.
        label: what people read.
        kind: condition, medication or procedure.
        drug_class: of a medication, the concept of its class; a class is its own. None otherwise.
    """

    name: str
    label: str
    kind: Kind
    drug_class: str | None = None


def _condition(name: str, label: str) -> Concept:
    return Concept(name, label, "condition")


def _class(name: str, label: str) -> Concept:
    return Concept(name, label, "medication", name)


def _medication(name: str, label: str, drug_class: str) -> Concept:
    return Concept(name, label, "medication", drug_class)


def _procedure(name: str, label: str) -> Concept:
    return Concept(name, label, "procedure")


_REGISTRY = (
    # conditions
    _condition("hypertension", "Hypertension"),
    _condition("heart_failure", "Chronic congestive heart failure"),
    _condition("coronary_heart_disease", "Coronary heart disease"),
    _condition("myocardial_infarction", "Myocardial infarction"),
    _condition("atrial_fibrillation", "Atrial fibrillation"),
    _condition("stroke", "Stroke"),
    _condition("cardiac_arrest", "Cardiac arrest"),
    _condition("diabetes_mellitus", "Diabetes mellitus"),
    _condition("prediabetes", "Prediabetes"),
    _condition("breast_cancer", "Breast cancer"),
    _condition("colon_cancer", "Colon cancer"),
    _condition("lung_cancer", "Lung cancer"),
    _condition("prostate_cancer", "Prostate cancer"),
    _condition("gastrointestinal_stromal_tumour", "Gastrointestinal stromal tumour"),
    _condition("liver_metastases", "Liver metastases"),
    _condition("chronic_kidney_disease", "Chronic kidney disease"),
    _condition("alzheimer_disease", "Alzheimer's disease"),
    _condition("parkinson_disease", "Parkinson's disease"),
    _condition("multiple_sclerosis", "Multiple sclerosis"),
    _condition("osteoporosis", "Osteoporosis"),
    _condition("epilepsy", "Epilepsy"),
    _condition("chronic_obstructive_pulmonary_disease", "Chronic obstructive pulmonary disease"),
    _condition("sepsis", "Sepsis"),
    _condition("acute_respiratory_distress_syndrome", "Acute respiratory distress syndrome"),
    # findings that records give as coded answers
    _condition("current_smoker", "Current smoker"),
    _condition("former_smoker", "Former smoker"),
    _condition("pregnancy", "Pregnancy"),
    _condition("oestrogen_receptor_positive", "Tumour with oestrogen receptors"),
    _condition("progesterone_receptor_positive", "Tumour with progesterone receptors"),
    _condition("her2_positive", "Tumour with HER2"),
    _condition("cancer_improved", "Cancer improved"),
    _condition("cancer_worsened", "Cancer worsened"),
    _condition("cancer_stage_1", "Cancer, stage I"),
    _condition("cancer_stage_2", "Cancer, stage II"),
    _condition("cancer_stage_3", "Cancer, stage III"),
    _condition("cancer_stage_4", "Cancer, stage IV"),
    _condition("lymph_node_metastases", "Metastases in regional lymph nodes"),
    _condition("distant_metastases", "Distant metastases"),
    _condition("primary_tumour_t1", "Primary tumour, category T1"),
    _condition("primary_tumour_t2", "Primary tumour, category T2"),
    _condition("primary_tumour_t3", "Primary tumour, category T3"),
    _condition("primary_tumour_t4", "Primary tumour, category T4"),
    # classes of drugs
    _class("ace_inhibitor", "ACE inhibitor"),
    _class("thiazide", "Thiazide diuretic"),
    _class("loop_diuretic", "Loop diuretic"),
    _class("dihydropyridine", "Dihydropyridine calcium-channel blocker"),
    _class("phenylalkylamine", "Phenylalkylamine calcium-channel blocker"),
    _class("selective_beta_blocker", "Selective beta blocker"),
    _class("digitalis_glycoside", "Digitalis glycoside"),
    _class("organic_nitrate", "Organic nitrate"),
    _class("vitamin_k_antagonist", "Vitamin K antagonist"),
    _class("platelet_aggregation_inhibitor", "Platelet aggregation inhibitor"),
    _class("thrombolytic_enzyme", "Thrombolytic enzyme"),
    _class("statin", "Statin"),
    _class("biguanide", "Biguanide"),
    _class("platinum_compound", "Platinum compound"),
    _class("taxane", "Taxane"),
    _class("podophyllotoxin_derivative", "Podophyllotoxin derivative"),
    _class("nitrogen_mustard", "Nitrogen mustard analogue"),
    _class("anthracycline", "Anthracycline"),
    _class("pyrimidine_analogue", "Pyrimidine analogue"),
    _class("other_alkylating_agent", "Other alkylating agent"),
    _class("aromatase_inhibitor", "Aromatase inhibitor"),
    _class("gonadotropin_releasing_hormone_analogue", "Gonadotropin-releasing hormone analogue"),
    _class("her2_inhibitor", "HER2 inhibitor"),
    _class("other_protein_kinase_inhibitor", "Other protein kinase inhibitor"),
    _class("pd_1_inhibitor", "PD-1 or PD-L1 inhibitor"),
    _class("bisphosphonate", "Bisphosphonate"),
    _class("anticholinesterase", "Anticholinesterase"),
    _class("other_anti_dementia_drug", "Other anti-dementia drug"),
    # drugs
    _medication("lisinopril", "Lisinopril", "ace_inhibitor"),
    _medication("captopril", "Captopril", "ace_inhibitor"),
    _medication("hydrochlorothiazide", "Hydrochlorothiazide", "thiazide"),
    _medication("amlodipine", "Amlodipine", "dihydropyridine"),
    _medication("metoprolol", "Metoprolol", "selective_beta_blocker"),
    _medication("furosemide", "Furosemide", "loop_diuretic"),
    _medication("verapamil", "Verapamil", "phenylalkylamine"),
    _medication("digoxin", "Digoxin", "digitalis_glycoside"),
    _medication("nitroglycerin", "Nitroglycerin", "organic_nitrate"),
    _medication("warfarin", "Warfarin", "vitamin_k_antagonist"),
    _medication("aspirin", "Aspirin", "platelet_aggregation_inhibitor"),
    _medication("alteplase", "Alteplase", "thrombolytic_enzyme"),
    _medication("atorvastatin", "Atorvastatin", "statin"),
    _medication("simvastatin", "Simvastatin", "statin"),
    _medication("clopidogrel", "Clopidogrel", "platelet_aggregation_inhibitor"),
    _medication("metformin", "Metformin", "biguanide"),
    _medication("cisplatin", "Cisplatin", "platinum_compound"),
    _medication("carboplatin", "Carboplatin", "platinum_compound"),
    _medication("paclitaxel", "Paclitaxel", "taxane"),
    _medication("etoposide", "Etoposide", "podophyllotoxin_derivative"),
    _medication("docetaxel", "Docetaxel", "taxane"),
    _medication("cyclophosphamide", "Cyclophosphamide", "nitrogen_mustard"),
    _medication("doxorubicin", "Doxorubicin", "anthracycline"),
    _medication("capecitabine", "Capecitabine", "pyrimidine_analogue"),
    _medication("fluorouracil", "Fluorouracil", "pyrimidine_analogue"),
    _medication("gemcitabine", "Gemcitabine", "pyrimidine_analogue"),
    _medication("temozolomide", "Temozolomide", "other_alkylating_agent"),
    _medication("sunitinib", "Sunitinib", "other_protein_kinase_inhibitor"),
    _medication("trastuzumab", "Trastuzumab", "her2_inhibitor"),
    _medication("pembrolizumab", "Pembrolizumab", "pd_1_inhibitor"),
    _medication("anastrozole", "Anastrozole", "aromatase_inhibitor"),
    _medication("leuprolide", "Leuprolide", "gonadotropin_releasing_hormone_analogue"),
    _medication("alendronic_acid", "Alendronic acid", "bisphosphonate"),
    _medication("donepezil", "Donepezil", "anticholinesterase"),
    _medication("galantamine", "Galantamine", "anticholinesterase"),
    _medication("memantine", "Memantine", "other_anti_dementia_drug"),
    # procedures
    _procedure("coronary_artery_bypass", "Coronary artery bypass graft"),
    _procedure("percutaneous_coronary_intervention", "Percutaneous coronary intervention"),
    _procedure("electrical_cardioversion", "Electrical cardioversion"),
    _procedure("cardiac_ablation", "Catheter ablation of the heart"),
    _procedure("pacemaker_implantation", "Pacemaker implantation"),
    _procedure("defibrillator_implantation", "Defibrillator implantation"),
    _procedure("heart_valve_replacement", "Heart valve replacement"),
    _procedure("colonoscopy", "Colonoscopy"),
    _procedure("mammography", "Mammography"),
    _procedure("bone_density_scan", "Bone density scan"),
    _procedure("chemotherapy", "Chemotherapy"),
    _procedure("chemoradiotherapy", "Combined chemotherapy and radiotherapy"),
    _procedure("brachytherapy", "Brachytherapy"),
    _procedure("prostatectomy", "Prostatectomy"),
    _procedure("lobectomy_of_lung", "Lobectomy of the lung"),
    _procedure("colectomy", "Partial resection of the colon"),
    _procedure("artificial_ventilation", "Artificial ventilation"),
)

CONCEPTS: Mapping[str, Concept] = MappingProxyType({c.name: c for c in _REGISTRY})


def of_class(name: str) -> tuple[str, ...]:
    """The medications of a drug class, the class itself first.

    >>> of_class("statin")
    ('statin', 'atorvastatin', 'simvastatin')
    """
    return tuple(c.name for c in _REGISTRY if c.drug_class == name)
