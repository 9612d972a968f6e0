"""Left-ventricular assist devices as curves of flow against head (pressure of the aorta less ventricle).

``Q = clip(a H^2 + b H + c)`` with the head held within the branch where flow falls with head: beyond the
vertex of a fitted parabola the curve means nothing. Curves of the HeartMate II and HeartMate 3 as published
with Bonnemain et al. 2021; between tabulated speeds of the HeartMate 3 the coefficients are linear, as there.
"""

from __future__ import annotations

import numpy as np

_TWO = {
    8000: (0.0136, -3.506, 195.85, 100.0),
    9000: (0.0119, -3.6, 245.16, 116.667),
    10000: (0.0127, -4.03, 306.65, 133.0),
}
"""By speed (/min): a, b, c and the largest flow, mL/s."""

_THREE = {
    2000: (-0.195304, 4.17014, 2.00178),
    3000: (-0.122054, 3.00926, 29.8864),
    4000: (-0.0488034, 1.84837, 57.771),
    5000: (-0.0245944, 1.29678, 84.0812),
    6000: (-0.0121526, 0.819383, 107.022),
    7000: (-0.0137202, 2.1611, 51.4744),
    8000: (-0.00553127, 0.705035, 143.812),
    9000: (-0.0042916, 0.805248, 141.179),
}
"""By speed (/min): a, b, c; the vertex of the parabola is where the flow is largest."""


def heartmate_2(speed: int) -> dict[str, float]:
    """Parameters of the circulation that attach a HeartMate II.

    Args:
        speed: 8000, 9000 or 10000 /min; the source gives no curve between them.

    Raises:
        ValueError: another speed.
    """
    if speed not in _TWO:
        raise ValueError(f"no HeartMate II curve at {speed}/min; there are {', '.join(map(str, _TWO))}")
    a, b, c, largest = _TWO[speed]
    return _parameters(a, b, c, lowest_head=-1e6, highest_head=-b / (2 * a), lowest=-1e6, largest=largest)


def heartmate_3(speed: float) -> dict[str, float]:
    """Parameters of the circulation that attach a HeartMate 3.

    Args:
        speed: 2000 to 8000 /min, or 9000; in between coefficients are linear in speed.

    Raises:
        ValueError: another speed.
    """
    if not (2000 <= speed <= 8000 or speed == 9000):
        raise ValueError(
            f"no HeartMate 3 curve at {speed:g}/min; it must lie between 2000 and 8000, or be 9000"
        )
    table = np.array(list(_THREE.values()))
    a, b, c = (float(np.interp(speed, list(_THREE), column)) for column in table.T)
    vertex = -b / (2 * a)
    largest = c - b * b / (4 * a)
    return _parameters(a, b, c, lowest_head=vertex, highest_head=1e6, lowest=0.0, largest=largest)


def _parameters(
    a: float, b: float, c: float, *, lowest_head: float, highest_head: float, lowest: float, largest: float
) -> dict[str, float]:
    return {
        "assist_quadratic": a,
        "assist_linear": b,
        "assist_constant": c,
        "assist_lowest_head": lowest_head,
        "assist_highest_head": highest_head,
        "assist_lowest_flow": lowest,
        "assist_highest_flow": largest,
    }
