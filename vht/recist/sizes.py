"""Conversions between diameters and volumes, each under the shape that its name states.

Lengths in mm, volumes in mm3, any array shape. A sum of diameters and a volume describe the same tumour only
under an assumption of shape; isotropic growth keeps proportions, so that ratios convert without one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def sphere_volume(diameter: ArrayLike) -> Values:
    """Volume of a sphere, pi/6 D^3."""
    return np.asarray(np.pi / 6.0 * np.asarray(diameter, float) ** 3)


def sphere_diameter(volume: ArrayLike) -> Values:
    """Diameter of a sphere of this volume."""
    return np.cbrt(6.0 / np.pi * np.asarray(volume, float))


def three_diameter_volume(first: ArrayLike, second: ArrayLike, third: ArrayLike) -> Values:
    """Volume from three orthogonal diameters as used for gliomas, D1 D2 D3 / 2."""
    return np.asarray(np.asarray(first, float) * np.asarray(second, float) * np.asarray(third, float) / 2.0)


def mean_tumour_diameter(volume: ArrayLike) -> Values:
    """Mean tumour diameter of that volume, (2 V)^(1/3) (Ribba 2012, Mazzocco 2015)."""
    return np.cbrt(2.0 * np.asarray(volume, float))


def caliper_volume_half(length: ArrayLike, width: ArrayLike) -> Values:
    """Mouse tumour from two caliper readings, L W^2 / 2 (the Lewis lung data of Benzekry 2014)."""
    return np.asarray(np.asarray(length, float) * np.asarray(width, float) ** 2 / 2.0)


def caliper_volume_ellipsoid(length: ArrayLike, width: ArrayLike) -> Values:
    """Mouse tumour from two caliper readings, pi/6 L W^2 (the LM2-4LUC+ breast data)."""
    return np.asarray(np.pi / 6.0 * np.asarray(length, float) * np.asarray(width, float) ** 2)


def volume_ratio(sum_ratio: ArrayLike) -> Values:
    """Ratio of volumes where the sum of diameters changed by ``sum_ratio``, isotropic growth: its cube."""
    return np.asarray(np.asarray(sum_ratio, float) ** 3)


def sum_ratio(volume_ratio: ArrayLike) -> Values:
    """Ratio of sums of diameters where the volume changed by ``volume_ratio``, isotropic growth."""
    return np.cbrt(np.asarray(volume_ratio, float))


def volume_rate(diameter_rate: ArrayLike) -> Values:
    """Exponential rate of the volume where diameters change at ``diameter_rate``: three times it."""
    return np.asarray(3.0 * np.asarray(diameter_rate, float))
