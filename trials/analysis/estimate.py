"""An estimate with its interval."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A point estimate and its two-sided confidence interval.

    Attributes:
        value: the estimate; NaN where there were no data.
        lower: lower limit; NaN where the interval cannot be computed (too few values).
        upper: upper limit.
        n: number of patients (or pairs) it rests on; of two groups, the sum.
        standard_error: of the estimate; NaN where the interval does not come from one.
    """

    value: float
    lower: float = NAN
    upper: float = NAN
    n: int = 0
    standard_error: float = NAN

    @property
    def width(self) -> float:
        """Width of the interval."""
        return self.upper - self.lower


def critical_value(level: float) -> float:
    """Two-sided standard normal quantile for a confidence level, such as 1.96 for 0.95.

    Raises:
        ValueError: ``level`` is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies between 0 and 1, not at {level}")
    return float(stats.norm.ppf(0.5 + level / 2.0))
