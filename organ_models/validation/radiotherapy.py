"""30 fractions on weekdays from a Monday on: regression values computed apart from this code."""

from __future__ import annotations

from organ_models.references import PROKOPIOU_2015, RADIOTHERAPY_REGRESSION
from organ_models.scenarios import Check, Scenario
from organ_models.schedules import boluses

_WEEKDAYS = boluses(2.0, [7.0 * week + day for week in range(6) for day in range(5)])


def _course(index: float) -> Scenario:
    return Scenario(
        f"index_{index:g}".replace(".", "_"),
        f"2 Gy on 30 weekdays from a Monday on, proliferation saturation index {index:g}",
        parameters={"saturation_index": index},
        inputs={"fraction": _WEEKDAYS},
        source=PROKOPIOU_2015,
    )


COURSE_SCENARIOS = (_course(0.2), _course(0.7))
COURSE_CHECKS = tuple(
    Check(
        "relative_volume",
        volume,
        "1",
        1e-6,
        "relative",
        RADIOTHERAPY_REGRESSION,
        scenario=scenario.name,
        day=40,
    )
    for scenario, volume in zip(COURSE_SCENARIOS, (0.013808215, 0.06437977), strict=True)
)
