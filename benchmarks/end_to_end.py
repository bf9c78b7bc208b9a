"""A complete `python -m pipeline run`: load, models, outbox and dry run of one morning's file.

The seconds per step are from Dagster's log. The rest is start-up (imports, dbt's first parse of the project) and the
table at the end.
"""

import json
import sys
from dataclasses import dataclass

from benchmarks.processes import Clone


@dataclass(frozen=True)
class Run:
    """Seconds per step and in total, processor seconds, the number of events, and the peak memory of the process and of
    its children in MB.
    """

    steps: dict[str, float]
    seconds: float
    worked: float
    events: int
    peak: int
    children_peak: int


def measure(clone: Clone) -> Run:
    """Run the main job in a new process."""
    finished = clone.python("pipeline", "run")
    measured = clone.python("benchmarks.end_to_end").answer
    return Run(
        measured["steps"],
        finished.seconds,
        finished.worked,
        measured["events"],
        finished.peak,
        finished.peak_of_children,
    )


def main() -> None:
    """Print the measurements from Dagster and the outbox, in the copy."""
    import dagster as dg

    from pipeline.settings import load_settings
    from pipeline.warehouse import Warehouse

    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_run_records()
        stats = instance.get_run_step_stats(run.dagster_run.run_id)
    with Warehouse.of(load_settings()).reading() as connection:
        events = connection.execute("SELECT count(*) FROM delivery.outbox").fetchone()
    steps = {
        stat.step_key: stat.end_time - stat.start_time
        for stat in sorted(stats, key=lambda stat: stat.start_time or 0)
        if stat.start_time and stat.end_time
    }
    json.dump({"steps": steps, "events": events[0] if events else 0}, sys.stdout)


if __name__ == "__main__":
    main()
