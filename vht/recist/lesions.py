"""From lesions to the sum of target lesions: which are measurable, which are targets, what they add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MEASURABLE_MM = 10.0
"""Longest diameter from which a lesion is measurable on CT, mm."""
MEASURABLE_NODE_MM = 15.0
"""Short axis from which a lymph node is measurable, mm."""
NORMAL_NODE_MM = 10.0
"""A lymph node whose short axis is below this is normal, mm."""
TARGETS_PER_ORGAN, TARGETS = 2, 5


@dataclass(frozen=True)
class Targets:
    """What the target lesions add up to.

    Attributes:
        sums: sum of the diameters that were measured, mm; NaN where none was, shape (patients, visits).
        gone: whether every target is gone and every node normal, shape as ``sums``.
        complete: whether every target was measured, shape as ``sums``.
    """

    sums: NDArray[np.float64]
    gone: NDArray[np.bool_]
    complete: NDArray[np.bool_]


def measurable(diameters: ArrayLike, nodal: ArrayLike) -> NDArray[np.bool_]:
    """Whether lesions are measurable on CT: longest diameter, or short axis of a lymph node, in mm."""
    limit = np.where(np.asarray(nodal, bool), MEASURABLE_NODE_MM, MEASURABLE_MM)
    return np.asarray(np.asarray(diameters, float) >= limit)


def choose_targets(
    diameters: Sequence[float], organs: Sequence[str], nodal: Sequence[bool]
) -> NDArray[np.bool_]:
    """Which of one patient's lesions at baseline are targets: the largest measurable ones.

    At most two in an organ and five in all; of two of the same size the one that is listed first.

    Args:
        diameters: at baseline, mm.
        organs: where each lesion lies.
        nodal: whether each is a lymph node.

    Raises:
        ValueError: the three do not have the same length.
    """
    if not len(diameters) == len(organs) == len(nodal):
        raise ValueError("diameters, organs and nodal need one entry per lesion each")
    chosen = np.zeros(len(diameters), dtype=bool)
    fit = measurable(diameters, nodal)
    taken: Counter[str] = Counter()
    for index in np.argsort(-np.asarray(diameters, float), kind="stable"):
        organ = organs[index]
        if fit[index] and taken[organ] < TARGETS_PER_ORGAN and taken.total() < TARGETS:
            chosen[index] = True
            taken[organ] += 1
    return chosen


def recorded_diameters(diameters: ArrayLike, too_small: float, recorded_as: float) -> NDArray[np.float64]:
    """Diameters as a reader records them: a lesion that is there but too small to measure gets one size.

    RECIST 1.1 suggests 5 mm, trials differ: a trial says what its readers did, so that neither has a default.

    Args:
        diameters: mm, 0 where a lesion is gone, NaN where it was not looked at, any shape.
        too_small: below this a lesion is too small to measure, mm.
        recorded_as: what is then recorded, mm.
    """
    sizes = np.asarray(diameters, float)
    return np.where((sizes > 0.0) & (sizes < too_small), recorded_as, sizes)


def target_sums(diameters: ArrayLike, nodal: ArrayLike) -> Targets:
    """Add up target lesions: longest diameters, and short axes of lymph nodes.

    Args:
        diameters: mm, 0 where a lesion is gone, NaN where it was not measured; shape (patients, visits,
            lesions). A patient with fewer lesions than others has zeros for the rest at every visit.
        nodal: whether the lesion is a lymph node, shape (patients, lesions) or (lesions,).
    """
    sizes = np.asarray(diameters, float)
    nodes = np.broadcast_to(np.asarray(nodal, bool)[..., None, :], sizes.shape)
    measured = ~np.isnan(sizes)
    sums = np.where(measured, sizes, 0.0).sum(axis=-1)
    gone = np.asarray(np.where(nodes, sizes < NORMAL_NODE_MM, sizes == 0.0).all(axis=-1))
    return Targets(np.where(measured.any(axis=-1), sums, np.nan), gone, np.asarray(measured.all(axis=-1)))
