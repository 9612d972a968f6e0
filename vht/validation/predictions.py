"""What the models say about conditions for which no outcome is declared: predictions, fixed by a digest.

A prediction is worth something if it was written down before the outcome was seen. ``make predictions``
writes every output of every scenario that has no published value into one file, with the models' versions and
a digest of it all; who holds an outcome can compare it with the file of an earlier date.

``python -m vht.validation.predictions FILE`` writes the file.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

from organ_models.catalogue import catalogue
from organ_models.model import OrganModel
from organ_models.scenarios import BASELINE, DEFAULT_VARIANT, reported, scenarios, variants
from vht.files import write_whole
from vht.model_run import DAY, Case, run_cases

SCHEMA = "vht-predictions/1"
DAYS = (42, DAY)
"""When slow models are read: week 6, and the day on which a single run is read."""

_DIGITS = 6


def unchecked(model: OrganModel) -> list[tuple[str, str]]:
    """Variant and scenario of every condition of a model for which it declares no published value."""
    known = {(c.variant, c.scenario) for c in model.checks}
    conditions = [(DEFAULT_VARIANT, name) for name in scenarios(model) if name != BASELINE]
    conditions += [(name, BASELINE) for name in variants(model) if name != DEFAULT_VARIANT]
    return [condition for condition in conditions if condition not in known]


def predictions(*names: str) -> dict[str, Any]:
    """Outputs of every condition without a published value, JSON-ready, with a digest.

    Args:
        names: of models; the whole catalogue if absent.

    Returns:
        ``schema``, ``models`` (by name: version and conditions; an output has a value with six digits and a
        unit; None where there is no solution) and ``digest``, the SHA-256 of the models as canonical JSON.
    """
    made: dict[str, Any] = {}
    for name, model in catalogue().items():
        conditions = unchecked(model) if not names or name in names else []
        if not conditions:
            continue
        slow = model.clock == "d"
        columns, _ = run_cases(model, [Case(*condition) for condition in conditions], DAYS if slow else ())
        units = {output: unit for output, (_, unit, _) in reported(model).items()}
        made[name] = {
            "version": model.version,
            "conditions": [
                {
                    "variant": variant,
                    "scenario": scenario,
                    "outputs": {
                        output: {
                            "unit": unit,
                            **(
                                {
                                    f"day {day}": _digits(columns[output][row, at])
                                    for at, day in enumerate(DAYS)
                                }
                                if slow
                                else {"value": _digits(columns[output][row, 0])}
                            ),
                        }
                        for output, unit in units.items()
                    },
                }
                for row, (variant, scenario) in enumerate(conditions)
            ],
        }
    return {"schema": SCHEMA, "models": made, "digest": digest(made)}


def digest(models: dict[str, Any]) -> str:
    """SHA-256 of predictions as canonical JSON (sorted keys, no spaces)."""
    canonical = json.dumps(models, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _digits(value: float) -> float | None:
    number = float(value)
    return float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else None


def main(path: str) -> None:
    """Write the predictions to a file."""
    write_whole(Path(path), (json.dumps(predictions(), indent=1) + "\n").encode())


if __name__ == "__main__":
    main(sys.argv[1])
