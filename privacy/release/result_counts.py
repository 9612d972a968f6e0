"""All counts of a results document, and how they hang together.

Whoever reads a report subtracts: who has no event is the number less the events, who is missing is who
started less who is known. Those complements are counts too (``derivable``); they are never printed, and must
be kept as if they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from privacy.release.bounds import Relation, relation

SOURCE = "vht-results/1"
Path = tuple[Any, ...]
"""Keys and indices from the root of the document."""


def is_estimate(content: Any) -> bool:
    """Whether this is a value with its interval and number."""
    return isinstance(content, Mapping) and {"value", "n"} <= set(content)


def is_spread(content: Any) -> bool:
    """Whether this is a mean with quartiles and number."""
    return isinstance(content, Mapping) and {"n", "lower_quartile"} <= set(content)


@dataclass
class System:
    """Counts by their place in the document, relations, and the counts that can only be worked out."""

    counts: dict[Any, int] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    derivable: set[Any] = field(default_factory=set)

    def add(self, path: Path, count: int) -> Path:
        self.counts[path] = int(count)
        return path

    def parts(self, whole: Path, parts: Iterable[Path]) -> None:
        """``whole`` is at least the sum of ``parts``; what is left is a count of its own."""
        parts = list(parts)
        rest = self.counts[whole] - sum(self.counts[part] for part in parts)
        if rest < 0:  # parts that overlap: each is a part by itself
            for part in parts:
                if self.counts[part] <= self.counts[whole]:
                    self.parts(whole, [part])
            return
        if rest == 0:  # taken to be known: it is so by definition (statuses of an arm), or could be
            self.relations.append(relation(whole, parts))
            return
        left = ("rest", whole, tuple(parts))
        self.counts[left] = rest
        self.derivable.add(left)
        self.relations.append(relation(whole, [*parts, left]))

    def same(self, one: Path, other: Path) -> None:
        """Two numbers of the same people; said only where they are equal."""
        if one != other and self.counts[one] == self.counts[other]:
            self.relations.append(((one, 1), (other, -1)))


def counts_of(results: Mapping[str, Any]) -> System:
    """The counts of a document of schema ``vht-results/1``."""
    system = System()
    everybody = system.add(("baseline", "n"), results["baseline"]["n"])
    if results.get("screening") is not None:
        _screening(system, results["screening"], everybody)
    for arm, content in results["disposition"].items():
        _disposition(system, ("disposition", arm), content)
        system.same(("disposition", arm, "started"), everybody)
    for arm, count in (results.get("new_lesions") or {}).items():
        path = system.add(("new_lesions", arm), count)
        system.parts(("disposition", arm, "started"), [path])
    for arm, content in (results.get("treatment") or {}).items():
        _treatment(system, ("treatment", arm), content)
    _baseline(system, results["baseline"], everybody)
    for name, endpoint in results["endpoints"].items():
        for arm, views in endpoint["arms"].items():
            _endpoint(system, ("endpoints", name, "arms", arm), views, ("disposition", arm, "started"))
    for index, series in enumerate(results["series"]):
        for arm, course in series["arms"].items():
            path = ("series", index, "arms", arm, "observed_n")
            _falling(system, path, course["observed_n"], ("disposition", arm, "started"))
    for name, curves in results["survival"].items():
        for arm, views in curves["arms"].items():
            for view, curve in views.items():
                path = ("survival", name, "arms", arm, view, "at_risk")
                _falling(system, path, curve["at_risk"], ("endpoints", name, "arms", arm, view, "n"))
    return system


def _screening(system: System, screening: Mapping[str, Any], everybody: Path) -> None:
    assessed = system.add(("screening", "assessed"), screening["assessed"])
    enrolled = system.add(("screening", "enrolled"), screening["enrolled"])
    excluded = [system.add(("screening", "excluded", k), n) for k, n in screening["excluded"].items()]
    system.parts(assessed, [enrolled])
    if excluded:
        system.parts(assessed, [enrolled, *excluded])
    system.same(enrolled, everybody)


def _disposition(system: System, path: Path, content: Mapping[str, Any]) -> None:
    for key, count in content.items():
        if key != "reasons":
            system.add((*path, key), count)
    statuses = [(*path, key) for key in content if key not in ("started", "analysed", "reasons")]
    system.parts((*path, "started"), statuses)
    system.parts((*path, "started"), [(*path, "analysed"), (*path, "failed")])
    for status, reasons in content["reasons"].items():
        found = [system.add((*path, "reasons", status, reason), n) for reason, n in reasons.items()]
        if found:
            system.parts((*path, status), found)


def _treatment(system: System, path: Path, content: Mapping[str, Any]) -> None:
    n = system.add((*path, "n"), content["n"])
    system.same(n, ("disposition", path[1], "analysed"))
    for key in ("held", "stopped"):
        system.parts(n, [system.add((*path, key), content[key])])
    for key, value in content.items():
        if is_spread(value):
            of = system.add((*path, key, "n"), value["n"])
            system.same(of, (*path, "stopped") if key == "stopped_day" else n)


def _baseline(system: System, content: Mapping[str, Any], everybody: Path) -> None:
    root: Path = ("baseline",)
    system.parts(everybody, [system.add((*root, "sex", sex), n) for sex, n in content["sex"].items()])
    system.parts(everybody, [system.add((*root, "age_years", "n"), content["age_years"]["n"])])
    for part in ("conditions", "at_or_above"):
        for name, count in content[part].items():
            if count is not None:
                system.parts(everybody, [system.add((*root, part, name), count)])
    for name, described in content["quantities"].items():
        path = (*root, "quantities", name)
        known = system.add((*path, "spread", "n"), described["spread"]["n"])
        system.parts(everybody, [known])
        if described["origins"] is not None:
            origins = [system.add((*path, "origins", o), n) for o, n in described["origins"].items()]
            system.parts(everybody, origins)
            system.parts(known, origins)
    for name, described in content["personalisation"].items():
        path = (*root, "personalisation", name)
        inner, where = (described, path) if "n" in described else (described["spread"], (*path, "spread"))
        system.parts(everybody, [system.add((*where, "n"), inner["n"])])


def _endpoint(system: System, path: Path, views: Mapping[str, Any], started: Path) -> None:
    missing = [system.add((*path, "missing", cause), n) for cause, n in views["missing"].items()]
    for view, summary in views.items():
        if view == "missing":
            continue
        where = (*path, view)
        numbers = [
            system.add((*where, key, "n"), value["n"])
            for key, value in summary.items()
            if is_estimate(value) or is_spread(value)
        ]
        if "n" in summary:
            numbers.insert(0, system.add((*where, "n"), summary["n"]))
        n = numbers[0]
        for other in numbers[1:]:
            system.same(n, other)
        system.parts(started, [n])
        if system.counts[started] == system.counts[n] + sum(system.counts[m] for m in missing):
            system.parts(started, [n, *missing])
        for key in ("count", "events"):
            if key in summary:
                system.parts(n, [system.add((*where, key), summary[key])])
        if "categories" in summary:
            _categories(system, where, summary["categories"], n)


def _categories(system: System, path: Path, categories: Mapping[str, int], n: Path) -> None:
    found = [system.add((*path, "categories", word), count) for word, count in categories.items()]
    system.parts(n, found)
    # the count is that of the best categories: CR and PR, or with SD
    for best in (found[:2], found[:3]):
        if system.counts[(*path, "count")] == sum(system.counts[each] for each in best):
            system.relations.append(relation((*path, "count"), best))


def _falling(system: System, path: Path, numbers: Sequence[int], whole: Path) -> None:
    """Numbers visit by visit: who is lost from one to the next is a count."""
    before = whole if whole in system.counts else None
    for index, number in enumerate(numbers):
        now = system.add((*path, index), number)
        if before is not None:
            more, fewer = (before, now) if system.counts[before] >= number else (now, before)
            if system.counts[more] == system.counts[fewer]:
                system.same(more, fewer)
            else:
                system.parts(more, [fewer])
        before = now
