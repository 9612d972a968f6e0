"""The privacy budget of a study: every answer costs, and when all is spent there are no more.

The costs add up (sequential composition of pure differential privacy). A question that was asked before gets
its stored answer and costs nothing: to average the noise away by asking again is the oldest attack.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from privacy.release.errors import BudgetSpent, ReleaseError
from privacy.release.ledger import write_private
from privacy.release.noise import Answer
from privacy.release.policy import canonical

SCHEMA = "vht-privacy-budget/1"
_START = "0" * 64


def create_budget(path: Path, study: str, epsilon: float) -> None:
    """Begin the budget of a study; it cannot be raised later.

    Raises:
        ReleaseError: there is a budget, or epsilon is not positive.
    """
    if not 0 < epsilon < math.inf:
        raise ReleaseError("a budget must be a positive number")
    with _locked(path):
        if path.exists():
            raise ReleaseError(f"{path.name} holds a budget already; what was spent cannot be undone")
        write_private(path, _bytes({"schema": SCHEMA, "study": study, "epsilon": epsilon, "spent": []}))


def remaining(path: Path) -> float:
    """What is left.

    Raises:
        ReleaseError: the file is no budget, or was changed.
    """
    content = _read(path)
    return float(content["epsilon"]) - _spent(content)


def ask(path: Path, question: Mapping[str, Any], epsilon: float, answer: Callable[[float], Answer]) -> Answer:
    """Answer a question and write down its cost, or refuse.

    The answer is handed out only when its cost is on the disk.

    Args:
        path: the budget.
        question: JSON-ready, everything that makes it this question: the study, the column, the bounds, the
            digest of the table. The same question gets the same answer.
        epsilon: what may be spent on it.
        answer: computes the answer at a cost.

    Raises:
        BudgetSpent: the budget does not suffice; the answer is not computed.
        ReleaseError: the file is no budget, or was changed.
    """
    digest = hashlib.sha256(canonical(question)).hexdigest()
    with _locked(path):
        content = _read(path)
        for entry in content["spent"]:
            if entry["question"] == digest:
                return Answer(entry["answer"], 0.0)
        left = float(content["epsilon"]) - _spent(content)
        if not 0 < epsilon <= left * (1 + 1e-12):
            raise BudgetSpent(
                f"the budget has {left:.4g} of epsilon left; this question asks for {epsilon:.4g}. "
                "Ask for less, or refer to what was answered"
            )
        found = answer(epsilon)
        # OpenDP rounds the cost up by a few units in the last place; more is a wrong mechanism
        if found.epsilon > epsilon * (1 + 1e-6):
            raise ReleaseError("the answer costs more than was asked for; nothing was told")
        before = content["spent"][-1]["digest"] if content["spent"] else _START
        entry = {"question": digest, "epsilon": found.epsilon, "answer": dict(found.value), "before": before}
        content["spent"].append({**entry, "digest": hashlib.sha256(canonical(entry)).hexdigest()})
        write_private(path, _bytes(content))
    return found


def _spent(content: Mapping[str, Any]) -> float:
    return math.fsum(entry["epsilon"] for entry in content["spent"])


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
        good = content["schema"] == SCHEMA and float(content["epsilon"]) > 0
        before = _START
        for entry in content["spent"]:
            bare = {key: value for key, value in entry.items() if key != "digest"}
            good &= entry["before"] == before and entry["epsilon"] > 0
            good &= entry["digest"] == hashlib.sha256(canonical(bare)).hexdigest()
            before = entry["digest"]
    except FileNotFoundError:
        raise ReleaseError(f"there is no budget {path.name}; begin one for the study") from None
    except (OSError, ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise ReleaseError(f"{path.name} is no budget, or was changed; restore it from a backup")
    found: dict[str, Any] = content
    return found


def _bytes(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two questions at the same time must not both find the last of the budget."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ReleaseError(f"{path.name} cannot be locked: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
