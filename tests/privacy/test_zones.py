"""Every command and module keeps to its zones, and another user of the machine cannot enter the vault."""

from __future__ import annotations

import ast
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import typer

from privacy import Identity, Pseudonymiser, create_keys
from privacy.zones import COMMANDS, MODULES, Zone, ZoneViolation, held_to, zones_of
from vht.cli import app, main

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = ROOT / "trials" / "examples" / "sunitinib_gist.yaml"
TRUST_MODULES = {
    f"privacy.{name}"
    for name in (
        "dates",
        "derivation",
        "escrow",
        "key_sources",
        "keys",
        "pseudonyms",
        "recipients",
        "resolver",
        "rotation",
        "vault",
        "vault_file",
        "versions",
    )
}
TRUST_NAMES = {"create_keys", "open_keys", "recipient_pseudonyms", "Pseudonymiser"}
"""What opens keys or vault and can be had from the package itself."""


def commands() -> Iterator[str]:
    """All commands of ``vht`` that do something."""

    def walk(command: object, words: tuple[str, ...]) -> Iterator[str]:
        inner = getattr(command, "commands", {})
        if not inner or getattr(command, "invoke_without_command", False):
            yield " ".join(words)
        for word, below in inner.items():
            yield from walk(below, (*words, word))

    return walk(typer.main.get_command(app), ())


