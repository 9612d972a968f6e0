"""The closed state and the store that keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.vht.people import gist_cohort, gist_patient, pseudonym, study_number
from vht import (
    Absence,
    Cohort,
    Event,
    Interval,
    Observation,
    PatientState,
    Store,
    StoreError,
    UnknownQuantity,
    quantity,
)
from vht.files import write_whole
from vht.store import ROW_GROUP
from vht.tables import STORED


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


# -- versions, retractions, merges, erasure


def rows(
    number: int, value: float, *, record: bytes | None = b"r", updated: float = 0.0, version: int = 0
) -> pa.Table:
    """One stored heart rate of a patient, as the importer writes it."""
    row = {
        "pseudonym": pseudonym(number),
        "quantity": "heart_rate",
        "value": value,
        "day": 1.0,
        "origin": "recorded",
        "age_years": 50,
        "record": record,
        "updated": updated,
        "version": version,
    }
    return pa.Table.from_pylist([row], schema=STORED["observations"])


def write(store: Store, **tables: pa.Table) -> None:
    with store.writer() as shards:
        for name, table in tables.items():
            shards.write(name, table)


def retraction(record: bytes = b"r", updated: float = 0.0, version: int = 0) -> pa.Table:
    return pa.table(
        {"record": pa.array([record], pa.binary()), "updated": [float(updated)], "version": [version]}
    )


def values(store: Store) -> list[float]:
    return list(store.cohort().observations["value"])


def test_a_newer_version_replaces_every_row_of_the_older_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, observations=pa.concat_tables([rows(1, 60, version=1), rows(1, 61, version=1)]))
    write(store, observations=rows(2, 99, record=b"other"))
    assert values(store) == [60, 61, 99] or values(store) == [99, 60, 61]
    write(store, observations=rows(1, 70, version=2))
    assert sorted(values(store)) == [70, 99]
    write(store, observations=rows(1, 65, version=1))  # an older version that arrives late
    assert sorted(values(store)) == [70, 99]
    write(store, observations=rows(1, 71, version=2))  # the same version, read again with other content
    assert sorted(values(store)) == [71, 99]


def test_a_retraction_leaves_nothing_of_a_resource_until_a_newer_version_comes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, observations=pa.concat_tables([rows(1, 60, updated=10), rows(1, 88, record=None)]))
    write(store, retractions=retraction(updated=20))
    assert values(store) == [88]
    write(store, observations=rows(1, 61, updated=15))
    assert values(store) == [88]
    write(store, observations=rows(1, 62, updated=30))
    assert sorted(values(store)) == [62, 88]


def test_a_merged_patient_is_shown_as_the_other_on_the_other_s_days(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append([gist_patient(1), gist_patient(2), gist_patient(3)])
    before = store.cohort()
    chain = {
        "pseudonym": [pseudonym(1), pseudonym(2)],
        "into": [pseudonym(2), pseudonym(3)],
        "shift_days": [10.0, -3.0],
    }
    write(store, merges=pa.table(chain))
    after = store.cohort()
    assert list(after.patients["pseudonym"]) == [pseudonym(3)]
    moved = before.observations[before.observations["pseudonym"] == pseudonym(1)]
    shown = after.observations.set_index("value")["day"]
    for value, day in zip(moved["value"], moved["day"], strict=True):
        assert shown[value] == day + 7.0


def test_an_erased_patient_is_in_no_file_and_the_rest_is_unchanged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append([gist_patient(1), gist_patient(2)])
    write(store, observations=rows(1, 60, updated=10))
    write(store, retractions=pa.concat_tables([retraction(updated=20), retraction(b"x")]))
    rest = store.cohort().select([pseudonym(2)]).digest
    removed = store.erase([pseudonym(1)])
    assert removed == len(gist_patient(1).observations) + len(gist_patient(1).conditions) + 1 + 1 + 1
    assert store.cohort().digest == rest
    for path in tmp_path.rglob("*.parquet"):
        table = pq.read_table(path)
        assert "pseudonym" not in table.column_names or pseudonym(1) not in table["pseudonym"].to_pylist()
    assert [b.column("record").to_pylist() for b in store.retractions()] == [[b"x"]]
    assert not any(any(b.column("record").to_pylist()) for b in store.records())
    assert store.erase([pseudonym(1)]) == 0


def test_a_failed_write_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append([gist_patient(1)])
    before, files = store.cohort().digest, sorted(tmp_path.rglob("*.parquet"))

    def fail() -> None:
        with store.writer() as shards:
            shards.write("observations", pa.concat_tables([rows(2, 70)] * (ROW_GROUP + 1)))
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert store.cohort().digest == before
    left = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {*files, tmp_path / ".lock", tmp_path / "store.json"}


def test_two_imports_do_not_write_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(), pytest.raises(StoreError, match="another import"):
        store.append([gist_patient(1)])


def test_rows_of_some_patients_are_found_in_every_shard(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in (1, 2):
        write(store, observations=pa.concat_tables([rows(1, 60 + number), rows(2, 80 + number)]))
    found = store.rows_of("observations", [pseudonym(1)])
    assert found.column("value").to_pylist() == [61, 62]
    assert found.column("shard").to_pylist() == [1, 2]


def test_a_sum_of_lesions_follows_the_lesions_and_needs_all_of_them(tmp_path: Path) -> None:
    lesions = [
        Observation(quantity="target_lesion_diameter", value=v, day=d)
        for v, d in ((20.0, 3.25), (30.0, 3.5), (25.0, 40.0))
    ]
    lost = Interval(quantity="target_lesion_diameter", day=40.5)
    state = PatientState(
        pseudonym=pseudonym(1), study_number=1, sex="male", observations=tuple(lesions), intervals=(lost,)
    )
    store = Store(tmp_path)
    store.append([state])
    sums = store.cohort().latest("sum_of_longest_diameters")
    assert dict(sums) == {pseudonym(1): 50.0}
    again = Store(tmp_path / "again")
    again.append_cohort(store.cohort())
    assert again.cohort().digest == store.cohort().digest


def test_a_bound_is_no_value_and_an_absence_no_condition(tmp_path: Path) -> None:
    state = PatientState(
        pseudonym=pseudonym(1),
        study_number=1,
        sex="male",
        intervals=(Interval(quantity="nt_probnp", high=5.0, day=0.0),),
        absences=(Absence(concept="stroke", basis="site_rule"),),
    )
    store = Store(tmp_path)
    store.append([state])
    cohort = store.cohort()
    assert cohort.latest("nt_probnp").empty
    assert cohort.with_condition("stroke") == []
    assert cohort.state(pseudonym(1)) == state
    assert not state.has("stroke")
    assert state.latest("nt_probnp") is None


def test_erasing_a_patient_erases_whoever_was_merged_into_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append([gist_patient(n) for n in (1, 2, 3, 4)])
    rest = store.cohort().select([pseudonym(4)]).digest
    chain = {
        "pseudonym": [pseudonym(1), pseudonym(2)],
        "into": [pseudonym(2), pseudonym(3)],
        "shift_days": [10.0, -3.0],
    }
    write(store, merges=pa.table(chain))
    store.erase([pseudonym(3)])
    for path in tmp_path.rglob("*.parquet"):
        table = pq.read_table(path)
        for column in {"pseudonym", "into"} & set(table.column_names):
            assert set(table[column].to_pylist()) <= {pseudonym(4)}
    assert store.cohort().digest == rest
