"""Where Kuznetsov's equations come to rest, computed apart from this code.

1000 units of time, 9900 days, after which the start with which the model is declared has come to rest.
"""

from __future__ import annotations

from organ_models.references import KUZNETSOV_1994, KUZNETSOV_REGRESSION
from organ_models.scenarios import BASELINE, Check, Scenario

EQUILIBRIUM_SCENARIOS = (
    Scenario("no_tumour", "without a tumour", parameters={"initial_tumour": 0.0}, source=KUZNETSOV_1994),
)
_AT_REST = 9900


def _check(output: str, cells: float, scenario: str = BASELINE) -> Check:
    return Check(output, cells, "1", 1e-5, "relative", KUZNETSOV_REGRESSION, scenario=scenario, day=_AT_REST)


EQUILIBRIUM_CHECKS = (
    _check("effectors", 0.315522308, "no_tumour"),
    _check("effectors", 1.60920328),
    _check("tumour", 8.189706664),
)
