"""Ready-made virtual patients.

Those of a drug and a tumour stand in :mod:`vht.ready_made` by name, with their regimens. Kinetics drive a
tumour or a toxicity only where a source published that link; where a published tumour model takes doses or a
treatment as such, it stands beside the kinetics of the same drug, and both get the doses.
"""

from __future__ import annotations

from organ_models.catalogue import model
from organ_models.scenarios import in_variant
from vht.patient import Coupling, VirtualPatient
from vht.reflex import regulated


def sunitinib_gist() -> VirtualPatient:
    """A patient with a gastrointestinal stromal tumour under sunitinib, with a beating circulation.

    Exposure drives tumour and diastolic pressure; the pressure is a target for the circulation, whose
    systemic resistance is solved for (arterial compliance follows).
    """
    return VirtualPatient(
        ["sunitinib_exposure", "hansson_gist", "sunitinib_blood_pressure", "closed_loop_circulation"],
        [
            Coupling("sunitinib_exposure.daily_exposure", "hansson_gist.daily_exposure"),
            Coupling("sunitinib_exposure.daily_exposure", "sunitinib_blood_pressure.daily_exposure"),
            Coupling(
                "sunitinib_blood_pressure.diastolic_pressure",
                "closed_loop_circulation.diastolic_pressure",
                solve="closed_loop_circulation.systemic_resistance_ratio",
                follow="closed_loop_circulation.arterial_compliance_ratio",
            ),
        ],
    )


_RESET = (
    Coupling("cardiovascular.mean_arterial_pressure", "baroreflex_resetting.mean_pressure"),
    Coupling("baroreflex_resetting.set_point_shift", "baroreflex.set_point_shift"),
)


def antihypertensives() -> VirtualPatient:
    """A circulation with its baroreflex, which is reset over days, under antihypertensive drugs.

    Doses are given at the ports ``antihypertensives.thiazide``, ``.beta_blocker``, ``.ace_inhibitor``,
    ``.angiotensin_blocker`` and ``.calcium_blocker``, in multiples of the standard dose; individuals go
    through :func:`vht.adapt` first.
    """
    drugs = ("local_resistance_ratio", "arterial_compliance_ratio", "stressed_volume_ratio")
    return VirtualPatient(
        ["antihypertensives", "cardiovascular", "baroreflex", "baroreflex_resetting"],
        [
            *regulated(),
            *(Coupling(f"antihypertensives.{port}", f"cardiovascular.{port}") for port in drugs),
            Coupling("antihypertensives.cardiac_sympathetic_ratio", "baroreflex.cardiac_sympathetic_ratio"),
            *_RESET,
        ],
    )


def cardiovascular() -> VirtualPatient:
    """A circulation with its baroreflex.

    The reflex of the typical patient is that of its source; :func:`vht.adapt` resets it to each patient's own
    pressure, so that it resists what changes from then on.
    """
    return VirtualPatient(["cardiovascular", "baroreflex"], regulated())


_EXPOSURE = "sunitinib_exposure.daily_exposure"


def _sunitinib_circulation() -> list[Coupling]:
    return [
        Coupling(_EXPOSURE, "hansson_gist.daily_exposure"),
        Coupling(_EXPOSURE, "sunitinib_blood_pressure.daily_exposure"),
        Coupling("hansson_gist.vegfr3_relative_change", "sunitinib_neutropenia.vegfr3_relative_change"),
        Coupling(
            "sunitinib_blood_pressure.diastolic_pressure",
            "cardiovascular.diastolic_blood_pressure",
            solve="cardiovascular.local_resistance_ratio",
            follow="cardiovascular.arterial_compliance_ratio",
        ),
    ]


_REFLEX = ("baroreflex", "baroreflex_resetting")
_SUNITINIB = ("sunitinib_exposure", "hansson_gist", "sunitinib_blood_pressure", "sunitinib_neutropenia")


def sunitinib_heart(*, reflex: bool = False) -> VirtualPatient:
    """Sunitinib on tumour, neutrophils and diastolic pressure, shown by the cardiovascular twin.

    Args:
        reflex: with the baroreflex, which answers to the pressure and is reset over days; individuals go
            through :func:`vht.adapt` first. The reflex keeps its own ports: the drug narrows vessels by
            ``local_resistance_ratio``, further where the reflex resists. Policies cannot be run then, since a
            slow model reads the cycle.
    """
    return VirtualPatient(
        [*_SUNITINIB, "cardiovascular", *(_REFLEX if reflex else ())],
        [*_sunitinib_circulation(), *_regulated(reflex)],
    )


