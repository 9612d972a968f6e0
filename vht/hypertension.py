"""Virtual people with a given raised blood pressure, and what drugs are predicted to do about it.

The predictions stand beside what Law et al. 2003 found in 354 placebo-controlled trials. What a parameter was
fitted to is told apart from what comes out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from organ_models.model import OrganModel, values
from organ_models.pharmacology.antihypertensives import CLASSES
from organ_models.references import LAW_2003, LUND_JOHANSEN_1990
from vht.compositions import antihypertensives
from vht.patient import VirtualPatient
from vht.personalisation import personalise
from vht.population import Individuals, typical
from vht.randomness import normal
from vht.reflex import adapt
from vht.simulation import simulate
from vht.validation.claims import Claim

CIRCULATION, DRUGS = "cardiovascular", "antihypertensives"
WEEKS = 4
"""Median duration of the trials in Law 2003, at which predictions are read."""

_SPREAD = {
    "stressed_volume": 0.15,
    "left_ventricular_active_elastance": 0.30,
    "left_ventricular_passive_elastance": 0.40,
    "heart_rate": 0.15,
}
"""Standard deviations of logarithms between people: the priors of personalisation, and 15 % of heart rate."""

_SOLVED = {"systemic_arterial_resistance": 0.25, "systemic_arterial_compliance": 0.30}
_FARTHEST = 1.5


def hypertensives(
    patient: VirtualPatient, systolic: float, diastolic: float, n: int = 1, *, seed: int = 0
) -> Individuals:
    """People at rest at a blood pressure that resistance and arterial stiffness have raised.

    The first is the typical person; the others differ in volume, heart and heart rate. Resistance and
    compliance of everyone are such that the circulation shows the pressure. Reflexes are adapted to it.

    Args:
        patient: a composition with the circulation ``cardiovascular``.
        systolic, diastolic: mm[Hg].
        n: how many.
        seed: of the differences.

    Raises:
        ValueError: a pressure that the circulation of somebody cannot show.
    """
    crowd = typical(patient, n)
    model = patient.models[CIRCULATION]
    heart = {k: np.asarray(v, float).copy() for k, v in values(crowd.parameters[CIRCULATION]).items()}
    for name, spread in _SPREAD.items():
        luck = np.clip(normal(seed, np.arange(n), f"hypertensives {name}"), -_FARTHEST, _FARTHEST)
        luck[:1] = 0.0
        heart[name] = heart[name] * np.exp(spread * luck)
    # volume is given here: two pressures settle resistance and compliance, whatever prior they have
    wanted = {
        "systolic_blood_pressure": np.full(n, systolic),
        "diastolic_blood_pressure": np.full(n, diastolic),
    }
    found = personalise(_solving(model), model.Parameters(**heart), wanted)
    if not found.solved.all():
        raise ValueError(
            f"{np.count_nonzero(~found.solved)} of {n} people cannot show {systolic}/{diastolic}"
        )
    people = dataclasses.replace(crowd, parameters={**crowd.parameters, CIRCULATION: found.parameters})
    return adapt(patient, people) if patient.controllers else people


def _solving(model: OrganModel) -> OrganModel:
    assert model.cycle is not None
    return dataclasses.replace(model, cycle=dataclasses.replace(model.cycle, calibrated=_SOLVED))


@dataclasses.dataclass(frozen=True)
class Response:
    """Changes from untreated after :data:`WEEKS` weeks; arrays of shape ``(treatments, people)``.

    Attributes:
        systolic, diastolic: mm[Hg].
        heart_rate, cardiac_output, stroke_volume: per cent.
    """

    systolic: np.ndarray
    diastolic: np.ndarray
    heart_rate: np.ndarray
    cardiac_output: np.ndarray
    stroke_volume: np.ndarray


def responses(
    people: Individuals, treatments: Sequence[dict[str, float]], patient: VirtualPatient | None = None
) -> Response:
    """What treatments do to people.

    Args:
        people: from :func:`hypertensives`.
        treatments: by class of :data:`~organ_models.pharmacology.antihypertensives.CLASSES`, the dose as a
            multiple of the standard dose.
        patient: the composition; :func:`vht.antihypertensives` if absent.
    """
    composed = antihypertensives() if patient is None else patient
    n, days = len(people), 7 * WEEKS
    every = [{}, *treatments]
    crowd = people.take(np.tile(np.arange(n), len(every)))
    doses = {
        f"{DRUGS}.{name}": np.tile(np.repeat([t.get(name, 0.0) for t in every], n), (days + 1, 1))
        for name in CLASSES
    }
    found = simulate(composed, crowd, doses=doses, days=[days], estimate_error=False)

    def seen(output: str) -> np.ndarray:
        return found.outputs[f"{CIRCULATION}.{output}"][0].reshape(len(every), n)

    def change(output: str) -> np.ndarray:
        return seen(output)[1:] - seen(output)[0]

    return Response(
        systolic=change("systolic_blood_pressure"),
        diastolic=change("diastolic_blood_pressure"),
        heart_rate=100.0 * change("heart_rate") / seen("heart_rate")[0],
        cardiac_output=100.0 * change("cardiac_output") / seen("cardiac_output")[0],
        stroke_volume=100.0 * change("stroke_volume") / seen("stroke_volume")[0],
    )


def law_2003(people: int = 9) -> list[Claim]:
    """Predictions against the trials: doses, baseline slope, additivity, three drugs at half dose.

    Args:
        people: virtual people at each pressure; predictions are those of the typical one, intervals reach
            from the least to the greatest of all.
    """
    patient = antihypertensives()
    singles = [{name: 1.0} for name in CLASSES]
    halves = [{name: 0.5} for name in CLASSES]
    pairs = [{a: 1.0, b: 1.0} for a, b in combinations(CLASSES, 2)]
    triples = [dict.fromkeys(three, 0.5) for three in combinations(CLASSES, 3)]

    def at(systolic: float, diastolic: float, treatments: list[dict[str, float]]) -> Response:
        return responses(hypertensives(patient, systolic, diastolic, people), treatments, patient)

    usual = at(150, 91, [*singles, *halves, *pairs])
    low, high = at(140, 85, singles), at(160, 97, singles)
    three = at(150, 90, triples)
    claims: list[Claim] = []

    def both(
        about: str, rows: Any, published: tuple[float, float], r: Response = usual, **extra: Any
    ) -> None:
        for which, value, column in zip(
            ("systolic", "diastolic"), published, (r.systolic[rows], r.diastolic[rows]), strict=True
        ):
            claims.append(_claim(f"{about}: {which}", value, "mm[Hg]", column, LAW_2003, **extra))

    fitted = set(CLASSES) - {"beta_blocker"}
    for k, (name, drug) in enumerate(CLASSES.items()):
        evidence = "calibration" if name in fitted else "validation"
        both(f"{drug.title}, standard dose, 150/91", k, (-9.1, -5.5), evidence=evidence)
        both(f"{drug.title}, half dose, 150/91", 5 + k, (-7.1, -4.4), evidence=evidence)
    beta = list(CLASSES).index("beta_blocker")
    claims.append(
        _claim(
            "beta-blocker, standard dose: heart rate",
            -12.0,
            "%",
            usual.heart_rate[beta],
            LUND_JOHANSEN_1990,
            evidence="calibration",
            tolerance=0.5,
        )
    )
    for which, upper, lower, reach, published in (
        ("systolic", high.systolic, low.systolic, 20.0, -1.0),
        ("diastolic", high.diastolic, low.diastolic, 12.0, -1.1),
    ):
        slope = 10.0 * (upper - lower).mean(axis=0) / reach
        claims.append(
            _claim(
                f"10 mm[Hg] higher before treatment: {which}",
                published,
                "mm[Hg]",
                slope,
                LAW_2003,
                tolerance=0.2,
            )
        )
    for which, column in (("systolic", usual.systolic), ("diastolic", usual.diastolic)):
        sums = np.stack([sum(column[list(CLASSES).index(c)] for c in pair) for pair in pairs])
        share = (column[10:] / sums).mean(axis=0)
        claims.append(
            _claim(
                f"two classes over the sum of each alone, mean of ten pairs: {which}",
                1.0,
                "1",
                share,
                LAW_2003,
                tolerance=0.1,
            )
        )
    for which, column, published in (
        ("systolic", three.systolic, -20.0),
        ("diastolic", three.diastolic, -11.0),
    ):
        about = f"three classes at half dose, 150/90, mean of ten triples: {which}"
        claims.append(_claim(about, published, "mm[Hg]", column.mean(axis=0), LAW_2003, tolerance=2.0))
    return claims


def _claim(
    about: str,
    published: float,
    unit: str,
    predicted: np.ndarray,
    source: Any,
    *,
    evidence: Any = "validation",
    tolerance: float = 1.0,
) -> Claim:
    return Claim(
        about=about,
        published=published,
        unit=unit,
        predicted=float(predicted[0]),
        reach=(float(predicted.min()), float(predicted.max())),
        tolerance=tolerance,
        source=source,
        evidence=evidence,
    )
