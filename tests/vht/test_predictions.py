"""Predictions that were written down, and virtual trials whose outcome is published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from organ_models.catalogue import catalogue
from vht.validation.predictions import digest, predictions, unchecked
from vht.validation.virtual_trials import breast_cancer, breast_cancer_arm

FILE = Path(__file__).parents[2] / "docs" / "predictions.json"


def test_written_predictions_have_not_been_changed_since() -> None:
    written = json.loads(FILE.read_text())
    assert written["digest"] == digest(written["models"])


def test_every_condition_without_a_published_value_is_predicted() -> None:
    written = json.loads(FILE.read_text())["models"]
    for name, model in catalogue().items():
        told = {(c["variant"], c["scenario"]) for c in written.get(name, {}).get("conditions", [])}
        assert told == set(unchecked(model)), name
        if told:
            assert written[name]["version"] == model.version, "run `make predictions` and state a new digest"


@pytest.mark.parametrize("name", ["closed_loop_circulation", "struemper_lung_cancer", "bruno_breast_cancer"])
def test_models_still_say_what_was_predicted(name: str) -> None:
    """Within 1e-4: another processor may round differently."""
    written = json.loads(FILE.read_text())["models"][name]
    for old, new in zip(written["conditions"], predictions(name)["models"][name]["conditions"], strict=True):
        for output, reading in old["outputs"].items():
            for key, value in reading.items():
                if key != "unit" and value is not None:
                    assert new["outputs"][output][key] == pytest.approx(value, rel=1e-4, abs=1e-6), output


def test_survival_by_week_6_change_lies_in_the_published_intervals() -> None:
    """Bruno 2012: 19.3 (17.3-21.6) months at -30 %, 11.8 (10.1-14.0) at +30 %."""
    claims = breast_cancer()
    assert [c.interval for c in claims] == [(17.3, 21.6), (10.1, 14.0)]
    assert all(c.met for c in claims), claims


def test_an_arm_is_the_same_for_the_same_seed_and_another_regimen_shrinks_less() -> None:
    one, same = breast_cancer_arm(n=500, seed=4), breast_cancer_arm(n=500, seed=4)
    np.testing.assert_array_equal(one.death, same.death)
    docetaxel = breast_cancer_arm("docetaxel", n=500, seed=4)
    assert np.median(docetaxel.change) > np.median(one.change) + 0.1
    assert np.median(docetaxel.death) < np.median(one.death)
    few = breast_cancer_arm(n=50, seed=4)
    np.testing.assert_array_equal(few.change, one.change[:50])
