"""Jobs as the command line runs them: in this process, seen in the UI, and told line by line."""

import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pipeline.console import err
from pipeline.orchestration.shutdown import stop_if_asked
from pipeline.settings import load_settings


def run_job(name: str, words: str, tags: Mapping[str, str], selection: Sequence[Any] | None = None) -> Any:
    """Dagster's result of a job, or of those of its assets; what failed is told, and why.

    Raises:
        PipelineError: somebody needs to be alone.
        Stopped: a signal asked for it; the run has ended, and holds nothing.
    """
    # Imported here: Dagster takes seconds to import, which a run with nothing to do should not.
    from pipeline.orchestration.instance import dagster_home, fail_dead_runs, opened_instance, run_lock

    dagster_home()
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    import dagster as dg

    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # dbt's own lines go to its log
        from pipeline.orchestration.executor import WITHOUT_RETRIES
        from pipeline.orchestration.run_progress import display

        job = dg.build_reconstructable_job("pipeline.definitions", "job_of", (name,))
        job.get_definition()  # which takes seconds, and dbt
        err.print(words)
        with opened_instance() as instance, run_lock() as lock, display() as run_config:
            fail_dead_runs(instance)
            result = dg.execute_job(
                job,
                instance=instance,
                run_config={**run_config, **WITHOUT_RETRIES},
                asset_selection=selection,
                tags={**lock, **tags},
            )
    stop_if_asked()
    _tell_failures(result)
    return result


def _tell_failures(result: Any) -> None:
    """A sentence for each step that failed, for a mail by cron as well, or for the run where none did."""
    failed = sorted(result.get_failed_step_keys())
    for step in failed:
        err.print(f"failed: {step.replace('__', '/')}: {_why(result, step)}", style="red", markup=False)
    if not result.success and not failed:
        err.print(f"failed: {_why(result, None)}", style="red", markup=False)


def _why(result: Any, step: str | None) -> str:
    """The sentence of the error that a step failed with, or the run as a whole; the innermost cause says most."""
    # Imported here, as it imports Dagster.
    from pipeline.automation.redaction import SEE_THE_RUN, fit_to_tell, reason_of

    failures = result.filter_events(
        lambda event: event.is_failure if step is None else event.is_step_failure and event.step_key == step
    )
    settings = load_settings()
    return fit_to_tell(reason_of(failures[0], settings), settings) if failures else SEE_THE_RUN
