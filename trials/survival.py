"""Overall and progression-free survival in a trial, predicted by a published link from tumour size.

A link (:mod:`vht.survival_links`) gives each patient a distribution of the time to the event. The time is
drawn with luck that hangs on the study's seed, the patient and the event alone: the same in every arm. It
belongs to the virtual patient and not to what was measured, so that it is drawn from the noise-free tumour;
what a trial observes of it ends where the patient leaves, or with the follow-up.

Days count from the start of treatment. Times before the day on which the tumour's change is due (week 6, say)
are left as they are drawn, since the published distributions are not conditional on being alive then. They
are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from organ_models.catalogue import model
from organ_models.model import fields
from organ_models.units import UnitError, conversion
from trials.outcomes import FAILED, WITHDRAWN, Outcomes, OutcomesError
from trials.protocol.amounts import days as duration_in_days
from trials.protocol.survival import (
    DISEASE_CONTROL,
    SEEN_ON_THE_TUMOUR,
    SURVIVAL,
    WEEK_6,
    WEEK_6_CHANGE,
    control_day,
)
from vht.quantities import quantity
from vht.survival_links import LINKS, Survival, SurvivalLink, predict

if TYPE_CHECKING:
    from trials.protocol import Protocol
    from vht.patient import VirtualPatient

OVERALL = "overall survival"
"""The event of a link that ends with death."""

MONTH = conversion("mo", "d").factor
"""Days in a month of a link."""


@dataclass(frozen=True)
class Drawn:
    """Times to the event in one arm, in the order of :meth:`Outcomes.arm_patients`.

    Attributes:
        survival: what the link predicts.
        time: drawn time, days; NaN without a prediction; shape (patients,).
        end: day on which observation ends noise-free and as observed, shape (2, patients).
        due: day from which the covariates are known; 0 where all are known at the start.
    """

    survival: Survival
    time: NDArray[np.float64]
    end: NDArray[np.float64]
    due: float

    @property
    def early(self) -> int:
        """How many events are drawn before the covariates were due."""
        return int((self.time < self.due).sum())

    def seen(self, view: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Time to the event or to censoring, and whether the event was seen; noise-free (0), observed (1)."""
        with np.errstate(invalid="ignore"):
            return np.where(np.isnan(self.time), np.nan, np.minimum(self.time, self.end[view])), (
                self.time <= self.end[view]
            )


def link_of(endpoint: Any) -> SurvivalLink:
    """The link that an endpoint names."""
    return LINKS[endpoint.link]


def follow_up(protocol: Protocol, endpoint: Any) -> float:
    """Day on which survival is censored for everybody: that of the endpoint, or the end of the course."""
    declared = endpoint.follow_up
    return protocol.duration_days if declared is None else duration_in_days(declared)


def mark_days(last: float) -> tuple[float, ...]:
    """Days on which numbers at risk are told: up to nine, whole months apart, to the end of follow-up."""
    step = next((m for m in (1, 2, 3, 6, 12, 24, 60) if last / (m * MONTH) <= 8), 120) * MONTH
    return tuple(step * k for k in range(int(last / step + 1e-9) + 1))


def draw(
    protocol: Protocol, outcomes: Outcomes, endpoint: Any, arm: str, tumour: Mapping[str, np.ndarray]
) -> Drawn:
    """Draw the time to the event of every patient of an arm.

    Args:
        tumour: covariates of :data:`SEEN_ON_THE_TUMOUR`, each of shape (patients,); those that the link
            does not take are left aside.

    Raises:
        OutcomesError: the baseline or the disposition lacks what a covariate is read from.
        LinkError: a covariate is an indicator and neither 0 nor 1.
    """
    link = link_of(endpoint)
    patients = outcomes.arm_patients(arm)
    given = {
        name: tumour[name] if name in SEEN_ON_THE_TUMOUR else _covariate(outcomes, endpoint, arm, name)
        for name in link.covariates
    }
    failed = (patients["status"] == FAILED).to_numpy()
    known = {name: np.where(failed, np.nan, value) for name, value in given.items()}
    survival = predict(link, known)
    numbers = outcomes.baseline.set_index("pseudonym")["study_number"].reindex(patients.index)
    time = survival.sample(protocol.seed, numbers.to_numpy(np.int64)) * link.days
    last = np.full(len(patients), follow_up(protocol, endpoint))
    left = np.where((patients["status"] == WITHDRAWN).to_numpy(), patients["last_day"], np.inf)
    due = 0.0
    if WEEK_6_CHANGE in link.covariates:
        due = WEEK_6
    elif DISEASE_CONTROL in link.covariates:
        due = control_day(protocol.visit_days(endpoint.quantity)) or 0.0
    return Drawn(survival, time, np.stack([last, np.minimum(last, left)]), due)


