"""Orphaned Parquet files: those that no catalog refers to, since their writer was killed before it committed.

DuckLake treats every unknown Parquet file below its folder as an orphan. But a subfolder may belong to another
warehouse, and a bucket may contain anything. Our files are recognised by path and name: schema, table, partitions, and
nothing else between. Relative to our folder, the path of another warehouse's file is longer or shorter.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from pipeline.filesystems.remote_files import open_filesystem
from pipeline.warehouse.sql import ALIAS, CATALOG, one_column

_PATH = re.compile(r"([^/]+/[^/]+/)(?:[^/=]+=[^/]*/)*ducklake-[^/]+\.parquet")
# dbt rebuilds a table under a name that enters the catalog only at the end.
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
    """Files that the catalog does not refer to, as URLs or paths: `ours`, and `others`, which are kept."""

    ours: Sequence[str]
    others: Sequence[str]


def find_orphans(connection: duckdb.DuckDBPyConnection, files: str, older_than: str) -> Orphans:
    """Orphans below `files` that are older than a timestamp (SQL)."""
    call = f"CALL ducklake_delete_orphaned_files('{ALIAS}', dry_run => true, older_than => {older_than})"
    paths = {path: _PATH.fullmatch(path.removeprefix(files)) for path in one_column(connection, call)}
    folders = set(one_column(connection, _FOLDERS))
    is_ours = {path: parts is not None and parts[1] in folders for path, parts in paths.items()}
    return Orphans([path for path in is_ours if is_ours[path]], [path for path in is_ours if not is_ours[path]])


def remove_files(paths: Sequence[str]) -> None:
    """Delete files of a warehouse by their URLs or paths."""
    for path in paths:
        filesystem, file = open_filesystem(path, "WAREHOUSE_FILES")
        filesystem.rm(file)
