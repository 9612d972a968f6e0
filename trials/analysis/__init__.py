"""Statistics of trials: a table of values and a specification in, estimates with intervals out.

Nothing here knows of simulation, patients or protocols, so the same functions analyse a simulated and a
real trial. Means and their differences are in :mod:`~trials.analysis.means`, proportions in
:mod:`~trials.analysis.proportions`, times to an event in :mod:`~trials.analysis.survival` and
:mod:`~trials.analysis.cox`.
"""

from trials.analysis.cox import Cox, cox
from trials.analysis.estimate import Estimate, critical_value
from trials.analysis.means import Spread, difference_of_means, mean, paired_difference, spread
from trials.analysis.proportions import paired_risk_difference, proportion, risk_difference
from trials.analysis.survival import (
    KaplanMeier,
    RestrictedMean,
    kaplan_meier,
    logrank,
    paired_restricted_mean_difference,
    restricted_mean,
    restricted_mean_difference,
)

__all__ = [
    "Cox",
    "Estimate",
    "KaplanMeier",
    "RestrictedMean",
    "Spread",
    "cox",
    "critical_value",
    "difference_of_means",
    "kaplan_meier",
    "logrank",
    "mean",
    "paired_difference",
    "paired_restricted_mean_difference",
    "paired_risk_difference",
    "proportion",
    "restricted_mean",
    "restricted_mean_difference",
    "risk_difference",
    "spread",
]
