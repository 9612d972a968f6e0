"""The resting circulation of healthy adults by age, sex and body size.

Men follow regressions of what was measured in them: heart rate, stroke volume (echocardiography), mean
pressure, pulse wave velocity, and width of the arteries. From these follow the parameters of the circulation:
resistance and stressed volume so that it shows the mean pressure and the stroke volume of that age, arterial
compliance by the Bramwell–Hill relation from velocity and width, elastance of the left ventricle by a slow
rise after 45 years. Systolic and diastolic pressure and ejection fraction are then what comes out.

Women, and people of another size, are scaled from the man of the same age by body surface area: volumes and
compliances in proportion to it, resistances, elastances and inertances in inverse proportion. That is a
derived rule, not a regression: it keeps every pressure and the ejection fraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.interpolate import PchipInterpolator

from organ_models.model import OrganModel, fields, values
from organ_models.solvers import periodic_orbits

Sex = Literal["female", "male"]

YOUNGEST, OLDEST = 25.0, 80.0
"""Ages that the regressions cover, years."""

BODY_SURFACE_AREA = {"male": 1.91, "female": 1.71}
"""Means of 3613 adults, m2 (Sacco 2010)."""

_RATE_AGES = np.arange(32.5, 93.0, 5.0)
_RATE_SHARES = np.array([80, 95, 97.5, 96, 94, 93, 90, 84, 76, 66, 57, 51, 51])
_PRESSURE_AGES = np.arange(15.5, 86.0, 10.0)
_MEAN_PRESSURES = np.array([88, 89, 92, 95, 95, 94, 93, 92])
_MEAN_PRESSURE_SDS = np.array([8, 8, 8, 7, 7, 7, 7, 8])
_DIASTOLIC_PRESSURES = np.array([73, 75, 77, 79, 79, 78, 76, 75])
_DIASTOLIC_PRESSURE_SDS = np.array([8, 8, 7, 6, 6, 6, 6, 9])
_WIDTH_AGES = np.array([14, 25, 46, 60, 71])
_WIDTHS = np.array([6.9, 7.7, 8.3, 8.2, 9.0])

HEART_RATE_SD = 11.0
"""Between people, /min (Petersen 2017)."""

COMPLIANCE_CV = 0.27
"""Between people, of arterial compliance (McVeigh 1999)."""

STIFFENING = 0.0075
"""Rise of both elastances of the left ventricle after 45 years, per year.

The middle of 0.5 to 1 % a year, which the reference derives from a longitudinal 1.9 % a year over four years
(Borlaug 2013), an upper bound.
"""

YOUNG_COMPLIANCE = 2.51
"""Arterial compliance at 25 years, mL/mm[Hg]: with it the circulation shows the diastolic pressure."""

YOUNG_ELASTANCE = 1.176
"""Elastance of all chambers over the model's own, at 25 years: with it the ejection fraction is 58 %.

