"""`python -m pipeline run` as it is: load, model, cut and dry-run of one morning, in one run.

Seconds are those of Dagster's own log, step by step; what is not in a step is start-up (imports, dbt's parsing of a
project that it sees for the first time) and the table at the end.
"""

import json
import sys
from dataclasses import dataclass

from benchmarks.processes import Clone


@dataclass(frozen=True)
class Run:
    """Seconds of each step and in all; events that came out; peaks in MB of the process and of dbt below it."""

    steps: dict[str, float]
    seconds: float
    events: int
    peak: int
    dbt_peak: int


def measure(clone: Clone) -> Run:
    """Run the main job in a fresh process."""
    finished = clone.python("pipeline", "run")
    told = clone.python("benchmarks.end_to_end").answer
    return Run(told["steps"], finished.seconds, told["events"], finished.peak, finished.peak_of_children)


def main() -> None:
    """Print what Dagster and the outbox know of the run, in the copy."""
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
