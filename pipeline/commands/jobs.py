"""Jobs as the command line runs them: in this process, seen in the UI, and told line by line."""

import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pipeline.console import err
from pipeline.settings import load_settings


def run_job(name: str, words: str, tags: Mapping[str, str], selection: Sequence[Any] | None = None) -> Any:
    """Dagster's result of a job, or of those of its assets; what failed is told, and why.

    Raises:
        PipelineError: somebody needs to be alone.
    """
    # Imported here: Dagster takes seconds to import, which a run with nothing to do should not.
    from pipeline.instance import dagster_home, fail_dead_runs, run_lock

    dagster_home()
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    import dagster as dg

    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # dbt's own lines go to its log
        from pipeline.definitions import defs
        from pipeline.progress import display

        job = defs.resolve_job_def(name)
        err.print(words)
        with dg.DagsterInstance.get() as instance, run_lock() as lock, display() as run_config:
            fail_dead_runs(instance)
            result = job.execute_in_process(
                instance=instance,
                run_config=run_config,
                asset_selection=selection,
                tags={**lock, **tags},
                raise_on_error=False,
            )
    for step in result.get_failed_step_keys():
        err.print(f"failed: {step.replace('__', '/')}: {_why(result, step)}", style="red")
    return result


def _why(result: Any, step: str) -> str:
    """The sentence of the error that a step failed with, for a mail by cron as well; the innermost cause says most."""
    # Imported here, as it imports Dagster.
    from pipeline.failures import SEE_THE_RUN, fit_to_tell, reason_of

    failures = result.filter_events(lambda event: event.is_step_failure and event.step_key == step)
    return fit_to_tell(reason_of(failures[0]), load_settings()) if failures else SEE_THE_RUN
