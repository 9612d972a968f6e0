"""From the units that records carry to the canonical unit of a quantity.

Order of trust: a unit code of the UCUM system, any other unit code, the unit text. Spellings that
are not UCUM but have one meaning are aliases; everything else is refused, never guessed. Aliases
were collected from published FHIR data.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from fhir_io.reasons import Reason
from organ_models.units import Conversion, UnitError, conversion
from vht.quantities import Quantity, quantity

_ALIASES = {
    "mmhg": "mm[Hg]",
    "mm hg": "mm[Hg]",
    "millimeter mercury column": "mm[Hg]",
    "bpm": "/min",
    "beats/min": "/min",
    "beats/minute": "/min",
    "{beat}/min": "/min",
    "{beats}/min": "/min",
    "breaths/min": "/min",
    "breaths/minute": "/min",
    "per minute": "/min",
    "/minute": "/min",
    "1/min": "/min",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "in": "[in_i]",
    "inch": "[in_i]",
    "inches": "[in_i]",
    "°c": "Cel",
    "degc": "Cel",
    "degrees c": "Cel",
    "°f": "[degF]",
    "degf": "[degF]",
    "percent": "%",
    "kg/m^2": "kg/m2",
    "kg/m²": "kg/m2",
    "mg/dl": "mg/dL",
    "g/dl": "g/dL",
    "ml": "mL",
    "ng/ml": "ng/mL",
    "pg/ml": "pg/mL",
    "mmol/l": "mmol/L",
    "umol/l": "umol/L",
    "µmol/l": "umol/L",
    "μmol/l": "umol/L",
    "u/l": "U/L",
    "iu/l": "U/L",
    "[iu]/l": "U/L",
    "ml/min/1.73m2": "mL/min/{1.73_m2}",
    "ml/min/1.73 m2": "mL/min/{1.73_m2}",
    "ml/min/{1.73_m2}": "mL/min/{1.73_m2}",
    "ml/min/1.73m^2": "mL/min/{1.73_m2}",
    "k/ul": "10*3/uL",
    "10^3/ul": "10*3/uL",
    "x10^3/ul": "10*3/uL",
    "10*3.ul-1": "10*3/uL",
    "10^9/l": "10*9/L",
    "x10^9/l": "10*9/L",
    "10^6/ul": "10*6/uL",
    "10^12/l": "10*12/L",
    "mg/g{creat}": "mg/g",
    "(score)": "1",
    "{score}": "1",
    "score": "1",
    "points": "1",
}

_MONOVALENT = frozenset({"sodium", "potassium", "chloride", "carbon_dioxide"})
_SAME_UNIT_ONLY = frozenset({"haemoglobin_a1c"})
"""mmol/mol (IFCC) and % (NGSP) of HbA1c differ by more than a factor: no dimensional conversion."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A value in the canonical unit; ``from_text`` tells that its unit was read from free text."""

    value: float
    from_text: bool


def to_canonical(value: float, element: dict[str, Any], target: Quantity) -> Measured | Reason:
    """Convert a FHIR Quantity's number to the unit of a registered quantity.

    Args:
        value: the number, finite.
        element: the FHIR Quantity (``unit``, ``system``, ``code``).
        target: the registered quantity.
    """
    code, text = element.get("code"), element.get("unit")
    candidates = [unit for unit in (code, text) if isinstance(unit, str) and unit.strip()]
    if not candidates:
        return Measured(value, False) if target.unit == "1" else Reason.NO_UNIT
    for unit in candidates:
        found = _conversion(unit.strip(), target.name)
        if found is not None:
            return Measured(found(value), unit is not code)
    return Reason.UNIT_NOT_CONVERTIBLE


@functools.lru_cache(maxsize=4096)
def _conversion(unit: str, name: str) -> Conversion | None:
    """How a unit text becomes the canonical unit of a quantity; None if it does not."""
    target = quantity(name)
    known = unit if unit == target.unit else _ALIASES.get(unit.lower(), unit)
    if target.indexed and known == "mL/min":
        known = target.unit  # the LOINC code, not the unit's annotation, says that it is indexed
    if known == target.unit:
        return Conversion(1.0, 0.0)
    if name in _SAME_UNIT_ONLY:
        return None
    if known.lower() == "meq/l":
        if name not in _MONOVALENT:
            return None  # an equivalent is a mole only for ions of charge one
        known = "mmol/L"
    return _direct(known, target.unit) or _by_molar_mass(known, target)


def _direct(source: str, target: str) -> Conversion | None:
    try:
        return conversion(source, target)
    except UnitError:
        return None


def _by_molar_mass(source: str, target: Quantity) -> Conversion | None:
    """Molar to mass concentration or back, with the molar mass (g/mol = mg/mmol) of the analyte."""
    if target.molar_mass is None:
        return None
    molar, mass = _direct(source, "mmol/L"), _direct("mg/L", target.unit)
    if molar and mass:
        return Conversion(molar.factor * target.molar_mass * mass.factor, 0.0)
    mass, molar = _direct(source, "mg/L"), _direct("mmol/L", target.unit)
    if molar and mass:
        return Conversion(mass.factor / target.molar_mass * molar.factor, 0.0)
    return None
