"""The smallest parts of a protocol: names, text, and the group of fields that everything is made of."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from vht.concepts import CONCEPTS
from vht.quantities import QUANTITIES


def _nearest(word: str, known: Collection[str], kind: str) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    hint = f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(known)
    return f"unknown {kind} '{word}'; {hint}"


def _quantity_name(name: str) -> str:
    if name not in QUANTITIES:
        raise ValueError(_nearest(name, QUANTITIES, "quantity"))
    return name


def _concept_name(kind: str) -> AfterValidator:
    def validate(name: str) -> str:
        known = [c.name for c in CONCEPTS.values() if c.kind == kind]
        if name not in known:
            raise ValueError(_nearest(name, known, kind))
        return name

    return AfterValidator(validate)


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Port = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
QuantityName = Annotated[str, AfterValidator(_quantity_name)]
ConditionName = Annotated[str, _concept_name("condition")]
MedicationName = Annotated[str, _concept_name("medication")]


class Section(BaseModel):
    """A group of fields: unknown fields are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
