"""Parquet files that the catalog does not know of: what a process left that was killed before it committed.

DuckLake takes every Parquet file below its folder that it does not know for one of these, though a folder below may
be another warehouse's, and a bucket hold anything. Ours are told by their place and name: schema, table, partitions,
and nothing else on the way. From any other folder, above or below, the way to a file of another warehouse is longer
or shorter than that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from pipeline.filesystems.access import open_filesystem
from pipeline.warehouse.sql import ALIAS, CATALOG

_PLACE = re.compile(r"([^/]+/[^/]+/)(?:[^/=]+=[^/]*/)*ducklake-[^/]+\.parquet")
# dbt makes a table anew under a name that is not in the catalog before it is done.
_FOLDERS = f"""
    SELECT schemas.path || tables.path FROM {CATALOG}.ducklake_table AS tables
    JOIN {CATALOG}.ducklake_schema AS schemas USING (schema_id)
    WHERE tables.path_is_relative AND schemas.path_is_relative
    UNION
    SELECT schemas.path || tables.table_name || '__dbt_tmp/' FROM {CATALOG}.ducklake_table AS tables
    JOIN {CATALOG}.ducklake_schema AS schemas USING (schema_id)
    WHERE schemas.path_is_relative
"""


@dataclass(frozen=True)
class Orphans:
    """Files that the catalog does not know, as URLs or paths: `ours`, and `others` that are left alone."""

    ours: Sequence[str]
    others: Sequence[str]


def find_orphans(connection: duckdb.DuckDBPyConnection, files: str, older_than: str) -> Orphans:
    """Those below `files` that are older than a moment (SQL)."""
    found = connection.execute(
        f"CALL ducklake_delete_orphaned_files('{ALIAS}', dry_run => true, older_than => {older_than})"
    ).fetchall()
    folders = {folder for (folder,) in connection.execute(_FOLDERS).fetchall()}
    places = {str(path): _PLACE.fullmatch(path.removeprefix(files)) for (path,) in found}
    is_ours = {path: place is not None and place[1] in folders for path, place in places.items()}
    return Orphans([path for path in is_ours if is_ours[path]], [path for path in is_ours if not is_ours[path]])


def remove_files(paths: Sequence[str]) -> None:
    """Delete files of a warehouse, by the URLs or paths under which they were found."""
    for path in paths:
        filesystem, place = open_filesystem(path, "WAREHOUSE_FILES")
        filesystem.rm(place)
