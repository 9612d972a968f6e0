"""Erasing goes to every store, the vault last, and says what failed and what cannot be reached."""

from __future__ import annotations

import pytest

from privacy.audit_record import AuditRecord
from privacy.erasure import Eraser, Erasers, ErasureIncomplete
from tests.privacy.audit.conftest import PSEUDONYM


def test_every_store_is_asked_and_the_vault_last() -> None:
    asked: list[str] = []
    erasers = Erasers()
    for name, last in (("the vault", True), ("states", False), ("run", False)):

        def erase(pseudonym: str, name: str = name) -> int:
            assert pseudonym == PSEUDONYM
            asked.append(name)
            return 3

        erasers.register(Eraser(name, erase, last=last))
    erasers.out_of_reach(["a server", "a server"])
    kept: list[AuditRecord] = []
    erased = erasers.erase(PSEUDONYM, "withdrawn", kept.append)
    assert asked == ["states", "run", "the vault"]
    assert (erased.removed, erased.total) == ({"states": 3, "run": 3, "the vault": 3}, 9)
    assert erased.out_of_reach == ("a server",)
    assert [(r.action, r.subject, r.reason, r.outcome) for r in kept] == [
        ("erase", PSEUDONYM, "withdrawn", "partial"),
        ("erase", PSEUDONYM, "withdrawn", "done"),
    ]
    assert dict(kept[1].counts) == {"stores": 3, "removed": 9, "failed": 0, "out_of_reach": 1}


def test_a_store_that_fails_is_named_and_the_vault_keeps_the_patient_for_the_next_try() -> None:
    asked: list[str] = []

    def fails(pseudonym: str) -> int:
        raise ValueError("row of Anna Schmidt")

    erasers = Erasers()
    erasers.register(Eraser("states", fails))
    erasers.register(Eraser("run", lambda _: asked.append("run") or 1))
    erasers.register(Eraser("the vault", lambda _: asked.append("the vault") or 1, last=True))
    kept: list[AuditRecord] = []
    with pytest.raises(ErasureIncomplete, match="not erased from: states;") as caught:
        erasers.erase(PSEUDONYM, "withdrawn", kept.append)
    assert asked == ["run"]
    assert "Schmidt" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert kept[-1].outcome == "failed"


def test_nothing_is_erased_that_cannot_be_audited() -> None:
    def full(record: AuditRecord) -> None:
        raise OSError("the log is full")

    erasers = Erasers()
    erasers.register(Eraser("states", lambda _: pytest.fail("erased without a record")))
    with pytest.raises(OSError, match="full"):
        erasers.erase(PSEUDONYM, "withdrawn", full)


def test_two_stores_cannot_share_a_name() -> None:
    erasers = Erasers()
    erasers.register(Eraser("states", lambda _: 0))
    with pytest.raises(ValueError, match="states"):
        erasers.register(Eraser("states", lambda _: 0))
    assert erasers.names == ("states",)
