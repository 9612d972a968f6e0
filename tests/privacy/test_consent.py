"""Who may be used for research, by what they declared: the careful reading, case by case."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.consent import Basis, Statement, decide

ON = date(2024, 6, 1)


def at(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


def permit(**changes: Any) -> Statement:
    return Statement(**{"subject": ("Patient/p",), "decision": "permit", "recorded": at(2020), **changes})


def deny(**changes: Any) -> Statement:
    return permit(decision="deny", **changes)


def bases(*statements: Statement, **options: Any) -> tuple[Basis, Basis]:
    """What an opt-in and an opt-out say, whatever the order of the statements."""
    orders = list(itertools.permutations(statements))
    found = {
        tuple(decide(order, policy, ON, **options).basis for policy in ("opt-in", "opt-out"))
        for order in orders
    }
    assert len(found) == 1
    return found.pop()  # type: ignore[return-value]


NONE = (Basis.NO_PERMIT, Basis.NOT_DENIED)
PERMITTED = (Basis.PERMITTED, Basis.PERMITTED)
DENIED = (Basis.DENIED, Basis.DENIED)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], NONE),
        ([permit()], PERMITTED),
        ([deny()], DENIED),
        # scope: only research permits, and a denial of use in general forbids
        ([permit(scope="privacy")], NONE),
        ([deny(scope="privacy")], DENIED),
        ([permit(scope="other")], NONE),
        ([deny(scope="other")], NONE),
        ([permit(), deny(scope="other", recorded=at(2021))], PERMITTED),
        # status
        ([permit(status="void")], NONE),
        ([deny(status="void")], NONE),
        ([permit(status="refused")], DENIED),
        ([permit(status="ended")], (Basis.ENDED, Basis.NOT_DENIED)),
        ([deny(status="ended")], NONE),
        # period, its last day included
        ([permit(start=ON, end=ON)], PERMITTED),
        ([permit(start=ON + timedelta(1))], NONE),
        ([permit(end=ON - timedelta(1))], (Basis.EXPIRED, Basis.NOT_DENIED)),
        ([deny(end=ON - timedelta(1))], NONE),
        ([permit(), deny(recorded=at(2021), start=ON + timedelta(1))], PERMITTED),
        # the later one counts
        ([permit(), deny(recorded=at(2021))], DENIED),
        ([deny(), permit(recorded=at(2021))], PERMITTED),
        ([permit(), deny()], DENIED),
        ([permit(recorded=at(2030)), deny(recorded=None)], DENIED),
        ([permit(recorded=None), deny(recorded=at(1990))], DENIED),
        ([permit(), permit(recorded=at(2021), end=date(2022, 1, 1))], (Basis.EXPIRED, Basis.PERMITTED)),
        ([permit(), permit(recorded=at(2021), status="ended")], (Basis.ENDED, Basis.PERMITTED)),
        ([permit(status="ended"), permit(recorded=at(2021))], PERMITTED),
        # what limits a permit makes it none; a limited denial is one
        ([permit(limits=frozenset({"class"}))], (Basis.LIMITED, Basis.NOT_DENIED)),
        ([deny(limits=frozenset({"class"}))], DENIED),
        ([permit(recipients=("Organization/x",))], (Basis.LIMITED, Basis.NOT_DENIED)),
        ([deny(recipients=("Organization/x",))], DENIED),
        # what cannot be understood
        ([permit(decision="unclear")], (Basis.UNCLEAR, Basis.UNCLEAR)),
        ([permit(decision="unclear", scope="privacy")], NONE),
        # exceptions
        ([permit(exceptions=(deny(),))], DENIED),
        ([deny(exceptions=(permit(),))], PERMITTED),
        ([deny(exceptions=(permit(limits=frozenset({"code"})),))], DENIED),
        ([deny(exceptions=(permit(end=date(2022, 1, 1)),))], (Basis.EXPIRED, Basis.EXPIRED)),
        ([permit(exceptions=(deny(end=date(2022, 1, 1)),))], PERMITTED),
        ([deny(exceptions=(permit(exceptions=(deny(),)),))], DENIED),
        ([deny(exceptions=(permit(), deny()))], DENIED),
        ([deny(status="ended", exceptions=(permit(),))], (Basis.ENDED, Basis.NOT_DENIED)),
    ],
)
def test_the_rule(statements: list[Statement], expected: tuple[Basis, Basis]):
    assert bases(*statements) == expected


def test_recipients_that_are_known():
    ours = {"recipients": frozenset({"Organization/ours"})}
    theirs = ("Organization/x",)
    assert bases(permit(recipients=(*theirs, "Organization/ours")), **ours) == PERMITTED
    assert bases(permit(recipients=theirs), **ours) == (Basis.LIMITED, Basis.NOT_DENIED)
    assert bases(deny(recipients=theirs), **ours) == NONE
    assert bases(deny(recipients=("Organization/ours",)), **ours) == DENIED
    assert bases(permit(exceptions=(deny(recipients=theirs),)), **ours) == PERMITTED


def test_who_said_no_withdrew_and_who_said_nothing_did_not():
    def withdrew(*statements: Statement) -> tuple[bool, bool]:
        one, other = (decide(statements, policy, ON) for policy in ("opt-in", "opt-out"))
        return one.withdrawn, other.withdrawn

    assert withdrew(deny()) == (True, True)
    assert withdrew(permit(status="ended")) == (True, False)
    assert withdrew(permit(end=date(2022, 1, 1))) == (False, False)
    assert withdrew(permit(decision="unclear")) == withdrew(permit()) == withdrew() == (False, False)


def test_the_time_of_the_statement_that_decided():
    decided = decide([permit(), deny(recorded=at(2021))], "opt-in", ON)
    assert (decided.allowed, decided.since) == (False, at(2021))
    assert decide([permit()], "opt-out", ON).since == at(2020)
    assert decide([], "opt-out", ON).since is None


def test_neither_names_nor_times_are_shown():
    shown = repr(permit(recipients=("Organization/secret",))) + repr(decide([permit()], "opt-in", ON))
    assert "Patient/p" not in shown
    assert "secret" not in shown
    assert "since" not in shown


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="opt-in or opt-out"):
        decide([], "opt-maybe", ON)  # type: ignore[arg-type]


days = st.none() | st.dates(date(2019, 1, 1), date(2029, 1, 1))
times = st.none() | st.datetimes(datetime(2019, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))


def built(exceptions: Any) -> Any:
    return st.builds(
        Statement,
        subject=st.just(()),
        decision=st.sampled_from(["permit", "deny", "unclear"]),
        scope=st.sampled_from(["research", "privacy", "other"]),
        status=st.sampled_from(["active", "refused", "ended", "void"]),
        start=days,
        end=days,
        recorded=times,
        limits=st.sampled_from([frozenset(), frozenset({"code"})]),
        recipients=st.sampled_from([(), ("a",)]),
        exceptions=exceptions,
    )


statements = built(st.lists(built(st.just(())), max_size=2).map(tuple))


@given(st.lists(statements, max_size=5))
def test_opt_in_allows_nobody_whom_opt_out_does_not(several: list[Statement]):
    asked, unasked = (decide(several, policy, ON) for policy in ("opt-in", "opt-out"))
    assert unasked.allowed or not asked.allowed
    assert not (asked.withdrawn and asked.allowed)
    assert not (unasked.withdrawn and unasked.allowed)


@given(st.lists(statements, max_size=5), st.sampled_from(["research", "privacy"]))
def test_a_denial_after_everything_else_forbids(several: list[Statement], scope: Any):
    last = deny(recorded=datetime(2029, 6, 1, tzinfo=UTC), scope=scope)
    earlier = [s for s in several if s.recorded is not None or s.decision == "permit"]
    earlier = [s for s in earlier if s.recorded is not None or s.status != "refused"]
    for policy in ("opt-in", "opt-out"):
        assert decide([*earlier, last], policy, ON).basis is Basis.DENIED  # type: ignore[arg-type]
