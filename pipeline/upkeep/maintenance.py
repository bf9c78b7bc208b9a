"""Merge small files, expire old snapshots and remove unreferenced files, unnoticed by readers.

Merging replaces files in old snapshots, too. An open transaction still sees the catalog as it was, provided that it
reads the catalog in one thread (see `warehouse/warehouse.py`), and the old files stay a day longer.

Small writes are inlined in the catalog. Their rows stay there, since they cost little.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from pipeline.upkeep.sizes import Sizes, sizes
from pipeline.warehouse import ALIAS, CATALOG, Warehouse, find_orphans, one_value, remove_files, transaction

Connection = duckdb.DuckDBPyConnection

# A query that began earlier may still read a file that no remaining snapshot refers to. If a clock is set, the day may
# be shorter. That does no harm: the file was unreferenced at an earlier upkeep already, and a query that misses it
# fails with a message and can be repeated. For orphans, the day protects the files of manual writers: this project has
# no other writer while upkeep holds the write lock.
GRACE_PERIOD = timedelta(days=1)
# A file with this share of deleted rows is rewritten: files with deletions are never merged, and slow every query.
_DELETED_SHARE = 0.05
# A higher number of days would overflow dates.
_MOST_KEEP_DAYS = 36_500

# Time travel goes to a moment, so the newest snapshot at the limit is needed as well. Snapshots have the time of their
# writer's clock, while their numbers rise: one that is earlier than a predecessor was written by a slow clock, and does
# not show the age of those before; neither does one in the future.
_EXPIRED = f"""
    WITH snapshots AS (
        SELECT snapshot_id, CAST(snapshot_time AS TIMESTAMPTZ) AS moment FROM {CATALOG}.ducklake_snapshot
    ),
    trusted AS (
        SELECT snapshot_id, moment, max(moment) OVER (ORDER BY snapshot_id ROWS UNBOUNDED PRECEDING) AS latest
        FROM snapshots WHERE moment <= $now
    )
    SELECT snapshot_id FROM snapshots
    WHERE snapshot_id < (SELECT max(snapshot_id) FROM trusted WHERE moment = latest AND moment <= $limit)
    ORDER BY 1
"""


@dataclass(frozen=True)
class Upkeep:
    """The result. `waiting`: files that a later upkeep removes; `orphans_of_others`: perhaps of another warehouse."""

    before: Sizes
    after: Sizes
    expired: int = 0
    merged: int = 0
    removed: int = 0
    orphans: int = 0
    waiting: int = 0
    orphans_of_others: int = 0


def tidy(warehouse: Warehouse, keep_days: int, now: datetime) -> Upkeep:
    """Keep a DuckLake small, with time travel over `keep_days`; a plain file is only checkpointed."""
    with warehouse.writing() as connection:
        # One thread: with several, DuckDB rarely corrupted its memory while files were rewritten and read.
        connection.execute("SET threads = 1")
        before = sizes(connection, warehouse)
        if not warehouse.is_ducklake:
            connection.execute(f"CHECKPOINT {ALIAS}")
            return Upkeep(before, sizes(connection, warehouse))
        expired = _expire(connection, now, now - timedelta(days=min(keep_days, _MOST_KEEP_DAYS)))
        merged = _merge(connection)
        limit = f"TIMESTAMPTZ '{(now - GRACE_PERIOD).isoformat()}'"
        removed = connection.execute(f"CALL ducklake_cleanup_old_files('{ALIAS}', older_than => {limit})").fetchall()
        orphans = find_orphans(connection, warehouse.files, older_than=limit)
        ours = orphans.ours if warehouse.is_alone(connection) else []
        remove_files(ours)
        waiting = one_value(connection, f"SELECT count(*) FROM {CATALOG}.ducklake_files_scheduled_for_deletion")
        return Upkeep(
            before,
            sizes(connection, warehouse),
            expired=expired,
            merged=merged,
            removed=len(removed),
            orphans=len(ours),
            waiting=waiting,
            orphans_of_others=len(orphans.ours) + len(orphans.others) - len(ours),
        )


def _expire(connection: Connection, now: datetime, limit: datetime) -> int:
    """Expire snapshots older than the newest one at the limit. Returns their number."""
    expired = [version for (version,) in connection.execute(_EXPIRED, {"now": now, "limit": limit}).fetchall()]
    if expired:
        connection.execute(f"CALL ducklake_expire_snapshots('{ALIAS}', versions => {expired})")
    return len(expired)


def _merge(connection: Connection) -> int:
    """Merge small files and rewrite files with many deleted rows; the number of files processed."""
    merge = f"CALL ducklake_merge_adjacent_files('{ALIAS}')"
    rewrite = f"CALL ducklake_rewrite_data_files('{ALIAS}', delete_threshold => {_DELETED_SHARE})"
    written = 0
    for statement in (rewrite, merge):
        with transaction(connection):
            written += sum(int(files) for _, _, files, _ in connection.execute(statement).fetchall())
    return written
