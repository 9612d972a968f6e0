"""The command line: ``vht``."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path

import typer

from privacy.guards import guarded
from vht.commands import export, keys, models, patients, privacy_tools, records, servers, trial
from vht.commands.console import err, plain

app = typer.Typer(
    name="vht",
    help="Virtual human twins and in-silico trials: FHIR records in, a re-executable trial report out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (records, keys, servers, trial, models, patients, export, privacy_tools):
    commands.register(app)


def main() -> None:
    """Entry point: known errors become one message on standard error and exit code 2.

    An unexpected error prints where it happened, never its message: a message may quote a record. Libraries'
    logs, warnings and threads are held to the same (``privacy.guards``).
    """
    with nullcontext() if os.environ.get("VHT_DEBUG") else guarded():
        _run()


def _run() -> None:
    try:
        code = app(standalone_mode=False)  # the code of a typer.Exit comes back as the value
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        err.print("stopped; nothing half-written was left")
        sys.exit(130)
    except Exception as error:
        sys.exit(_explain(error))
    if isinstance(code, int) and code:
        sys.exit(code)


def _explain(error: Exception) -> int:
    from fhir_io import FhirImportError, SampleError
    from fhir_io.export.errors import ExportError
    from organ_models.catalogue import UnknownModel
    from organ_models.engines import EngineError
    from privacy import PrivacySafeError
    from trials.protocol import ProtocolError
    from trials.run import RunError
    from vht.model_run import ModelRunError
    from vht.patient import CompositionError
    from vht.patient_run import PatientRunError
    from vht.ready_made import UnknownPatient
    from vht.store import StoreError

    if hasattr(error, "format_message"):  # a wrong use of the command line, as typer words it
        if not error.format_message():  # help was asked for by giving no arguments, and shown
            return 2
        usage = getattr(error, "ctx", None)
        if usage is not None:
            err.print(usage.get_usage(), markup=False)
        err.print(f"[red]error:[/red] {plain(error.format_message())}")
        return 2
    known = (
        FhirImportError,
        SampleError,
        ExportError,
        PrivacySafeError,
        ProtocolError,
        RunError,
        StoreError,
        CompositionError,
        UnknownModel,
        EngineError,
        ModelRunError,
        PatientRunError,
        UnknownPatient,
    )
    if isinstance(error, known):
        err.print(f"[red]error:[/red] {plain(str(error))}")
        return 2
    if isinstance(error, OSError) and error.strerror:
        err.print(f"[red]error:[/red] {plain(error.strerror.lower())}; check the folders that were given")
        return 2
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    err.print(f"[red]internal error:[/red] {type(error).__name__} at {place}; please report these two words")
    if os.environ.get("VHT_DEBUG"):  # may quote records: for developers on synthetic data only
        raise error
    return 3
