"""The catalogue: every organ model by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from organ_models.cardiovascular.baroreflex import BAROREFLEX
from organ_models.cardiovascular.bjordalsbakke import BJORDALSBAKKE_CIRCULATION
from organ_models.cardiovascular.cardiovascular import CARDIOVASCULAR
from organ_models.cardiovascular.closed_loop import CLOSED_LOOP_CIRCULATION
from organ_models.cardiovascular.leaflet_valves import LEAFLET_VALVES_CIRCULATION
from organ_models.cardiovascular.regazzoni import REGAZZONI_CIRCULATION
from organ_models.cardiovascular.resetting import BAROREFLEX_RESETTING
from organ_models.cardiovascular.shi_hose import SHI_HOSE_CIRCULATION
from organ_models.cardiovascular.smith import SMITH_CIRCULATION
from organ_models.cardiovascular.ursino import URSINO_CIRCULATION
from organ_models.model import OrganModel
from organ_models.oncology.abiraterone_competition import ABIRATERONE_COMPETITION
from organ_models.oncology.bruno import BRUNO_BREAST_CANCER
from organ_models.oncology.chatterjee import CHATTERJEE_LUNG_CANCER
from organ_models.oncology.claret import CLARET_MONET1
from organ_models.oncology.exponential_growth import EXPONENTIAL_GROWTH
from organ_models.oncology.exponential_linear import EXPONENTIAL_LINEAR_GROWTH, KOCH_GROWTH
from organ_models.oncology.gompertz import GOMPERTZ, GOMPERTZ_CAPACITY
from organ_models.oncology.hansson_gist import HANSSON_GIST
from organ_models.oncology.kuznetsov import KUZNETSOV_IMMUNITY
from organ_models.oncology.logistic_growth import GENERALISED_LOGISTIC_GROWTH, LOGISTIC_GROWTH
from organ_models.oncology.low_grade_glioma import MAZZOCCO_GLIOMA, RIBBA_GLIOMA
from organ_models.oncology.power_law import POWER_LAW_GROWTH, VON_BERTALANFFY_GROWTH
from organ_models.oncology.radiotherapy import RADIOTHERAPY
from organ_models.oncology.simeoni import SIMEONI
from organ_models.oncology.stein_fojo import ALK_LUNG_CANCER, STEIN_ANTIGEN
from organ_models.oncology.struemper import STRUEMPER_LUNG_CANCER
from organ_models.pharmacology.antihypertensives import ANTIHYPERTENSIVES
from organ_models.pharmacology.arteriolar_dilator import ARTERIOLAR_DILATOR
from organ_models.pharmacology.capecitabine import CAPECITABINE
from organ_models.pharmacology.cardiac_troponin import ANTHRACYCLINE_TROPONIN_T, DOXORUBICIN_TROPONIN_I
from organ_models.pharmacology.docetaxel import DOCETAXEL_ONOUE, DOCETAXEL_OZAWA
from organ_models.pharmacology.docetaxel_neutropenia import (
    DOCETAXEL_NEUTROPENIA_FRIBERG,
    DOCETAXEL_NEUTROPENIA_KLOFT,
    DOCETAXEL_NEUTROPENIA_OZAWA,
)
from organ_models.pharmacology.doxorubicin import DOXORUBICIN, DOXORUBICIN_CHILDREN
from organ_models.pharmacology.paclitaxel import PACLITAXEL, PACLITAXEL_LINEAR
from organ_models.pharmacology.paclitaxel_leukopenia import PACLITAXEL_LEUKOPENIA
from organ_models.pharmacology.pembrolizumab import PEMBROLIZUMAB
from organ_models.pharmacology.sunitinib import SUNITINIB
from organ_models.pharmacology.sunitinib_blood_pressure import SUNITINIB_BLOOD_PRESSURE
from organ_models.pharmacology.sunitinib_exposure import SUNITINIB_EXPOSURE
from organ_models.pharmacology.sunitinib_neutropenia import SUNITINIB_NEUTROPENIA
from organ_models.pharmacology.temozolomide import TEMOZOLOMIDE
from organ_models.pharmacology.trastuzumab import TRASTUZUMAB
from organ_models.pharmacology.trastuzumab_ejection_fraction import TRASTUZUMAB_EJECTION_FRACTION

_MODELS = (
    SUNITINIB_EXPOSURE,
    HANSSON_GIST,
    SUNITINIB_BLOOD_PRESSURE,
    CARDIOVASCULAR,
    BAROREFLEX,
    BAROREFLEX_RESETTING,
    ANTIHYPERTENSIVES,
    CLOSED_LOOP_CIRCULATION,
    REGAZZONI_CIRCULATION,
    SHI_HOSE_CIRCULATION,
    LEAFLET_VALVES_CIRCULATION,
    BJORDALSBAKKE_CIRCULATION,
    SMITH_CIRCULATION,
    URSINO_CIRCULATION,
    ARTERIOLAR_DILATOR,
    EXPONENTIAL_GROWTH,
    LOGISTIC_GROWTH,
    GENERALISED_LOGISTIC_GROWTH,
    GOMPERTZ,
    GOMPERTZ_CAPACITY,
    POWER_LAW_GROWTH,
    VON_BERTALANFFY_GROWTH,
    EXPONENTIAL_LINEAR_GROWTH,
    KOCH_GROWTH,
    SIMEONI,
    STEIN_ANTIGEN,
    ALK_LUNG_CANCER,
    STRUEMPER_LUNG_CANCER,
    CHATTERJEE_LUNG_CANCER,
    CLARET_MONET1,
    BRUNO_BREAST_CANCER,
    RIBBA_GLIOMA,
    MAZZOCCO_GLIOMA,
    ABIRATERONE_COMPETITION,
    RADIOTHERAPY,
    KUZNETSOV_IMMUNITY,
    DOCETAXEL_OZAWA,
    DOCETAXEL_ONOUE,
    DOCETAXEL_NEUTROPENIA_KLOFT,
    DOCETAXEL_NEUTROPENIA_OZAWA,
    DOCETAXEL_NEUTROPENIA_FRIBERG,
    PACLITAXEL,
    PACLITAXEL_LINEAR,
    PACLITAXEL_LEUKOPENIA,
    CAPECITABINE,
    TEMOZOLOMIDE,
    PEMBROLIZUMAB,
    SUNITINIB,
    SUNITINIB_NEUTROPENIA,
    DOXORUBICIN,
    DOXORUBICIN_CHILDREN,
    TRASTUZUMAB,
    ANTHRACYCLINE_TROPONIN_T,
    DOXORUBICIN_TROPONIN_I,
    TRASTUZUMAB_EJECTION_FRACTION,
)

_CATALOGUE: Mapping[str, OrganModel] = MappingProxyType({m.name: m for m in _MODELS})


class UnknownModel(KeyError):
    """Raised for a model name that the catalogue does not hold; suggests the nearest one."""

    def __init__(self, name: str):
        near = difflib.get_close_matches(name, list(_CATALOGUE), n=1)
        hint = f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(_CATALOGUE)
        super().__init__(f"unknown organ model '{name}'; {hint}")

    def __str__(self) -> str:
        return str(self.args[0])


def catalogue() -> Mapping[str, OrganModel]:
    """All models by name."""
    return _CATALOGUE


def model(name: str) -> OrganModel:
    """The model called ``name``.

    Raises:
        UnknownModel: with the nearest known name.
    """
    try:
        return _CATALOGUE[name]
    except KeyError:
        raise UnknownModel(name) from None
