"""Dagster's history of runs, of which the old ones are deleted."""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from pipeline.orchestration.partitions import EXPORT_DATES

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_AT_ONCE = 100


def prune_runs(instance: dg.DagsterInstance, keep_days: int, now: datetime) -> int:
    """Delete finished runs that were created more than so many days ago, with their events and output; their number.

    The UI still shows which partitions they materialized: that is a summary of its own, which is completed first.
    """
    old = dg.RunsFilter(statuses=_FINISHED, created_before=now - timedelta(days=keep_days))
    deleted = 0
    while records := instance.get_run_records(old, limit=_AT_ONCE):
        if deleted == 0:
            _complete_partition_statuses(instance)
        for record in records:
            run_id = record.dagster_run.run_id
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
        deleted += len(records)
    _delete_event_files(instance)
    return deleted


def _complete_partition_statuses(instance: dg.DagsterInstance) -> None:
    for key in instance.all_asset_keys():
        if instance.get_materialized_partitions(key):
            get_and_update_asset_status_cache_value(instance, key, EXPORT_DATES)


def _delete_event_files(instance: dg.DagsterInstance) -> None:
    """Delete the files of runs that no longer exist: in SQLite, each run has a file, which would stay."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        return
    for path in list(Path(storage.path_for_shard(INDEX_SHARD_NAME)).parent.glob("*.db")):
        if path.stem != INDEX_SHARD_NAME and not instance.has_run(path.stem):
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{path}{suffix}").unlink()
