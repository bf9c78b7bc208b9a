"""Dagster's home, which the UI and runs of the command line share, and its active runs."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import dagster as dg
import sqlalchemy as sa
import yaml
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from filelock import FileLock

from pipeline.errors import PipelineError
from pipeline.orchestration.system_errors import naming, sentence
from pipeline.settings import BRAND, INSTALLATION_DIR

# The name of the code location in `workspace.yaml`; that of a brand has the brand's name.
CODE_LOCATION = BRAND or "selligent_to_segment"
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]

_CONFIG = """\
# Created on first use; change it as you like.
telemetry:
  enabled: false
nux:
  enabled: false  # no dialog that asks for an email address
concurrency:
  runs:
    max_concurrent_runs: 3  # history may take hours, and today must not wait for it
    tag_concurrency_limits:
      - key: dagster/partition  # never two runs of one date
        value: {applyLimitPerUniqueValue: true}
        limit: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  cancel_timeout_seconds: 300
  max_runtime_seconds: 172800  # a run that hangs is ended after two days; the next one completes its work
"""
# The commands that prevent runs.
_EXCLUSIVE = "`copy`, `forget`, `reconcile` or `restore`"
# Runs whose lock this process holds.
_held: set[str] = set()
_STORAGES = ("storage", "run_storage", "event_log_storage", "schedule_storage")


def dagster_home() -> Path:
    """DAGSTER_HOME, or `data/dagster`, with a configuration; the variable is set for this process and its children."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(INSTALLATION_DIR / "dagster")))
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        whole = home / f".{uuid4().hex}.yaml"  # another process may be reading it
        with naming(config):
            whole.write_text(_CONFIG, "utf-8")
            whole.rename(config)
    return home


@contextmanager
def opened_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of Dagster's home. One process at a time creates its storages: two at once leave two revisions in a
    table of versions, and Dagster refuses such a home permanently.
    """
    home = dagster_home()
    if not sa.event.contains(sa.Engine, "handle_error", _name_unwritable_database):
        sa.event.listen(sa.Engine, "handle_error", _name_unwritable_database)
    with ExitStack() as stack:
        with FileLock(home / ".opening"):
            instance = stack.enter_context(_instance_of(home))
            # The storages are created by their first query.
            instance.get_runs_count()
            instance.event_log_storage.get_maximum_record_id()
            instance.all_instigator_state()
        yield instance


def _instance_of(home: Path) -> dg.DagsterInstance:
    """The instance; where `dagster.yaml` names no storage, with the files of Dagster's default, kept open.

    Not configured there: the service, or whoever else opens this home, needs nothing of this project for it.
    """
    configured = yaml.safe_load((home / "dagster.yaml").read_text("utf-8")) or {}
    if any(name in configured for name in _STORAGES):
        return dg.DagsterInstance.get()
    storage = {
        "module": "pipeline.orchestration.event_log",
        "class": "OpenSqliteEventLogStorage",
        "config": {"base_dir": str(home / "history" / "runs")},
    }
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides={"event_log_storage": storage}))


def _name_unwritable_database(context: sa.engine.ExceptionContext) -> None:
    """Raise an error that names Dagster's database if it can't be written; Dagster creates the engines internally."""
    error = context.original_exception
    database = context.engine.url.database if context.engine is not None else None
    is_dagsters = isinstance(error, sqlite3.Error) and database and Path(database).is_relative_to(dagster_home())
    if is_dagsters and (words := sentence(f"'{database}': {error}", None)) is not None:
        raise PipelineError(words) from None


def origin_of(job: str) -> RemoteJobOrigin:
    """The origin of a command's run of a job. By its names, the UI finds the job in its code location: it shows the run
    in the timeline, and can execute it again.
    """
    location = RegisteredCodeLocationOrigin(CODE_LOCATION)
    return RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME).get_job_origin(job)


def is_of_command_line(run: dg.DagsterRun) -> bool:
    """Whether a command executes a run. A process of the service has to load the job, and the run contains from where;
    a command has it. No tag would do: the UI copies the tags of a run that it executes again.
    """
    return run.job_code_origin is None


@contextmanager
def process_lock(run_id: str) -> Iterator[None]:
    """Hold the lock that marks a run's process as running: Dagster does not notice a crash. Has no effect where this
    process holds it already. Raises PipelineError: an exclusive command is running.
    """
    if run_id in _held:
        yield
        return
    with _holding(_lock_of(run_id)):
        _held.add(run_id)
        try:
            yield
        finally:
            _held.discard(run_id)


@contextmanager
def _holding(path: Path) -> Iterator[None]:
    # Locked before it has its name and deleted before it is released, so that it never exists without being locked.
    unnamed = path.with_suffix(".unnamed")
    with _lock_of_all_runs(fcntl.LOCK_SH) as shared, FileLock(unnamed):
        if not shared:
            raise PipelineError(f"{_EXCLUSIVE} is running; run again when it has ended.")
        unnamed.rename(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock_of(run_id: str) -> Path:
    return _locks() / f"run-{run_id}.lock"


@contextmanager
def exclusive(instance: dg.DagsterInstance) -> Iterator[None]:
    """Prevent every run from starting its first step; PipelineError while a run or another such command is active."""
    with _lock_of_all_runs(fcntl.LOCK_EX) as free:
        if not free:
            with _lock_of_all_runs(fcntl.LOCK_SH) as shared:
                if not shared:
                    raise PipelineError(f"{_EXCLUSIVE} is already running; wait until it has ended.")
        else:
            fail_dead_runs(instance)
        if not free or instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED), limit=1):
            raise PipelineError("A run is active; wait for it, or stop it in the UI, and try again.")
        yield


@contextmanager
def _lock_of_all_runs(operation: int) -> Iterator[bool]:
    """Whether the lock was acquired: shared by all runs, or exclusive. The system releases it when the process ends."""
    with (_locks() / "all-runs").open("ab") as file:
        try:
            fcntl.flock(file, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _locks() -> Path:
    folder = dagster_home() / "locks"
    folder.mkdir(exist_ok=True)
    return folder


def fail_dead_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs whose process has ended as failed.

    A run of the service before its first step has no lock yet: Dagster gives it five minutes for that.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        path = _lock_of(run.run_id)
        held = _is_held(path)
        if held or (held is None and not is_of_command_line(run)):
            continue
        now = instance.get_run_by_id(run.run_id)  # it may have ended meanwhile, and released its lock
        if now is None or now.is_finished:
            continue
        instance.report_run_failed(run, "The process of this run was killed. The next run completes its work.")
        path.unlink(missing_ok=True)


def _is_held(path: Path) -> bool | None:
    """Whether a process holds the lock; None where there is no such lock, or no longer."""
    # Not by FileLock, which would create a file that was just deleted, and block other readers.
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False if path.exists() else None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return True
