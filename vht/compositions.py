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


def cardiovascular() -> VirtualPatient:
    """A circulation with its baroreflex.

    The reflex of the typical patient is that of its source; :func:`vht.adapt` resets it to each patient's own
    pressure, so that it resists what changes from then on.
    """
    return VirtualPatient(["cardiovascular", "baroreflex"], regulated())
