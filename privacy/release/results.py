"""Results of a trial as a report that may leave: ``vht-results/1`` in, ``vht-released-results/1`` out.

Deterministic: no noise, no seed. What is not known here does not leave. Of results that rest on people

- counts below the smallest cell are suppressed, with as many others as it takes that the bounds of none are
  closer than the protection interval, all sums and complements of the document taken together
  (``privacy.release.result_counts``);
- an estimate leaves if at least ``smallest_cell`` people are behind it, a median with twice and quartiles
  with four times as many, rounded to ``significant_digits``; if their number is suppressed, what would tell
  it (standard error, standard deviation, a share) is too;
- a contrast leaves if the estimates of both arms do;
- of a survival curve the days of visits leave, those between which enough events lie; no step of its own;
- values of single patients (a waterfall, a largest deviation) never leave.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from privacy.release.bounds import protect
from privacy.release.errors import ReleaseError
from privacy.release.policy import Policy, canonical
from privacy.release.result_counts import SOURCE, Path, counts_of, is_estimate, is_spread

SCHEMA = "vht-released-results/1"

_COPIED = ("schema", "protocol", "confidence_level", "reference_arm", "arms")
_ENDPOINT_TEXTS = ("label", "kind", "unit", "horizon_days")
_LINK_TEXTS = (
    *("name", "title", "event", "formula", "sigma", "unit", "source", "population", "certainty", "notes"),
)
_COURSE = ("mean", "lower_quartile", "median", "upper_quartile")
_OBSERVED = ("observed_mean", "observed_lower", "observed_upper")
_SHARES = ("share", "share_with_event")
_NEEDED = {"median": 2, "median_absolute": 2, "lower_quartile": 4, "upper_quartile": 4}
"""How many times the smallest cell must be behind a statistic: every part that it cuts off is a cell."""


def release_results(
    results: Mapping[str, Any], policy: Policy, source_sha256: str | None = None
) -> dict[str, Any]:
    """The deterministic release of a results document.

    Args:
        results: content of ``results.json``, schema ``vht-results/1``.
        policy: its label says whether anything is suppressed; its columns are not read.
        source_sha256: digest of the file; None for that of the canonical JSON of ``results``.

    Returns:
        JSON-ready content of ``report.json``: ``label``, ``source`` (schema and digest), ``policy`` (name and
        digest), ``results`` of the same shape with null where something is kept back, ``withheld``: where.

    Raises:
        ReleaseError: the document is not of the schema.
    """
    if not isinstance(results, Mapping) or results.get("schema") != SOURCE:
        raise ReleaseError(f"these are no results of schema {SOURCE}; give the results.json of a run")
    digest = source_sha256 or hashlib.sha256(canonical(results)).hexdigest()
    withheld: list[str] = []
    try:
        released = (
            dict(results) if policy.label == "simulated" else _Released(results, policy, withheld).all()
        )
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        raise ReleaseError(f"the results are not of schema {SOURCE}; take them from the run again") from None
    return {
        "schema": SCHEMA,
        "label": policy.label,
        "source": {"schema": SOURCE, "sha256": digest},
        "policy": {"name": policy.name, "digest": policy.digest},
        "results": released,
        "withheld": sorted(withheld),
    }


class _Released:
    """One release: the document, which counts are shown, and where something was kept back."""

    def __init__(self, results: Mapping[str, Any], policy: Policy, withheld: list[str]):
        self.results, self.policy, self.withheld = results, policy, withheld
        system = counts_of(results)
        self.counts = system.counts
        self.shown = protect(system.counts, system.relations, policy, derivable=system.derivable)

    def all(self) -> dict[str, Any]:
        sections = {
            "screening": self._counts,
            "disposition": self._disposition,
            "new_lesions": self._counts,
            "treatment": self._mixed,
            "baseline": self._mixed,
            "endpoints": self._endpoints,
            "series": self._series,
            "survival": self._survival,
        }
        out: dict[str, Any] = {}
        for key, value in self.results.items():
            if key in _COPIED:
                out[key] = value
            elif key in sections:
                out[key] = None if value is None else sections[key](value, (key,))
            else:
                out[key] = self._keep(key)
        return out

    def _keep(self, *path: Any) -> Any:
        """Note that something is kept back; null stands in its place."""
        self.withheld.append(".".join(str(step) for step in path))
        return None

    def _count(self, path: Path) -> int | None:
        if self.shown.get(path) is None:
            self._keep(*path)
        return self.shown.get(path)

    def _counts(self, content: Mapping[str, Any], path: Path) -> dict[str, Any]:
        return {
            key: self._counts(value, (*path, key))
            if isinstance(value, Mapping)
            else self._count((*path, key))
            for key, value in content.items()
        }

    def _disposition(self, content: Mapping[str, Any], path: Path) -> dict[str, Any]:
        out = self._counts(content, path)
        for arm in out.values():
            # only reasons that occurred stand there: a name with null would tell that there was one
            arm["reasons"] = {
                status: {reason: n for reason, n in reasons.items() if n is not None}
                for status, reasons in arm.get("reasons", {}).items()
            }
        return out

    def _mixed(self, content: Any, path: Path) -> Any:
        """Counts, spreads and units of the baseline and of treatment."""
        if path in self.counts:
            return self._count(path)
        if isinstance(content, Mapping):
            if is_spread(content) or "median_absolute" in content:
                return self._spread(content, path)
            return {key: self._mixed(value, (*path, key)) for key, value in content.items()}
        if content is None or (path[-1] == "unit" and isinstance(content, str)):
            return content
        return self._keep(*path)

    def _number(self, value: Any) -> float | None:
        if value is None:
            return None
        return float(f"{float(value):.{self.policy.significant_digits}g}")

    def _enough(self, n: int, name: str) -> bool:
        return n >= _NEEDED.get(name, 1) * self.policy.smallest_cell

    def _spread(self, spread: Mapping[str, Any], path: Path) -> dict[str, Any]:
        n = int(spread["n"])
        out: dict[str, Any] = {"n": self._count((*path, "n"))}
        for key, value in spread.items():
            if key == "n":
                continue
            tells = key == "largest_absolute" or (key == "standard_deviation" and out["n"] is None)
            good = self._enough(n, key) and not tells
            out[key] = self._number(value) if good else self._keep(*path, key)
        return out

    def _estimate(
        self, estimate: Mapping[str, Any], path: Path, behind: int, tells: bool = False
    ) -> dict[str, Any]:
        """An estimate with ``behind`` people behind it; ``tells``: it would give away a suppressed count."""
        n = self.shown.get((*path, "n"))
        good = behind >= self.policy.smallest_cell * _NEEDED.get(str(path[-1]), 1) and not tells
        out: dict[str, Any] = {}
        for key, value in estimate.items():
            if key == "n":
                out[key] = n if n is not None else self._keep(*path, key)
            elif (
                key in ("value", "lower", "upper", "standard_error")
                and good
                and not (key == "standard_error" and n is None)
            ):
                out[key] = self._number(value)
            else:
                out[key] = self._keep(*path, key)
        return out

    def _endpoints(self, content: Mapping[str, Any], path: Path) -> dict[str, Any]:
        out = {}
        for name, endpoint in content.items():
            where = (*path, name)
            found: dict[str, Any] = {key: endpoint[key] for key in _ENDPOINT_TEXTS}
            found["arms"] = {
                arm: {
                    view: self._counts(summary, (*where, "arms", arm, view))
                    if view == "missing"
                    else self._summary(summary, (*where, "arms", arm, view))
                    for view, summary in views.items()
                }
                for arm, views in endpoint["arms"].items()
            }
            found["contrasts"] = {
                arm: {
                    view: self._contrast(
                        contrast,
                        (*where, "contrasts", arm, view),
                        [found["arms"][each][view] for each in (arm, self.results["reference_arm"])],
                    )
                    for view, contrast in views.items()
                }
                for arm, views in endpoint["contrasts"].items()
            }
            if "link" in endpoint:
                found["link"] = {k: v for k, v in endpoint["link"].items() if k in _LINK_TEXTS}
                self._keep(*where, "link", "arms")
            out[name] = found
        return out

    def _summary(self, summary: Mapping[str, Any], path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in summary.items():
            where = (*path, key)
            if where in self.counts:
                out[key] = self._count(where)
            elif is_spread(value):
                out[key] = self._spread(value, where)
            elif is_estimate(value):
                event = "count" if key == "share" else "events"
                tells = key in _SHARES and None in (
                    self.shown.get((*path, event)),
                    self.shown.get((*where, "n")),
                )
                out[key] = self._estimate(value, where, int(value["n"]), tells)
            elif isinstance(value, Mapping):
                out[key] = self._counts(value, where)
            else:
                out[key] = self._keep(*where)
        return out

    def _contrast(
        self, contrast: Mapping[str, Any], path: Path, arms: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        main = next(key for key in ("mean", "share", "restricted_mean") if key in arms[0])
        good = all(arm[main]["value"] is not None for arm in arms)
        numbers = all(arm[main]["n"] is not None for arm in arms)
        out: dict[str, Any] = {}
        for key, value in contrast.items():
            if key == "measure":
                out[key] = value
            elif not good or value is None:
                out[key] = None if value is None else self._keep(*path, key)
            elif isinstance(value, Mapping):
                out[key] = {
                    name: self._keep(*path, key, name)
                    if name in ("n", "standard_error") and not numbers
                    else (number if name == "n" else self._number(number))
                    for name, number in value.items()
                }
            elif isinstance(value, (int, float)):
                out[key] = self._number(value)
            else:
                out[key] = self._keep(*path, key)
        return out

    def _series(self, content: Sequence[Mapping[str, Any]], path: Path) -> list[dict[str, Any]]:
        out = []
        for index, series in enumerate(content):
            arms = {}
            for arm, course in series["arms"].items():
                where = (*path, index, "arms", arm)
                analysed = int(self.results["disposition"][arm]["analysed"])
                found: dict[str, Any] = {"days": course["days"], "observed_days": course["observed_days"]}
                for key in _COURSE:
                    good = self._enough(analysed, key)
                    found[key] = [self._number(v) for v in course[key]] if good else self._keep(*where, key)
                numbers = course["observed_n"]
                for key in _OBSERVED:
                    pairs = zip(course[key], numbers, strict=True)
                    found[key] = [self._number(v) if self._enough(int(n), "mean") else None for v, n in pairs]
                found["observed_n"] = [self._count((*where, "observed_n", i)) for i in range(len(numbers))]
                arms[arm] = found
            out.append({**{key: series[key] for key in ("quantity", "scale", "unit")}, "arms": arms})
        return out

    def _survival(self, content: Mapping[str, Any], path: Path) -> dict[str, Any]:
        out = {}
        for name, curves in content.items():
            arms = {
                arm: {
                    view: self._curve(curve, (*path, name, "arms", arm, view))
                    for view, curve in views.items()
                }
                for arm, views in curves["arms"].items()
            }
            out[name] = {"days": curves["days"], "arms": arms}
        return out

    def _curve(self, curve: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """The curve at visits. Events between two shown visits are at least those still at risk times the
        share that the curve fell by: everybody who had an event in between was at risk with them."""
        shown: list[float | None] = []
        last: float | None = 1.0
        for at_risk, survival in zip(curve["at_risk"], curve["survival_at_visits"], strict=True):
            told = None
            if survival is not None and last and at_risk >= self.policy.smallest_cell:
                events = round(at_risk * (1.0 - survival / last))
                if survival == last or events >= self.policy.smallest_cell:
                    told, last = survival, survival
            shown.append(self._number(told))
        self._keep(*path, "times")
        return {
            "at_risk": [self._count((*path, "at_risk", i)) for i in range(len(curve["at_risk"]))],
            "survival_at_visits": shown,
        }
