"""New files on the disk before a catalog refers to them.

DuckDB writes Parquet files without asking the system to put them on the disk, while the catalog's own commit does ask
(seen in a trace of system calls, DuckDB 1.5.5). After a loss of power the catalog would then know files that are empty
or cut off. So each transaction calls `sync_files()` as its last statement, in this program as well as in dbt.

This module imports nothing of the project: dbt's process loads it, too.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb

FUNCTION = "sync_files"
SYNC = f"SELECT {FUNCTION}()"


class _FileSync:
    """Knows which files it has put on the disk, so that each is synced once."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        # What was there before is either part of a commit, and synced by its writer, or part of none.
        self._known = set(self._files())
        self._folders: set[str] = set()

    def __call__(self) -> int:
        """Sync what is new, files first and then the folders that list them; how many files."""
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
        """The folders above, up to the one that holds the warehouse's: each may be new."""
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
    """Define `sync_files()` on a connection. `files` is the folder of a warehouse's Parquet files; of a bucket, or of
    a DuckDB file (''), which syncs itself, there is nothing to sync.
    """
    folder = Path(files).resolve() if files and "://" not in files else None
    connection.create_function(FUNCTION, _FileSync(folder), [], "INTEGER", side_effects=True)
