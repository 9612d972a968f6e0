"""The gate: a table leaves under a policy, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from privacy.release.anonymise import Coding, Failing, assess, least_loss, utility, worst_k
from privacy.release.errors import ReleaseError
from privacy.release.hierarchies import Coded, code_column
from privacy.release.policy import Bands, Policy, canonical, nearest

SCHEMA = "vht-release/1"


@dataclass(frozen=True)
class Release:
    """What leaves, and what is told of it.

    Attributes:
        table: the rows that leave.
        levels: level of each quasi-identifier.
        measures: every measure of the table that leaves.
        before: the same of the table as it came, with the classes that fail.
        utility: what was lost.
        manifest: what goes with the table. It holds no count of rows that were left out if that is small.
    """

    table: pd.DataFrame
    levels: Mapping[str, int]
    measures: tuple[Failing, ...]
    before: tuple[Failing, ...]
    utility: Mapping[str, float]
    manifest: Mapping[str, Any]


def release_table(table: pd.DataFrame, policy: Policy, population: pd.DataFrame | None = None) -> Release:
    """Release a table: generalised and suppressed as little as the policy allows.

    Args:
        table: one row a person; every column must be declared, no declared column may be absent.
        policy: what each column is, and the limits.
        population: the people among whom those of the table are; needed for delta-presence. Its
            quasi-identifiers are those of the table; other columns are not read.

    Raises:
        ReleaseError: a column is not declared or absent, a value has no place in a hierarchy, or no
            generalisation keeps the policy.
    """
    _check_columns(table.columns, policy)
    table = table.reset_index(drop=True)
    names = policy.named("quasi-identifier")
    leaving = [name for name in policy.columns if policy.columns[name].role != "identifier" and name in table]
    if policy.label == "simulated":
        out = table[leaving].copy()
        return Release(
            out, {}, (), (), {"loss": 0.0, "left_out": 0.0}, _manifest(out, policy, {}, (), {}, None)
        )
    if policy.presence is not None and population is None:
        raise ReleaseError(
            "the policy bounds presence: name the population table among whom these people are"
        )
    coding, words = _code(table, policy, population if policy.presence is not None else None)
    finest = [policy.columns[name].lowest_level for name in names]
    before = tuple(found for found, _ in assess(coding, policy, finest, np.ones(coding.rows, bool)))
    node = least_loss(coding, policy)
    after = tuple(found for found, _ in assess(coding, policy, node.levels, node.kept))
    if any(found.rows or found.classes for found in after):
        raise ReleaseError("the table breaks its policy after suppression; leave out a sensitive column")
    levels = dict(zip(names, node.levels, strict=True))
    columns = {
        name: coding.quasi[name].words_at(levels[name]) if name in levels else words.get(name, table[name])
        for name in leaving
    }
    out = pd.DataFrame(columns)[node.kept]
    # the order of rows is that of the source, a quasi-identifier that nobody declares
    out = out.sort_values(leaving, key=lambda c: c.astype(str), kind="stable").reset_index(drop=True)
    lost = utility(coding, node, policy.k)
    smallest = worst_k(coding, node.levels, node.kept)
    manifest = _manifest(out, policy, levels, after, {**lost, **smallest}, table)
    return Release(out, levels, after, before, lost, manifest)


def _check_columns(columns: Sequence[Any] | pd.Index, policy: Policy) -> None:
    twice = sorted({str(c) for c in columns if list(columns).count(c) > 1})
    if twice:
        raise ReleaseError(f"the columns {', '.join(twice)} stand twice; rename one of each")
    undeclared = [str(c) for c in columns if c not in policy.columns]
    if undeclared:
        hints = [f"'{name}' ({nearest(name, policy.columns)})" for name in undeclared]
        raise ReleaseError(
            f"columns that the policy does not declare: {', '.join(hints)}; give each a role under 'columns'"
        )
    absent = [n for n, c in policy.columns.items() if n not in columns and c.role != "identifier"]
    if absent:
        raise ReleaseError(f"columns of the policy that the table lacks: {', '.join(absent)}")


def _code(
    table: pd.DataFrame, policy: Policy, population: pd.DataFrame | None
) -> tuple[Coding, dict[str, pd.Series]]:
    quasi: dict[str, Coded] = {}
    people: dict[str, Coded] = {}
    for name in policy.named("quasi-identifier"):
        column = policy.columns[name]
        if population is None:
            quasi[name] = code_column(table[name], column, name)
            continue
        if name not in population:
            raise ReleaseError(f"the population table lacks the column '{name}'")
        joint = code_column(pd.concat([table[name], population[name]], ignore_index=True), column, name)
        quasi[name], people[name] = _part(joint, slice(0, len(table))), _part(joint, slice(len(table), None))
    sensitive, points, words = {}, {}, {}
    for name in policy.named("sensitive"):
        column = policy.columns[name]
        coded = code_column(table[name], column, name)
        level = column.lowest_level if column.hierarchy is not None else 0
        sensitive[name] = (coded.at(level), column)
        if level:
            words[name] = coded.words_at(level)
        if column.distance == "numeric":
            points[name] = _numbers(coded, name)
        elif column.distance == "ordered":
            _numbers(coded, name)
    plain = [code_column(table[name], policy.columns[name], name).codes for name in policy.named("plain")]
    known = people if population is not None else None
    return Coding(quasi, plain, sensitive, points, known, len(table)), words


def _part(coded: Coded, rows: slice) -> Coded:
    return Coded(coded.codes[rows], coded.leaves, coded.groups, coded.labels, coded.loss)


def _numbers(coded: Coded, name: str) -> np.ndarray:
    try:
        return np.array([float(leaf) for leaf in coded.leaves])
    except (TypeError, ValueError):
        raise ReleaseError(
            f"column '{name}' does not hold numbers, so that it has no order; give it the distance 'equal'"
        ) from None


def _manifest(
    out: pd.DataFrame,
    policy: Policy,
    levels: Mapping[str, int],
    measures: Sequence[Failing],
    figures: Mapping[str, float],
    source: pd.DataFrame | None,
) -> dict[str, Any]:
    left_out = 0 if source is None else len(source) - len(out)
    # a small count of people who were left out is a small cell as any other
    shown = {k: v for k, v in figures.items() if k not in ("left_out", "loss", "discernibility")}
    if not policy.small(left_out) or (source is not None and left_out == 0 and policy.zeros == "shown"):
        shown = dict(figures)
    return {
        "schema": SCHEMA,
        "label": policy.label,
        "policy": {"name": policy.name, "digest": policy.digest},
        "table": {"sha256": table_digest(out), "rows": len(out), "columns": [str(c) for c in out.columns]},
        "levels": dict(levels),
        "measures": {m.measure: {"worst": m.worst, "limit": m.limit} for m in measures},
        "figures": {name: float(value) for name, value in shown.items()},
        "rows_left_out": left_out if not policy.small(left_out) else f"below {policy.smallest_cell}",
    }


def read_table(path: Path, policy: Policy) -> pd.DataFrame:
    """Read a table of one row a person.

    Codes keep their leading zeros: in CSV only columns that have bands or an order are numbers.

    Raises:
        ReleaseError: it cannot be read.
    """
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise ReleaseError(f"there is no file {path.name}") from None
    except (OSError, ValueError, pd.errors.ParserError):
        raise ReleaseError(f"{path.name} cannot be read as a table; give .csv (UTF-8) or .parquet") from None
    for name, column in policy.columns.items():
        if name in table and (isinstance(column.hierarchy, Bands) or column.distance != "equal"):
            numbers = pd.to_numeric(table[name], errors="coerce")
            wrong = np.flatnonzero(numbers.isna() & table[name].notna())
            if len(wrong):
                raise ReleaseError(f"{path.name}, row {wrong[0] + 1}, column '{name}': this is not a number")
            table[name] = numbers
    return table


def table_bytes(table: pd.DataFrame) -> bytes:
    """The table as CSV, UTF-8, with plain line ends."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def table_digest(table: pd.DataFrame) -> str:
    """SHA-256 of the CSV."""
    return hashlib.sha256(table_bytes(table)).hexdigest()


def manifest_bytes(release: Release) -> bytes:
    """The manifest as JSON with sorted keys."""
    return canonical(release.manifest) + b"\n"
