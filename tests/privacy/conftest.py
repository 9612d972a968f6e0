"""Fixtures for the tests of privacy."""

from __future__ import annotations

from pathlib import Path

import pytest

from privacy import create_keys


@pytest.fixture
def keys_folder(tmp_path: Path) -> Path:
    """A folder with fresh keys and an empty vault."""
    folder = tmp_path / "keys"
    create_keys(folder)
    return folder
