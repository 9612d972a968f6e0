"""Check digits of LOINC and SNOMED CT: a mistyped code is found before it means something else."""

from __future__ import annotations

import re

_LOINC = re.compile(r"([0-9]{1,7})-([0-9])")
_LOINC_PART = re.compile(r"(?:LA|LP|LG|LL)[0-9]{1,8}-[0-9]")  # its digit follows another, unpublished rule
_SNOMED = re.compile(r"[1-9][0-9]{5,17}")

# Verhoeff's scheme: multiplication in the dihedral group of order ten, and the permutation of positions
# (SNOMED International, "Check-digit computation" of the Release File Specifications).
_D5 = tuple(
    tuple((a + b) % 5 if a < 5 and b < 5 else
          5 + (a + b) % 5 if a < 5 else
          5 + (a - b) % 5 if b < 5 else
          (a - b) % 5 for b in range(10))
    for a in range(10)
)  # fmt: skip
_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def loinc_is_sound(code: str) -> bool:
    """Whether a LOINC code has the check digit that its number asks for.

    Modulus ten, as the LOINC Users' Guide describes it. Of answer codes (``LA``) only the form is seen.
    """
    match = _LOINC.fullmatch(code)
    if match is None:
        return _LOINC_PART.fullmatch(code) is not None
    digits = [int(d) for d in reversed(match[1])]
    total = sum(sum(divmod(2 * d, 10)) for d in digits[::2]) + sum(digits[1::2])
    return -total % 10 == int(match[2])


def snomed_is_sound(code: str) -> bool:
    """Whether a SNOMED CT identifier has a sound check digit (Verhoeff's scheme)."""
    if not _SNOMED.fullmatch(code):
        return False
    check = 0
    for position, digit in enumerate(reversed(code)):
        value = int(digit)
        for _ in range(position % 8):
            value = _STEP[value]
        check = _D5[check][value]
    return check == 0
