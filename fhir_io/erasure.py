"""Erasure of who withdrew consent, also where an import is killed in the midst of it.

That somebody is kept out is made durable before the states are erased. In between, the store holds a list of
whom it still has to erase; the next import does that first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from fhir_io.identities import PseudonymiserLike
from vht.files import write_whole
from vht.store import Store

_TO_ERASE = "erasing.json"


def announce_erasure(store: Store, persons: Iterable[str]) -> None:
    """Note whose states are to be erased, before it is made durable that they are kept out.

    Args:
        store: that holds them, and is being written.
        persons: pseudonyms.
    """
    write_whole(store.folder / _TO_ERASE, json.dumps(sorted(persons)).encode())


def finish_erasure(store: Store, pseudonymiser: PseudonymiserLike) -> None:
    """Erase those of the note who are kept out; the others' import was given up before that was durable."""
    path = store.folder / _TO_ERASE
    if path.exists():
        noted = json.loads(path.read_bytes())
        store.erase(p for p in noted if pseudonymiser.suppressed_since(p) is not None)
        path.unlink()
