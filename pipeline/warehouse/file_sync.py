"""The last statement of each transaction: it syncs new files to disk before a catalog refers to them.

DuckDB writes Parquet files without fsync, while the catalog's commit does fsync (seen in a trace of system calls,
DuckDB 1.5.5). After a loss of power the catalog would refer to files that are empty or truncated. So `sync_files()` is
the last statement of each transaction, in this program as well as in dbt.

It also checks that the process still has its locks: a server that restarted has given them to others.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb

from pipeline.warehouse.postgres_locks import check_locks
from pipeline.warehouse.sql import SYNC_FUNCTION


class _FileSync:
    """Remembers which files are synced, so that each is synced once."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        # Files from before belong to a commit, and were synced by its writer, or to none.
        self._known = set(self._files())
        self._folders: set[str] = set()

    def __call__(self) -> int:
        """Sync new files, then the folders that contain them; the number of files.

        Raises:
            WarehouseError: a lock is lost.
        """
        check_locks()
        new = [path for path in self._files() if path not in self._known]
        folders = {path.rpartition(os.sep)[0] for path in new}
        for path in new:
            _sync(path)
        for folder in folders:
            _sync(folder)
        for folder in self._parents(folders) - self._folders:
            _sync(folder)
            self._folders.add(folder)
        self._known.update(new)
        return len(new)

    def _files(self) -> Iterator[str]:
        if self._folder is not None:
            for folder, _, names in os.walk(self._folder):
                yield from (os.path.join(folder, name) for name in names)  # noqa: PTH118 - thousands of them

    def _parents(self, folders: set[str]) -> set[str]:
        """The folders above, up to the parent of the warehouse's folder: each may be new."""
        assert self._folder is not None or not folders
        top = self._folder.parent if self._folder else Path()
        return {str(parent) for folder in folders for parent in Path(folder).parents if parent.is_relative_to(top)}


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def provide_sync(connection: duckdb.DuckDBPyConnection, files: str) -> None:
    """Define `sync_files()` on a connection; only a local folder of Parquet `files` needs to be synced."""
    folder = Path(files).resolve() if files and "://" not in files else None
    connection.create_function(SYNC_FUNCTION, _FileSync(folder), [], "INTEGER", side_effects=True)
