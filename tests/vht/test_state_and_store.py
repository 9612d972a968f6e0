"""The closed state and the store that keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.vht.people import gist_cohort, gist_patient, pseudonym, study_number
from vht import Cohort, Event, Observation, PatientState, Store, StoreError, UnknownQuantity, quantity
from vht.files import write_whole


def test_a_state_has_no_field_for_anything_else() -> None:
    known = gist_patient(1).model_dump()
    for extra in ("name", "birth_date", "identifier", "note", "address"):
        with pytest.raises(ValidationError):
            PatientState(**{**known, extra: "x"})


@pytest.mark.parametrize("wrong", ["Jane Doe", "v1-short", "v1-" + "A" * 32, "12345678"])
def test_only_a_pseudonym_can_stand_for_a_patient(wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PatientState(pseudonym=wrong, study_number=1, sex="female")
    assert wrong not in str(caught.value)


def test_a_value_is_a_finite_number_of_a_registered_quantity() -> None:
    with pytest.raises((ValidationError, UnknownQuantity)):
        Observation(quantity="shoe_size", value=1, day=0)
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            Observation(quantity="heart_rate", value=value, day=0)
    with pytest.raises(ValidationError):
        Event(concept="a free text")


def test_an_unknown_quantity_suggests_the_nearest() -> None:
    with pytest.raises(UnknownQuantity, match="did you mean 'heart_rate'"):
        quantity("hart_rate")


def test_what_is_stored_is_read_back(tmp_path: Path) -> None:
    states = [gist_patient(i) for i in range(12)]
    Store(tmp_path).append(states)
    cohort = Store(tmp_path).cohort()
    assert len(cohort) == 12
    back = {s.pseudonym: s for s in cohort.states()}
    for state in states:
        mine = back[state.pseudonym]
        assert sorted(mine.observations, key=str) == sorted(state.observations, key=str)
        assert sorted(mine.conditions, key=str) == sorted(state.conditions, key=str)
        assert mine.model_dump(include={"study_number", "sex", "age_years"}) == state.model_dump(
            include={"study_number", "sex", "age_years"}
        )
    assert cohort.digest == gist_cohort(12).digest


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=12))
def test_the_digest_knows_content_not_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    for number in order:
        Store(folder / "one by one").append([gist_patient(number)])
    Store(folder / "at once").append([gist_patient(n) for n in sorted(set(order))])
    assert Store(folder / "one by one").cohort().digest == Store(folder / "at once").cohort().digest


def test_rows_that_are_known_are_not_added_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.append([gist_patient(1)]) > 0
    assert store.append([gist_patient(1)]) == 0
    newer = Observation(quantity="heart_rate", value=80.0, day=30.0)
    state = gist_patient(1)
    assert store.append([state.model_copy(update={"observations": (*state.observations, newer)})]) == 1
    assert store.cohort().latest("heart_rate")[pseudonym(1)] == 80.0


def test_a_shard_that_was_altered_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).append([gist_patient(1)])
    shard = next((tmp_path / "observations").iterdir())
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(StoreError, match="was altered"):
        Store(tmp_path).cohort()
    shard.unlink()
    with pytest.raises(StoreError, match="is missing"):
        Store(tmp_path).cohort()


def test_a_shard_that_the_index_does_not_name_is_not_part_of_the_store(tmp_path: Path) -> None:
    """What a killed import leaves behind."""
    Store(tmp_path).append([gist_patient(1)])
    before = Store(tmp_path).cohort().digest
    first = next((tmp_path / "patients").iterdir())
    (tmp_path / "patients" / "000099.parquet").write_bytes(first.read_bytes())
    assert Store(tmp_path).cohort().digest == before


def test_a_folder_without_states_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="vht import"):
        Store(tmp_path / "nothing").cohort()
    (tmp_path / "store.json").write_text("{")
    with pytest.raises(StoreError, match="not readable JSON"):
        Store(tmp_path).cohort()
    (tmp_path / "store.json").write_text(json.dumps({"schema_version": 99, "shards": []}))
    with pytest.raises(StoreError, match="schema version 99"):
        Store(tmp_path).cohort()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_whole(target, b"old")

    def broken(sink) -> None:  # type: ignore[no-untyped-def]
        sink.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(target, broken)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_cohort_counts_conditions_without_an_end() -> None:
    ended = gist_patient(2).model_copy(
        update={"conditions": (Event(concept="hypertension", start_day=-5.0, end_day=-1.0),)}
    )
    open_ended = gist_patient(3).model_copy(update={"conditions": (Event(concept="hypertension"),)})
    cohort = Cohort.from_states([ended, open_ended])
    assert cohort.with_condition("hypertension") == [pseudonym(3)]
    assert open_ended.has("hypertension")
    assert not ended.has("hypertension")
    assert len(cohort.select([pseudonym(3)])) == 1
    assert study_number(3) in set(cohort.patients["study_number"])
    with pytest.raises(KeyError):
        cohort.state(pseudonym(9))
