"""One MLflow run per trial, one child per arm; the only module that imports MLflow.

MLflow is imported inside functions, after its telemetry has been switched off, and this module is the only
writer: names, tags and artifacts are checked before the first contact, and neither user, machine nor path is
recorded. A trial is never lost to tracking: what goes wrong is one :class:`TrackingUnavailable`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from vht.files import sha256_bytes, sha256_file, write_whole

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

TAGS = frozenset({"git_commit", "code_version", "lock_digest", "protocol_digest", "states_digest"})
"""Tags that a trial may carry."""
ARTIFACT_SUFFIXES = frozenset({".html", ".json", ".parquet", ".yaml", ".yml"})
DIGESTS = "sha256.json"
"""Artifact that holds the SHA-256 of each of the others by name."""
ARTIFACT_FOLDER = "mlartifacts"
"""Folder of artifacts, beside a local database."""

_ALWAYS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
_DURING = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_FIRST_CONTACT_SECONDS, _TRANSFER_SECONDS = "5", "60"
_LONGEST_VALUE = 250
_METRICS_A_CALL, _PARAMS_A_CALL = 1000, 100

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,119}")
_ABSOLUTE_PATH = re.compile(r"(^|[\s'\"=(:])(/[^\s/]+/|~/|[A-Za-z]:\\|file:)")

Parameter = str | float | int
Item = TypeVar("Item")


class TrackingUnavailable(RuntimeError):
    """The record of a trial could not be written to MLflow; the trial itself is not affected."""


@dataclass(frozen=True)
class ArmRecord:
    """What is kept of one arm.

    Attributes:
        parameters: what was given, by name.
        metrics: what came out, by name; values that are not finite are left out.
    """

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialRecord:
    """What is kept of one trial.

    Attributes:
        study: name of the MLflow experiment, lower case with underscores.
        title: what people read.
        parameters: settings of the trial, by name.
        tags: names from :data:`TAGS`.
        metrics: results of the whole trial, by name; values that are not finite are left out.
        arms: one record an arm, by its name.
        artifacts: files to keep with the trial; JSON, HTML, Parquet and YAML only, each name once.

    Raises:
        ValueError: a name, tag or value that may not be recorded, or an artifact of another kind; nothing has
            been written then.
    """

    study: str
    title: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    arms: Mapping[str, ArmRecord] = field(default_factory=dict)
    artifacts: Sequence[Path] = ()

    def __post_init__(self) -> None:
        for name in (self.study, *self.arms):
            if not _NAME.fullmatch(name):
                raise ValueError("a study or arm has a name that is not lower case with underscores")
        _check_value("title", self.title)
        for tag, value in self.tags.items():
            if tag not in TAGS:
                raise ValueError(f"tag '{tag}' is not one of {', '.join(sorted(TAGS))}")
            _check_value(tag, value)
        for parameters, metrics in [
            (self.parameters, self.metrics),
            *((arm.parameters, arm.metrics) for arm in self.arms.values()),
        ]:
            for name in (*parameters, *metrics):
                if not _KEY.fullmatch(name):
                    raise ValueError(f"'{name}' cannot be the name of a parameter or metric")
            for name, setting in parameters.items():
                _check_value(name, setting)
        names = [path.name for path in self.artifacts]
        if len(set(names)) < len(names) or DIGESTS in names:
            raise ValueError(f"artifacts need names of their own, and not '{DIGESTS}'")
        for path in self.artifacts:
            if path.suffix not in ARTIFACT_SUFFIXES:
                kinds = ", ".join(sorted(ARTIFACT_SUFFIXES))
                raise ValueError(f"an artifact of kind '{path.suffix}' is not recorded; allowed are {kinds}")
            if not path.is_file():
                raise ValueError(f"artifact '{path.name}' does not exist")


@dataclass(frozen=True)
class TrackingResult:
    """Where a trial was recorded.

    Attributes:
        run_id: MLflow's identifier of the parent run.
        uri: tracking URI, without credentials; of a local database it holds a path: do not store it.
        seconds: wall time that recording took.
        new_database: whether a local database had to be made first, which takes most of the time.
    """

    run_id: str
    uri: str
    seconds: float
    new_database: bool


def local_tracking_uri(folder: Path) -> str:
    """``MLFLOW_TRACKING_URI`` where the user has set it, else a database ``mlflow.db`` in ``folder``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder / 'mlflow.db').as_posix()}"


