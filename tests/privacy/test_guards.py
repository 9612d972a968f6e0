"""Each guard keeps a planted identifier in, and without it the scanner finds the identifier outside."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from privacy.guards import GUARDS, HIDDEN, guarded
from privacy.scan import LeakScanner

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "MRN-0047-1183-Schmidthuber"
SCANNER = LeakScanner([TOKEN])

LEAKS = {
    "log messages": """
        import logging
        logging.basicConfig()
        form = logging.Formatter("%(name)s %(message)s %(who)s", defaults={"who": ""})
        logging.getLogger().handlers[0].setFormatter(form)
        log = logging.getLogger("some.library")
        log.error(f"cannot read {token}")
        log.error("cannot read %s", token)
        log.error("cannot read %(who)s", {"who": token})
        log.error("cannot read", extra={"who": token})
        try:
            raise ValueError(token)
        except ValueError:
            log.exception("cannot read")
        log.error(ValueError(token))
        log.error("%d of these: %s", token)  # handleError shows the arguments
    """,
    "exceptions": """
        try:
            int(token)
        except ValueError as error:
            raise KeyError(token) from error
    """,
    "threads": """
        import threading
        thread = threading.Thread(target=lambda: {}[token])
        thread.start()
        thread.join()
    """,
    "unraisable": """
        class Held:
            def __del__(self):
                raise ValueError(token)
        Held()
    """,
    "warnings": """
        import warnings
        warnings.warn(f"odd record {token}")
    """,
    "fault dumps": """
        import faulthandler, os, pathlib
        if "fault dumps" in lifted:
            faulthandler.enable()
        made = compile("def crash():\\n    os.kill(os.getpid(), 11)\\n", f"/home/{token}/run.py", "exec")
        exec(made)
        crash()
    """,
    "notebook": """
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        reinstall()
        shell.user_ns["token"] = token
        shell.run_cell("{}[token]")
    """,
}
"""Programs that let the token out by one way each, where the guard of that name is missing."""


def run(way: str, *, lifted: str | None, tmp_path: Path) -> bytes:
    """Everything that a program prints which has all guards but one."""
    program = "\n".join(
        [
            "import sys",
            "from contextlib import ExitStack",
            "from privacy import guards",
            f"lifted = {[lifted] if lifted else []!r}",
            "for name in lifted: del guards.GUARDS[name]",
            "reinstall = guards.install_guards",
            "guards.install_guards()",
            "token = sys.stdin.read()",
            textwrap.dedent(LEAKS[way]),
        ]
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    ended = subprocess.run(
        [sys.executable, str(script)],
        input=TOKEN.encode(),
        capture_output=True,
        cwd=tmp_path,
        timeout=60,
        env={
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "IPYTHONDIR": str(tmp_path / "ipython"),
        },
    )
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("way", LEAKS)
def test_a_guard_keeps_in_what_comes_out_without_it(way: str, tmp_path: Path) -> None:
    inside = run(way, lifted=None, tmp_path=tmp_path)
    assert SCANNER.scan_bytes(inside) == [], inside.decode()
    outside = run(way, lifted=way, tmp_path=tmp_path)
    assert SCANNER.scan_bytes(outside) != [], outside.decode()


@pytest.mark.parametrize("way", [w for w in LEAKS if w != "fault dumps"])
def test_what_is_hidden_is_still_said_to_have_happened(way: str, tmp_path: Path) -> None:
    said = run(way, lifted=None, tmp_path=tmp_path).decode()
    assert "Error at" in said or "Warning at" in said


def test_every_guard_has_its_leak_or_is_tested_by_itself() -> None:
    assert set(GUARDS) == {*LEAKS, "core dumps"}


def test_a_crash_leaves_no_image_of_the_memory() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        with guarded():
            assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
        assert resource.getrlimit(resource.RLIMIT_CORE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_message_of_the_program_and_small_counts_stay_readable(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("some.library")
    with guarded():
        log.warning("read %d of %d files, 100%% of %s", 3, 12, TOKEN)
        log.warning("no arguments, 5% done")
        log.warning("record %08d", 47118300)
    assert [r.getMessage() for r in caplog.records] == [
        f"read 3 of 12 files, 100% of {HIDDEN}",
        "no arguments, 5% done",
        f"record {HIDDEN}",
    ]


def test_guards_are_lifted_again() -> None:
    before = (logging.Logger.makeRecord, sys.excepthook)
    with guarded():
        assert logging.Logger.makeRecord is not before[0]
    assert (logging.Logger.makeRecord, sys.excepthook) == before
