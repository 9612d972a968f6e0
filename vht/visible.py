"""What a store shows: of every resource its last version, of every merged patient one.

Shards are never changed by a later import; they are overlaid. A resource that was read again in
another version replaces all rows of the version before, a retraction leaves none, and a patient who
turned out to be another one is shown as that one. Sums of lesions are derived here, from the lesions
that are visible, so that they follow every correction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vht.quantities import quantity
from vht.state import SITE_RULE
from vht.tables import EVENTS, FACTS, TABLES, order

LESION = "target_lesion_diameter"
SUM_OF_LESIONS = "sum_of_longest_diameters"

_DAYS = {name: ("start_day", "end_day") if name in EVENTS else ("day",) for name in FACTS}


def visible(shards: Mapping[str, Sequence[pa.Table]]) -> dict[str, pa.Table]:
    """The tables that readers see.

    Args:
        shards: for each table of ``vht.tables.STORED`` its shards, each with a column ``shard`` (int32)
            that counts imports, the later one the higher.

    Returns:
        For each table of ``vht.tables.TABLES`` the visible rows in canonical order.
    """
    held = {name: pa.concat_tables(found) for name, found in shards.items() if found}
    current = _current(held)
    moves = held["merges"].to_pylist() if "merges" in held else []
    into, shift = _destinations(moves)
    tables: dict[str, pa.Table] = {}
    for name in FACTS:
        table = current[name].select(TABLES[name].names) if name in current else TABLES[name].empty_table()
        tables[name] = _moved(table, name, into, shift) if moves else table
    tables["absences"] = _without_needless_rules(tables["absences"], tables["conditions"])
    tables["observations"] = _with_sums(tables["observations"], tables["intervals"])
    tables["patients"] = _latest_patients(held.get("patients"), set(into))
    return {name: tables[name].sort_by(order(name)) for name in TABLES}


def sums_of_lesions(lesions: Iterable[tuple[float, float]], lost: set[int]) -> list[tuple[float, float]]:
    """The sum of longest diameters of each day (RECIST 1.1, Eisenhauer 2009).

    A day on which a lesion was recorded but could not be read has no sum: it would be too small.

    Args:
        lesions: (day, diameter in mm) of one patient's target lesions.
        lost: whole days on which a lesion is not known as a number.

    Returns:
        (day of the last lesion of that day, sum in mm), in order; sums beyond the plausible range of
        the quantity are left out.
    """
    by_day: dict[int, list[tuple[float, float]]] = {}
    for day, diameter in lesions:
        by_day.setdefault(int(np.floor(day)), []).append((day, diameter))
    high = quantity(SUM_OF_LESIONS).plausible[1]
    totals = [
        (max(day for day, _ in found), sum(diameter for _, diameter in found))
        for whole, found in sorted(by_day.items())
        if whole not in lost
    ]
    return [(day, total) for day, total in totals if total <= high]


# ---------------------------------------------------------------------------------------------------


def _current(held: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Fact tables without rows of replaced or retracted versions."""
    facts = {name: held[name] for name in FACTS if name in held}
    shards = {s for t in facts.values() for s in pc.unique(t.column("shard")).to_pylist()}
    retracted = held.get("retractions")
    if retracted is None and len(shards) <= 1:
        return facts  # one import holds one version of each resource
    parts = [t.select(["record", "updated", "version", "shard"]) for t in facts.values()]
    rows = pa.concat_tables([*parts, *([retracted] if retracted is not None else [])])
    record = np.asarray(rows.column("record").combine_chunks().dictionary_encode().indices.fill_null(-1))
    rank = _ranks(*(np.asarray(rows.column(c)) for c in ("updated", "version", "shard")))
    best = np.full(record.max(initial=-1) + 2, -1)
    np.maximum.at(best, record, rank)
    keep = (record < 0) | (rank == best[record])
    gone = len(rows) - (0 if retracted is None else len(retracted))
    if retracted is not None:
        last = np.full(best.size, -1)
        np.maximum.at(last, record[gone:], rank[gone:])
        keep &= (record < 0) | (rank > last[record])
    out, start = {}, 0
    for name, table in facts.items():
        out[name] = table.filter(pa.array(keep[start : start + len(table)]))
        start += len(table)
    return out