def track_trial(record: TrialRecord, *, tracking_uri: str | None = None) -> TrackingResult:
    """Write one trial to MLflow: a parent run with the artifacts, and a child run for each arm.

    Artifacts of a local database go to ``mlartifacts`` beside it and are named relative to that folder, so
    that the two can be moved together; open them from there (``mlflow ui --backend-store-uri
    sqlite:///mlflow.db``).

    Args:
        record: what is kept.
        tracking_uri: where; without it ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the current folder.

    Raises:
        TrackingUnavailable: the server cannot be reached or the database cannot be used.
    """
    uri = tracking_uri or local_tracking_uri(Path())
    started = time.perf_counter()
    run_id = None
    with _quiet():
        try:
            database = _database(uri)
            new_database = database is not None and not database.exists()
            if database is not None:
                database.parent.mkdir(parents=True, exist_ok=True)
            client = _client(uri)
            with _environment({"MLFLOW_HTTP_REQUEST_TIMEOUT": _FIRST_CONTACT_SECONDS, **_DURING}):
                experiment = _experiment(client, record.study, database, new_database)
            with _environment({"MLFLOW_HTTP_REQUEST_TIMEOUT": _TRANSFER_SECONDS, **_DURING}):
                parent = _create_run(client, experiment, record.study, record.title)
                run_id = parent.info.run_id
                _log(client, run_id, record.parameters, record.metrics, record.tags)
                for name, arm in record.arms.items():
                    child = _create_run(client, experiment, name, record.title, parent=run_id)
                    _log(client, child.info.run_id, arm.parameters, arm.metrics, {"arm": name})
                    client.set_terminated(child.info.run_id)
                _keep(client, parent, record.artifacts, database)
                client.set_terminated(run_id)
        except Exception as error:  # whatever MLflow or what it rests on raises, the trial goes on
            if run_id is not None:
                with contextlib.suppress(Exception):
                    client.set_terminated(run_id, status="FAILED")
            raise TrackingUnavailable(_explanation(uri, error)) from error
    return TrackingResult(run_id, _public(uri), time.perf_counter() - started, new_database)


def _client(uri: str) -> MlflowClient:
    os.environ.update(_ALWAYS)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):  # MLflow sets its levels when it is imported
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _experiment(client: MlflowClient, study: str, database: Path | None, new_database: bool) -> str:
    found = client.get_experiment_by_name(study)
    if found is not None:
        return str(found.experiment_id)
    identifier = str(client.create_experiment(study))
    if database is not None:
        _make_relative(database, identifier, new_database)
    return identifier


def _make_relative(database: Path, experiment: str, new_database: bool) -> None:
    """Name the artifact folders relative to the database.

    MLflow makes every local artifact location absolute when an experiment is created, which would put the
    machine's folders (and so, often, a user's name) into the database and break it when it is moved. Runs
    take over the location of their experiment as it is stored.
    """
    update = "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?"
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(update, (f"{ARTIFACT_FOLDER}/{experiment}", int(experiment)))
        if new_database:
            connection.execute(update, (f"{ARTIFACT_FOLDER}/0", 0))


def _create_run(
    client: MlflowClient, experiment: str, name: str, title: str, parent: str | None = None
) -> Run:
    tags = {
        "mlflow.user": "vht",
        "mlflow.source.name": "vht",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": title,
    }
    if parent is not None:
        tags["mlflow.parentRunId"] = parent
    return client.create_run(experiment, run_name=name, tags=tags)


def _log(
    client: MlflowClient,
    run_id: str,
    parameters: Mapping[str, Parameter],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    finite = (Metric(k, float(v), now, 0) for k, v in metrics.items() if math.isfinite(v))
    for some_metrics in _groups(finite, _METRICS_A_CALL):
        client.log_batch(run_id, metrics=some_metrics)
    settings = (Param(k, str(v)) for k, v in parameters.items())
    for some_settings in _groups(settings, _PARAMS_A_CALL):
        client.log_batch(run_id, params=some_settings)
    if tags:
        client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])


def _keep(client: MlflowClient, run: Run, artifacts: Sequence[Path], database: Path | None) -> None:
    """Store artifacts and, beside them, the SHA-256 of each; the digest of that list becomes a tag."""
    if not artifacts:
        return
    digests = {path.name: sha256_file(path) for path in sorted(artifacts, key=lambda p: p.name)}
    listed = json.dumps(digests, indent=2).encode()
    location = run.info.artifact_uri or ""
    if database is not None and location.startswith(ARTIFACT_FOLDER + "/"):
        folder = database.parent / location
        for path in artifacts:
            write_whole(folder / path.name, path.read_bytes())
        write_whole(folder / DIGESTS, listed)
    else:
        for path in artifacts:
            client.log_artifact(run.info.run_id, str(path))
        client.log_text(run.info.run_id, listed.decode(), DIGESTS)
    client.set_tag(run.info.run_id, "artifacts_digest", sha256_bytes(listed))


def _database(uri: str) -> Path | None:
    """The file behind a ``sqlite:`` URI, or None."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0])


def _check_value(name: str, value: Parameter) -> None:
    if isinstance(value, str) and (len(value) > _LONGEST_VALUE or _ABSOLUTE_PATH.search(value)):
        raise ValueError(
            f"the value of '{name}' cannot be recorded: it is longer than {_LONGEST_VALUE} characters "
            "or holds a path of this machine"
        )


def _groups(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while group := list(islice(items, size)):
        yield group


def _public(uri: str) -> str:
    """A URI without user name and password."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _explanation(uri: str, error: Exception) -> str:
    cause = type(error).__name__
    if uri.startswith(("http://", "https://")):
        return f"the MLflow server at {_public(uri)} did not take the record ({cause}); is it running?"
    if uri.startswith("sqlite:"):
        return (
            f"the local MLflow database could not be used ({cause}); is its folder writable, and the file "
            "made by this version of MLflow ('mlflow db upgrade' brings an older one up)?"
        )
    return (
        f"MLflow could not record to the tracking URI that was given ({cause}); use an http(s) address or "
        "'sqlite:///mlflow.db' (MLflow no longer accepts a plain folder)"
    )


@contextlib.contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables that the user has not set, and take them back."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow and its database migrations from writing to the console."""
    names = ("mlflow", "alembic", "urllib3")
    levels: dict[str, Any] = {name: logging.getLogger(name).level for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
