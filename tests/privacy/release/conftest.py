"""Policies and tables for the tests of the release gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from privacy.release import Policy, parse_policy


@pytest.fixture
def policy() -> Callable[..., Policy]:
    """A real-derived policy with changes."""

    def make(**changes: Any) -> Policy:
        content = {"schema": "vht-release-policy/1", "name": "study", "label": "real-derived"}
        return parse_policy({**content, **changes})

    return make