def facts(endpoint: Any, drawn: Mapping[str, Drawn]) -> dict[str, Any]:
    """What results tell of the link behind an endpoint, by arm where arms differ."""
    link = link_of(endpoint)
    failed = {name: int((~each.survival.predicted).sum()) for name, each in drawn.items()}
    return {
        "name": link.name,
        "title": link.title,
        "event": link.event,
        "formula": link.formula,
        "sigma": link.sigma,
        "unit": link.unit,
        "source": str(link.reference),
        "population": link.population,
        "certainty": link.certainty,
        "notes": link.notes,
        "arms": {
            name: {
                "limits": dict(each.survival.counts),
                "without_prediction": failed[name],
                "events_before_covariates": each.early,
                "covariates_due_day": each.due,
            }
            for name, each in drawn.items()
        },
    }


def output_column(port: str) -> str:
    """Column of the disposition that holds a model's output on day 0."""
    return f"output {port}"


def ports_read(protocol: Protocol) -> tuple[str, ...]:
    """Outputs of models that covariates of survival links read, each once."""
    return tuple(dict.fromkeys(s.output for s in _sources(protocol) if s.output is not None))


def quantities_read(protocol: Protocol) -> tuple[str, ...]:
    """Quantities at baseline that covariates of survival links read, each once."""
    return tuple(dict.fromkeys(s.quantity for s in _sources(protocol) if s.quantity is not None))


def check_outputs(protocol: Protocol, patient: VirtualPatient) -> None:
    """See that the outputs which covariates read exist on slow models, in units that fit.

    Raises:
        ProtocolError: with the line.
    """
    slow = [f"{m.name}.{port}" for m in patient.slow for port in fields(m.Outputs)]
    endpoints: tuple[Any, ...] = protocol.endpoints
    for index, endpoint in enumerate(endpoints):
        for name, source in endpoint.covariates.items() if endpoint.kind == SURVIVAL else ():
            if source.output is None:
                continue
            position = ("endpoints", index, "covariates", name, "output")
            if source.output not in slow:
                message = f"'{source.output}' is no output of a slow model; there is {', '.join(slow)}"
                raise protocol.error_at(position, message)
            try:
                conversion(patient.port(source.output, "Outputs").unit, _wanted(endpoint, name))
            except UnitError as error:
                raise protocol.error_at(position, str(error)) from None


# ---------------------------------------------------------------------------------------------------


def _sources(protocol: Protocol) -> Iterator[Any]:
    endpoints: tuple[Any, ...] = protocol.endpoints
    for endpoint in endpoints:
        if endpoint.kind == SURVIVAL:
            yield from endpoint.covariates.values()


def _wanted(endpoint: Any, name: str) -> str:
    return link_of(endpoint).covariates[name].unit


def _covariate(outcomes: Outcomes, endpoint: Any, arm: str, name: str) -> np.ndarray:
    """A declared covariate of every patient of an arm in the link's unit."""
    source, unit = endpoint.covariates[name], _wanted(endpoint, name)
    patients = outcomes.arm_patients(arm)
    if source.output is not None:
        column = output_column(source.output)
        if column not in patients:
            raise OutcomesError(f"table 'disposition' has no column '{column}', which {name} is read from")
        owner, _, port = source.output.partition(".")
        given, shown = patients[column], fields(model(owner).Outputs)[port].unit
    elif source.quantity is not None:
        if source.quantity not in outcomes.baseline:
            raise OutcomesError(
                f"table 'baseline' has no column {source.quantity}, which {name} is read from"
            )
        given = outcomes.baseline.set_index("pseudonym")[source.quantity].reindex(patients.index)
        shown = quantity(source.quantity).unit
    else:
        return np.full(len(patients), source.of(arm).to(unit))
    convert = conversion(shown, unit)
    return convert.factor * given.to_numpy(float) + convert.offset
