"""The least generalisation and suppression with which a table keeps its policy.

Every combination of levels (a node of the lattice) has a loss: the mean over rows and quasi-identifiers of
the share of other values that a value can no longer be told from (the loss metric of Iyengar 2002), 1 for
rows that are left out. Nodes are visited by their loss before suppression, which bounds their loss from
below, until no node can be better: the solution has the least loss of all nodes. A pair of columns whose
small classes alone exceed the suppression limit rules out every node that holds it (the subset property of
Incognito, LeFevre et al. 2005). Ties go to the lower sum of levels, then to the first columns: the same
table gives the same release.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from privacy.release.classes import class_of_rows, sizes, sizes_with_wildcards
from privacy.release.errors import ReleaseError
from privacy.release.hierarchies import Coded
from privacy.release.measures import (
    at_least,
    at_most,
    distinct_diversity,
    entropy_diversity,
    equal_distance,
    ordered_distance,
    presence,
)
from privacy.release.policy import Column, Policy

MOST_NODES = 20_000
"""Combinations of levels that are tried; a policy with more should name fewer or coarser columns."""


@dataclass(frozen=True)
class Failing:
    """Classes that break one rule.

    Attributes:
        measure: ``k``, ``fingerprint``, ``presence``, or ``distinct``, ``entropy`` or ``closeness`` with
            the column.
        classes: numbers of the classes, in the order of the codes; their values stay out of all messages.
        rows: rows in them.
        worst: the worst figure of the table, whether or not it breaks the rule.
        limit: what the policy asks for.
    """

    measure: str
    classes: tuple[int, ...]
    rows: int
    worst: float
    limit: float


@dataclass(frozen=True)
class Coding:
    """A table as integers, with its policy.

    Attributes:
        quasi: quasi-identifiers by name.
        plain: codes of plain columns.
        sensitive: codes of sensitive columns, at the level at which they leave, with what is asked of them.
        points: where the values of a sensitive column with the distance ``numeric`` lie.
        population: quasi-identifiers of the population, coded as those of the table; None without one.
        rows: number of rows.
    """

    quasi: Mapping[str, Coded]
    plain: Sequence[np.ndarray]
    sensitive: Mapping[str, tuple[np.ndarray, Column]]
    points: Mapping[str, np.ndarray]
    population: Mapping[str, Coded] | None
    rows: int


@dataclass(frozen=True)
class Node:
    """A solution: level by quasi-identifier, which rows stay, and the loss."""

    levels: tuple[int, ...]
    kept: np.ndarray
    loss: float


def assess(
    coding: Coding, policy: Policy, levels: Sequence[int], kept: np.ndarray
) -> list[tuple[Failing, np.ndarray]]:
    """Every measure of the rows that are kept.

    Args:
        coding: the table.
        policy: the limits.
        levels: by quasi-identifier.
        kept: shape (rows,), whether a row stays.

    Returns:
        Each measure with the rows that break it, shape (rows,).
    """
    places = np.flatnonzero(kept)
    columns = [each.at(level)[places] for each, level in zip(coding.quasi.values(), levels, strict=True)]
    known = [*columns, *(codes[places] for codes in coding.plain)]
    classes, count = class_of_rows(known, len(places))
    of_class = sizes(classes, count)
    found = [_rule("k", classes, of_class, at_least(of_class, policy.k), policy.k, min)]
    if coding.sensitive:
        panel, panels = class_of_rows([codes[places] for codes, _ in coding.sensitive.values()], len(places))
        same = sizes(panel, panels)
        good = at_least(same, policy.shared_panel)
        found.append(_rule("fingerprint", panel, same, good, policy.shared_panel, min))
    for name, (codes, column) in coding.sensitive.items():
        values = codes[places]
        distinct = distinct_diversity(classes, count, values)
        effective = entropy_diversity(classes, count, values)
        if column.distance == "equal":
            distance = equal_distance(classes, count, values)
        else:
            distance = ordered_distance(classes, count, values, coding.points.get(name))
        for measure, figures, good, limit, worst in (
            ("distinct", distinct, at_least(distinct, column.distinct), column.distinct, min),
            ("entropy", effective, at_least(effective, column.entropy), column.entropy, min),
            ("closeness", distance, at_most(distance, column.closeness), column.closeness, max),
        ):
            found.append(_rule(f"{measure} of {name}", classes, figures, good, limit, worst))
    if coding.population is not None and policy.presence is not None:
        found.append(_presence(coding, policy, levels, columns))
    whole = []
    for failing, bad in found:
        rows = np.zeros(coding.rows, bool)
        rows[places] = bad
        whole.append((failing, rows))
    return whole


def _rule(
    measure: str,
    classes: np.ndarray,
    figures: np.ndarray,
    good: np.ndarray,
    limit: float,
    worst: Callable[[np.ndarray], float],
) -> tuple[Failing, np.ndarray]:
    bad = ~good[classes] if len(classes) else np.zeros(0, bool)
    extreme = float(worst(figures)) if len(figures) else float("nan")
    return Failing(measure, tuple(np.flatnonzero(~good).tolist()), int(bad.sum()), extreme, limit), bad


def _presence(
    coding: Coding, policy: Policy, levels: Sequence[int], columns: Sequence[np.ndarray]
) -> tuple[Failing, np.ndarray]:
    assert coding.population is not None
    assert policy.presence is not None
    rows = len(columns[0]) if columns else 0
    others = [c.at(level) for c, level in zip(coding.population.values(), levels, strict=True)]
    people = len(others[0]) if others else 0
    joint, count = class_of_rows(
        [np.concatenate(pair) for pair in zip(columns, others, strict=True)], rows + people
    )
    here, everybody = sizes(joint[:rows], count), sizes(joint[rows:], count)
    share = presence(here, everybody)
    bounds = policy.presence
    good = at_most(share, bounds.upper) & at_least(share, bounds.lower)
    bad = ~good[joint[:rows]]
    if bounds.lower > 0 and (~good & (here == 0)).any():
        bad[:] = True  # people who are surely absent: leaving out more rows cannot help
    return (
        Failing(
            "presence",
            tuple(np.flatnonzero(~good).tolist()),
            int(bad.sum()),
            float(share.max()),
            bounds.upper,
        ),
        bad,
    )


def suppress(coding: Coding, policy: Policy, levels: Sequence[int]) -> np.ndarray | None:
    """Which rows stay when failing classes are left out until none fails; None beyond the limit.

    Leaving out rows changes the distribution that classes are compared with, therefore the repetition.
    """
    kept = np.ones(coding.rows, bool)
    most = _most_left_out(coding, policy)
    while True:
        bad = np.zeros(coding.rows, bool)
        for _, rows in assess(coding, policy, levels, kept):
            bad |= rows
        if not bad.any():
            return kept
        kept &= ~bad
        if coding.rows - int(kept.sum()) > most:
            return None


def _most_left_out(coding: Coding, policy: Policy) -> int:
    return int(np.floor(policy.suppression_limit * coding.rows + 1e-9))


def least_loss(coding: Coding, policy: Policy) -> Node:
    """The node with the least loss.

    Raises:
        ReleaseError: no node keeps the policy, or there are too many to try.
    """
    names = list(coding.quasi)
    ranges = [range(policy.columns[name].lowest_level, len(coding.quasi[name].groups)) for name in names]
    if np.prod([float(len(each)) for each in ranges]) > MOST_NODES:
        raise ReleaseError(
            f"the hierarchies have more than {MOST_NODES} combinations of levels; "
            "raise lowest_level or drop levels"
        )
    by_row = [[each.loss_at(level) for level in range(len(each.groups))] for each in coding.quasi.values()]
    mean = [[float(loss.mean()) if coding.rows else 0.0 for loss in column] for column in by_row]
    width = max(len(names), 1)
    nodes = sorted(
        (sum(mean[i][level] for i, level in enumerate(node)) / width, sum(node), node)
        for node in product(*ranges)
    )
    ruled_out = _ruled_out(coding, policy, ranges)
    best: Node | None = None
    best_key: tuple[float, int, tuple[int, ...]] = (np.inf, 0, ())
    for bound, total, node in nodes:
        if bound > best_key[0] + 1e-12:
            break
        if any((i, node[i], j, node[j]) in ruled_out for i, j in _pairs_of(len(node))):
            continue
        kept = suppress(coding, policy, node)
        if kept is None or not kept.any():
            continue
        rows = (
            np.mean([by_row[i][level] for i, level in enumerate(node)], axis=0)
            if names
            else np.zeros(coding.rows)
        )
        loss = float(np.where(kept, rows, 1.0).mean())
        key = (round(loss, 12), total, node)
        if key < best_key:
            best, best_key = Node(node, kept, loss), key
    if best is None:
        raise ReleaseError(
            "no generalisation keeps the policy within its suppression limit; "
            "add coarser levels, raise suppression_limit, or leave out a sensitive or plain column"
        )
    return best


def _pairs_of(columns: int) -> list[tuple[int, int]]:
    return list(combinations(range(columns), 2)) if columns > 1 else [(0, 0)] * columns


def _ruled_out(coding: Coding, policy: Policy, ranges: Sequence[range]) -> set[tuple[int, int, int, int]]:
    """Pairs of columns and levels whose small classes alone exceed the suppression limit."""
    columns, most = list(coding.quasi.values()), _most_left_out(coding, policy)
    found = set()
    for i, j in _pairs_of(len(columns)):
        for a, b in product(ranges[i], ranges[j]):
            classes, count = class_of_rows([columns[i].at(a), columns[j].at(b)], coding.rows)
            of = sizes(classes, count)
            if int(of[of < policy.k].sum()) > most:
                found.add((i, a, j, b))
    return found


def worst_k(coding: Coding, levels: Sequence[int], kept: np.ndarray) -> dict[str, int]:
    """The smallest class, with missing values as a value of their own and as any value."""
    places = np.flatnonzero(kept)
    columns = [each.at(level)[places] for each, level in zip(coding.quasi.values(), levels, strict=True)]
    columns += [codes[places] for codes in coding.plain]
    classes, count = class_of_rows(columns, len(places))
    own, wild = sizes(classes, count), sizes_with_wildcards(columns, len(places))
    return {
        "missing_as_value": int(own.min()) if len(own) else 0,
        "missing_as_any_value": int(wild.min()) if len(wild) else 0,
    }


def utility(coding: Coding, node: Node, k: int) -> dict[str, float]:
    """What is lost: loss metric, discernibility, average class size.

    Returns:
        ``loss``: see the module; ``discernibility``: sum of squared class sizes, and rows x left-out rows
        (Bayardo and Agrawal 2005), over its greatest value, rows squared; ``average_class``: rows kept per
        class and k (LeFevre et al. 2006); ``left_out``: share of rows.
    """
    places = np.flatnonzero(node.kept)
    columns = [each.at(level)[places] for each, level in zip(coding.quasi.values(), node.levels, strict=True)]
    columns += [codes[places] for codes in coding.plain]
    classes, count = class_of_rows(columns, len(places))
    of = sizes(classes, count).astype(float)
    left_out, rows = coding.rows - len(places), max(coding.rows, 1)
    return {
        "loss": node.loss,
        "discernibility": float((of**2).sum() + left_out * rows) / rows**2,
        "average_class": len(places) / max(count, 1) / k,
        "left_out": left_out / rows,
    }
