"""Jobs of the command line: run in this process, visible in the UI, with their progress line by line."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from pipeline.console import err
from pipeline.orchestration.shutdown import stop_if_asked
from pipeline.settings import load_settings


def run_job(
    name: str,
    words: str,
    tags: Mapping[str, str],
    selection: Sequence[Any] | None = None,
    meanwhile: Callable[[], None] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Any:
    """Run a job, or a selection of its assets, and print what failed and why; Dagster's result. `meanwhile` is called
    before the first step, to start what later steps need; `config` configures steps.

    Raises PipelineError while people are being erased, and Stopped after a signal, once the run has released its locks.
    """
    # Imported here: Dagster takes seconds to import, which a run with nothing to do does not need.
    from pipeline.orchestration.dagster_home import dagster_home
    from pipeline.orchestration.instance import fail_dead_runs, opened_instance, origin_of
    from pipeline.orchestration.process_locks import process_lock

    dagster_home()
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run
    from dagster._core.utils import make_new_run_id

    job, run_id = job_named(name), make_new_run_id()
    with _without_stdout():
        from pipeline.orchestration.run_progress import display

        err.print(words)
        with opened_instance() as instance, process_lock(run_id), display() as run_config:
            fail_dead_runs(instance)
            if meanwhile is not None:
                meanwhile()
            run = instance.create_run_for_job(
                job_def=job,
                run_id=run_id,
                run_config={**run_config, **(config or {})},
                asset_selection=frozenset(selection) if selection is not None else None,
                tags={**tags, **job.run_tags},
                remote_job_origin=origin_of(name),
            )
            # As `dagster.execute_job` does, but with the job that is here: it would load another one by name.
            result = execute_run(InMemoryJob(job), run, instance)
    stop_if_asked()
    _print_failures(result)
    return result


def job_named(name: str) -> Any:
    """The job of this name, as Dagster has it."""
    with _without_stdout():
        from pipeline.definitions import job_of

        return job_of(name)


@contextmanager
def _without_stdout() -> Iterator[None]:
    """Without what dbt prints, which it also writes to its log."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


def _print_failures(result: Any) -> None:
    """A sentence for each failed step, or for the run where no step failed; cron sends them by mail."""
    failed = sorted(result.get_failed_step_keys())
    for step in failed:
        err.print(f"failed: {step.replace('__', '/')}: {_reason(result, step)}", style="red", markup=False)
    if not result.success and not failed:
        err.print(f"failed: {_reason(result, None)}", style="red", markup=False)


def _reason(result: Any, step: str | None) -> str:
    # Imported here, as it imports Dagster.
    from pipeline.automation.redaction import SEE_THE_RUN, reason_of, redacted

    failures = result.filter_events(
        lambda event: event.is_failure if step is None else event.is_step_failure and event.step_key == step
    )
    settings = load_settings()
    return redacted(reason_of(failures[0], settings), settings) if failures else SEE_THE_RUN
