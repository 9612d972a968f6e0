"""What was measured in people at rest, upright, in exercise and under treatment, and what the twin predicts.

``python -m vht.validation.cardiovascular FILE`` writes the tables as Markdown.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from organ_models.cardiovascular import closed_loop_equations
from organ_models.cardiovascular.ageing import resting_men
from organ_models.cardiovascular.demands import demanded
from organ_models.catalogue import catalogue
from organ_models.model import OrganModel
from organ_models.references import (
    HAINSWORTH_1988,
    HIGGINBOTHAM_1986,
    MCENIERY_2005,
    MCVEIGH_1999,
    PETERSEN_2017,
)
from organ_models.solvers import beat_functions, periodic_orbits
from vht.compositions import cardiovascular
from vht.files import write_whole
from vht.healthy_adults import adults
from vht.hypertension import law_2003
from vht.model_validation import validate
from vht.patient import VirtualPatient
from vht.population import Individuals, typical
from vht.reflex import adapt
from vht.simulation import simulate
from vht.validation.claims import Claim, Claims

_HEART = "cardiovascular"
_AGES = np.array([25.0, 35.0, 45.0, 55.0, 65.0, 75.0])
_FITTED_AGE = 25.0
_SCANNED = np.array([50.0, 60.0, 70.0])
"""Middles of the age groups of the magnetic resonance reference."""


def cardiovascular_claims(people: int = 5) -> list[Claims]:
    """All tables; ``people`` is as for :func:`vht.hypertension.law_2003`. Takes about a minute."""
    return [
        Claims("Healthy adults at rest, by age and sex", resting_adults()),
        Claims("Posture and exercise", posture_and_exercise()),
        Claims("Antihypertensive drugs, after four weeks", law_2003(people)),
    ]


def resting_adults() -> list[Claim]:
    """Diastolic pressure, resistance, compliance and ejection fraction by age and sex."""
    patient = VirtualPatient([_HEART])
    n = _AGES.size
    who = adults(
        patient,
        np.concatenate([_AGES, _SCANNED, _SCANNED]),
        ["male"] * (n + _SCANNED.size) + ["female"] * _SCANNED.size,
    )
    seen = simulate(patient, who, days=[0]).outputs
    known = resting_men(_AGES)
    heart = who.parameters[_HEART]
    claims = []
    for k, age in enumerate(_AGES):
        claims.append(
            _one(
                f"man of {age:g} years: diastolic pressure",
                known.diastolic_pressure[k],
                "mm[Hg]",
                seen[f"{_HEART}.diastolic_blood_pressure"][0, k],
                known.diastolic_pressure_sd[k],
                MCENIERY_2005,
                "calibration" if age == _FITTED_AGE else "validation",
            )
        )
        resistance = (8.1 * age + 926.9) / 1333.22
        claims.append(
            _one(
                f"man of {age:g} years: systemic resistance",
                resistance,
                "mm[Hg].s/mL",
                heart.systemic_arterial_resistance[k],
                round(0.154 * resistance, 2),
                MCVEIGH_1999,
            )
        )
        compliance = (0.113 - 0.001 * age) / (0.113 - 0.001 * _FITTED_AGE)
        if age > _FITTED_AGE:
            claims.append(
                _one(
                    f"man of {age:g} years: arterial compliance over that at 25",
                    compliance,
                    "1",
                    heart.systemic_arterial_compliance[k] / heart.systemic_arterial_compliance[0],
                    round(0.27 * compliance, 2),
                    MCVEIGH_1999,
                )
            )
    fractions = seen[f"{_HEART}.ejection_fraction"][0]
    for sex, published, at in (("man", 58.0, n), ("woman", 61.0, n + _SCANNED.size)):
        for k, age in enumerate(_SCANNED):
            claims.append(
                _one(
                    f"{sex} of {age:g} years: ejection fraction",
                    published,
                    "%",
                    fractions[at + k],
                    5.0,
                    PETERSEN_2017,
                )
            )
    return claims


def posture_and_exercise() -> list[Claim]:
    """Tilt by 60 degrees (Hainsworth), and upright exercise to exhaustion (Higginbotham), with the reflex."""
    patient = cardiovascular()
    # supine rates: with them the upright rate at rest is the published 73/min
    who = _men(patient, [70.0, 70.0, 60.8, 60.8], maximal_heart_rate=[180.0, 180.0, 167.0, 167.0])
    seen = simulate(
        patient,
        who,
        days=[0],
        inputs={
            f"{_HEART}.uprightness": np.array([0.0, np.sin(np.pi / 3), 1.0, 1.0]),
            f"{_HEART}.exercise_intensity": np.array([0.0, 0.0, 0.0, 1.0]),
        },
    ).outputs

    def at(output: str, lane: int) -> float:
        return float(seen[f"{_HEART}.{output}"][0, lane])

    claims = []
    for title, output, published, unit, spread in (
        ("cardiac output", "cardiac_output", -1.41, "L/min", 0.70),
        ("heart rate", "heart_rate", 14.7, "/min", 7.6),
        ("systolic pressure", "systolic_blood_pressure", 1.0, "mm[Hg]", 15.5),
        ("diastolic pressure", "diastolic_blood_pressure", 13.6, "mm[Hg]", 13.1),
    ):
        change = at(output, 1) - at(output, 0)
        about = f"tilt by 60 degrees, change of {title}"
        claims.append(_one(about, published, unit, change, spread, HAINSWORTH_1988))
    for title, output, before, after in (
        ("heart rate", "heart_rate", 73.0, 167.0),
        ("cardiac output", "cardiac_output", 3.0, 9.7),
        ("stroke volume", "stroke_volume", 41.0, 58.0),
    ):
        claims.append(
            _one(
                f"upright exercise to exhaustion over upright rest: {title}",
                after / before,
                "1",
                at(output, 3) / at(output, 2),
                0.15 * after / before,
                HIGGINBOTHAM_1986,
                "calibration" if output == "heart_rate" else "validation",
            )
        )
    return claims


def _men(patient: VirtualPatient, rates: list[float], **parameters: list[float]) -> Individuals:
    crowd = typical(patient, len(rates))
    heart = dataclasses.replace(
        crowd.parameters[_HEART],
        heart_rate=np.array(rates),
        **{k: np.array(v) for k, v in parameters.items()},
    )
    return adapt(patient, dataclasses.replace(crowd, parameters={**crowd.parameters, _HEART: heart}))


def _one(
    about: str,
    published: float,
    unit: str,
    predicted: float,
    tolerance: float,
    source: object,
    evidence: str = "validation",
) -> Claim:
    value = float(predicted)
    return Claim(about, float(published), unit, value, (value, value), float(tolerance), source, evidence)  # type: ignore[arg-type]


_HEAD = """# What the cardiovascular twin predicts, and what was measured

