"""Exposures of a trial's patients, computed again from protocol and baseline: a run does not keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from organ_models.model import fields
from trials.compose import compose_arms
from trials.dosing import Bodies, doses_of, sized
from trials.enrolment import enrol
from trials.outcomes import FAILED, Outcomes
from trials.treatment import new_lesion_days, treat
from vht.population import individuals

if TYPE_CHECKING:
    from trials.protocol import Protocol


def exposures(protocol: Protocol, outcomes: Outcomes, port: str, day: float) -> dict[str, pd.Series]:
    """What a slow model shows of every patient on a day, by arm.

    The same equations, parameters and doses as in the conduct of the trial, also what policies gave; only the
    beating circulation is left out where no policy asks for it.

    Args:
        port: an output (``model.port``) of a slow model.
        day: a whole day of the trial.

    Returns:
        By arm a series over pseudonyms in the port's unit; NaN for patients whose solve failed.

    Raises:
        ValueError: no such output.
        ProtocolError: the protocol's models do not fit together.
    """
    arms, table = compose_arms(protocol), outcomes.baseline
    slow = arms[protocol.arms[0].name].slow
    known = [f"{m.name}.{name}" for m in slow for name in fields(m.Outputs)]
    if port not in known:
        raise ValueError(f"{port} is no output of a slow model of this trial; there are {', '.join(known)}")
    bodies, everybody = Bodies.of(table), np.ones(len(table), bool)
    made = enrol(protocol, arms, table) if any(arm.policies for arm in protocol.arms) else {}
    found = {}
    for arm in protocol.arms:
        patient = arms[arm.name]
        if made:
            people, baselines = made[arm.name].people, made[arm.name].baselines
            solved = np.array([each is None for each in made[arm.name].unmade])
        else:
            people, baselines, solved = individuals(patient, table, seed=protocol.seed), {}, everybody
        able = np.flatnonzero(solved & people.valid() & sized(arm, bodies))
        planned = doses_of(protocol, patient, arm, bodies, people.study_numbers)
        lesions = new_lesion_days(protocol, arm, people)
        treated = treat(protocol, patient, arm, people, planned, baselines, able, lesions)
        series = pd.Series(treated.course[port][round(day)], index=table["pseudonym"].to_numpy())
        status = outcomes.arm_patients(arm.name)["status"]
        found[arm.name] = series.where(status.reindex(series.index) != FAILED)
    return found
