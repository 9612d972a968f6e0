"""Which back end runs a cyclic model: native machine code, or JAX's own compiler.

Both compute the same model from one definition and agree to rounding. Nobody has to choose: ``"auto"``
takes the native one where it works. The environment variable ``VHT_ENGINE`` (``native`` or ``portable``)
decides in its place, for example to repeat a run that another machine made without native code.
"""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import os
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from organ_models.model import OrganModel

if TYPE_CHECKING:
    from organ_models.stepping import Stepped

Engine = Literal["auto", "native", "portable"]
Precision = Literal["double", "single"]
"""Of the rates of slow models. ``"single"`` is taken only where a user asks for it."""

VARIABLE = "VHT_ENGINE"
_PRECISIONS = ("double", "single")
_NAMES = ("auto", "native", "portable")
_log = logging.getLogger("organ_models")


class EngineError(ValueError):
    """No such engine, or it cannot run the model; the message says why and what to do."""


def choose(model: OrganModel | Stepped, engine: Engine = "auto") -> Literal["native", "portable"]:
    """The back end for a model.

    Args:
        model: a cyclic model, or a stepped problem.
        engine: ``"auto"``, or the one that must be taken.

    Raises:
        EngineError: no such engine, or the native back end was asked for and cannot run this model, or what
            was asked for is single precision, which only the native one has.
    """
    wanted = _wanted(engine)
    if getattr(model, "precision", "double") == "single":
        reason = "the portable engine was asked for" if wanted == "portable" else _obstacle(model)
        if reason is not None:
            raise EngineError(
                f"{model.name}: single precision runs on the native engine only, and {reason}; "
                "use precision='double'"
            )
        return "native"
    if wanted == "portable":
        return "portable"
    reason = _obstacle(model)
    if reason is None:
        return "native"
    if wanted == "native":
        raise EngineError(f"{model.name}: {reason}; use engine='auto' or 'portable'")
    return "portable"


def native() -> ModuleType:
    """The package of the native back end, loaded when it is needed."""
    from organ_models import native as package

    return package


def require_precision(precision: str) -> None:
    """Refuse a precision that there is not.

    Raises:
        EngineError: it is neither ``"double"`` nor ``"single"``.
    """
    if precision not in _PRECISIONS:
        raise EngineError(f"precision is not one of {', '.join(_PRECISIONS)}")


def default_engine() -> dict[str, str]:
    """What ``"auto"`` means on this machine, and the version of the code generator behind it."""
    wanted, (reason, version) = _wanted("auto"), _machine()
    if wanted == "portable" or reason is not None:
        return {"engine": "portable", "llvmlite": "not used"}
    return {"engine": "native", "llvmlite": version}


def _wanted(engine: str) -> str:
    found = os.environ.get(VARIABLE, "auto") or "auto" if engine == "auto" else engine
    if found not in _NAMES:
        where = VARIABLE if engine == "auto" else "engine"
        raise EngineError(f"{where} is not one of {', '.join(_NAMES)}")
    return found


@functools.cache
def _machine() -> tuple[str | None, str]:
    """Why no native code can be made here, if so, and the version of llvmlite."""
    try:
        version = importlib.metadata.version("llvmlite")
        package = native()
    except (ImportError, OSError) as error:
        return f"llvmlite cannot be loaded ({type(error).__name__})", "absent"
    try:
        package.width()
    except package.Unavailable as error:
        return str(error), version
    return None, version


@functools.cache
def _obstacle(model: OrganModel | Stepped) -> str | None:
    reason, _ = _machine()
    reason = reason or getattr(model, "portable_only", None)
    if reason is None:
        package = native()
        try:
            package.prepare(model)
        except package.UnsupportedPrimitive as error:
            reason = str(error)
    if reason is not None and getattr(model, "precision", "double") == "double":
        _log.info("%s runs on the portable back end: %s", model.name, reason)
    return reason
