"""Dagster's home, which the UI and runs of the command line share, and its active runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
import yaml
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from filelock import FileLock

from pipeline.errors import PipelineError
from pipeline.orchestration.dagster_home import dagster_home
from pipeline.orchestration.process_locks import EXCLUSIVE, all_runs, forget_lock, is_held
from pipeline.orchestration.system_errors import sentence
from pipeline.settings import BRAND

# The name of the code location in `workspace.yaml`; that of a brand has the brand's name.
CODE_LOCATION = BRAND or "selligent_to_segment"
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]

_STORAGES = ("storage", "run_storage", "event_log_storage", "schedule_storage")


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
def exclusive(instance: dg.DagsterInstance) -> Iterator[None]:
    """Prevent every run from starting its first step; PipelineError while a run or another such command is active."""
    with all_runs(shared=False) as free:
        if not free:
            with all_runs(shared=True) as shared:
                if not shared:
                    raise PipelineError(f"{EXCLUSIVE} is already running; wait until it has ended.")
        else:
            fail_dead_runs(instance)
        if not free or instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED), limit=1):
            raise PipelineError("A run is active; wait for it, or stop it in the UI, and try again.")
        yield


def fail_dead_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs whose process has ended as failed.

    A run of the service before its first step has no lock yet: Dagster gives it five minutes for that.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        held = is_held(run.run_id)
        if held or (held is None and not is_of_command_line(run)):
            continue
        now = instance.get_run_by_id(run.run_id)  # it may have ended meanwhile, and released its lock
        if now is None or now.is_finished:
            continue
        instance.report_run_failed(run, "The process of this run was killed. The next run completes its work.")
        forget_lock(run.run_id)
