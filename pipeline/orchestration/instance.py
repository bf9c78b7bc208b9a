"""Dagster's home: made on first use below `data/`, so that runs from the command line are seen in the UI."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import dagster as dg
import sqlalchemy as sa
from filelock import FileLock, Timeout

from pipeline.errors import PipelineError
from pipeline.orchestration.system_errors import naming, sentence
from pipeline.settings import DATA_DIR

LOCK_TAG = "pipeline/lock"
_ALONE = "alone.lock"
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]

_CONFIG = """\
# Made on first use; change it as you like.
telemetry:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 3  # history may be on its way for hours, and today must not wait for it
    tag_concurrency_limits:
      - key: dagster/partition  # never two runs of one date
        value: {applyLimitPerUniqueValue: true}
        limit: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  cancel_timeout_seconds: 300
  max_runtime_seconds: 172800  # a run that hangs is ended after two days; what it had not finished is run again
"""


def dagster_home() -> Path:
    """DAGSTER_HOME, or `data/dagster`; with a configuration in it, and set for this process and its children."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(DATA_DIR / "dagster")))
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        whole = home / f".{uuid4().hex}.yaml"  # another process may read it already
        with naming(config):
            whole.write_text(_CONFIG, "utf-8")
            whole.rename(config)
    return home


@contextmanager
def opened_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of Dagster's home, whose storages are made by one process at a time: two that make them at once
    leave two revisions in a table of versions, and Dagster refuses such a home for good.
    """
    home = dagster_home()
    if not sa.event.contains(sa.Engine, "handle_error", _of_a_disk):
        sa.event.listen(sa.Engine, "handle_error", _of_a_disk)
    with ExitStack() as stack:
        with FileLock(home / ".opening"):
            instance = stack.enter_context(dg.DagsterInstance.get())
            # The storages come into being as they are first asked.
            instance.get_runs_count()
            instance.event_log_storage.get_maximum_record_id()
            instance.all_instigator_state()
        yield instance


def _of_a_disk(context: sa.engine.ExceptionContext) -> None:
    """Name the database of Dagster's that can't be written; the engines are made deep inside of it."""
    error = context.original_exception
    database = context.engine.url.database if context.engine is not None else None
    is_dagsters = isinstance(error, sqlite3.Error) and database and Path(database).is_relative_to(dagster_home())
    if is_dagsters and (words := sentence(f"'{database}': {error}", None)) is not None:
        raise PipelineError(words) from None


@contextmanager
def run_lock() -> Iterator[dict[str, str]]:
    """Tags for a run of this process, which hold good as long as the process lives: the system drops its lock.

    Raises:
        PipelineError: somebody needs to be alone.
    """
    path = _locks() / f"{uuid4().hex}.lock"  # in each container this process has the same number
    with _holding(path):
        yield {LOCK_TAG: str(path)}


@contextmanager
def alive(run_id: str) -> Iterator[None]:
    """Say of a run that its process lives, whoever started it: Dagster itself does not know after a crash.

    Raises:
        PipelineError: somebody needs to be alone.
    """
    with _holding(_lock_of(run_id)):
        yield


@contextmanager
def _holding(path: Path) -> Iterator[None]:
    # Held before it has its name and gone before it is let go, so that nobody finds it there and not held.
    unnamed = path.with_suffix(".unnamed")
    with FileLock(unnamed):
        unnamed.rename(path)
        try:
            if _is_held(_locks() / _ALONE):
                raise PipelineError("People are being forgotten; run again when that is done.")
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock_of(run_id: str) -> Path:
    return _locks() / f"run-{run_id}.lock"


@contextmanager
def alone(instance: dg.DagsterInstance) -> Iterator[None]:
    """No run goes on, from the command line or the UI, and none comes to its first step.

    Both sides take their lock before they look at the other's, so never do both go on.

    Raises:
        PipelineError: a run is going on.
    """
    try:
        lock = FileLock(_locks() / _ALONE)
        lock.acquire(timeout=0)
    except Timeout:
        raise PipelineError("People are being forgotten already; wait for it.") from None
    try:
        fail_dead_runs(instance)
        held = any(_is_held(path) for path in _locks().glob("*.lock") if path.name != _ALONE)
        if held or instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED), limit=1):
            raise PipelineError("A run is going on; wait for it, or stop it in the UI, and try again.")
        yield
    finally:
        lock.release()


def _locks() -> Path:
    folder = dagster_home() / "locks"
    folder.mkdir(exist_ok=True)
    return folder


def fail_dead_runs(instance: dg.DagsterInstance) -> None:
    """Runs whose process is gone have failed.

    A run of the service that has not come to its first step has no lock yet: Dagster gives it five minutes for that.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        of_the_command_line = run.tags.get(LOCK_TAG)
        path = Path(of_the_command_line or _lock_of(run.run_id))
        held = _is_held(path)
        if held or (held is None and not of_the_command_line):
            continue
        now = instance.get_run_by_id(run.run_id)  # it may have ended while we looked, and then let go of its lock
        if now is None or now.is_finished:
            continue
        instance.report_run_failed(run, "The process of this run was killed. What it had not finished is run again.")
        for left in (path, _lock_of(run.run_id)):
            left.unlink(missing_ok=True)


def _is_held(path: Path) -> bool | None:
    """None: there is no such lock, or it has just been let go of."""
    # Not by FileLock, which would make a file that has just gone, and shut out others who only look.
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False if path.exists() else None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return True
