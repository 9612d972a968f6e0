"""Plots of a simulated cohort: the fall of blood counts, and what an exposure goes with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from organ_models.model import fields
from organ_models.pharmacology.ctcae import NEUTROPENIA
from vht.patient import CompositionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vht.simulation import Simulation

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#666666"
