"""The registry of clinical concepts (conditions, drugs, procedures), each named once.

Import maps code-system codes to these names; states, eligibility and risk scores speak of the
names only. Situations ("history of", "suspected") are not the disorder and are left unmapped.
Codes were checked against the displays they carry in published FHIR data or terminology browsers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

Kind = Literal["condition", "medication", "procedure"]


@dataclass(frozen=True)
class Concept:
    """One concept: ``name``, ``label`` for people, its kind and the codes that mean it."""

    name: str
    label: str
    kind: Kind
    system: str
    codes: tuple[str, ...]


def _condition(name: str, label: str, codes: str) -> Concept:
    return Concept(name, label, "condition", SNOMED, tuple(codes.split()))


def _medication(name: str, label: str, codes: str) -> Concept:
    return Concept(name, label, "medication", RXNORM, tuple(codes.split()))


def _procedure(name: str, label: str, codes: str) -> Concept:
    return Concept(name, label, "procedure", SNOMED, tuple(codes.split()))


_REGISTRY = (
    _condition("hypertension", "Hypertension", "38341003 59621000"),
    _condition("heart_failure", "Chronic congestive heart failure", "88805009"),
    _condition("coronary_heart_disease", "Coronary heart disease", "53741008 414545008"),
    _condition("myocardial_infarction", "Myocardial infarction", "22298006"),
    _condition("atrial_fibrillation", "Atrial fibrillation", "49436004"),
    _condition("stroke", "Stroke", "230690007"),
    _condition("cardiac_arrest", "Cardiac arrest", "410429000"),
    _condition("diabetes_mellitus", "Diabetes mellitus", "44054006 73211009"),
    _condition("prediabetes", "Prediabetes", "15777000"),
    _condition("breast_cancer", "Breast cancer", "254837009 188152004"),
    _condition("colon_cancer", "Colon cancer", "93761005 109838007"),
    _condition("lung_cancer", "Lung cancer", "254637007 254632001"),
    _condition("gastrointestinal_stromal_tumour", "Gastrointestinal stromal tumour", "420120006"),
    _condition("liver_metastases", "Liver metastases", "94381002"),
    _condition("chronic_kidney_disease", "Chronic kidney disease", "431855005 433144002"),
    _condition("alzheimer_disease", "Alzheimer's disease", "26929004 230265002"),
    _condition("osteoporosis", "Osteoporosis", "64859006"),
    _condition("epilepsy", "Epilepsy", "84757009 128613002"),
    _medication("lisinopril", "Lisinopril", "314076 206765"),
    _medication("captopril", "Captopril", "833036"),
    _medication("hydrochlorothiazide", "Hydrochlorothiazide", "310798 316049 316052"),
    _medication("amlodipine", "Amlodipine", "197361"),
    _medication("metoprolol", "Metoprolol", "866412 866414"),
    _medication("furosemide", "Furosemide", "1719286 315971"),
    _medication("verapamil", "Verapamil", "897718"),
    _medication("digoxin", "Digoxin", "197604"),
    _medication("nitroglycerin", "Nitroglycerin", "705129"),
    _medication("warfarin", "Warfarin", "855332"),
    _medication("aspirin", "Aspirin", "243670"),
    _medication("alteplase", "Alteplase", "1804799"),
    _medication("atorvastatin", "Atorvastatin", "259255"),
    _medication("simvastatin", "Simvastatin", "312961 314231"),
    _medication("clopidogrel", "Clopidogrel", "309362"),
    _medication("metformin", "Metformin", "860975"),
    _medication("cisplatin", "Cisplatin", "1736854"),
    _medication("paclitaxel", "Paclitaxel", "583214 56946"),
    _medication("etoposide", "Etoposide", "1734340"),
    _medication("docetaxel", "Docetaxel", "1860480"),
    _medication("cyclophosphamide", "Cyclophosphamide", "3002"),
    _medication("anastrozole", "Anastrozole", "84857"),
    _medication("leuprolide", "Leuprolide", "752899"),
    _medication("alendronic_acid", "Alendronic acid", "904419"),
    _medication("donepezil", "Donepezil", "997223 998582"),
    _medication("galantamine", "Galantamine", "310436"),
    _medication("memantine", "Memantine", "996740"),
    _procedure("coronary_artery_bypass", "Coronary artery bypass graft", "232717009"),
    _procedure("percutaneous_coronary_intervention", "Percutaneous coronary intervention", "415070008"),
)

CONCEPTS: Mapping[str, Concept] = MappingProxyType({c.name: c for c in _REGISTRY})
_BY_CODE = {(c.system, code): c for c in _REGISTRY for code in c.codes}


def by_code(system: str, code: str) -> Concept | None:
    """The concept that a code of a code system stands for, or None."""
    return _BY_CODE.get((system, code))