def modules() -> dict[str, Path]:
    found = {}
    for folder in ("vht/commands", "fhir_io", "trials"):
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def opens_trust(path: Path) -> bool:
    """Whether a module imports what opens keys or vault, also inside a function, not for types alone."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import) and any(alias.name in TRUST_MODULES for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {alias.name for alias in node.names}
            if node.module in TRUST_MODULES or {f"{node.module}.{n}" for n in names} & TRUST_MODULES:
                return True
            if node.module == "privacy" and names & TRUST_NAMES:
                return True
    return False


def test_every_command_says_which_zones_it_may_touch() -> None:
    assert set(commands()) - COMMANDS.keys() == set()


def test_every_module_of_commands_records_and_trials_says_so_too() -> None:
    assert [name for name in modules() if zones_of(name) is None] == []
    assert MODULES.keys() <= modules().keys()


def test_only_modules_of_the_zone_trust_import_what_opens_keys_or_vault() -> None:
    importing = {name for name, path in modules().items() if opens_trust(path)}
    assert {name for name in importing if Zone.TRUST not in (zones_of(name) or ())} == set()
    assert "vht.commands.importing" in importing  # the finder finds


def test_only_what_imports_exports_or_erases_touches_both_pseudonyms_and_keys() -> None:
    both = {name for name, zones in COMMANDS.items() if {Zone.TRUST, Zone.PSEUDO} <= zones}
    assert both == {"import", "export", "keys rotate", "privacy erase"}


# -- what is opened


def vht(*words: object) -> None:
    sys.argv = ["vht", *map(str, words)]
    code: object = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    assert not code, words


def test_the_main_job_keeps_to_its_zones_and_any_step_fails_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command runs with its own zones alone, and before that without each of them in turn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folders = {
        Zone.RAW: [tmp_path / "fhir"],
        Zone.TRUST: [tmp_path / "keys"],
        Zone.PSEUDO: [tmp_path / "states", tmp_path / "run"],
        Zone.RELEASE: [tmp_path / "out"],
    }
    job: tuple[tuple[str, tuple[object, ...]], ...] = (
        ("sample", ("--patients", 3, "--seed", 1, "--out", "fhir")),
        ("keys init", ("--keys", "keys")),
        ("import", ("fhir", "--keys", "keys", "--states", "states")),
        ("keys rotate", ("--keys", "keys", "--states", "states")),
        ("import", ("fhir", "--keys", "keys", "--states", "states")),
        ("trial run", (PROTOCOL, "--states", "states", "--out", "run")),
        ("trial verify", ("run",)),
        (
            "export",
            ("run", "--out", "out", "--recipient", "a", "--keys", "keys", "--authorised", "a test"),
        ),
    )
    for command, words in job:
        for missing in COMMANDS[command]:
            with pytest.raises(ZoneViolation), held_to(COMMANDS[command] - {missing}, folders):
                vht(*command.split(), *words)
            if command in ("sample", "keys init"):
                shutil.rmtree(folders[missing][0], ignore_errors=True)
        with held_to(COMMANDS[command], folders):
            vht(*command.split(), *words)
    capsys.readouterr()


@pytest.mark.parametrize(
    "touch",
    [
        lambda folder: (folder / "file").read_bytes(),
        lambda folder: (folder / "file").write_bytes(b""),
        lambda folder: sqlite3.connect(folder / "file"),
        lambda folder: os.listdir(folder),
        lambda folder: list(os.scandir(folder)),
        lambda folder: os.remove(folder / "file"),
        lambda folder: os.replace(folder / "file", folder.parent / "moved"),
        lambda folder: (folder.parent / "link").read_bytes(),
    ],
)
def test_a_file_in_a_closed_zone_can_be_touched_in_no_way(
    tmp_path: Path, touch: Callable[[Path], object]
) -> None:
    folder = tmp_path / "Mustermann"
    folder.mkdir()
    (folder / "file").write_bytes(b"record")
    (tmp_path / "link").symlink_to(folder / "file")
    with pytest.raises(ZoneViolation) as caught, held_to({Zone.PSEUDO}, {Zone.RAW: [folder]}):
        touch(folder)
    assert "Mustermann" not in str(caught.value)
    assert (folder / "file").read_bytes() == b"record"
    with held_to({Zone.RAW}, {Zone.RAW: [folder]}):
        touch(folder)


def test_a_violation_that_the_code_swallows_is_raised_at_the_end(tmp_path: Path) -> None:
    def swallowing() -> None:
        try:
            (tmp_path / "file").read_bytes()
        except Exception:
            return

    with pytest.raises(ZoneViolation), held_to(set(), {Zone.TRUST: [tmp_path]}):
        swallowing()


# -- the walls of the operating system

NOBODY = 65534


ATTEMPTS = {
    "read the key": "open(keys + '/master.key', 'rb').read()",
    "read the vault": "open(keys + '/vault.sqlite', 'rb').read()",
    "list the folder": "os.listdir(keys)",
    "open the vault": "sqlite3.connect(keys + '/vault.sqlite').execute('SELECT * FROM about').fetchall()",
    "attach the vault": "sqlite3.connect(':memory:').execute('ATTACH ? AS v', (keys + '/vault.sqlite',))",
    "open the keys": "Pseudonymiser.open(keys)",
    "replace the key": "os.replace(keys + '/master.key', keys + '/other')",
    "read the memory of its owner": "os.open(f'/proc/{owner}/mem', os.O_RDONLY)",
    "read the environment of its owner": "open(f'/proc/{owner}/environ', 'rb').read()",
    "loosen the folder": "os.chmod(keys, 0o755)",
}
"""What a process of the zone PSEUDO might try."""

TRIES = """
import json, os, sqlite3, sys
from privacy import Pseudonymiser
keys, owner, user, attempts = sys.argv[1], os.getppid(), int(sys.argv[2]), json.loads(sys.argv[3])
if user:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
done = []
for name, attempt in attempts.items():
    try:
        eval(attempt)
        done.append(name)
    except Exception:
        pass
print(json.dumps([os.geteuid(), done]))
"""


def successes(keys: Path, user: int) -> tuple[int, list[str]]:
    """Who tried, and which attempts of a process of that user succeeded."""
    words = [sys.executable, "-c", TRIES, str(keys), str(user), json.dumps(ATTEMPTS)]
    ran = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    who, done = json.loads(ran.stdout)
    return who, done


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that every user may enter, so that nothing but the keys' own walls is tested."""
    folder = Path(tempfile.mkdtemp(prefix="vht-zones-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_can_do_nothing_with_keys_and_vault(open_to_all: Path) -> None:
    """The same attempts by the owner succeed."""
    keys = open_to_all / "keys"
    create_keys(keys)
    with Pseudonymiser.open(keys) as pseudonymiser:
        pseudonymiser.enrol(Identity("s", "1"), date(2020, 1, 1))
    assert successes(keys, NOBODY) == (NOBODY, [])
    assert successes(keys, 0) == (0, list(ATTEMPTS))