def _ranks(updated: np.ndarray, version: np.ndarray, shard: np.ndarray) -> np.ndarray:
    """A whole number for each row that orders rows by time of update, version and import."""
    sorting = np.lexsort((shard, version, updated))
    new = np.ones(sorting.size, bool)
    if sorting.size:
        new[1:] = np.any([np.diff(c[sorting]) != 0 for c in (updated, version, shard)], axis=0)
    ranks = np.empty(sorting.size, np.int64)
    ranks[sorting] = np.cumsum(new)
    return ranks


def _destinations(moves: Sequence[Mapping[str, object]]) -> tuple[dict[str, str], dict[str, float]]:
    """Where each merged patient ends, and by how much their days move, over chains of merges."""
    step = {str(m["pseudonym"]): (str(m["into"]), float(m["shift_days"])) for m in moves}  # type: ignore[arg-type]
    into, shift = {}, {}
    for start in step:
        here, total, seen = start, 0.0, {start}
        while here in step and (step[here][0] not in seen):
            here, more = step[here][0], step[here][1]
            total += more
            seen.add(here)
        into[start], shift[start] = here, total
    return into, shift


def _moved(table: pa.Table, name: str, into: Mapping[str, str], shift: Mapping[str, float]) -> pa.Table:
    frame = table.to_pandas()
    moving = frame["pseudonym"].isin(list(into))
    if not moving.any():
        return table
    by = frame.loc[moving, "pseudonym"].map(dict(shift))
    for column in _DAYS[name]:
        frame.loc[moving, column] += by
    frame.loc[moving, "pseudonym"] = frame.loc[moving, "pseudonym"].map(dict(into))
    return pa.Table.from_pandas(frame.drop_duplicates(), schema=table.schema, preserve_index=False)


def _with_sums(observations: pa.Table, intervals: pa.Table) -> pa.Table:
    """Observations with the derived sums of lesions, in place of sums derived before."""
    lesions = observations.filter(pc.equal(observations.column("quantity"), LESION)).to_pandas()
    if lesions.empty:
        return observations
    derived = pc.and_(
        pc.equal(observations.column("origin"), "derived"),
        pc.and_(
            pc.equal(observations.column("quantity"), SUM_OF_LESIONS),
            pc.is_in(observations.column("pseudonym"), pa.array(lesions["pseudonym"].unique(), pa.string())),
        ),
    )
    observations = observations.filter(pc.invert(derived))
    unread = intervals.filter(pc.equal(intervals.column("quantity"), LESION)).to_pandas()
    lost = unread.groupby("pseudonym")["day"].apply(lambda days: {int(np.floor(d)) for d in days}).to_dict()
    rows = []
    for pseudonym, mine in lesions.groupby("pseudonym"):
        ages = dict(zip(mine["day"], mine["age_years"], strict=True))
        for day, total in sums_of_lesions(
            zip(mine["day"], mine["value"], strict=True), lost.get(pseudonym, set())
        ):
            age = None if pd.isna(ages[day]) else int(ages[day])
            rows.append(
                {
                    "pseudonym": pseudonym,
                    "quantity": SUM_OF_LESIONS,
                    "value": total,
                    "day": day,
                    "origin": "derived",
                    "age_years": age,
                }
            )
    return pa.concat_tables([observations, pa.Table.from_pylist(rows, schema=observations.schema)])


def _without_needless_rules(absences: pa.Table, conditions: pa.Table) -> pa.Table:
    """A rule of the site counts only where nothing of the condition is recorded."""
    frame = absences.to_pandas()
    by_rule = frame["basis"] == SITE_RULE
    if not by_rule.any():
        return absences
    keys = ["pseudonym", "concept"]
    known = pd.concat([conditions.select(keys).to_pandas(), frame.loc[~by_rule, keys]])
    recorded = pd.MultiIndex.from_frame(frame[keys]).isin(pd.MultiIndex.from_frame(known))
    return pa.Table.from_pandas(frame[~(by_rule & recorded)], schema=absences.schema, preserve_index=False)


def _latest_patients(held: pa.Table | None, merged: set[str]) -> pa.Table:
    if held is None:
        return TABLES["patients"].empty_table()
    frame = held.to_pandas().sort_values("shard", kind="stable").drop_duplicates("pseudonym", keep="last")
    frame = frame[~frame["pseudonym"].isin(merged)]
    return pa.Table.from_pandas(frame, schema=TABLES["patients"], preserve_index=False)