def _regulated(reflex: bool) -> list[Coupling]:
    return [*regulated(), *_RESET] if reflex else []


_HEART = ("anthracycline_troponin_t", "trastuzumab", "trastuzumab_ejection_fraction")


def _weakening() -> list[Coupling]:
    fraction = "trastuzumab_ejection_fraction"
    return [
        Coupling("anthracycline_troponin_t.largest_troponin_t", f"{fraction}.largest_troponin_t"),
        Coupling("trastuzumab.concentration", f"{fraction}.concentration"),
        Coupling(
            f"{fraction}.ejection_fraction_ratio",
            "cardiovascular.ejection_fraction",
            solve="cardiovascular.left_ventricular_elastance_ratio",
            relative=True,
        ),
    ]


def trastuzumab_heart(*, reflex: bool = False) -> VirtualPatient:
    """Trastuzumab after an anthracycline, shown by the cardiovascular twin.

    The higher troponin T rose under the anthracycline, the more the ejection fraction falls under
    trastuzumab; the elastance of the left ventricle is solved for until the circulation's falls by the same
    share.

    Args:
        reflex: with the baroreflex, reset over days; individuals go through :func:`vht.adapt` first.
    """
    return VirtualPatient(
        [*_HEART, "cardiovascular", *(_REFLEX if reflex else ())],
        [*_weakening(), *_regulated(reflex)],
    )


def cardio_oncology() -> VirtualPatient:
    """Sunitinib in somebody who had an anthracycline and trastuzumab: one circulation shows both.

    Diastolic pressure and ejection fraction are met at once, by resistance (compliance follows) and by the
    elastance of the left ventricle. That the effects of the drugs are independent is an assumption; nobody
    measured both.
    """
    return VirtualPatient(
        [*_SUNITINIB, *_HEART, "cardiovascular"],
        [*_sunitinib_circulation(), *_weakening()],
    )


_NEUTROPENIA = Coupling("docetaxel_ozawa.molar_concentration", "docetaxel_neutropenia_kloft.concentration")


def capecitabine_docetaxel_breast() -> VirtualPatient:
    """Metastatic breast cancer under capecitabine and docetaxel, with docetaxel's neutropenia.

    The tumour takes doses, as published (Bruno 2012); neutrophils follow docetaxel's concentration.
    """
    return VirtualPatient(
        ["docetaxel_ozawa", "capecitabine", "bruno_breast_cancer", "docetaxel_neutropenia_kloft"],
        [_NEUTROPENIA],
    )


def docetaxel_lung() -> VirtualPatient:
    """Non-small-cell lung cancer under docetaxel (Struemper 2025), with its neutropenia."""
    return VirtualPatient(
        [
            "docetaxel_ozawa",
            in_variant(model("struemper_lung_cancer"), "docetaxel"),
            "docetaxel_neutropenia_kloft",
        ],
        [_NEUTROPENIA],
    )


def pembrolizumab_lung() -> VirtualPatient:
    """Non-small-cell lung cancer under pembrolizumab (Chatterjee 2016), with its kinetics.

    The tumour takes the exposure over six weeks that a regimen has in the steady state, as published.
    """
    return VirtualPatient(["pembrolizumab", "chatterjee_lung_cancer"])


def temozolomide_glioma() -> VirtualPatient:
    """Low-grade glioma under temozolomide (Mazzocco 2015), which the tumour takes in cycles; its kinetics."""
    return VirtualPatient(["temozolomide", "mazzocco_glioma"])


def paclitaxel_leukopenia() -> VirtualPatient:
    """Paclitaxel and white cells (Friberg 2002)."""
    return VirtualPatient(
        ["paclitaxel_linear", "paclitaxel_leukopenia"],
        [Coupling("paclitaxel_linear.molar_concentration", "paclitaxel_leukopenia.concentration")],
    )


def doxorubicin_children() -> VirtualPatient:
    """Doxorubicin and its metabolite in children; troponin I follows their sum (Kunarajah 2017)."""
    return VirtualPatient(
        ["doxorubicin_children", "doxorubicin_troponin_i"],
        [Coupling("doxorubicin_children.total_concentration", "doxorubicin_troponin_i.concentration")],
    )


def treated_tumour(name: str) -> VirtualPatient:
    """A tumour model that takes its treatment as such.

    Args:
        name: in the catalogue.
    """
    return VirtualPatient([name])
