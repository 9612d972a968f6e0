"""The report: complete, deterministic, self-contained, readable without eyes, and without a patient in it."""

from __future__ import annotations

import copy
import html
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from markupsafe import escape

from trials.outcomes import Outcomes
from trials.report import build_report, render_html, words
from trials.report.figures import draw
from trials.results import analyse

VOID = {"meta", "br", "hr", "img", "link", "input", "path", "use", "rect", "circle", "line"}


@pytest.fixture(scope="module")
def report(sunitinib: Any, provenance: dict[str, Any]) -> dict[str, Any]:
    return build_report(sunitinib.protocol, analyse(sunitinib.protocol, sunitinib.outcomes), provenance)


@pytest.fixture(scope="module")
def page(report: dict[str, Any]) -> str:
    return render_html(report)


@pytest.fixture(scope="module")
def dilator_report(dilator: Any, provenance: dict[str, Any]) -> dict[str, Any]:
    return build_report(dilator.protocol, analyse(dilator.protocol, dilator.outcomes), provenance)


class _Page(HTMLParser):
    """Collects tags with attributes and visible text, and checks that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.visible: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "svg"} & set(self.open):
            self.visible.append(data)


def _blocks(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [b for s in report["sections"] for b in s["blocks"] if b["type"] == kind]


def test_the_same_report_gives_the_same_bytes_also_from_its_file(report: dict[str, Any], page: str) -> None:
    assert render_html(json.loads(json.dumps(report))) == page
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_building_twice_gives_the_same_report(
    sunitinib: Any, provenance: dict[str, Any], report: dict[str, Any]
) -> None:
    results = json.loads(json.dumps(analyse(sunitinib.protocol, sunitinib.outcomes)))
    assert build_report(sunitinib.protocol, results, copy.deepcopy(provenance)) == report


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    assert "<script" not in page
    assert "@import" not in page
    for tag, attributes in _Page(page).tags:
        assert tag not in ("link", "img", "iframe", "object", "image")
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert not re.search(r"url\((?!#)", page)


def test_tags_are_closed_and_ids_are_unique_and_referred_to_ids_exist(page: str) -> None:
    parsed = _Page(page)
    assert parsed.open == []
    ids = [a["id"] for _, a in parsed.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    for _, attributes in parsed.tags:
        for name in ("href", "xlink:href"):
            if attributes.get(name):
                assert str(attributes[name])[1:] in ids
        for word in (attributes.get("aria-labelledby") or "").split():
            assert word in ids


def test_every_section_of_the_brief_is_there_in_order(report: dict[str, Any]) -> None:
    assert [s["id"] for s in report["sections"]] == [
        "identity",
        "question",
        "synopsis",
        "population",
        "models",
        "design",
        "disposition",
        "results",
        "limitations",
        "reproduce",
    ]
    assert [s["number"] for s in report["sections"]] == list(range(1, 11))


def test_a_screen_reader_finds_language_captions_scopes_and_descriptions(
    page: str, report: dict[str, Any]
) -> None:
    parsed = _Page(page)
    tags = [t for t, _ in parsed.tags]
    assert ("html", {"lang": "en-GB"}) in parsed.tags
    assert tags.count("h1") == tags.count("main") == tags.count("nav") == 1
    assert tags.count("caption") == tags.count("table") == len(_blocks(report, "table"))
    assert all("scope" in a for t, a in parsed.tags if t == "th")
    figures = [a for t, a in parsed.tags if t == "svg"]
    assert len(figures) == len(_blocks(report, "figure"))
    assert all(a.get("role") == "img" and a.get("aria-labelledby") for a in figures)
    for block in _blocks(report, "figure"):
        assert len(block["description"]) > 60
        assert html.escape(block["description"]) in page
    skip = next(a for t, a in parsed.tags if t == "a")
    assert skip == {"class": "skip", "href": "#content"}


def test_every_cell_of_every_table_is_on_the_page(page: str, report: dict[str, Any]) -> None:
    for block in _blocks(report, "table"):
        for row in block["rows"]:
            for cell in row["cells"]:
                assert f"<td>{escape(cell['text'])}</td>" in page


def test_every_number_on_the_page_is_in_the_report_file(page: str, report: dict[str, Any]) -> None:
    shown = " ".join(_Page(page).visible)
    stored = json.dumps(report, ensure_ascii=False)
    numbers = set(re.findall(r"\d+(?:\.\d+)?", shown))
    assert len(numbers) > 150
    assert {n for n in numbers if n not in stored} == set()


def test_shown_numbers_are_the_rounded_values_behind_them(report: dict[str, Any]) -> None:
    checked = 0
    for block in _blocks(report, "table"):
        for row in block["rows"]:
            for cell in row["cells"]:
                if isinstance(cell.get("value"), float):
                    text = cell["text"].replace(words.MINUS, "-").replace("+", "")
                    if re.fullmatch(r"-?\d+\.\d", text):
                        assert float(text) == cell["value"]
                        checked += 1
    assert checked > 20


def test_results_of_the_report_are_those_of_the_analysis(sunitinib: Any, report: dict[str, Any]) -> None:
    results = analyse(sunitinib.protocol, sunitinib.outcomes)
    found = results["endpoints"]["change_in_tumour_size"]["contrasts"]["continuous"]["observed"]["population"]
    expected = words.estimate(found, 1)
    assert re.fullmatch(r"\S+ \(\S+ to \S+\)", expected)
    table = next(
        b for b in _blocks(report, "table") if "difference of means, percentage points" in b["caption"]
    )
    row = next(r for r in table["rows"] if r["header"] == "As observed")
    assert row["cells"][0]["text"] == expected


def test_failed_solves_are_a_row_and_in_the_flow(report: dict[str, Any]) -> None:
    table = next(b for b in _blocks(report, "table") if b["caption"] == "Disposition by arm")
    row = next(r for r in table["rows"] if r["header"].startswith("Solve failed"))
    assert [c["value"] for c in row["cells"]] == [2, 1]
    flow = next(b for b in _blocks(report, "figure") if b["kind"] == "flow")
    assert [a["failed"] for a in flow["data"]["arms"]] == [2, 1]


def test_the_paired_interval_is_labelled_as_beyond_any_real_trial(report: dict[str, Any], page: str) -> None:
    assert "No real trial could reach it" in page
    contrasts = [b for b in _blocks(report, "table") if any("Paired interval" in c for c in b["columns"])]
    assert len(contrasts) == 5
    assert all("beyond any real trial" in b["columns"][2] for b in contrasts)


def test_imputed_values_are_named_as_imputed(sunitinib: Any, report: dict[str, Any]) -> None:
    n = int((sunitinib.outcomes.baseline["heart_rate_origin"] == "imputed").sum())
    text = json.dumps(report)
    assert f"{n} imputed" in text
    assert f"heart rate in {n} of 60 patients" in text


def test_figures_follow_the_kinds_of_endpoints(
    report: dict[str, Any], dilator_report: dict[str, Any]
) -> None:
    kinds = [b["kind"] for b in _blocks(report, "figure")]
    assert kinds.count("flow") == kinds.count("waterfall") == kinds.count("survival") == 1
    assert kinds.count("course") == 3
    assert [b["kind"] for b in _blocks(dilator_report, "figure")] == ["flow", "course", "course"]


def test_a_trial_without_a_tumour_does_not_speak_of_tumours(dilator: Any) -> None:
    report = build_report(dilator.protocol, analyse(dilator.protocol, dilator.outcomes), {})
    sections = {s["id"]: json.dumps(s) for s in report["sections"]}
    for name in ("synopsis", "design", "results", "limitations"):
        assert "RECIST" not in sections[name]
        assert "umour" not in sections[name]
    render_html(report)


def test_a_hypothetical_treatment_is_announced_at_the_top(
    report: dict[str, Any], dilator_report: dict[str, Any]
) -> None:
    titles = [b["title"] for b in dilator_report["sections"][0]["blocks"] if b["type"] == "notice"]
    assert "Hypothetical treatment" in titles
    assert "Hypothetical treatment" not in json.dumps(report)


def test_no_patient_is_in_the_report(sunitinib: Any, page: str, report: dict[str, Any]) -> None:
    text = page + json.dumps(report)
    for row in sunitinib.outcomes.baseline.itertuples():
        assert row.pseudonym not in text
        assert str(row.study_number) not in text


def test_provenance_and_sources_are_shown(page: str, provenance: dict[str, Any]) -> None:
    for text in (
        provenance["command"],
        provenance["verify_command"],
        provenance["data"]["states_digest"],
        provenance["data"]["protocol_digest"],
        provenance["software"]["lock_digest"],
        "doi:10.1038/psp.2013.61",
        "reached by solving for the systemic resistance ratio",
    ):
        assert str(escape(text)) in page


def test_limits_of_models_and_assumed_parameters_are_limitations(report: dict[str, Any]) -> None:
    section = next(s for s in report["sections"] if s["id"] == "limitations")
    items = section["blocks"][0]["items"]
    assert "Tumour size under sunitinib: Target lesions only." in items
    assert "Parameters that are assumptions: systemic resistance ratio (closed loop circulation)." in items


def test_text_that_looks_like_markup_is_escaped(report: dict[str, Any]) -> None:
    attack = '<script>alert("x")</script><svg onload=x>'
    hostile = copy.deepcopy(report)
    hostile["title"] = attack
    for section in hostile["sections"]:
        section["title"] = attack
        for block in section["blocks"]:
            for key in ("text", "caption", "description", "note", "title", "label"):
                if key in block:
                    block[key] = attack
            if block["type"] == "figure" and "labels" in block["data"]:
                block["data"]["labels"] = dict.fromkeys(block["data"]["labels"], attack)
    rendered = render_html(hostile)
    assert "<script" not in rendered
    assert "<svg onload" not in rendered


def test_a_dollar_sign_in_a_label_is_not_read_as_mathematics(report: dict[str, Any]) -> None:
    block = copy.deepcopy(next(b for b in _blocks(report, "figure") if b["kind"] == "course"))
    block["data"]["labels"] = dict.fromkeys(block["data"]["labels"], r"$\frac{$")
    assert draw(block).startswith("<svg")


def test_a_waterfall_of_many_patients_stays_small(report: dict[str, Any]) -> None:
    block = copy.deepcopy(next(b for b in _blocks(report, "figure") if b["kind"] == "waterfall"))
    for arm in block["data"]["arms"].values():
        arm["true"] = arm["observed"] = [40.0 - i / 50 for i in range(5000)]
    assert len(draw(block)) < 1_500_000


def test_a_trial_in_which_every_solve_failed_still_has_a_report(sunitinib: Any) -> None:
    outcomes = sunitinib.outcomes
    empty = Outcomes(
        outcomes.baseline,
        outcomes.disposition.assign(status="failed", reason="diverged"),
        outcomes.measurements.iloc[:0],
        outcomes.peaks.iloc[:0],
    )
    report = build_report(sunitinib.protocol, analyse(sunitinib.protocol, empty), {})
    assert "Diverged" in render_html(report)


def test_a_figure_of_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="kind 'pie'"):
        draw({"kind": "pie", "id": "figure-1"})


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("mm[Hg]", "mmHg"),
        ("1", ""),
        ("kg/m2", "kg/m²"),
        ("10*3/uL", "10³/µL"),
        ("mL/min/{1.73_m2}", "mL/min/1.73 m²"),
        ("Cel", "°C"),
        ("/min", "/min"),
        ("mg/dL", "mg/dL"),
    ],
)
def test_units_are_printed_as_people_write_them(unit: str, shown: str) -> None:
    assert words.people_unit(unit) == shown


def test_numbers_are_printed_with_a_true_minus_and_no_negative_zero() -> None:
    assert words.number(-1.25, 1) == "−1.2"
    assert words.number(-0.04, 1) == "0.0"
    assert words.number(0.04, 1, sign=True) == "0.0"
    assert words.number(3.0, 1, sign=True) == "+3.0"
    assert words.number(12345.0, 0) == "12\u202f345"
    assert words.number(None) == "–"
    assert words.significant(2.8e-8, 2) == "2.8\u00a0×\u00a010⁻⁸"
    assert words.estimate({"value": 0.5, "lower": 0.25, "upper": None}, 0, 100) == "50 (25 to not reached)"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
