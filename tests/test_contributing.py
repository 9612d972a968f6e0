"""The guide for contributors does not rot: its steps are carried out on a copy of the house."""

from __future__ import annotations

import ast
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("vht", "organ_models", "trials", "fhir_io", "privacy")
GUIDE = "CONTRIBUTING.md"
DOCUMENTS = (GUIDE, "ARCHITECTURE.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

LOOK = """
import json
from pathlib import Path

import vht as twin
from organ_models import catalogue
from tests.vht.people import gist_cohort
from trials.compose import compose
from trials.conduct import conduct
from trials.protocol import load_protocol
from trials.report import build_report
from trials.results import analyse
from fhir_io.mapping.code_tables import Tables
from fhir_io.mapping.codes import asked, concept_row
from fhir_io.mapping.units import to_canonical
from vht.quantities import quantity

protocol = load_protocol(Path("trials/examples/gompertz_growth.yaml"))
results = analyse(protocol, conduct(protocol, gist_cohort(6)).outcomes)
course = {c["scale"]: c["arms"] for c in results["series"]}["absolute"]
tables = Tables.load()
urate = asked({"coding": [{"system": "http://loinc.org", "code": "14933-6"}]}, tables).row
goutish = {"coding": [{"system": "http://snomed.info/sct", "code": "90560007"}]}
gout = concept_row(goutish, "condition", tables)
alone = twin.simulate(twin.VirtualPatient(["gompertz_growth"]), days=[5])
print(json.dumps({
    "volume": float(alone.outputs["gompertz_growth.volume"][0, 0]),
    "composition": repr(course_of_composition),
    "patient": repr(compose(protocol)),
    "models": list(catalogue()),
    "days": course["none"]["days"],
    "untreated": course["none"]["mean"],
    "treated": course["drug"]["mean"],
    "title": build_report(protocol, results, {})["title"],
    "urate": [urate.quantity, to_canonical(6.0, {"code": "mg/dL"}, urate, tables).value],
    "gout": gout.concept,
}))
"""


def blocks(name: str) -> list[tuple[str, str]]:
    """Language and content of the fenced blocks of a document."""
    return FENCE.findall((ROOT / name).read_text(encoding="utf-8"))


def new_files() -> dict[str, str]:
    """Files that the guide makes: blocks whose first line is a comment with the path."""
    found = {}
    for language, content in blocks(GUIDE):
        first = content.partition("\n")[0]
        if language in ("python", "yaml") and re.fullmatch(r"# [\w./]+\.(py|yaml)", first):
            found[first.removeprefix("# ")] = content
    return found


def apply(change: str, folder: Path) -> None:
    """Carry out a block of changes: added lines go below the line of context above them."""
    header, *lines = change.splitlines()
    path = folder / header.removeprefix("--- ")
    text = path.read_text().splitlines()
    at = -1
    for line in lines:
        mark, content = line[:1], line[1:]
        if mark == "+":
            at += 1
            text.insert(at, content)
        else:
            assert text.count(content) == 1, f"{path.name} has not one line {content!r}"
            at = text.index(content)
    path.write_text("\n".join(text) + "\n")


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def guided_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house in which the guide's steps have been carried out."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path, content in new_files().items():
        (folder / path).write_text(content)
    for language, content in blocks(GUIDE):
        if language == "diff":
            apply(content, folder)
    return folder


@pytest.fixture(scope="module")
def seen(guided_house: Path) -> dict[str, Any]:
    """What the guide's model, composition, trial, quantity and concept show in the guided house."""
    composition = next(content for _, content in blocks(GUIDE) if content.startswith("# composition\n"))
    code = f"{composition}course_of_composition = course\n{LOOK}"
    found: dict[str, Any] = json.loads(run(guided_house, "-c", code).splitlines()[-1])
    return found


def test_the_guides_model_passes_the_guides_test_and_keeps_the_contract(guided_house: Path) -> None:
    tests = ["tests/organ_models/test_gompertz_growth.py", "tests/organ_models/test_catalogue.py"]
    shown = run(guided_house, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", "gompertz", *tests)
    assert "test_lewis_lung_tumours_grow_as_published PASSED" in shown
    assert "test_closed_form_solves_the_equations[gompertz_growth] PASSED" in shown
    assert "test_every_parameter_has_a_source_and_a_default_within_bounds[gompertz_growth] PASSED" in shown


def test_the_guides_model_gives_the_published_volume(seen: dict[str, Any]) -> None:
    """V(5 d) = 21.49084 mm3: V(0) exp[(a/b)(1 - exp(-b t))], a = 0.743 /d, b = 0.0792 /d (Benzekry 2014)."""
    assert seen["volume"] == pytest.approx(21.49084, rel=1e-6)


def test_the_guides_trial_runs_with_the_guides_model(seen: dict[str, Any]) -> None:
    """Expected at day 28 by the closed form; with kill rate k the growth rate at the start is a - k."""
    assert seen["patient"].startswith("VirtualPatient(gompertz_growth;")
    assert "gompertz_growth" in seen["models"]
    assert seen["days"] == [0, 7, 14, 21, 28]
    decay = 1 - math.exp(-0.0792 * 28)
    assert seen["untreated"][-1] == pytest.approx(math.exp(0.743 / 0.0792 * decay), rel=1e-9)
    assert seen["treated"][-1] == pytest.approx(math.exp((0.743 - 0.2) / 0.0792 * decay), rel=1e-9)
    assert seen["title"].startswith("A hypothetical drug")


def test_the_guides_quantity_and_concept_are_read_from_their_codes(seen: dict[str, Any]) -> None:
    """6 mg/dL of urate (168.11 g/mol) is 356.9 umol/L."""
    assert seen["urate"] == ["urate", pytest.approx(60 / 168.11 * 1000, rel=1e-9)]
    assert seen["gout"] == "gout"


def test_the_guides_composition_runs(seen: dict[str, Any]) -> None:
    assert seen["composition"].startswith("Simulation(1 virtual patients, days 0 to 84, 0 failed")


def test_the_guides_new_files_are_formatted_as_ours(guided_house: Path) -> None:
    made = [path for path in new_files() if path.endswith(".py")]
    assert len(made) == 2
    run(guided_house, "-m", "ruff", "check", "--no-cache", *made)
    run(guided_house, "-m", "ruff", "format", "--no-cache", "--check", *made)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_that_is_named_exists(name: str) -> None:
    paths = set(named_paths((ROOT / name).read_text(encoding="utf-8")))
    assert len(paths) > 15
    missing = sorted(p for p in paths - set(new_files()) if not any(ROOT.glob(p)))
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_name_that_is_given_with_its_file_is_in_it(name: str) -> None:
    pairs = list(names_with_files((ROOT / name).read_text(encoding="utf-8")))
    assert len(pairs) > 8
    unknown = [f"{path}: {word}" for path, word in pairs if word not in words_of(ROOT / path)]
    assert unknown == []


def test_a_missing_file_and_a_missing_name_would_be_found() -> None:
    text = (
        "See `vht/nowhere.py`, `vht/files.py` (`write_whole`, `write_half`).\n| `vht/store.py` | `Shop` |\n"
    )
    assert [p for p in named_paths(text) if not (ROOT / p).exists()] == ["vht/nowhere.py"]
    unknown = [word for path, word in names_with_files(text) if word not in words_of(ROOT / path)]
    assert unknown == ["write_half", "Shop"]


def named_paths(text: str) -> Iterator[str]:
    """Paths of the project in a document: below one of its folders, or a file with a known ending."""
    folders = "|".join((*PACKAGES, "tests", "requirements", "notebooks", "docs", r"\.ci"))
    for found in re.finditer(rf"(?<![\w./-])(?:{folders})/[\w./*-]*", text):
        yield found[0].rstrip("./")
    for found in re.finditer(r"`([\w.]+\.(?:py|toml|md|cff|ini|cfg))`|\]\(([\w./]+)\)", text):
        yield found[1] or found[2]


def names_with_files(text: str) -> Iterator[tuple[str, str]]:
    """Names of code with the file they are said to be in: ``file.py`` (``name``), or one row of a table."""
    name = r"`[A-Za-z_][\w.]*`"
    for found in re.finditer(rf"`([\w/]+\.py)`\s+\(({name}(?:,?\s+(?:and\s+)?{name})*)\)", text):
        for word in re.findall(name, found[2]):
            yield found[1], word.strip("`")
    for path, rest in re.findall(r"^\| `([\w/]+\.py)` \|(.*)$", text, re.MULTILINE):
        for word in re.findall(name, rest):
            yield path, word.strip("`")


def words_of(path: Path) -> set[str]:
    """Everything that a module defines, by name; members also with their class before a dot."""
    found: set[str] = set()

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            names = []
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
                if isinstance(node, ast.ClassDef):
                    collect(node.body, f"{node.name}.")
            elif isinstance(node, ast.Assign):
                names = [t.id for t in node.targets if isinstance(t, ast.Name)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names = [node.target.id]
            found.update(word for n in names for word in (n, prefix + n))

    collect(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found
