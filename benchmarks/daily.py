"""The daily runs of `benchmarks.year`, in a copy of the project.

    python -m benchmarks.daily EXPORTS DAYS ROWS UPKEEP_EVERY

Prints one line of JSON per run and per upkeep. An upkeep expires the snapshots that are older than the upkeep before,
as if KEEP_SNAPSHOTS_DAYS had passed between the two.
"""

import json
import os
import resource
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg

from benchmarks.generate import generate
from pipeline.commands.main_job import run_main_job
from pipeline.settings import DBT_TARGET_DIR, load_settings
from pipeline.upkeep.maintenance import GRACE_PERIOD, tidy
from pipeline.warehouse import Warehouse

_FIRST_DAY = date(2024, 6, 11)
_LATE_SHARE = 100


def main(exports: Path, days: int, rows: int, upkeep_every: int) -> None:
    """Run day after day."""
    os.environ["DBT_WRITE_JSON"] = "true"
    upkeep_before = datetime.now(UTC)
    for number in range(1, days + 1):
        _write(exports, _FIRST_DAY + timedelta(days=number - 1), rows)
        _print_run(number, *_run())
        if upkeep_every and (number % upkeep_every == 0 or number == days):
            now = datetime.now(UTC)
            _upkeep(number, upkeep_before)
            upkeep_before = now


def _write(exports: Path, day: date, rows: int) -> None:
    path = exports / f"ACME_interactions_{day:%Y%m%d}_0600.csv"
    generate(path, rows, day - timedelta(days=1), late=_LATE_SHARE)
    # A file that was just written would be inspected twice, some seconds apart.
    os.utime(path, (time.time() - 60, time.time() - 60))


def _run() -> tuple[float, float]:
    """Elapsed seconds and processor seconds, dbt included; the latter hardly depend on other load."""
    started, worked = time.perf_counter(), _worked()
    if run_main_job(load_settings(), None) != 0:
        raise SystemExit("a run failed")
    return time.perf_counter() - started, _worked() - worked


def _worked() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _print_run(number: int, seconds: float, worked: float) -> None:
    with dg.DagsterInstance.get() as instance:
        record = instance.get_run_records(limit=1)[0]
        stats = instance.get_run_step_stats(record.dagster_run.run_id)
    results = json.loads((DBT_TARGET_DIR / "run_results.json").read_text("utf-8"))["results"]
    stats.sort(key=lambda stat: stat.start_time or 0)
    steps = {stat.step_key: stat.end_time - stat.start_time for stat in stats if stat.start_time and stat.end_time}
    dbt = sum(result["execution_time"] for result in results)
    print(
        "\n" + json.dumps({"run": number, "seconds": seconds, "worked": worked, "dbt": dbt, "steps": steps}), flush=True
    )


def _upkeep(number: int, before: datetime) -> None:
    started = time.perf_counter()
    done = tidy(Warehouse.of(load_settings()), GRACE_PERIOD.days, before + GRACE_PERIOD)
    did = (
        f"{time.perf_counter() - started:.1f} s, files {done.before.all.files:,} → {done.after.all.files:,}, "
        f"{done.before.all.bytes / 1e6:,.1f} → {done.after.all.bytes / 1e6:,.1f} MB, "
        f"snapshots {done.before.snapshots:,} → {done.after.snapshots:,}, {done.removed:,} files removed, "
        f"{done.waiting:,} left for readers, catalog {done.after.catalog_bytes / 1e6:,.1f} MB"
    )
    print("\n" + json.dumps({"upkeep": number, "did": did}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(argument) for argument in sys.argv[2:]))
