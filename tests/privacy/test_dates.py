"""Dates for a partner keep their intervals, and known dates of some patients say nothing about others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from fhir_io.assemble import Clock
from privacy.dates import LONGEST_SHIFT, SHORTEST_SHIFT, date_shifts, shifted_date
from privacy.derivation import Keys
from privacy.errors import UnusableDate, UnusableIdentity
from privacy.versions import PSEUDONYM_BYTES, spelled

KEYS = Keys(bytes(range(32)))
LEGAL = LONGEST_SHIFT - SHORTEST_SHIFT + 1
PATIENTS = [spelled(number.to_bytes(PSEUDONYM_BYTES, "big")) for number in range(2_100)]
DATES = st.dates(date(1850, 1, 1), date(2150, 1, 1))

Shift = Callable[[str], int]
Known = Sequence[tuple[str, int]]


@given(DATES, DATES, st.sampled_from(PATIENTS))
def test_intervals_between_dates_of_a_patient_are_kept_exactly(one: date, other: date, who: str) -> None:
    days = date_shifts(KEYS, "registry")(who)
    assert shifted_date(days, other) - shifted_date(days, one) == other - one


@given(DATES, st.sampled_from(PATIENTS))
def test_every_date_moves_back_by_a_week_to_a_year(on: date, who: str) -> None:
    moved = on - shifted_date(date_shifts(KEYS, "registry")(who), on)
    assert timedelta(days=7) <= moved <= timedelta(days=364)


def test_no_shift_is_zero_and_each_is_as_likely() -> None:
    """Of 358 legal numbers of days each is expected 100 times in 35,800 patients; the key is fixed."""
    shift = date_shifts(KEYS, "registry")
    drawn = Counter(shift(spelled(n.to_bytes(PSEUDONYM_BYTES, "big"))) for n in range(100 * LEGAL))
    assert sorted(drawn) == list(range(SHORTEST_SHIFT, LONGEST_SHIFT + 1))
    assert chisquare(list(drawn.values())).pvalue > 0.001


@pytest.mark.parametrize("other", [{"recipient": "other"}, {"project": "other"}, {"study": "other"}])
def test_two_recipients_projects_or_studies_share_a_patients_shift_by_chance_only(
    other: dict[str, str],
) -> None:
    """Chance is 1 in 358: 5.9 of 2,100, with a standard deviation of 2.4; five of them are allowed."""
    one = date_shifts(KEYS, "registry")
    another = date_shifts(KEYS, **({"recipient": "registry"} | other))
    assert sum(one(p) == another(p) for p in PATIENTS) < 5.9 + 5 * 2.4


def test_a_shift_is_pinned_so_that_a_change_of_derivation_is_noticed() -> None:
    """Computed once with this code: a partner's earlier dates would no longer fit later ones."""
    assert [date_shifts(KEYS, "registry")(p) for p in PATIENTS[:3]] == [331, 227, 144]


# -- the attack: true dates of some patients are known, the shifts of the others are guessed


def cohort_shift(_: str) -> int:
    """What must be found out: one number of days for all."""
    return 123


def linear_hash(pseudonym: str) -> int:
    """What must be found out: the byte-wise polynomial of another tool, mod 101, with a secret prefix."""
    return SHORTEST_SHIFT + polynomial("secret key" + pseudonym, 101)


def polynomial(text: str, modulus: int) -> int:
    value = 0
    for byte in text.encode():
        value = (value * 131 + byte) % modulus
    return value


def guess_most_frequent(known: Known, _: str) -> int:
    return Counter(days for _, days in known).most_common(1)[0][0]


def guess_nearest(known: Known, who: str) -> int:
    return min(known, key=lambda pair: abs(int(pair[0][3:], 36) - int(who[3:], 36)))[1]


def guess_linear(modulus: int) -> Callable[[Known, str], int]:
    """The secret prefix adds the same number to the hash of every name of one length."""

    def guess(known: Known, who: str) -> int:
        votes = Counter((days - SHORTEST_SHIFT - polynomial(name, modulus)) % modulus for name, days in known)
        return SHORTEST_SHIFT + (votes.most_common(1)[0][0] + polynomial(who, modulus)) % modulus

    return guess


ATTACKS = {
    "most frequent": guess_most_frequent,
    "nearest pseudonym": guess_nearest,
    "linear hash mod 101": guess_linear(101),
    "linear hash mod 358": guess_linear(LEGAL),
}


def recovered(shift: Shift, attack: str, count: int) -> float:
    """The share of 500 other patients whose shift is guessed from ``count`` known ones."""
    known = [(who, shift(who)) for who in PATIENTS[:count]]
    targets = PATIENTS[100:600]
    return sum(ATTACKS[attack](known, who) == shift(who) for who in targets) / len(targets)


@pytest.mark.parametrize("count", [1, 2, 10, 100])
@pytest.mark.parametrize("attack", ATTACKS)
def test_known_dates_of_up_to_a_hundred_patients_tell_no_other_patients_shift(
    attack: str, count: int
) -> None:
    """Chance is 1/358 = 0.28 %; of 500 guesses its standard deviation is 0.24 %, three are allowed."""
    assert recovered(date_shifts(KEYS, "registry"), attack, count) <= 0.0028 + 3 * 0.0024


@pytest.mark.parametrize("count", [1, 2, 100])
@pytest.mark.parametrize(
    ("weak", "attack"), [(cohort_shift, "most frequent"), (linear_hash, "linear hash mod 101")]
)
def test_the_same_attacks_find_out_a_shift_for_all_and_a_linear_hash(
    weak: Shift, attack: str, count: int
) -> None:
    assert recovered(weak, attack, count) == 1.0


# -- ages


@given(
    st.dates(date(1850, 1, 1), date(1920, 1, 1)),
    st.integers(min_value=0, max_value=400 * 29),
)
def test_who_is_ninety_or_older_is_of_one_class(born: date, later: int) -> None:
    """Day 0 is at least on the ninetieth birthday: years * 366 days are never fewer than years."""
    zero = born.toordinal() + 90 * 366 + later
    clock = Clock(zero, (born.toordinal(), born.toordinal()))
    assert clock.age_at_zero()[0] == 90
    assert clock.age(zero) == 90


# -- what cannot be shifted


@pytest.mark.parametrize("moment", [datetime(2020, 1, 1, 12), "2020-01", 2020])
def test_only_whole_dates_are_shifted(moment: object) -> None:
    with pytest.raises(TypeError, match="whole date"):
        shifted_date(7, moment)  # type: ignore[arg-type]


def test_a_date_too_early_to_be_shifted_is_refused_without_quoting_it() -> None:
    with pytest.raises(UnusableDate, match="too early") as caught:
        shifted_date(364, date(1, 3, 4))
    assert "0001" not in str(caught.value)


@pytest.mark.parametrize("recipient", ["", " "])
def test_a_recipient_of_dates_needs_a_name(recipient: str) -> None:
    with pytest.raises(UnusableIdentity):
        date_shifts(KEYS, recipient)
