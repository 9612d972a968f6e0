"""Names under which patients and medications are known: urn:uuid, relative, absolute, contained,
conditional and by identifier.

A reference is looked up in its own file first (its Bundle), then in the whole source, and there only
if exactly one resource answers to it: two hospitals may both have a Patient/1.
"""

from __future__ import annotations

import functools
from typing import Any

from fhir_io.mapping.patients import identifiers
from fhir_io.read import Json


def names_of(resource: Json, full_url: str | None, kind: str) -> list[str]:
    """Every name that a reference may call a resource by: its fullUrl, its id and its identifiers."""
    names: list[str] = []
    if full_url:
        names.append(full_url)
    own = resource.get("id")
    if isinstance(own, str):
        names += [f"{kind}/{own}", f"urn:uuid:{own}"]
    names += [_identifier_name(system, value) for system, value, _ in identifiers(resource)]
    return list(dict.fromkeys(names))


def reference_names(reference: Any, kind: str, resource: Json) -> list[str]:
    """The names under which the target of a Reference may have been entered, best first.

    Args:
        reference: the Reference element.
        kind: type that the target must have.
        resource: the resource that refers, for what it contains.
    """
    if not isinstance(reference, dict):
        return []
    names: list[str] = []
    text = reference.get("reference")
    if isinstance(text, str) and text:
        if text.startswith("#"):
            names += _contained_names(text[1:], kind, resource)
        else:
            names += _names_of_target(text, kind)
    if "identifier" in reference:
        found = identifiers({"identifier": [reference["identifier"]]})
        names += [_identifier_name(s, v) for s, v, _ in found]
    return names


@functools.lru_cache(maxsize=4096)
def _names_of_target(text: str, kind: str) -> tuple[str, ...]:
    """Names under which a reference that is no contained one may be known."""
    if text.startswith(f"{kind}?identifier="):
        system, _, value = text.removeprefix(f"{kind}?identifier=").partition("|")
        return (_identifier_name(system, value),)
    parts = text.split("/_history/")[0].split("/")
    if len(parts) >= 2 and parts[-2] == kind:
        return text, "/".join(parts[-2:])
    return (text,)


def contained(resource: Json, name: str, kind: str) -> Json | None:
    """The contained resource of a type with a local id, or None."""
    held = resource.get("contained")
    for inner in held if isinstance(held, list) else ():
        if isinstance(inner, dict) and inner.get("id") == name and inner.get("resourceType") == kind:
            return inner
    return None


def _contained_names(name: str, kind: str, resource: Json) -> list[str]:
    inner = contained(resource, name, kind)
    return [_identifier_name(s, v) for s, v, _ in identifiers(inner)] if inner else []


def _identifier_name(system: str, value: str) -> str:
    return f"identifier {system}|{value}"