Written by `make validation`. A published value that the twin misses by more than the tolerance is
marked, and no parameter was moved to mend it. *Calibration* rows are values that a parameter was fitted
to; they show that the fit arrived, not that the twin is right. The tolerance is the published spread
between people (or between repeated measurements) where the source gives one, and else 1 mm[Hg] for one
drug, 2 mm[Hg] for three, 15 % in exercise. *Virtual patients* is the reach over people who have the same
pressure for different reasons.

Agreement of each circulation with the equations it was published with is another question, answered in the
table after these.

"""


def _equations() -> str:
    """Every circulation against the tables it was published with, or computed apart from this code."""
    lines = [
        "## Circulations against their own sources",
        "",
        "Values that the equations must give, by `vht models validate`; the last column is the largest "
        "difference as a share of what its source tolerates.",
        "",
        "| circulation | values | verification | calibration | within tolerance | largest share |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for model in catalogue().values():
        if model.cycle is None or not model.checks:
            continue
        results = validate(model).results
        kinds = [r.check.evidence for r in results]
        share = max(abs(r.computed - r.check.published) / r.check.allowed for r in results)
        lines.append(
            f"| {model.title} | {len(results)} | {kinds.count('verification')} | "
            f"{kinds.count('calibration')} | "
            f"{sum(r.passed for r in results)} | {share:.0%} |"
        )
    return "\n".join(lines) + "\n"


_STEPS = (250, 500, 1000, 2000)
_FINEST = 8000


def _numerics() -> str:
    """Order of convergence of the healthy beat, and what 100 beats lose of the blood."""
    model = catalogue()[_HEART]
    assert model.cycle is not None
    p, u = model.Parameters(), model.Inputs()
    start = periodic_orbits(model, p, u, tolerance=1e-10).state

    def after_a_beat(steps: int) -> np.ndarray:
        end = periodic_orbits(model, p, u, start=start, tolerance=np.inf, steps=steps, watched_steps=steps)
        return end.state[:, 0]

    exact = after_a_beat(_FINEST)
    size = np.maximum(np.abs(exact), 1.0)
    lines = [
        "## Numerics",
        "",
        "One healthy beat of the cardiovascular twin by Runge–Kutta steps, against 8000 steps: the largest "
        "difference of a state, relative to it or to its unit. Between valve events the method is of fourth "
        "order (tested on smooth problems); an event within a step adds an error that depends on where in "
        "the step it falls, so that the decrease is uneven. A beat that is read takes 2000 steps.",
        "",
        "| steps a beat | error |",
        "|---:|---:|",
    ]
    lines += [f"| {s} | {float((np.abs(after_a_beat(s) - exact) / size).max()):.1e} |" for s in _STEPS]
    state = _plain_beats(model, p, u, start[:, 0], 100)
    held = closed_loop_equations.stressed_volume(model.State(*state), p, demanded(p, u))
    changed = abs(float(held) / p.stressed_volume - 1.0)
    bound = 10.0 ** np.ceil(np.log10(max(changed, 1e-16)))
    lines += [
        "",
        f"Over 100 beats without refilling, stressed volume changes by less than {bound:.0e} of itself.",
    ]
    return "\n".join(lines) + "\n"


def _plain_beats(model: OrganModel, p: Any, u: Any, state: np.ndarray, beats: int) -> np.ndarray:
    """Beats one after another by 1000 steps each, without putting back what they lose."""
    working = model.working(p)
    advance, stages, _ = beat_functions(model, 1000, working, u)

    @jax.jit
    def run(y: Any) -> Any:
        def beat(x: Any, _: None) -> tuple[Any, None]:
            return lax.scan(lambda s, d: (advance(s, d), None), x, stages)[0], None

        return lax.scan(beat, y, None, length=beats)[0]

    return np.asarray(run(jnp.asarray(state)))


def document(people: int = 5) -> str:
    """All tables as one Markdown document."""
    tables = [table.markdown() for table in cardiovascular_claims(people)]
    return _HEAD + "\n".join([*tables, _equations(), _numerics()])


def main(path: str) -> None:
    """Write the document to a file."""
    write_whole(Path(path), document().encode())


if __name__ == "__main__":
    main(sys.argv[1])
