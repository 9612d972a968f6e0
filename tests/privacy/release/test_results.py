"""A report that leaves tells no small count, directly or by subtraction, and is the same every time."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from privacy.release import Policy, ReleaseError, bounds, release_results
from privacy.release.result_counts import counts_of

Make = Callable[..., Policy]


def estimate(value: float, n: int, error: float | None = 1.23456) -> dict[str, Any]:
    return {"value": value, "lower": value - 2.0, "upper": value + 2.0, "n": n, "standard_error": error}


def spread(n: int) -> dict[str, Any]:
    return {
        "n": n,
        "mean": 61.23456,
        "standard_deviation": 9.87654,
        "lower_quartile": 51.5,
        "median": 62.25,
        "upper_quartile": 70.75,
    }


def arm_of_share(count: int, n: int, missing: int) -> dict[str, Any]:
    share = estimate(count / n, n, None)
    return {
        "true": {"count": count, "share": share},
        "missing": {"withdrawn": missing, "failed": 0},
    }


def results() -> dict[str, Any]:
    """A short trial of 100 people as ``trials`` writes it: in arm b 4 are not known; 7 are of another sex."""
    contrast = {
        "measure": "difference of shares",
        "population": estimate(0.1, 196, None),
        "paired": estimate(0.1, 96, None),
        "variance_reduction": 0.5,
    }
    course = {
        "days": [0.0, 7.0],
        "mean": [150.123, 140.456],
        "lower_quartile": [100.0, 90.0],
        "median": [151.0, 141.0],
        "upper_quartile": [200.0, 190.0],
        "observed_days": [0.0, 42.0, 84.0],
        "observed_mean": [150.4, 141.2, 130.9],
        "observed_lower": [140.0, 131.0, 120.0],
        "observed_upper": [160.0, 151.0, 140.0],
        "observed_n": [100, 96, 80],
    }
    curve = {
        "times": [42.0, 43.0, 84.0],
        "survival": [0.99, 0.97, 0.7],
        "lower": [None, 0.9, 0.6],
        "upper": [None, 0.99, 0.8],
        "at_risk": [100, 100, 70],
        "survival_at_visits": [1.0, 0.97, 0.7],
    }
    times = {
        "n": 100,
        "events": 40,
        "share_with_event": estimate(0.4, 100, None),
        "median": estimate(90.0, 100),
        "restricted_mean": estimate(80.0, 100),
    }
    status = {"started": 100, "completed": 85, "withdrawn": 15, "failed": 0, "analysed": 100}
    return {
        "schema": "vht-results/1",
        "protocol": {"name": "t", "digest": "0" * 64},
        "confidence_level": 0.95,
        "reference_arm": "a",
        "arms": ["a", "b"],
        "screening": {"assessed": 120, "excluded": {"age": 20}, "enrolled": 100},
        "disposition": {
            arm: {**status, "reasons": {"withdrawn": {"dropout": 12, "moved": 3}}} for arm in ("a", "b")
        },
        "new_lesions": {"a": 30, "b": 5},
        "treatment": {},
        "baseline": {
            "n": 100,
            "sex": {"female": 40, "male": 53, "other": 7},
            "age_years": spread(100),
            "conditions": {"hypertension": 60},
            "at_or_above": {},
            "quantities": {
                "heart_rate": {
                    "unit": "/min",
                    "spread": spread(30),
                    "origins": {"recorded": 30, "derived": 0, "imputed": 0},
                }
            },
            "personalisation": {
                "heart_rate_residual": {"median_absolute": 0.1, "largest_absolute": 7.7777, "n": 100}
            },
        },
        "endpoints": {
            "high": {
                "label": "High",
                "kind": "ever_at_or_above",
                "unit": "1",
                "horizon_days": None,
                "arms": {"a": arm_of_share(50, 100, 0), "b": arm_of_share(60, 96, 4)},
                "contrasts": {"b": {"true": contrast}},
            },
            "pfs": {
                "label": "Progression-free time",
                "kind": "time_to_progression",
                "unit": "d",
                "horizon_days": 84.0,
                "arms": {"a": {"true": times, "missing": {"withdrawn": 0}}},
                "contrasts": {},
            },
        },
        "series": [{"quantity": "heart_rate", "scale": "absolute", "unit": "/min", "arms": {"a": course}}],
        "waterfall": {"size": {"a": {"true": [33.3333, 1.0]}}},
        "survival": {"pfs": {"days": [0.0, 42.0, 84.0], "arms": {"a": {"true": curve}}}},
    }


def numbers(content: Any) -> Iterator[float]:
    if isinstance(content, dict):
        for value in content.values():
            yield from numbers(value)
    elif isinstance(content, list):
        for value in content:
            yield from numbers(value)
    elif isinstance(content, (int, float)) and not isinstance(content, bool):
        yield content


def at(content: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        content = content.get(step) if isinstance(content, dict) else content[step]
        if content is None:
            return None
    return content


def test_small_counts_and_what_would_tell_them_stay(policy: Make) -> None:
    found = release_results(results(), policy())["results"]
    assert found["baseline"]["sex"]["other"] is None
    assert sum(found["baseline"]["sex"][sex] is None for sex in ("female", "male")) == 1
    assert found["new_lesions"] == {"a": 30, "b": None}
    high = found["endpoints"]["high"]
    assert high["arms"]["b"]["missing"]["withdrawn"] is None
    # 100 started, 96 known: the number itself tells who is missing, and the share with its count does
    assert high["arms"]["b"]["true"]["share"]["n"] is None
    assert high["arms"]["b"]["true"]["share"]["value"] is None
    assert high["arms"]["a"]["true"]["share"]["value"] == 0.5
    assert high["contrasts"]["b"]["true"]["population"] is None
    assert "moved" not in found["disposition"]["a"]["reasons"]["withdrawn"]


def test_nothing_that_is_kept_back_can_be_worked_out(policy: Make) -> None:
    """The attack: all that is printed, all sums, complements and numbers of the same people. Control: the
    naive report, which leaves out small counts alone, tells the 7 of another sex and the 4 not known."""
    system = counts_of(results())
    rules = policy()
    naive = {
        key: None if rules.small(n) or key in system.derivable else n for key, n in system.counts.items()
    }
    small = [key for key, n in system.counts.items() if rules.small(n)]
    before = bounds(naive, system.relations, small)
    assert before["baseline", "sex", "other"].width == 0
    assert before["endpoints", "high", "arms", "b", "missing", "withdrawn"].width == 0
    printed = release_results(results(), rules)["results"]
    shown = {key: None if key in system.derivable else at(printed, key) for key in system.counts}
    assert all(n is None or n == system.counts[key] for key, n in shown.items())
    after = bounds(shown, system.relations, small)
    assert min(interval.width for interval in after.values()) >= rules.protection


def test_values_of_single_patients_never_leave(policy: Make) -> None:
    report = release_results(results(), policy())
    told = list(numbers(report["results"]))
    assert 33.3333 not in told
    assert 7.7777 not in told
    assert 43.0 not in told
    assert report["results"]["waterfall"] is None
    assert "waterfall" in report["withheld"]


def test_quartiles_need_forty_people_and_a_median_twenty(policy: Make) -> None:
    """Four and two times the smallest cell of ten; 30 people have a heart rate."""
    found = release_results(results(), policy())["results"]["baseline"]
    few, all_ = found["quantities"]["heart_rate"]["spread"], found["age_years"]
    assert (few["lower_quartile"], few["median"], few["mean"]) == (None, 62.2, 61.2)
    assert (all_["lower_quartile"], all_["median"]) == (51.5, 62.2)


def test_a_survival_curve_is_told_where_enough_events_lie_between_visits(policy: Make) -> None:
    """Three of 100 have an event until day 42; by day 84 it is 30."""
    found = release_results(results(), policy())["results"]["survival"]["pfs"]["arms"]["a"]["true"]
    assert found["survival_at_visits"] == [1.0, None, 0.7]
    assert set(found) == {"at_risk", "survival_at_visits"}


def test_what_is_not_known_does_not_leave(policy: Make) -> None:
    changed = results()
    changed["patients"] = [{"pseudonym": "v1-secret"}]
    changed["baseline"]["names"] = {"first": "Doe"}
    changed["endpoints"]["high"]["arms"]["a"]["true"]["note"] = "Doe"
    report = release_results(changed, policy())
    assert "secret" not in json.dumps(report)
    assert "Doe" not in json.dumps(report)
    assert "patients" in report["withheld"]


def test_the_report_is_the_same_every_time_and_names_both_sides(policy: Make) -> None:
    one = release_results(results(), policy())
    other = release_results(json.loads(json.dumps(results(), sort_keys=True)), policy())
    assert json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert one["label"] == "real-derived"
    assert one["policy"]["digest"] == policy().digest
    assert release_results(results(), policy(), "f" * 64)["source"]["sha256"] == "f" * 64


def test_simulated_results_leave_whole(policy: Make) -> None:
    report = release_results(results(), policy(label="simulated"))
    assert report["results"] == results()
    assert report["withheld"] == []


def test_the_results_themselves_are_not_changed(policy: Make) -> None:
    given = results()
    before = copy.deepcopy(given)
    release_results(given, policy())
    assert given == before


@pytest.mark.parametrize("content", [{}, {"schema": "vht-results/2"}, {"schema": "vht-results/1"}, [1]])
def test_another_document_is_refused_without_its_values(policy: Make, content: Any) -> None:
    with pytest.raises(ReleaseError, match="vht-results/1"):
        release_results(content, policy())
