"""What people are told about a code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fhir_io.mapping.explain import explain


@pytest.mark.parametrize(
    ("code", "used", "words"),
    [
        ("33914-3", True, ["quantity estimated_gfr", "per 1.73 m2 whatever its unit says", "Synthea"]),
        ("http://loinc.org|8480-6", True, ["systolic_blood_pressure", "from 40 to 300"]),
        ("72166-2", True, ["asks for smoking_status", "8517006: former_smoker present"]),
        ("8517006", True, ["answers smoking_status"]),
        ("I50.1", True, ["heart_failure by I50", "icd-10-gm"]),
        ("I25.2", False, ["no event: reason 'situation'"]),
        ("259255", True, ["medication atorvastatin (class statin)"]),
        ("no-known-problems", True, ["explicit negative"]),
        ("no-problem-info", False, ["reason 'value_absent'"]),
        ("8480-5", False, ["reason 'unknown_code'", "check digit is wrong", "nearest known code '8480-6'"]),
        ("Europe", False, ["reason 'unknown_code'"]),
    ],
)
def test_a_code_is_explained_with_its_source_or_why_it_is_not_used(code: str, used: bool, words: list[str]):
    found = explain(code)
    assert found.used is used
    assert [word for word in words if word not in str(found)] == []


def test_a_code_is_looked_for_in_its_system_only():
    assert not explain("8480-6", "http://snomed.info/sct").used
    assert explain("8480-6", "loinc").used
    assert "did you mean 'loinc'?" in str(explain("8480-6", "loinck"))


def test_the_command_explains_and_imports_nothing(tmp_path: Path):
    from vht.cli import app

    site = tmp_path / "site.yaml"
    site.write_text(
        'schema: vht-codes/1\nversion: "1"\nquantities:\n'
        "  - {system: 'urn:lab', code: GLU, quantity: glucose, unit: mmol/L, source: the laboratory's list}\n"
    )
    run: Any = CliRunner().invoke
    assert "reason 'unknown_code'" in run(app, ["import", "--explain", "GLU"]).output
    told = run(app, ["import", "--codes", str(site), "--explain", "GLU"])
    assert told.exit_code == 0
    assert "quantity glucose, expected in mmol/L" in told.output
    assert "the laboratory's list" in told.output
    assert run(app, ["import"]).exit_code == 2


def test_explaining_does_not_load_jax():
    script = "import sys\nfrom fhir_io.mapping.explain import explain\nexplain('I10')\n"
    script += "print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False"
