"""Names that patients go by with one recipient of an export."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from privacy import UnusableIdentity, open_keys, recipient_pseudonyms
from privacy.derivation import Keys

KEYS = Keys(bytes(range(32)))
PSEUDONYM = "v1-" + "a" * 32


def test_the_same_patient_has_the_same_name_with_one_recipient(keys_folder: Path) -> None:
    keys = open_keys(keys_folder)
    first, again = recipient_pseudonyms(keys, "registry"), recipient_pseudonyms(keys, " registry ")
    assert first(PSEUDONYM) == again(PSEUDONYM)
    assert re.fullmatch(r"r1-[a-z2-7]{32}", first(PSEUDONYM))


def test_names_of_two_recipients_projects_or_keys_have_nothing_in_common() -> None:
    pseudonyms = [f"v1-{i:032d}" for i in range(1000)]
    others = Keys(bytes(range(1, 33)))
    families = [
        recipient_pseudonyms(KEYS, "registry"),
        recipient_pseudonyms(KEYS, "Registry"),
        recipient_pseudonyms(KEYS, "registry", "second"),
        recipient_pseudonyms(others, "registry"),
    ]
    names = [named(p) for named in families for p in pseudonyms]
    assert len(set(names)) == 4000
    assert not any(p[3:] in name for p, name in zip(pseudonyms, names[:1000], strict=True))


def test_moving_a_character_from_project_to_recipient_gives_other_names() -> None:
    one = recipient_pseudonyms(KEYS, "bc", "a")
    other = recipient_pseudonyms(KEYS, "c", "ab")
    assert one(PSEUDONYM) != other(PSEUDONYM)


def test_a_name_is_pinned_so_that_a_change_of_derivation_is_noticed() -> None:
    """Computed once with this code: recipients would lose the link to what they got before."""
    assert recipient_pseudonyms(KEYS, "registry")(PSEUDONYM) == "r1-5efe3gt4esbky5bxj2xmmcppdx3jteai"


@pytest.mark.parametrize("recipient", ["", "  ", "\ud800"])
def test_a_recipient_needs_a_name(recipient: str) -> None:
    with pytest.raises(UnusableIdentity):
        recipient_pseudonyms(KEYS, recipient)
