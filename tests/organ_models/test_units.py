"""Conversion between UCUM units."""

from __future__ import annotations

import pytest

from organ_models import UnitError, convert


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (1.0, "/h", "/d", 24.0),
        (7.0, "/wk", "/d", 1.0),
        (2.5, "cm", "mm", 25.0),
        (100.0, "[lb_av]", "kg", 45.359237),
        (98.6, "[degF]", "Cel", 37.0),
        (10.0, "kPa", "mm[Hg]", 75.006),
        (361.0, "h", "d", 361 / 24),
        (0.12, "1", "%", 12.0),
        (140.0, "mm[Hg]", "mm[Hg]", 140.0),
    ],
)
def test_published_conversions(value: float, source: str, target: str, expected: float) -> None:
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-5)


def test_units_of_different_things_are_refused() -> None:
    with pytest.raises(UnitError, match="'mm' cannot be converted to 'mg/d'"):
        convert(1.0, "mm", "mg/d")


def test_what_is_not_ucum_is_named() -> None:
    with pytest.raises(UnitError, match="'millimetres' is not a UCUM unit"):
        convert(1.0, "millimetres", "mm")