Stroke volumes of the regression are smaller than those of the model's own baseline, and so are the hearts.
This and the compliance are fitted at 25 years; at every other age pressures and ejection fraction come out.
"""

_TOLERANCE = 1e-6  # relative error of mean pressure and stroke volume
_ROUNDS = 40


@dataclass(frozen=True)
class Resting:
    """What is known of healthy men of some ages at rest; arrays of the shape of the ages.

    Attributes:
        heart_rate: /min (Yashin 2006).
        stroke_volume: mL, by echocardiography (Poppe 2015).
        stroke_volume_sd: mL, between people.
        mean_pressure: mm[Hg] (McEniery 2005).
        mean_pressure_sd: mm[Hg], between people.
        diastolic_pressure: mm[Hg] (McEniery 2005); shown for comparison, nothing is fitted to it but at 25.
        diastolic_pressure_sd: mm[Hg], between people.
        compliance_ratio: arterial compliance over that at 25 years: Bramwell–Hill from carotid-femoral pulse
            wave velocity at 125/82.5 mm[Hg] (Mattace-Raso 2010) and carotid width.
        ventricular_ratio: elastance of the left ventricle over that before 45 years.
    """

    heart_rate: np.ndarray
    stroke_volume: np.ndarray
    stroke_volume_sd: np.ndarray
    mean_pressure: np.ndarray
    mean_pressure_sd: np.ndarray
    diastolic_pressure: np.ndarray
    diastolic_pressure_sd: np.ndarray
    compliance_ratio: np.ndarray
    ventricular_ratio: np.ndarray


def resting_men(ages: Any) -> Resting:
    """Healthy men of some ages (years) at rest, as collected for the pulse wave database (Charlton 2019).

    Raises:
        ValueError: an age that the regressions do not cover.
    """
    a = np.asarray(ages, dtype=float)
    if not np.all((a >= YOUNGEST) & (a <= OLDEST)):
        raise ValueError(f"ages must be from {YOUNGEST:g} to {OLDEST:g} years, which the regressions cover")
    upper, lower = 102.35 - 0.3856 * a, 42.94 - 0.1193 * a
    # the source extrapolates below 32.5 years
    rate = 66.0 + 12.0 * (PchipInterpolator(_RATE_AGES, _RATE_SHARES)(a) - 5.0) / 94.0

    def at(values: np.ndarray) -> np.ndarray:
        return np.interp(a, _PRESSURE_AGES, values)

    def wave_speed(age: Any) -> Any:
        return 5.69 + 0.99e-3 * np.asarray(age) ** 2

    def width(age: Any) -> Any:
        return np.interp(age, _WIDTH_AGES, _WIDTHS)

    return Resting(
        heart_rate=rate,
        stroke_volume=0.5 * (upper + lower),
        stroke_volume_sd=(upper - lower) / 3.29,
        mean_pressure=at(_MEAN_PRESSURES),
        mean_pressure_sd=at(_MEAN_PRESSURE_SDS),
        diastolic_pressure=at(_DIASTOLIC_PRESSURES),
        diastolic_pressure_sd=at(_DIASTOLIC_PRESSURE_SDS),
        compliance_ratio=(wave_speed(YOUNGEST) / wave_speed(a)) ** 2 * (width(a) / width(YOUNGEST)) ** 2,
        ventricular_ratio=(1.0 + STIFFENING) ** np.maximum(a - 45.0, 0.0),
    )


@dataclass(frozen=True)
class Wanted:
    """What the circulation of each person is to show, and what is given; arrays of shape ``(n,)``.

    Attributes:
        heart_rate: /min.
        stroke_volume: mL.
        mean_pressure: mm[Hg].
        compliance: of the arteries, mL/mm[Hg].
        ventricular_ratio: elastance of the left ventricle over the model's own.
        size: body surface area over that of the man whom the other values belong to.
    """

    heart_rate: np.ndarray
    stroke_volume: np.ndarray
    mean_pressure: np.ndarray
    compliance: np.ndarray
    ventricular_ratio: np.ndarray
    size: np.ndarray


def parameters_of(model: OrganModel, wanted: Wanted) -> tuple[Any, np.ndarray]:
    """Parameters with which a circulation shows what is wanted.

    Args:
        model: ``cardiovascular`` or another member of its family.
        wanted: of the man; sizes are applied last.

    Returns:
        The parameters, fields of shape ``(n,)``, and whether mean pressure and stroke volume were reached.
        Each person is solved apart.
    """
    n = wanted.heart_rate.size
    p = {k: np.full(n, float(v)) for k, v in values(model.Parameters()).items()}
    p["heart_rate"] = wanted.heart_rate.copy()
    p["systemic_arterial_compliance"] = wanted.compliance.copy()
    for name in (k for k in p if k.endswith("_elastance")):
        left = name.startswith("left_ventricular")
        p[name] = p[name] * YOUNG_ELASTANCE * (wanted.ventricular_ratio if left else 1.0)
    mean = next(k for k, f in fields(model.Outputs).items() if f.quantity == "mean_blood_pressure")
    venous = next(k for k in fields(model.Outputs) if k.startswith("right_atrial") and "volume" not in k)
    flow = wanted.stroke_volume * wanted.heart_rate / 60.0
    reached, lanes, start = np.zeros(n, dtype=bool), np.arange(n), None
    for _ in range(_ROUNDS):
        here = model.Parameters(**{k: v[lanes] for k, v in p.items()})
        orbit = periodic_orbits(model, here, model.Inputs(), start=start, tolerance=1e-9)
        seen = orbit.outputs
        now = seen["stroke_volume"] * wanted.heart_rate[lanes] / 60.0
        fine = (
            orbit.converged
            & (np.abs(seen[mean] / wanted.mean_pressure[lanes] - 1.0) < _TOLERANCE)
            & (np.abs(seen["stroke_volume"] / wanted.stroke_volume[lanes] - 1.0) < _TOLERANCE)
        )
        reached[lanes[fine]] = True
        on = orbit.converged & ~fine
        lanes, start = lanes[on], orbit.state[:, on]
        if lanes.size == 0:
            break
        drop, wanted_drop = (
            seen[mean][on] - seen[venous][on],
            wanted.mean_pressure[lanes] - seen[venous][on],
        )
        resistance = p["systemic_arterial_resistance"][lanes]
        change = wanted_drop / flow[lanes] - drop / now[on]
        p["systemic_arterial_resistance"][lanes] = np.maximum(resistance + change, 0.2 * resistance)
        gain = np.clip(wanted.stroke_volume[lanes] / seen["stroke_volume"][on], 0.7, 1.4)
        p["stressed_volume"][lanes] *= gain
    return model.Parameters(**_scaled(model, p, wanted.size)), reached


def _scaled(model: OrganModel, p: dict[str, np.ndarray], size: np.ndarray) -> dict[str, np.ndarray]:
    """People of another size: what is per volume divided by it, volumes and compliances multiplied."""
    powers = {"mL": 1, "mL/mm[Hg]": 1, "mm[Hg].s/mL": -1, "mm[Hg].s2/mL": -1, "mm[Hg]/mL": -1, "/mL": -1}
    units = {k: f.unit for k, f in fields(model.Parameters).items()}
    return {k: v * size ** powers.get(units[k], 0) for k, v in p.items()}
