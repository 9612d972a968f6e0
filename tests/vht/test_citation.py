"""The papers behind a patient, and the diagram of its couplings."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

import vht
from organ_models import OrganModel, Reference, catalogue
from organ_models.model import fields
from vht import Coupling, VirtualPatient, cite

PAPERS = {r.key: r for m in catalogue().values() for r in m.references if r.doi}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def patient() -> VirtualPatient:
    return vht.sunitinib_gist()


def test_a_patient_is_cited_by_every_paper_behind_its_models_once(patient: VirtualPatient) -> None:
    found = cite(patient)
    assert [r.key for r in found] == [r.key for r in patient.references()]
    assert found.models["hansson_2013"] == ("sunitinib_exposure", "hansson_gist")
    assert repr(found).startswith("[1] Hansson EK, Amantea MA")
    assert "doi:10.1038/psp.2013.61" in repr(found)
    assert "for sunitinib_exposure, hansson_gist" in repr(found)
    assert 'href="https://doi.org/10.1038/psp.2013.61"' in found._repr_html_()
    assert found[0] in found
    assert found[:2] == found.references[:2]


@pytest.mark.parametrize("m", catalogue().values(), ids=lambda m: m.name)
def test_a_model_is_cited_by_name_or_as_itself(m: OrganModel) -> None:
    assert cite(m).references == cite(m.name).references == m.references


@pytest.mark.parametrize("reference", PAPERS.values(), ids=PAPERS.keys())
def test_every_paper_with_a_doi_becomes_an_article(reference: Reference) -> None:
    alone = vht.Citations((reference,), {reference.key: ()}).bibtex()
    parts = dict(re.findall(r"^  (\w+) = \{(.*)\},$", alone, re.MULTILINE))
    assert alone.startswith(f"@article{{{reference.key},\n")
    assert set(parts) >= {"author", "title", "journal", "year", "volume", "pages", "doi"}
    assert parts["doi"] == reference.doi
    assert re.fullmatch(r"\d{4}", parts["year"])
    assert alone.count("{") == alone.count("}")


def test_bibtex_of_a_known_paper(patient: VirtualPatient) -> None:
    entry = cite(patient).bibtex().split("\n\n")[0]
    assert entry == (
        "@article{hansson_2013,\n"
        "  author = {Hansson, E. K. and Amantea, M. A. and Westwood, P. and others},\n"
        "  title = {{PKPD modeling of VEGF, sVEGFR-2, sVEGFR-3, and sKIT as predictors of tumor dynamics and "
        "overall survival following sunitinib treatment in GIST}},\n"
        "  journal = {CPT Pharmacometrics Syst Pharmacol},\n"
        "  year = {2013},\n"
        "  volume = {2},\n"
        "  pages = {e84},\n"
        "  doi = {10.1038/psp.2013.61},\n"
        "}"
    )


def test_what_is_not_a_paper_is_no_article_and_special_signs_are_escaped() -> None:
    own = Reference("own", "Half & half: 50 % of one_thing, computed for this project.")
    made = vht.Citations((own,), {"own": ()}).bibtex()
    assert made.startswith("@misc{own,")
    assert r"Half \& half: 50 \% of one\_thing" in made


def labels(svg: str) -> list[str]:
    return [t.text or "" for t in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_the_diagram_shows_every_model_and_coupling(patient: VirtualPatient) -> None:
    picture = ElementTree.fromstring(patient.graph())
    shown = labels(patient.graph())
    for m in patient.models.values():
        assert m.title in shown
        plural = "state" if len(fields(m.State)) == 1 else "states"
        assert any(t.startswith(f"{m.name} {m.version} · {len(fields(m.State))} {plural}") for t in shown)
    drawn = {t.text for path in picture.iter(f"{SVG}path") for t in path.iter(f"{SVG}title")}
    assert drawn == set(map(str, patient.couplings))
    assert "daily dose (mg/d)" in shown
    assert "target: diastolic pressure" in shown
    assert "systemic resistance ratio (solved for)" in shown
    assert "arterial compliance ratio (follows)" in shown
    assert str(patient.couplings[0]) in picture.findtext(f"{SVG}desc", "")
    assert patient._repr_html_() == patient.graph()


def test_the_diagram_of_the_same_composition_is_the_same_text(patient: VirtualPatient) -> None:
    assert patient.graph() == vht.sunitinib_gist().graph()


def test_sources_stand_left_of_what_they_feed_and_cards_do_not_overlap() -> None:
    """One link goes past a column: it gets a lane between the cards there."""
    long = VirtualPatient(
        ["closed_loop_circulation", "arteriolar_dilator", "hansson_gist", "sunitinib_exposure"],
        [
            Coupling("sunitinib_exposure.daily_exposure", "hansson_gist.daily_exposure"),
            Coupling("hansson_gist.vegfr3_relative_change", "arteriolar_dilator.treatment"),
            Coupling(
                "arteriolar_dilator.systemic_resistance_ratio",
                "closed_loop_circulation.systemic_resistance_ratio",
            ),
            Coupling(
                "hansson_gist.kit_relative_difference", "closed_loop_circulation.arterial_compliance_ratio"
            ),
        ],
    )
    picture = ElementTree.fromstring(long.graph())
    boxes = {}
    for group in picture.iter(f"{SVG}g"):
        title, box = group.findtext(f"{SVG}title"), group.find(f"{SVG}rect")
        if title and box is not None:
            boxes[title.partition(" (")[2].split(")")[0].split(" (")[-1]] = [
                float(box.get(k, "nan")) for k in ("x", "y", "width", "height")
            ]
    right = {name: (x, x + width) for name, (x, _, width, _) in boxes.items()}
    order = sorted(right, key=lambda n: right[n][0])
    assert [n.split("_")[0] for n in order][:2] == ["sunitinib", "hansson"]
    for before, after in pairwise(order):
        assert right[before][1] < right[after][0]
    link = next(
        p
        for p in picture.iter(f"{SVG}path")
        if (p.findtext(f"{SVG}title") or "").startswith("hansson_gist.kit_relative_difference")
    )
    assert " L" in link.get("d", "")


def test_names_in_the_diagram_are_escaped() -> None:
    odd = dataclasses.replace(catalogue()["arteriolar_dilator"], title="<script> & co")
    assert "<script>" not in VirtualPatient([odd]).graph()
    assert "<script> & co" in labels(VirtualPatient([odd]).graph())
