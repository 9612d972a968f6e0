"""Exposures of a trial's patients, computed again from protocol and baseline: a run does not keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from organ_models.model import fields
from trials.compose import compose
from trials.conduct import twins
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
    patient = compose(protocol)
    known = [f"{m.name}.{name}" for m in patient.slow for name in fields(m.Outputs)]
    if port not in known:
        raise ValueError(f"{port} is no output of a slow model of this trial; there are {', '.join(known)}")
    table = outcomes.baseline
    if any(arm.policies for arm in protocol.arms):
        people, baselines, _, unmade = twins(patient, table, seed=protocol.seed)
        made = np.array([each is None for each in unmade])
    else:
        people, baselines = individuals(patient, table, seed=protocol.seed), {}
        made = np.ones(len(table), bool)
    able = np.flatnonzero(made & people.valid())
    found = {}
    for arm in protocol.arms:
        treated = treat(
            protocol, patient, arm, people, baselines, able, new_lesion_days(protocol, arm, people)
        )
        series = pd.Series(treated.course[port][round(day)], index=table["pseudonym"].to_numpy())
        status = outcomes.arm_patients(arm.name)["status"]
        found[arm.name] = series.where(status.reindex(series.index) != FAILED)
    return found
