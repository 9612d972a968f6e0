"""Validation by ``fhir.resources``, under R4B or R5, of each structural shape a few times.

``fhir.resources`` checks structure and primitive syntax, not required codes or invariants, and its
messages quote values: they are never shown. Exported records repeat few shapes (29 in 8,350 Synthea
resources), so validating the first of each shape finds what is wrong with the structure of all of
them; values that are used are checked one by one in ``fhir_io.mapping``. What ``shape`` decides about a
resource is a matter of its structure alone, so it does not depend on which resources came before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from fhir_io.read import Json
from fhir_io.reading.skeletons import Skeleton
from fhir_io.versions import Version, is_valid, model_class

Level = Literal["full", "shape", "none"]

PER_SHAPE = 3
"""So many resources of each shape are validated in full."""

MOST_SKELETONS = 5_000
"""So many skeletons are remembered; a resource with another one has its shape taken."""

MOST_SHAPES = 50_000
"""From here on every new shape is validated and none is remembered: memory stays bounded."""


def shape(value: Any) -> Any:
    """The structure of a JSON value: keys and leaf types; a list is the set of its elements' shapes.

    The type of a resource is part of it, also of a contained one.
    """
    if isinstance(value, dict):
        return tuple(
            (key, item if key == "resourceType" and isinstance(item, str) else shape(item))
            for key, item in sorted(value.items())
        )
    if isinstance(value, list):
        return tuple(sorted({shape(item) for item in value}, key=repr))
    return value.__class__


class Validator:
    """Decides whether a resource is structurally valid.

    Args:
        level: ``full`` validates every resource; ``shape`` looks at the structure of the first
            ``PER_SHAPE`` of each shape, and at all of a shape once one failed; ``none`` at nothing.
    """

    def __init__(self, level: Level):
        self.level = level
        self._seen: dict[Any, int] = {}
        self._failed: set[Any] = set()
        self._settled: set[Any] = set()

    def accepts(self, resource: Json, version: Version = "R4", skeleton: Skeleton | None = None) -> bool:
        """Whether a resource is valid, as far as the level looks; R4 is looked at as R4B.

        Args:
            resource: the resource.
            version: that it is in.
            skeleton: of its text, which tells faster that its shape was seen often enough.
        """
        if self.level == "none":
            return True
        if self.level == "full":
            return is_valid(resource, version)
        if skeleton is None:
            return self._accepts(resource, version)[0]
        key = version, resource["resourceType"], skeleton
        if key in self._settled:
            return True
        valid, settled = self._accepts(resource, version)
        if settled and len(self._settled) < MOST_SKELETONS:
            self._settled.add(key)
        return valid

    def _accepts(self, resource: Json, version: Version) -> tuple[bool, bool]:
        """Whether a resource is valid, and whether all others of its shape are taken for valid."""
        try:
            form = (version, shape(resource))
        except RecursionError:
            return False, False
        count = self._seen.get(form, 0)
        if count >= PER_SHAPE and form not in self._failed:
            return True, True
        valid = _well_formed(resource, version)
        if form in self._seen or len(self._seen) < MOST_SHAPES:
            self._seen[form] = count + 1
            if not valid:
                self._failed.add(form)
        return valid, False


def _well_formed(resource: Json, version: Version) -> bool:
    """Whether the structure is valid, whatever single values are: unknown, missing or doubled elements."""
    try:
        model_class(resource["resourceType"], version).model_validate(resource)
    except KeyError:  # a contained resource of a type that does not exist
        return False
    except ValidationError as error:
        return all(_about_a_value(e) for e in error.errors(include_url=False, include_context=False))
    except Exception:  # a date beyond the calendar and its like
        return True
    return True


_OF_VALUES = (
    *("string_", "int_", "float_", "decimal_", "bool_", "date_", "datetime_", "time_", "url_"),
    *("greater_than", "less_than", "value_error"),
)
"""How types of pydantic's errors begin that are about a single value."""


def _about_a_value(error: Mapping[str, Any]) -> bool:
    """Not about the JSON type where a text belongs: that is part of the shape."""
    if error["type"] == "string_type":
        return False
    return error["type"].startswith(_OF_VALUES) and isinstance(error["input"], str | int | float)
