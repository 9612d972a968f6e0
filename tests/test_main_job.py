"""The main job as its users run it, and what must never come out of it."""

from __future__ import annotations

import gzip
import json
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from privacy.scan import LeakScanner
from tests.conftest import Command
from tests.privacy.scan.canaries import canaries, plant
from vht import Store
from vht.cli import main

PROTOCOL = Path(__file__).resolve().parents[1] / "trials" / "examples" / "sunitinib_gist.yaml"
PATIENTS = 14
CANARIES = [token for kind, token in canaries(1, each=120) if kind != "date"]
"""Days are left out: the records' own are searched for, and made-up ones would meet them by chance."""
HEXADECIMAL = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{64}\b"
"""UUIDs and digests: among tens of thousands some hold the five digits of a day number by chance."""


@dataclass
class Job:
    """The main job in a folder, with everything it printed."""

    folder: Path
    printed: str
    tokens: list[str]
    canaries: list[str]
    scanner: LeakScanner

    @property
    def written(self) -> list[Path]:
        """All that is written beyond the door: everything but the records and the keys."""
        return [p for p in self.folder.iterdir() if p.name not in ("fhir", "keys")]


def planted(bundle: dict) -> set[str]:  # type: ignore[type-arg]
    """What identifies a patient in one bundle: names, numbers, addresses, dates, ids."""
    found: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("id", "fullUrl", "reference") and isinstance(inner, str):
                    found.add(inner.rsplit("/", 1)[-1].removeprefix("urn:uuid:"))
                if key == "birthDate" or key.endswith(("DateTime", "recordedDate", "authoredOn")):
                    found.add(str(inner)[:10])
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(bundle)
    person = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    for name in person["name"]:
        found |= {name["family"], *name["given"]}
    found |= {i["value"] for i in person["identifier"]}
    found |= {t["value"] for t in person["telecom"]}
    for address in person["address"]:
        found |= {*address["line"], address["city"], address["postalCode"]}
    # a bare year or month stands in every report of any study; shorter words are chance
    return {t for t in found if len(t) >= 4 and not (t[:2] in ("19", "20") and len(t) < 10)}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("job")
    patch = pytest.MonkeyPatch()
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.chdir(folder)
    import contextlib
    import io

    printed = io.StringIO()
    (folder / "tmp").mkdir()
    patch.setattr(tempfile, "tempdir", str(folder / "tmp"))
    unused, tokens = iter(CANARIES), set[str]()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        for words in (
            ["sample", "--patients", PATIENTS, "--seed", 1, "--out", "fhir"],
            ["keys", "init", "--keys", "keys"],
            ["import", "fhir", "--keys", "keys", "--states", "states"],
            ["trial", "run", PROTOCOL, "--states", "states", "--out", "run"],
            ["trial", "verify", "run"],
        ):
            sys.argv = ["vht", *map(str, words)]
            main()
            if words[0] == "sample":
                for file in sorted((folder / "fhir").glob("*.json")):
                    content = json.loads(file.read_text())
                    if content.get("resourceType") == "Bundle":
                        tokens |= planted(content) | {file.stem}
                        plant(content, unused)
                        file.write_text(json.dumps(content, ensure_ascii=False))
    patch.undo()
    hidden = CANARIES[: len(CANARIES) - len(list(unused))]
    ordered = sorted(tokens | set(hidden))
    return Job(folder, printed.getvalue(), ordered, hidden, LeakScanner(ordered))


def test_the_main_job_ends_with_a_verified_report(job: Job) -> None:
    assert f"enrolled {PATIENTS} of {PATIENTS} patients" in job.printed
    assert "verified:" in job.printed
    page = (job.folder / "run" / "report.html").read_text()
    for word in (
        "Question of interest",
        "Context of use",
        "Baseline",
        "Disposition",
        "Limitations",
        "imputed",
        "hansson_2013",
        "vht trial verify",
    ):
        assert word.lower() in page.lower(), word
    assert page.count("<svg") >= 3
    assert "<script" not in page
    for outside in ('src="http', "url(http", '<link rel="stylesheet"', "@import"):
        assert outside not in page


def test_what_the_record_lacks_is_marked_imputed_wherever_it_is_shown(job: Job) -> None:
    baseline = pq.read_table(job.folder / "run" / "outcomes" / "baseline.parquet").to_pandas()
    recorded = Store(job.folder / "states").cohort().latest("heart_rate")
    imputed = baseline["heart_rate_origin"] == "imputed"
    assert 0 < imputed.sum() == PATIENTS - len(recorded)
    results = json.loads((job.folder / "run" / "results.json").read_text())
    assert results["baseline"]["quantities"]["heart_rate"]["origins"]["imputed"] == imputed.sum()


def test_no_planted_identifier_is_in_anything_that_was_written(job: Job) -> None:
    assert len(job.tokens) > 20 * PATIENTS
    assert len(job.canaries) >= 720
    assert len(job.scanner.scan(job.folder / "fhir")) > len(job.canaries)
    leaks = job.scanner.scan(job.written)
    assert [
        (leak.path.relative_to(job.folder), job.tokens[leak.token_index], leak.place) for leak in leaks
    ] == []


def test_no_planted_identifier_was_printed(job: Job) -> None:
    assert job.scanner.scan_bytes(job.printed.encode()) == []


