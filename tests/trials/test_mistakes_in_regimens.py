"""What is wrong with a regimen of a protocol is named with its line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trials.test_dosing import changed
from trials.compose import compose
from trials.protocol import ProtocolError
from trials.yaml_source import position_text


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        (
            "75 mg/m2\n        route",
            "75 mm\n        route",
            "amount",
            "'75 mm' is no dose; write it in mg, mg/m2 or mg/kg",
        ),
        ("75 mg/m2\n        route", "5 %\n        route", "amount", "is no dose"),
        ("75 mg/m2\n        route", "0 mg/m2\n        route", "amount", "more than nothing"),
        ("        infused_over: 1 h\n", "", "infused_over", "an infusion needs it"),
        ("route: infusion", "route: oral", "infused_over", "nothing else takes it"),
        ("every: 3 wk", "evry: 3 wk", "evry", "did you mean 'every'?"),
        ("every: 3 wk", "every: 0 d", "every", "must be at least 1 h"),
        ("drug: docetaxel", "drug: docetaxol", "drug", "no model carries 'docetaxol'"),
        ("cycles: 6", "cycles: 6\n        missed: [7]", "missed[0]", "no administration 7 among 6"),
        ("cycles: 6", "cycles: 6\n        start: 20 wk", "start", "not before the end of the trial"),
        ("cycles: 6", "cycles: 6\n        loading: 100 mg", "loading", "is in mg, but 'amount' is in mg/m2"),
        ("cycles: 6", "cycles: 6\n        on: 14 d", "", "'on' and 'off' go together"),
        ("cycles: 6", "cycles: 6\n        on: 14 d\n        off: 7 d", "every", "longer than 'on'"),
        (
            "amount: 75 mg/m2",
            "amount: 75 mg\n        surface_cap: 2 m2",
            "surface_cap",
            "only an amount by body",
        ),
    ],
)
def test_a_mistake_in_a_regimen_is_named_with_its_line_and_field(
    tmp_path: Path, old: str, new: str, field: str, message: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        changed(tmp_path, (old, new))
    found = [p for p in caught.value.problems if message in p.message]
    assert found, str(caught.value)
    assert found[0].line is not None
    assert position_text(found[0].position).endswith(field)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "drug: docetaxel\n        amount: 75",
            "drug: paclitaxel\n        amount: 75",
            "carries docetaxel, and the regimen is of paclitaxel",
        ),
        (
            "docetaxel_ozawa.infusion_rate: &docetaxel_75",
            "docetaxel_ozawa.dose: &docetaxel_75",
            "by this route docetaxel is given at docetaxel_ozawa.infusion_rate",
        ),
        (
            "route: infusion\n        infused_over: 1 h",
            "route: oral",
            "the drug is infused or injected; the route 'oral' is not modelled",
        ),
        (
            "bruno_breast_cancer.docetaxel_dose: *docetaxel_75",
            "bruno_breast_cancer.capecitabine_dose: *docetaxel_75",
            "bruno_breast_cancer.capecitabine_dose takes capecitabine, and the regimen is of docetaxel",
        ),
    ],
)
def test_a_regimen_at_the_wrong_port_is_told_where_it_belongs(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        compose(changed(tmp_path, (old, new)))
    assert message in str(caught.value)
    assert "changed.yaml:" in str(caught.value)


def test_a_dose_that_arrives_at_once_is_refused_where_a_rate_holds(tmp_path: Path) -> None:
    old = "sunitinib_exposure.daily_dose: {amount: 37.5 mg/d}"
    new = (
        "sunitinib_exposure.daily_dose: {drug: sunitinib, amount: 37 mg, route: oral, every: 1 d, source: x}"
    )
    with pytest.raises(
        ProtocolError, match="holds a rate, and a dose by this route arrives at once; write an"
    ):
        compose(changed(tmp_path, (old, new), name="sunitinib_gist"))
