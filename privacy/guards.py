"""Guards: what a program says when something goes wrong holds no value of anybody's record.

Each guard closes one way out, and a test for each shows that without it a planted identifier comes through.
They are a second net: messages of the toolkit are written without values in the first place.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import re
import resource
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HIDDEN = "(hidden: it may quote a record)"
"""What stands in place of a text that was not written into the program."""

_LOG_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_MOST_FRAMES = 5
_CONVERSION = re.compile(r"(?<!%)((?:%%)*)%(\([^)]*\))?[#0\- +]*\d*(?:\.\d+)?[hlL]?[diouxXeEfFgGcrsa]")
"""A conversion of printf style; a hidden number is shown as text."""


def place(error: BaseException) -> str:
    """Kind of an error and the lines it came through; never a message or the value of a variable."""
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    lines = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__} at {lines or 'an unknown line'}"


def guard_log_messages(undo: ExitStack) -> None:
    """Log records keep their message only if it is a literal of the program, and no argument but counts.

    An f-string, an argument that is text or a long number, what ``extra`` adds, and the text of an exception
    are hidden: nothing tells them from a record.
    """
    make = logging.Logger.makeRecord

    def guarded(
        self: logging.Logger,
        name: str,
        level: int,
        fn: str,
        lno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        extra: Mapping[str, object] | None = None,
        sinfo: str | None = None,
    ) -> logging.LogRecord:
        literal = isinstance(msg, str) and "*" not in msg and _is_literal(msg, fn, lno)
        shown = _shown(args) if literal else ()
        text = (_CONVERSION.sub(r"\1%\2s", str(msg)) if shown else str(msg)) if literal else HIDDEN
        if exc_info and isinstance(exc_info[1], BaseException):
            where = f" ({place(exc_info[1])})"
            text += where.replace("%", "%%") if shown else where
        record = make(self, name, level, fn, lno, text, shown, None, func, None, None)
        for field in set(record.__dict__) - _LOG_FIELDS:
            del record.__dict__[field]
        return record

    _swap(undo, logging.Logger, "makeRecord", guarded)


def guard_exceptions(undo: ExitStack) -> None:
    """An exception that nobody caught prints its kind and place."""

    def hook(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
        print(f"error: {place(error.with_traceback(trace))}", file=sys.stderr)

    _swap(undo, sys, "excepthook", hook)


def guard_threads(undo: ExitStack) -> None:
    """The same for threads."""

    def hook(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
            print(f"error in a thread: {place(told.exc_value)}", file=sys.stderr)

    _swap(undo, threading, "excepthook", hook)


def guard_unraisable(undo: ExitStack) -> None:
    """The same for exceptions where nothing can be raised, such as in a finaliser."""

    def hook(told: sys.UnraisableHookArgs) -> None:
        if told.exc_value is not None:
            print(f"error that could not be raised: {place(told.exc_value)}", file=sys.stderr)

    _swap(undo, sys, "unraisablehook", hook)


def guard_warnings(undo: ExitStack) -> None:
    """A warning shows its kind and place."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        print(f"warning: {category.__name__} at {Path(filename).name}:{lineno}", file=file or sys.stderr)

    _swap(undo, warnings, "showwarning", show)


def guard_core_dumps(undo: ExitStack) -> None:
    """A crash leaves no image of the memory. The soft limit is put back when the guard is lifted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    undo.callback(resource.setrlimit, resource.RLIMIT_CORE, (soft, hard))


def guard_fault_dumps(undo: ExitStack) -> None:
    """A crash prints no stacks: the folders in them are often named after people."""
    if faulthandler.is_enabled():
        faulthandler.disable()
        undo.callback(_dump_faults_again)


def guard_notebook(undo: ExitStack) -> None:
    """In a notebook an exception prints kind and place, so that no value stays in the notebook's file."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return

    def show(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, **_: Any) -> list[str]:
        line = f"error: {place(error.with_traceback(trace))}"
        print(line, file=sys.stderr)
        return [line]

    before = (shell.custom_exceptions, shell.CustomTB)
    shell.set_custom_exc((BaseException,), show)

    def lift() -> None:
        shell.custom_exceptions, shell.CustomTB = before

    undo.callback(lift)


def _dump_faults_again() -> None:
    if sys.__stderr__ is not None:
        with contextlib.suppress(OSError, ValueError):  # closed, or no file of the operating system
            faulthandler.enable(sys.__stderr__)


GUARDS: dict[str, Callable[[ExitStack], None]] = {
    "log messages": guard_log_messages,
    "exceptions": guard_exceptions,
    "threads": guard_threads,
    "unraisable": guard_unraisable,
    "warnings": guard_warnings,
    "core dumps": guard_core_dumps,
    "fault dumps": guard_fault_dumps,
    "notebook": guard_notebook,
}


def install_guards(undo: ExitStack | None = None) -> ExitStack:
    """Put every guard in place, for the rest of the process or until the returned stack is closed."""
    undo = undo or ExitStack()
    for guard in GUARDS.values():
        guard(undo)
    return undo


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Every guard, for a while."""
    with install_guards():
        yield


def _shown(args: Any) -> tuple[object, ...] | Mapping[str, object]:
    if isinstance(args, Mapping):
        return {name: _argument(value) for name, value in args.items()}
    if isinstance(args, tuple) and len(args) == 1 and isinstance(args[0], Mapping):
        return {name: _argument(value) for name, value in args[0].items()}
    return tuple(_argument(value) for value in args or ())


_LARGEST_SHOWN = 999
"""Counts up to here are shown; a year or a record number is larger."""


def _argument(value: object) -> object:
    if isinstance(value, (bool, type(None))):
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST_SHOWN:
        return int(value)
    return HIDDEN


def _is_literal(message: str, filename: str, line: int) -> bool:
    """Whether the code that logs has this very text among its constants, as no f-string's result is."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_filename == filename and frame.f_lineno == line:
            return message in code.co_consts
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


def _swap(undo: ExitStack, owner: Any, name: str, new: object) -> None:
    old = getattr(owner, name)
    setattr(owner, name, new)
    undo.callback(setattr, owner, name, old)