@pytest.mark.parametrize("version", ["R4", "R5"])
def test_an_export_of_the_run_holds_no_identifier_and_no_pseudonym(
    job: Job, tmp_path: Path, version: str, command: Command
) -> None:
    """Neither what was planted in the records nor what the project calls its patients, nor a calendar day."""
    words = (
        "--keys",
        job.folder / "keys",
        "--recipient",
        "registry",
        "--authorised",
        "Test",
        "--fhir",
        version,
    )
    for source in ("run", "states"):
        code, shown, error = command(
            "export", job.folder / source, "--out", tmp_path / f"{source}.json", *words
        )
        assert code == 0, error
        assert f"resources of FHIR {version}" in shown
    bundle = json.loads((tmp_path / "run.json").read_bytes())
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds.count("Patient") == 3 * PATIENTS  # people, and a twin of each in both arms
    assert kinds.count("ResearchSubject") == 2 * PATIENTS
    assert (kinds.count("Evidence") > 0) == (version == "R5")
    patients = Store(job.folder / "states").cohort().patients
    secrets = [*job.tokens, *(p.removeprefix("v1-") for p in patients["pseudonym"])]
    secrets += [str(number) for number in patients["study_number"]]
    scanner = LeakScanner(secrets)
    for source in ("run", "states"):
        text = (tmp_path / f"{source}.json").read_text()
        assert scanner.scan_bytes(re.sub(HEXADECIMAL, "", text).encode()) == []
    assert scanner.scan_bytes(f"{secrets[-1]} beside {text}".encode()) != []


def test_the_vault_hides_what_it_keeps(job: Job) -> None:
    assert job.scanner.scan(job.folder / "keys") == []


def _hide_in_text(path: Path, token: str) -> None:
    path.write_text(path.read_text().replace("</body>", f"<!-- {token} --></body>"))


def _hide_in_json(path: Path, token: str) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "note": token}))


def _hide_in_parquet(path: Path, token: str) -> None:
    table = pq.read_table(path)
    pq.write_table(table.append_column("note", pa.array([token] * table.num_rows)), path)


def _hide_in_database(path: Path, token: str) -> None:
    import sqlite3

    with sqlite3.connect(path) as db:
        db.execute("UPDATE runs SET name = ?", (token,))


def _hide_in_a_name(path: Path, token: str) -> None:
    path.rename(path.with_name(f"{token}.json"))


def _hide_compressed(path: Path, token: str) -> None:
    path.write_bytes(gzip.compress(f"log of {token}".encode()))


@pytest.mark.parametrize(
    ("where", "hide"),
    [
        ("run/report.html", _hide_in_text),
        ("run/results.json", _hide_in_json),
        ("states/observations/000001.parquet", _hide_in_parquet),
        ("mlflow.db", _hide_in_database),
        ("run/tracking.json", _hide_in_a_name),
        ("states/import-report.json", _hide_compressed),
    ],
)
def test_the_scan_finds_a_leak_where_there_is_one(
    job: Job, tmp_path: Path, where: str, hide: Callable[[Path, str], None]
) -> None:
    """The control of the tests above, for a name, a record number and a date of birth."""
    families = [t for t in job.tokens if t.isalpha() and len(t) > 6]
    numbers = [
        t
        for t in job.tokens
        if any(c.isdigit() for c in t) and 8 <= len(t) <= 14 and t[:2] not in ("19", "20")
    ]
    births = [t for t in job.tokens if t.startswith("19") and len(t) == 10]
    for token in (families[0], numbers[0], births[0]):
        target = tmp_path / token[:2] / Path(where).name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((job.folder / where).read_bytes())
        assert job.scanner.scan(target.parent) == []
        hide(target, token)
        found = {job.tokens[leak.token_index] for leak in job.scanner.scan(target.parent)}
        assert token in found


def test_a_second_import_adds_nothing_and_changes_no_pseudonym(job: Job, command: Command) -> None:
    before = Store(job.folder / "states").cohort()
    code, _, _ = command(
        "import",
        job.folder / "fhir",
        "--keys",
        job.folder / "keys",
        "--states",
        job.folder / "states",
    )
    assert code == 0
    assert Store(job.folder / "states").cohort().digest == before.digest


@pytest.mark.parametrize("spoil", ["not json", "wrong type", "truncated", "value"])
def test_errors_name_no_patient(job: Job, tmp_path: Path, command: Command, spoil: str) -> None:
    source = tmp_path / "fhir"
    source.mkdir()
    for file in sorted((job.folder / "fhir").glob("*.json"))[:3]:
        (source / file.name).write_bytes(file.read_bytes())
    victim = sorted(source.glob("*.json"))[0]
    text = victim.read_text()
    if spoil == "not json":
        victim.write_text("this is not json " + text)
    elif spoil == "truncated":
        victim.write_text(text[: len(text) // 2])
    elif spoil == "wrong type":
        victim.write_text(
            text.replace('"resourceType":', '"resource":', 1).replace('"resourceType": ', '"resource": ', 1)
        )
    else:
        victim.write_text(text.replace('"gender"', '"geschlecht"'))
    code, out, err = command(
        "import",
        source,
        "--keys",
        job.folder / "keys",
        "--states",
        tmp_path / "states",
        "--validation",
        "full",
    )
    printed = out + err
    folder_free = printed.replace(str(tmp_path), "").replace(str(job.folder), "")
    assert job.scanner.scan_bytes(folder_free.encode()) == []
    if spoil != "value":
        assert code == 2
        assert "error:" in printed
        assert not (tmp_path / "states").exists()
    assert "Traceback" not in printed
