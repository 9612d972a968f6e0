"""Fixtures for all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from vht.cli import main

# a loaded machine must not fail a property: examples have no deadline
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

Command = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared reference data; a test that needs it is skipped where it is absent."""
    folder = Path(os.environ.get("VHT_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        message = f"no shared reference data at {folder}; set VHT_SHARED_DATA to its folder"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``vht`` with some words: its exit code, standard output, and standard error on one line."""

    def run(*words: object) -> tuple[int, str, str]:
        sys.argv = ["vht", *map(str, words)]
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        shown = capsys.readouterr()
        return code, shown.out, " ".join(shown.err.split())

    return run


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failure: whatever was skipped there was never checked anywhere."""
    if exitstatus == pytest.ExitCode.OK and _skips_in_ci(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a run without a failed test fails."""
    if count := _skips_in_ci(terminalreporter.config):
        terminalreporter.write_line(f"{count} skipped: in CI a skipped test is a failure", red=True)


def _skips_in_ci(config: pytest.Config) -> int:
    # workers of pytest-xdist have no reporter; the process that started them counts for all
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter and os.environ.get("CI") else 0
