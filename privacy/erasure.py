"""Erasing one patient everywhere.

Every store registers what removes a patient from it. The vault goes last: while it still knows the patient,
an erasure that failed half way can be repeated. What cannot be reached is listed, not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from privacy.audit_record import AuditRecord
from privacy.errors import PrivacySafeError


class ErasureIncomplete(PrivacySafeError):
    """A store could not be erased from; the message names stores, and says to repeat the erasure."""


@dataclass(frozen=True)
class Eraser:
    """What removes a patient from one store.

    Attributes:
        name: of the store, in words; no path, no patient.
        erase: given the pseudonym, removes the patient and returns how many rows or entries went.
        last: whether it waits until all others are done, as the vault does.
    """

    name: str
    erase: Callable[[str], int]
    last: bool = False


@dataclass(frozen=True)
class Erasure:
    """What was erased.

    Attributes:
        removed: rows or entries that went, by store.
        out_of_reach: copies that nobody could erase from here, in words.
    """

    removed: dict[str, int] = field(default_factory=dict)
    out_of_reach: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Rows and entries that went."""
        return sum(self.removed.values())


class Erasers:
    """The stores that a patient may be in.

    Example::

        erasers = Erasers()
        erasers.register(Eraser("states", lambda pseudonym: store.erase([pseudonym])))
        erasers.erase(pseudonym, "consent withdrawn", audit.record)
    """

    def __init__(self) -> None:
        self._erasers: dict[str, Eraser] = {}
        self._out_of_reach: list[str] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Registered stores."""
        return tuple(self._erasers)

    def register(self, eraser: Eraser) -> None:
        """Add a store.

        Raises:
            ValueError: there is one of that name.
        """
        if eraser.name in self._erasers:
            raise ValueError(f"two stores are called '{eraser.name}'")
        self._erasers[eraser.name] = eraser

    def out_of_reach(self, copies: Sequence[str]) -> None:
        """Name copies that cannot be erased from here."""
        self._out_of_reach = list(dict.fromkeys([*self._out_of_reach, *copies]))

    def erase(self, pseudonym: str, reason: str, audit: Callable[[AuditRecord], object]) -> Erasure:
        """Remove a patient from every store.

        Args:
            pseudonym: of the patient.
            reason: why; it goes to the audit log, so no patient in it.
            audit: keeps a record before anything is erased, and one of how it ended.

        Raises:
            ErasureIncomplete: some stores failed; the others are done, and the vault was left alone.
        """
        audit(AuditRecord("erase", "PSEUDO", pseudonym, reason, "partial", {"stores": len(self._erasers)}))
        removed: dict[str, int] = {}
        failed: list[str] = []
        for eraser in sorted(self._erasers.values(), key=lambda e: e.last):
            if eraser.last and failed:
                continue
            try:
                removed[eraser.name] = eraser.erase(pseudonym)
            except Exception:  # whatever it is may quote a row; the store's name says where to look
                failed.append(eraser.name)
        counts = {"stores": len(removed), "removed": sum(removed.values()), "failed": len(failed)}
        counts["out_of_reach"] = len(self._out_of_reach)
        audit(AuditRecord("erase", "PSEUDO", pseudonym, reason, "failed" if failed else "done", counts))
        if failed:
            raise ErasureIncomplete(
                f"not erased from: {', '.join(failed)}; the vault still knows the patient. Put right what is "
                "wrong there, and run the erasure again"
            )
        return Erasure(removed, tuple(self._out_of_reach))
