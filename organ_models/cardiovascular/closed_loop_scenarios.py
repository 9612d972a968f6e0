"""Scenarios of the 12-state circulation, without reflex: multipliers on the healthy baseline.

A longer period is a lower heart rate: period × 1/0.88 is heart rate × 0.88. Systole and atrial onset
follow the period by the model's own timing laws.
"""

from __future__ import annotations

from organ_models.references import C12_TABLES
from organ_models.scenarios import Scenario

_RESISTANCE = "systemic_arterial_resistance"
_COMPLIANCE = "systemic_arterial_compliance"
_VOLUME = "stressed_volume"
_RATE = "heart_rate"
_ACTIVE = "left_ventricular_active_elastance"
_PASSIVE = "left_ventricular_passive_elastance"
_HYPERTENSION = {_RESISTANCE: 1.30, _COMPLIANCE: 0.70}


def _s(name: str, title: str, factors: dict[str, float]) -> Scenario:
    return Scenario(name, title, factors, source=C12_TABLES)


SCENARIOS = (
    _s("r_ars_x090", "vasodilation", {_RESISTANCE: 0.90}),
    _s("htn", "hypertension", _HYPERTENSION),
    _s("htn_r092", "hypertension under an arteriolar dilator", {**_HYPERTENSION, _RESISTANCE: 1.30 * 0.92}),
    _s("htn_vol095", "hypertension, 5 % less volume (early thiazide)", {**_HYPERTENSION, _VOLUME: 0.95}),
    _s("htn_beta", "hypertension under a beta-blocker", {**_HYPERTENSION, _RATE: 0.88, _ACTIVE: 0.92}),
    _s("hfref", "heart failure with reduced ejection fraction", {_ACTIVE: 0.40, _VOLUME: 1.20}),
    _s(
        "hfpef",
        "heart failure with preserved ejection fraction",
        {_PASSIVE: 2.0, _RESISTANCE: 1.2, _COMPLIANCE: 0.7, _VOLUME: 1.15},
    ),
    _s(
        "pah",
        "pulmonary arterial hypertension",
        {"pulmonary_arterial_resistance": 6.0, "pulmonary_arterial_compliance": 0.4},
    ),
    _s("haemorrhage", "loss of 10 % of the stressed volume", {_VOLUME: 0.90}),
    _s("hr100", "pacing at 100/min", {_RATE: 1.0 / 0.7}),
    _s("ageing", "stiff arteries and left ventricle", {_COMPLIANCE: 0.5, _RESISTANCE: 1.15, _PASSIVE: 1.3}),
)
