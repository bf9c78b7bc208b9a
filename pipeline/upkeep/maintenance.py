"""Small files merged, old snapshots ended, and what nobody refers to any more removed; readers notice nothing.

Merging replaces files in old snapshots, too. An open transaction goes on to see the catalog as it was, provided that
it reads the catalog in one thread (see `warehouse/warehouse.py`), and the old files stay a day longer.

Rows that lie in the catalog itself, since they were written few at a time, stay there: they are no burden.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from pipeline.upkeep.sizes import Sizes, sizes
from pipeline.warehouse import ALIAS, CATALOG, Warehouse, find_orphans, one_value, remove_files, transaction

Connection = duckdb.DuckDBPyConnection

# A file that a snapshot of today lost may still be read by a query that began before. A day is told by clocks, and may
# be none where one was set: that is all right, since such a file was no longer needed at an earlier upkeep, and a
# query that misses it fails with a sentence and can be asked again. A file that no snapshot has is of a process that
# was killed: the writers of this project have ended, since upkeep has the writer's turn; the day is for writers by
# hand.
LEFT_ALONE = timedelta(days=1)
# A file of which so much is deleted is written anew: files with deletions are never merged, and slow every query.
_DELETED_SHARE = 0.05
# Longer than that is for ever, and more than dates can be reckoned with.
_A_CENTURY = 36_500

# Time travel goes to a moment, so the snapshot that was the newest one at the limit is needed as well. Snapshots have
# the time of the clock that wrote them, their numbers rise: one that is earlier than one before it was written by a
# clock that was behind, and says nothing of the age of those before; neither does one of the future. How long ago the
# others were written, only clocks can tell.
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
    """What upkeep found, did and left. `waiting`: files that are removed by a later upkeep; `orphans_of_others`: files
    that are not of this warehouse's tables, or may be another's, which keeps its own in the same place.
    """

    before: Sizes
    after: Sizes
    expired: int = 0
    merged: int = 0
    removed: int = 0
    orphans: int = 0
    waiting: int = 0
    orphans_of_others: int = 0


def tidy(warehouse: Warehouse, keep_days: int, now: datetime) -> Upkeep:
    """Keep a DuckLake small, and time travel over `keep_days`; a plain file is only written together."""
    with warehouse.writing() as connection:
        # One thread: DuckDB was seen to corrupt its memory, rarely, while files are rewritten and read with several.
        connection.execute("SET threads = 1")
        before = sizes(connection, warehouse)
        if not warehouse.is_ducklake:
            connection.execute(f"CHECKPOINT {ALIAS}")
            return Upkeep(before, sizes(connection, warehouse))
        expired = _expire(connection, now, now - timedelta(days=min(keep_days, _A_CENTURY)))
        merged = _merge(connection)
        limit = f"TIMESTAMPTZ '{(now - LEFT_ALONE).isoformat()}'"
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
    """End the snapshots that were no more the newest one at the limit."""
    expired = [version for (version,) in connection.execute(_EXPIRED, {"now": now, "limit": limit}).fetchall()]
    if expired:
        connection.execute(f"CALL ducklake_expire_snapshots('{ALIAS}', versions => {expired})")
    return len(expired)


def _merge(connection: Connection) -> int:
    """Write small files, and files with much that is deleted, anew; how many went into others."""
    merge = f"CALL ducklake_merge_adjacent_files('{ALIAS}')"
    rewrite = f"CALL ducklake_rewrite_data_files('{ALIAS}', delete_threshold => {_DELETED_SHARE})"
    written = 0
    for statement in (rewrite, merge):
        with transaction(connection):
            written += sum(int(files) for _, _, files, _ in connection.execute(statement).fetchall())
    return written
