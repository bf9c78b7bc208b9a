"""Dagster's home: made on first use below `data/`, so that runs from the command line are seen in the UI."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from pipeline.settings import DATA_DIR

LOCK_TAG = "pipeline/lock"
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]

_CONFIG = """\
# Made on first use; change it as you like.
telemetry:
  enabled: false
concurrency:
  pools:
    granularity: op
    default_limit: 1  # one writer of the warehouse, one sender to Segment
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 60
"""


def dagster_home() -> Path:
    """DAGSTER_HOME, or `data/dagster`; with a configuration in it, and set for this process and its children."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(DATA_DIR / "dagster")))
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(_CONFIG, "utf-8")
    return home


@contextmanager
def run_lock() -> Iterator[dict[str, str]]:
    """Tags for a run of this process, which hold good as long as the process lives: the system drops its lock."""
    folder = dagster_home() / "locks"
    folder.mkdir(exist_ok=True)
    path = folder / f"{os.getpid()}.lock"
    with FileLock(path):
        yield {LOCK_TAG: str(path)}
    path.unlink(missing_ok=True)


def fail_dead_runs(instance: dg.DagsterInstance) -> None:
    """Runs of the command line whose process is gone have failed, and hold no slot of a pool any more."""
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        path = run.tags.get(LOCK_TAG)
        if path is None or _is_held(Path(path)):
            continue
        instance.report_run_failed(run, "The process of this run was killed. What it had not finished is run again.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
