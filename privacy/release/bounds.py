"""What whoever sees a release can work out about the counts it keeps back.

Counts are tied by linear relations (a margin is the sum of its cells) and are not negative. The least and
the greatest value that a suppressed count can have, all published ones given, are two linear programmes,
solved by HiGHS through ``scipy.optimize.linprog``. The attack is the check: the gate suppresses until it
fails.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from privacy.release.errors import ReleaseError
from privacy.release.policy import Policy

Key = Hashable
Relation = tuple[tuple[Key, int], ...]
"""Counts and coefficients whose products sum to zero."""

MOST_UNKNOWN = 50_000
"""Counts in one system; more should be released in several smaller tables."""


@dataclass(frozen=True)
class Interval:
    """Bounds of a count; ``upper`` is infinite where nothing limits it."""

    lower: float
    upper: float

    @property
    def width(self) -> float:
        """Greatest less least value."""
        return self.upper - self.lower


def relation(total: Key, parts: Iterable[Key]) -> Relation:
    """``total`` is the sum of ``parts``."""
    return ((total, -1), *((part, 1) for part in parts))


def bounds(
    published: Mapping[Key, int | None], relations: Sequence[Relation], wanted: Iterable[Key] | None = None
) -> dict[Key, Interval]:
    """Bounds of the counts that are not published.

    Args:
        published: by key, the count, or None where it is suppressed. Keys that stand in relations alone are
            counts that were never to be published.
        relations: what is known to sum to zero.
        wanted: the keys that are asked for; None for all that are suppressed.

    Raises:
        ReleaseError: there are too many counts, or the published ones contradict each other.
    """
    asked = [key for key, value in published.items() if value is None] if wanted is None else list(wanted)
    unknown = [key for key, value in published.items() if value is None]
    unknown += list(dict.fromkeys(k for each in relations for k, _ in each if k not in published))
    if len(unknown) > MOST_UNKNOWN:
        raise ReleaseError(f"more than {MOST_UNKNOWN} counts hang together; release tables with fewer axes")
    place = {key: index for index, key in enumerate(unknown)}
    rows: list[int] = []
    columns: list[int] = []
    weights: list[int] = []
    known: list[float] = []
    for each in relations:
        if not any(key in place for key, _ in each):
            continue
        for key, weight in each:
            if key in place:
                rows.append(len(known))
                columns.append(place[key])
                weights.append(weight)
        known.append(-float(sum(w * (published[k] or 0) for k, w in each if k not in place)))
    matrix = csr_array((weights, (rows, columns)), shape=(len(known), len(unknown)))
    group = _group(matrix)
    systems: dict[int, tuple[Any, np.ndarray, np.ndarray]] = {}
    found = {}
    for key in asked:
        if key not in place:
            raise ReleaseError("bounds were asked of a count that is published")
        index = place[key]
        of = int(group[len(known) + index])
        if of not in systems:
            chosen = np.flatnonzero(group[: len(known)] == of)
            members = np.flatnonzero(group[len(known) :] == of)
            systems[of] = (matrix[chosen][:, members], np.array(known)[chosen], members)
        part, sums, members = systems[of]
        inside = int(np.searchsorted(members, index))
        found[key] = Interval(_extreme(part, sums, inside, 1.0), -_extreme(part, sums, inside, -1.0))
    return found


def _group(matrix: Any) -> np.ndarray:
    """Which relations and unknowns hang together, shape (relations + unknowns,).

    Most counts of a report hang together with few others; small programmes are solved, not one large one.
    """
    rows, columns = matrix.shape
    both = coo_array(matrix)
    ends = (both.coords[0], both.coords[1] + rows)
    graph = coo_array((np.ones(both.nnz), ends), shape=(rows + columns, rows + columns))
    group: np.ndarray = connected_components(graph, directed=False)[1]
    return group


def _extreme(matrix: Any, known: np.ndarray, place: int, sign: float) -> float:
    if not matrix.shape[0]:
        return 0.0 if sign > 0 else -np.inf
    goal = np.zeros(matrix.shape[1])
    goal[place] = sign
    solved = linprog(goal, A_eq=matrix, b_eq=known, bounds=(0, None), method="highs")
    if solved.status == 3:
        return -np.inf
    if solved.status != 0:
        raise ReleaseError("the counts contradict each other; see that all come from the same people")
    # HiGHS meets its relations to 1e-7; counts are whole
    return float(np.round(solved.fun, 6))


def protect(
    counts: Mapping[Any, int],
    relations: Sequence[Relation],
    policy: Policy,
    *,
    derivable: Iterable[Key] = (),
    fixed: Mapping[Key, int | None] | None = None,
    also: Iterable[Key] = (),
    rank: Callable[[Any], int] = lambda key: -1,
) -> dict[Key, int | None]:
    """Counts with None where one is suppressed: small ones, and as many others as it takes to keep those.

    Complementary suppression is greedy: while a suppressed count has bounds closer than
    ``policy.protection``, the smallest published count in a relation with what is still unknown about it goes
    too (ties by name). Then those that turn out not to be needed are shown again, the largest first. The same
    counts give the same release.

    Args:
        counts: what would be published, and what could be worked out from it.
        relations: between all counts.
        policy: the limits.
        derivable: keys of ``counts`` that nobody publishes, but which must be kept as if somebody did.
        fixed: published and suppressed counts of earlier releases, which cannot be taken back.
        also: keys that are suppressed for another reason.
        rank: of a key; of two as near, the lower is suppressed; one of rank 0 only where nothing else helps.

    Raises:
        ReleaseError: even with all counts suppressed, the earlier releases tell one.
    """
    fixed = dict(fixed or {})
    silent = set(derivable)
    secret = {key for key, count in counts.items() if policy.small(count)} | set(also)
    secret |= {key for key, count in fixed.items() if count is None}
    shown: dict[Key, int | None] = dict(fixed)
    for key, count in counts.items():
        if key not in shown:
            shown[key] = None if key in secret or key in silent else count
        elif shown[key] is not None and key in secret and fixed[key] != count:
            raise ReleaseError("an earlier release shows a count that this one must keep back")
    hidden = {key for key, count in shown.items() if count is None and (key in secret or key not in silent)}
    # To suppress more can only widen bounds: a count that is safe stays safe, and one that hangs together
    # with nothing new is as exposed as before.
    exposed: list[Key] = []
    chosen: list[Key] = []
    waiting = sorted(hidden, key=str)
    while True:
        found = bounds(shown, relations, waiting)
        exposed += [key for key in waiting if found[key].width < policy.protection]
        if not exposed:
            break
        choice = _next(exposed, shown, relations, counts, fixed, rank)
        if choice is None:
            raise ReleaseError(
                "a suppressed count can be worked out from what was published before; "
                "this table cannot be released beside it"
            )
        shown[choice] = None
        chosen.append(choice)
        reached = _hanging_together(choice, shown, relations)
        waiting = [*(key for key in exposed if key in reached), choice]
        exposed = [key for key in exposed if key not in reached]
    for key in sorted(chosen, key=lambda key: (-rank(key), -counts[key], str(key))):
        others = _hanging_together(key, shown, relations) - {key}
        shown[key] = counts[key]
        if not _safe(sorted((hidden | set(chosen)) & others, key=str), shown, relations, policy):
            shown[key] = None
        else:
            chosen.remove(key)
    return {key: shown[key] for key in counts if key not in silent}


def _safe(
    keys: Sequence[Key], shown: Mapping[Key, int | None], relations: Sequence[Relation], policy: Policy
) -> bool:
    return all(bounds(shown, relations, [key])[key].width >= policy.protection for key in keys)


def _hanging_together(start: Key, shown: Mapping[Key, int | None], relations: Sequence[Relation]) -> set[Key]:
    """Unknown counts that relations lead to from one of them, by way of unknown counts."""
    of: dict[Key, list[Relation]] = {}
    for each in relations:
        for key, _ in each:
            of.setdefault(key, []).append(each)
    reached, open_ = {start}, [start]
    while open_:
        for each in of.get(open_.pop(), ()):
            for key, _ in each:
                if shown.get(key) is None and key not in reached:
                    reached.add(key)
                    open_.append(key)
    return reached


def _next(
    exposed: Sequence[Key],
    shown: Mapping[Key, int | None],
    relations: Sequence[Relation],
    counts: Mapping[Key, int],
    fixed: Mapping[Key, int | None],
    rank: Callable[[Any], int],
) -> Key | None:
    """The smallest count that can still be suppressed, as near as possible to an exposed one."""
    reached, last_resort = set(exposed), []
    while True:
        near = {key for each in relations if reached & {k for k, _ in each} for key, _ in each}
        open_ = [key for key in near if shown.get(key) is not None and key in counts and key not in fixed]
        last_resort += [key for key in open_ if rank(key) >= 0]
        open_ = [key for key in open_ if rank(key) < 0]
        if not open_ and near <= reached:
            open_ = last_resort
            if not open_:
                return None
        if open_:
            return min(open_, key=lambda key: (rank(key), counts[key], str(key)))
        reached |= near
