"""From the units that records carry to the canonical unit of a quantity.

Order of trust: a code of the UCUM system that is UCUM; else another code; else the unit's text.
Spellings that are not UCUM but have one meaning are rows of ``tables/units.yaml``; everything else is
refused, never guessed.

What decides where UCUM cannot:

- *Per 1.73 m2.* UCUM says it in an annotation alone. A value is indexed if its unit says so, or if its
  code does (``indexed`` in the code's row). A plain mL/min under a code that does not say so never becomes
  an indexed value, and an indexed one never becomes a plain one.
- *Moles and mass* are told apart by the molar mass of the quantity (:mod:`vht.quantities`), or of the code's
  row where it measures something else (urea, where the quantity counts its nitrogen).
- *Equivalents* are moles times the charge of the ion; without a charge they are refused.
- *HbA1c* in mmol/mol (IFCC) becomes % (NGSP) by the master equation, not by a factor.
- *Per cent or fraction*: each quantity has one canonical unit; a value in ``1`` is a fraction, in ``%``
  a per cent, and the plausible range catches a fraction that is labelled a per cent.
- *Enzymes*: the international unit of an enzyme is the unit U.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from fhir_io.mapping.code_rows import QuantityRow
from fhir_io.mapping.code_tables import UCUM, Tables
from fhir_io.mapping.ucum import SAME, Conversion, annotations_of, conversion, parsed, without_annotations
from fhir_io.reasons import Reason
from vht.quantities import Quantity, quantity

_INDEXED = re.compile(r"/?\s*1\.73[ _.]?(m2|m\^2|m²|sq ?m)", re.IGNORECASE)
_EQUIVALENT = re.compile(r"(?<![A-Za-z\[])([munp]?)eq(?![A-Za-z\]])")
_INTERNATIONAL = re.compile(r"\[i?IU\]|\[iU\]")

HBA1C = "haemoglobin_a1c"
MASTER_EQUATION = Conversion(0.09148, 2.152)
"""NGSP % = 0.09148 x IFCC mmol/mol + 2.152 (Hoelzel et al., Clin Chem 2004; ngsp.org/ifcc.asp)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A value in the canonical unit; ``from_text`` tells that its unit was read from free text."""

    value: float
    from_text: bool


def to_canonical(
    value: float, element: dict[str, Any], row: QuantityRow, tables: Tables
) -> Measured | Reason:
    """Convert a FHIR Quantity's number to the unit of the quantity that its code means.

    Args:
        value: the number, finite.
        element: the FHIR Quantity (``unit``, ``system``, ``code``).
        row: the row of the code.
        tables: the tables in use.
    """
    found = unit_conversion(element, row, tables)
    return found if isinstance(found, Reason) else Measured(found[0](value), found[1])


def unit_conversion(
    element: dict[str, Any], row: QuantityRow, tables: Tables
) -> tuple[Conversion, bool] | Reason:
    """The conversion for a FHIR Quantity's unit, and whether the unit was read from its text."""
    system, code, text = element.get("system"), element.get("code"), element.get("unit")
    return _unit_conversion(
        system.strip() if isinstance(system, str) else "",
        code.strip() if isinstance(code, str) else "",
        text.strip() if isinstance(text, str) else "",
        (row.quantity or "", row.unit, row.indexed, row.only_unit, row.molar_mass),
        row.assume_unit,
        tables,
    )


Expected = tuple[str, str | None, bool, bool, float | None]
"""Of a row: quantity, unit, whether indexed, whether in that unit only, molar mass."""


@functools.lru_cache(maxsize=8192)
def _unit_conversion(
    system: str, code: str, text: str, row: Expected, assume_unit: bool, tables: Tables
) -> tuple[Conversion, bool] | Reason:
    name, expected = row[:2]
    if not code and not text:
        if assume_unit and expected is not None:
            return (_found(expected, row, tables) or SAME), False
        return (SAME, False) if quantity(name).unit == "1" else Reason.NO_UNIT
    if code:
        found = _found(code, row, tables)
        if found is not None:
            return found, False
        if tables.system(system) == UCUM and parsed(code) is not None:
            return Reason.UNIT_NOT_CONVERTIBLE  # a unit of something else: its text would be a guess
    if text:
        found = _found(text, row, tables)
        if found is not None:
            return found, True
    return Reason.UNIT_NOT_CONVERTIBLE


def _found(unit: str, row: Expected, tables: Tables) -> Conversion | None:
    """How a unit becomes the canonical unit of a row's quantity; None if it does not."""
    name, told, indexed_code, only_unit, molar_mass = row
    expected = told or ""
    target = quantity(name)
    known = unit if unit == target.unit else tables.spellings.get(unit.lower(), unit)
    if only_unit and without_annotations(known) != without_annotations(expected):
        return None
    indexed = any(_INDEXED.fullmatch(a) for a in annotations_of(known))
    if indexed and not target.indexed:
        return None
    if target.indexed and not (indexed or indexed_code):
        return None
    if known == target.unit and molar_mass is None:
        return SAME
    if target.name == HBA1C:
        return {"%": SAME, "mmol/mol": MASTER_EQUATION}.get(without_annotations(known))
    if _EQUIVALENT.search(known):
        return _of_equivalents(known, target)
    if "U/" in target.unit:
        known = _INTERNATIONAL.sub("U", known)
    direct = conversion(known, target.unit)
    if molar_mass is not None:
        return _of_another_substance(known, molar_mass, target, direct)
    if direct is not None or target.molar_mass is None:
        return direct
    return conversion(known, target.unit, target.molar_mass)


def _of_equivalents(unit: str, target: Quantity) -> Conversion | None:
    if target.charge is None:
        return None
    moles = _EQUIVALENT.sub(r"\1mol", unit)
    found = conversion(moles, target.unit)
    if found is None and target.molar_mass is not None:
        found = conversion(moles, target.unit, target.molar_mass)
    return None if found is None else Conversion(found.factor / target.charge)


def _of_another_substance(
    unit: str, molar_mass: float, target: Quantity, direct: Conversion | None
) -> Conversion | None:
    """A mass of the code's substance as a mass of the quantity's, mole by mole; moles stay moles."""
    if target.molar_mass is None:
        return None
    if direct is not None:
        return Conversion(direct.factor * target.molar_mass / molar_mass)
    return conversion(unit, target.unit, target.molar_mass)
