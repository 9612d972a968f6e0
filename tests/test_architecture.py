"""The floors hold: imports point down, MLflow and FHIR each live in one place, nothing is unpickled."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("vht", "organ_models", "trials", "fhir_io", "privacy")
CODE_FROM_DATA = frozenset(
    {"pickle", "cPickle", "_pickle", "joblib", "cloudpickle", "dill", "marshal", "shelve"}
)
"""Modules whose reading of a file can run code that the file brings."""


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the pyproject.toml in ``folder`` against the packages in it."""
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    return subprocess.run(
        [*lint, "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def copied_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_imports_point_down() -> None:
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_copy_of_the_house_passes(copied_house: Path) -> None:
    """The control of the tests below: what they add is what breaks the contracts."""
    checked = lint_imports(copied_house)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("module", "line", "complaint"),
    [
        ("vht/added.py", "import trials", "vht is not allowed to import trials"),
        ("vht/added.py", "def late():\n    import fhir_io", "vht is not allowed to import fhir_io"),
        ("fhir_io/added.py", "import trials", "fhir_io is not allowed to import trials"),
        ("organ_models/added.py", "import vht.state", "organ_models is not allowed to import vht"),
        ("organ_models/added.py", "import privacy", "organ_models is not allowed to import privacy"),
        ("privacy/added.py", "import organ_models", "privacy is not allowed to import organ_models"),
        ("privacy/added.py", "import vht.files", "privacy is not allowed to import vht"),
        ("trials/added.py", "from vht import cli", "trials.added -> vht.cli"),
        ("vht/added.py", "from vht.cli import main", "vht.added -> vht.cli"),
        ("trials/added.py", "from vht.commands import models", "trials.added -> vht.commands"),
        ("vht/added.py", "from vht.commands.console import out", "vht.added -> vht.commands.console"),
        ("trials/added.py", "import mlflow", "trials.added -> mlflow"),
        ("vht/added.py", "from mlflow.tracking import client", "vht.added -> mlflow"),
        ("trials/added.py", "from fhir.resources import R4B", "trials.added -> fhir"),
        ("organ_models/added.py", "import pandas", "organ_models.added -> pandas"),
        ("trials/added.py", "from privacy.vault import Vault", "trials.added -> privacy.vault"),
        ("vht/added.py", "from privacy.keys import open_keys", "vht.added -> privacy.keys"),
    ],
)
def test_a_module_that_breaks_a_floor_is_caught_though_no_contract_lists_it(
    copied_house: Path, module: str, line: str, complaint: str
) -> None:
    added = copied_house / module
    added.write_text(line + "\n")
    try:
        checked = lint_imports(copied_house)
    finally:
        added.unlink()
    assert checked.returncode != 0
    assert complaint in checked.stdout


def test_every_package_of_the_house_is_under_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    linted = settings["importlinter"]["root_packages"]
    on_disk = {
        path.parent.name
        for path in ROOT.glob("*/__init__.py")
        if path.parent.name not in {"tests", "benchmarks", "notebooks"}
    }
    assert set(linted) == on_disk == set(settings["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_every_folder_with_code_is_a_package_that_the_contracts_see() -> None:
    """import-linter follows packages; a folder without ``__init__.py`` would escape it."""
    unseen = {path.parent for path in sources() if not (path.parent / "__init__.py").is_file()}
    assert unseen == set()


def imported(tree: ast.AST) -> Iterator[str]:
    """Names of imported modules, also of those imported through importlib by a literal name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = ast.unparse(node.func)
            if name.rpartition(".")[2] in {"import_module", "__import__"}:
                yield str(node.args[0].value)


def evaluated(tree: ast.AST) -> Iterator[str]:
    """Calls of the built-in functions that run a text as code."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"eval", "exec"}
        ):
            yield node.func.id


def deserialised(tree: ast.AST) -> Iterator[str]:
    """Calls that unpickle without importing pickle by name."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if ast.unparse(node.func).rpartition(".")[2] in {"read_pickle", "to_pickle", "unsafe_load"}:
            yield ast.unparse(node.func)
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            ):
                yield "allow_pickle"


def parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def test_nothing_is_unpickled() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources()
        for name in [
            *(n for n in imported(parsed(path)) if n.split(".")[0] in CODE_FROM_DATA),
            *deserialised(parsed(path)),
        ]
    ]
    assert found == []


def test_no_text_is_run_as_code() -> None:
    found = [f"{path.relative_to(ROOT)}: {name}" for path in sources() for name in evaluated(parsed(path))]
    assert found == []


def test_mlflow_and_fhir_are_not_imported_by_name_behind_the_contracts() -> None:
    """Imports through importlib leave no trace in the import graph."""
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources()
        for name in imported(parsed(path))
        if (name.split(".")[0] == "mlflow" and path != ROOT / "trials" / "tracking.py")
        or (name.split(".")[0] == "fhir" and path.relative_to(ROOT).parts[0] != "fhir_io")
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "def late():\n    import cloudpickle as c",
        "importlib.import_module('dill')",
    ],
)
def test_the_search_for_pickles_finds_one(line: str) -> None:
    assert any(name.split(".")[0] in CODE_FROM_DATA for name in imported(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ["numpy.load(f, allow_pickle=True)", "pandas.read_pickle(f)", "yaml.unsafe_load(f)"]
)
def test_the_search_for_hidden_unpickling_finds_it(line: str) -> None:
    assert list(deserialised(ast.parse(line)))


def test_the_search_for_evaluated_text_finds_it() -> None:
    assert list(evaluated(ast.parse("x = [eval(t) for t in ts]"))) == ["eval"]
    assert list(evaluated(ast.parse("connection.exec(t); model.eval()"))) == []


def test_privacy_imports_nothing_of_ours_when_it_is_loaded() -> None:
    listing = "import sys, privacy, privacy.scan; print([m for m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    modules = {name.split(".")[0] for name in ast.literal_eval(loaded)}
    assert not modules & {"vht", "organ_models", "trials", "fhir_io", "mlflow", "fhir", "jax"}
