"""Upkeep as an asset of its own job, for which no other run waits."""

from datetime import UTC, datetime

import dagster as dg

from pipeline.orchestration import markdown
from pipeline.orchestration.asset_keys import UPKEEP
from pipeline.orchestration.long_steps import every_minute
from pipeline.orchestration.partitions import WAREHOUSE_WRITERS
from pipeline.orchestration.resources import WarehouseResource
from pipeline.orchestration.run_locks import release_lock
from pipeline.settings import load_settings
from pipeline.upkeep.maintenance import Upkeep, tidy
from pipeline.upkeep.run_history import prune_runs
from pipeline.upkeep.sizes import Size

_MB = 1_000_000


@dg.asset(key=UPKEEP, group_name="warehouse", kinds={"duckdb"}, pool=WAREHOUSE_WRITERS)
def upkeep(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult:
    """Merge small files, expire snapshots older than KEEP_SNAPSHOTS_DAYS and remove old files, unnoticed by readers;
    delete runs older than KEEP_RUNS_DAYS from Dagster's history.

    A file that is no longer needed is removed a day later, so that a query that still reads it can end. A plain DuckDB
    file has no snapshots: it is checkpointed.
    """
    lake, settings, now = warehouse.open(), load_settings(), datetime.now(UTC)
    with every_minute(context):
        done = tidy(lake, settings.keep_snapshots_days, now)
        pruned = prune_runs(context.instance, settings.keep_runs_days, now)
    if not lake.is_ducklake:
        context.log.info("a plain DuckDB file was checkpointed; it has no snapshots and no files to merge")
    metadata = {**metadata_of(done, is_ducklake=lake.is_ducklake), "runs_deleted": pruned, **release_lock(context)}
    return dg.MaterializeResult(metadata=metadata)


def metadata_of(done: Upkeep, *, is_ducklake: bool) -> dict[str, int | str | dg.MetadataValue]:
    """Metadata of the asset: sizes before and after, in total and by table."""
    catalog: dict[str, int | str | dg.MetadataValue] = {
        "catalog_bytes_before": done.before.catalog_bytes,
        "catalog_bytes_after": done.after.catalog_bytes,
    }
    if not is_ducklake:
        return {"result": "CHECKPOINT: a plain DuckDB file has no snapshots and no files to merge", **catalog}
    return {
        "files_before": done.before.all.files,
        "files_after": done.after.all.files,
        "bytes_before": done.before.all.bytes,
        "bytes_after": done.after.all.bytes,
        "snapshots_before": done.before.snapshots,
        "snapshots_after": done.after.snapshots,
        **catalog,
        "snapshots_expired": done.expired,
        "files_merged": done.merged,
        "old_files_removed": done.removed,
        "old_files_left_for_readers": done.waiting,
        "orphans_removed": done.orphans,
        "orphans_perhaps_of_another_warehouse": done.orphans_of_others,
        "tables": dg.MetadataValue.md(_as_markdown(done)),
    }


def _as_markdown(done: Upkeep) -> str:
    numbers = ["files before", "files after", "MB before", "MB after"]
    rows = []
    for name, after in done.after.tables.items():
        before = done.before.tables.get(name, Size())
        sizes = (f"{size.bytes / _MB:,.2f}" for size in (before, after))
        rows.append((name, before.files, after.files, *sizes))
    return markdown.table(["table", *numbers], rows, numbers)
