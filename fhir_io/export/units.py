"""Whether a unit may be written as a UCUM code, and whether it can be read again."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from vht.quantities import QUANTITIES

if TYPE_CHECKING:
    from vht.quantities import Quantity

_CANONICAL = frozenset(q.unit for q in QUANTITIES.values()) | {"1", "%", "d", "ms"}
"""Known to be UCUM (a test parses them), so that the grammar is loaded only where it is needed."""


def is_ucum(unit: str) -> bool:
    """Whether a text is a UCUM unit."""
    return unit in _CANONICAL or _parses(unit)


def converts(unit: str, target: Quantity) -> bool:
    """Whether the import can bring a UCUM unit to the unit of a quantity."""
    return unit == target.unit or _converts(unit, target.name)


@functools.cache
def _grammar() -> Any:
    from ucumvert import get_ucum_parser  # half a second to load

    return get_ucum_parser()


@functools.lru_cache(maxsize=4096)
def _parses(unit: str) -> bool:
    try:
        _grammar().parse(unit)
    except Exception:  # the parser behind ucumvert raises kinds of its own
        return False
    return True


@functools.lru_cache(maxsize=4096)
def _converts(unit: str, quantity: str) -> bool:
    from fhir_io.mapping.code_tables import Tables
    from fhir_io.mapping.codes import own_row
    from fhir_io.mapping.units import to_canonical  # pint takes a second to load
    from fhir_io.reasons import Reason

    row = own_row(quantity)
    return row is not None and not isinstance(to_canonical(1.0, {"code": unit}, row, Tables.load()), Reason)
