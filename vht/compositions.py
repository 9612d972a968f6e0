"""Ready-made virtual patients."""

from __future__ import annotations

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
            Coupling("cardiovascular.mean_arterial_pressure", "baroreflex_resetting.mean_pressure"),
            Coupling("baroreflex_resetting.set_point_shift", "baroreflex.set_point_shift"),
        ],
    )


def cardiovascular() -> VirtualPatient:
    """A circulation with its baroreflex.

    The reflex of the typical patient is that of its source; :func:`vht.adapt` resets it to each patient's own
    pressure, so that it resists what changes from then on.
    """
    return VirtualPatient(["cardiovascular", "baroreflex"], regulated())
