"""Ready-made patients by name: a drug and a tumour, or a drug and the heart, with their regimens.

A regimen is a :class:`organ_models.scenarios.Scenario` whose ports and parameters are written
``model.port``. Regimens that a model of the catalogue declares are taken from there, so that what a
composition runs is what was checked.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from organ_models.catalogue import catalogue, model
from organ_models.model import Reference
from organ_models.references import (
    AHAMADI_2017,
    DE_VRIES_SCHULTINK_2018,
    KUNARAJAH_2017,
    STRUEMPER_2025,
    ZHANG_2022,
)
from organ_models.scenarios import BASELINE, Pattern, Scenario, in_variant, scenarios
from organ_models.schedules import Schedule, boluses, infusions
from organ_models.validation.sunitinib import scenarios as sunitinib_schedules
from vht import compositions
from vht.patient import VirtualPatient

DAY = 168
"""Day on which a patient is read unless another is asked for: 24 weeks."""


class UnknownPatient(ValueError):
    """No ready-made patient of this name, or none of its regimens; says the nearest."""


@dataclass(frozen=True)
class ReadyMade:
    """A composition with a name.

    Attributes:
        name: what people type.
        title: what it stands for.
        build: makes the composition.
        regimens: how it is treated; ``baseline``, untreated, is always there. What one of them gives and
            another does not is not given there, also where a model on its own is treated by default.
        day: when it is read unless another day is asked for.
    """

    name: str
    title: str
    build: Callable[[], VirtualPatient]
    regimens: tuple[Scenario, ...]
    day: int = DAY

    def regimen(self, name: str) -> Scenario:
        """One of its regimens.

        Raises:
            UnknownPatient: no such regimen, with the nearest name.
        """
        known = {BASELINE: UNTREATED} | {r.name: r for r in self.regimens}
        if name not in known:
            raise UnknownPatient(f"{self.name} has no scenario '{name}'{_near(name, list(known))}")
        return known[name]


UNTREATED = Scenario(BASELINE, "untreated")
_SURFACE, _WEIGHT = 1.7, 70.0
"""m2 and kg of the patient whose doses go by size."""


def ready_made(name: str) -> ReadyMade:
    """A ready-made patient.

    Raises:
        UnknownPatient: no such name, with the nearest of patients and models.
    """
    if name not in READY_MADE:
        hint = _near(name, [*READY_MADE, *catalogue()])
        raise UnknownPatient(f"no ready-made patient '{name}'{hint}")
    return READY_MADE[name]


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"


# -- regimens ---------------------------------------------------------------------------------------


def _declared(name: str, also: Mapping[str, Mapping[str, Pattern | Schedule]]) -> tuple[Scenario, ...]:
    """Scenarios of a model as regimens, each with what else is given beside it, by port."""
    found = scenarios(model(name))
    return tuple(
        Scenario(
            chosen,
            found[chosen].title,
            inputs={
                **{p if "." in p else f"{name}.{p}": given for p, given in found[chosen].inputs.items()},
                **beside,
            },
            parameters={f"{name}.{p}": value for p, value in found[chosen].parameters.items()},
            source=found[chosen].source,
        )
        for chosen, beside in also.items()
    )


def _always(name: str, port: str, title: str, source: Reference) -> tuple[Scenario, ...]:
    return (Scenario("continuous", title, inputs={f"{name}.{port}": Pattern(1.0)}, source=source),)


_CYCLES = 21.0 * np.arange(9)
_DOCETAXEL = {"docetaxel_ozawa.infusion_rate": infusions(75.0 * _SURFACE, 1.0, _CYCLES)}


def _capecitabine(dose: float) -> dict[str, Pattern | Schedule]:
    """mg/m2 twice daily for 14 days, every three weeks; into the kinetics."""
    times = (_CYCLES[:, None] + 0.5 * np.arange(28)).ravel()
    return {"capecitabine.dose": boluses(dose * _SURFACE, times)}


_TEMOZOLOMIDE = {
    "temozolomide.dose": boluses(200.0 * _SURFACE, (28.0 * np.arange(18)[:, None] + np.arange(5)).ravel())
}
"""200 mg/m2 on the first five days of every 28, 18 cycles."""

_YEAR = 84.0 + 21.0 * np.arange(18)
_ADJUVANT: dict[str, Pattern | Schedule] = {
    "anthracycline_troponin_t.dose": boluses(110.0, [0.0, 21.0, 42.0, 63.0]),
    "trastuzumab.dose": boluses(_WEIGHT * np.where(_YEAR[0] == _YEAR, 8.0, 6.0), _YEAR),
}
_ADJUVANT_TITLE = (
    "doxorubicin 110 mg every 3 weeks, 4 doses; from day 84 on trastuzumab 8, then 6 mg/kg every 3 weeks for "
    "a year; 70 kg"
)
_AFTER = 462.0
"""Three weeks after the last trastuzumab, d."""

_SIX_WEEKS = 42.0 / 21.0 / float(model("pembrolizumab").Parameters().clearance)
"""Exposure over six weeks in the steady state of a dose every three, per mg of dose: two doses over the
clearance of the typical patient, d/L."""


def _pembrolizumab(dose: float) -> dict[str, Pattern | Schedule]:
    return {"chatterjee_lung_cancer.exposure": Pattern(dose * _SIX_WEEKS)}


def _alone(name: str) -> Callable[[], VirtualPatient]:
    return lambda: compositions.treated_tumour(name)


# -- patients ---------------------------------------------------------------------------------------

_DOSE = "sunitinib_exposure.daily_dose"
_CRIZOTINIB = in_variant(model("alk_lung_cancer"), "crizotinib")
_LUNG = "; docetaxel 75 mg/m2 every 3 weeks, 1.7 m2 (assumption: the usual dose)"

_PATIENTS = (
    ReadyMade(
        "sunitinib_gist",
        "Gastrointestinal stromal tumour under sunitinib, lean circulation",
        compositions.sunitinib_gist,
        sunitinib_schedules(_DOSE, 50.0),
    ),
    ReadyMade(
        "sunitinib_heart",
        "The same with neutrophils, on the cardiovascular twin",
        compositions.sunitinib_heart,
        sunitinib_schedules(_DOSE, 50.0),
    ),
    ReadyMade(
        "sunitinib_reflex",
        "The same with a baroreflex that is reset over days",
        lambda: compositions.sunitinib_heart(reflex=True),
        sunitinib_schedules(_DOSE, 50.0),
        day=56,
    ),
    ReadyMade(
        "trastuzumab_heart",
        "Breast cancer: anthracycline, troponin T, trastuzumab, and the heart",
        compositions.trastuzumab_heart,
        (Scenario("adjuvant", _ADJUVANT_TITLE, inputs=_ADJUVANT, source=DE_VRIES_SCHULTINK_2018),),
        day=364,
    ),
    ReadyMade(
        "cardio_oncology",
        "Sunitinib after an anthracycline and trastuzumab: pressure and ejection fraction of one heart",
        compositions.cardio_oncology,
        (
            Scenario(
                "sequence",
                f"{_ADJUVANT_TITLE}; from day 462 on sunitinib 50 mg daily (assumption: independent effects)",
                inputs={**_ADJUVANT, _DOSE: Schedule(np.array([_AFTER]), np.array([50.0]))},
                source=DE_VRIES_SCHULTINK_2018,
            ),
        ),
        day=546,
    ),
    ReadyMade(
        "capecitabine_docetaxel_breast",
        "Metastatic breast cancer under capecitabine and docetaxel, with neutropenia",
        compositions.capecitabine_docetaxel_breast,
        _declared(
            "bruno_breast_cancer",
            {
                "combination": {**_DOCETAXEL, **_capecitabine(1250.0)},
                "reduced_combination": {**_DOCETAXEL, **_capecitabine(825.0)},
                "docetaxel": _DOCETAXEL,
            },
        ),
    ),
    ReadyMade(
        "docetaxel_lung",
        "Non-small-cell lung cancer under docetaxel, with neutropenia",
        compositions.docetaxel_lung,
        (
            Scenario(
                "three_weekly",
                f"the docetaxel arm{_LUNG}",
                inputs={"struemper_lung_cancer.treatment": Pattern(1.0), **_DOCETAXEL},
                source=STRUEMPER_2025,
            ),
        ),
    ),
    ReadyMade(
        "pembrolizumab_lung",
        "Non-small-cell lung cancer under pembrolizumab",
        compositions.pembrolizumab_lung,
        tuple(
            Scenario(
                name,
                scenarios(model("pembrolizumab"))[name].title,
                inputs={
                    "pembrolizumab.infusion_rate": scenarios(model("pembrolizumab"))[name].inputs[
                        "infusion_rate"
                    ],
                    **_pembrolizumab(dose),
                },
                source=AHAMADI_2017,
            )
            for name, dose in (("flat_dose", 200.0), ("high_dose", 768.0))
        ),
    ),
    ReadyMade(
        "temozolomide_glioma",
        "Low-grade glioma under temozolomide",
        compositions.temozolomide_glioma,
        _declared(
            "mazzocco_glioma",
            dict.fromkeys(("cycles", "cycles_p53_mutated", "cycles_codeleted"), _TEMOZOLOMIDE),
        ),
    ),
    ReadyMade(
        "pcv_glioma",
        "Low-grade glioma under procarbazine, lomustine and vincristine",
        _alone("ribba_glioma"),
        _declared("ribba_glioma", {"cycles": {}}),
    ),
    ReadyMade(
        "paclitaxel_white_cells",
        "Paclitaxel and white cells",
        compositions.paclitaxel_leukopenia,
        _declared("paclitaxel_leukopenia", {"three_hours": {}}),
        day=10,
    ),
    ReadyMade(
        "paclitaxel_xenograft",
        "A xenograft in mice under paclitaxel",
        _alone("simeoni_xenograft"),
        _declared("simeoni_xenograft", {"threshold": {}, "four_days": {}}),
        day=20,
    ),
    ReadyMade(
        "doxorubicin_troponin_children",
        "Doxorubicin and troponin I in children",
        compositions.doxorubicin_children,
        (
            Scenario(
                "single",
                "50 mg/m2 at 1.8 m2 at once (assumption: the middle of the 25 to 75 mg/m2 that were given)",
                inputs={"doxorubicin_children.dose": boluses(50.0 * 1.8, [0.0])},
                source=KUNARAJAH_2017,
            ),
        ),
        day=1,
    ),
    ReadyMade(
        "abiraterone_prostate",
        "Metastatic prostate cancer under abiraterone: sensitive and resistant cells",
        _alone("abiraterone_competition"),
        _always("abiraterone_competition", "abiraterone", "abiraterone without interruption", ZHANG_2022),
    ),
    ReadyMade(
        "motesanib_lung",
        "Non-small-cell lung cancer under first-line chemotherapy with or without motesanib",
        _alone("claret_monet1"),
        _always("claret_monet1", "treatment", "as in the trial", model("claret_monet1").references[0]),
    ),
    ReadyMade(
        "alectinib_lung",
        "Lung cancer with an ALK fusion under alectinib",
        _alone("alk_lung_cancer"),
        _always("alk_lung_cancer", "treatment", "as in the source", model("alk_lung_cancer").references[0]),
    ),
    ReadyMade(
        "crizotinib_lung",
        "Lung cancer with an ALK fusion under crizotinib",
        lambda: VirtualPatient([_CRIZOTINIB]),
        _always("alk_lung_cancer", "treatment", "as in the source", model("alk_lung_cancer").references[0]),
    ),
    ReadyMade(
        "fractionated_radiotherapy",
        "A tumour irradiated in fractions",
        _alone("radiotherapy"),
        _declared("radiotherapy", {"index_0_2": {}, "index_0_7": {}}),
        day=40,
    ),
)

READY_MADE: Mapping[str, ReadyMade] = MappingProxyType({p.name: p for p in _PATIENTS})
"""By name."""
