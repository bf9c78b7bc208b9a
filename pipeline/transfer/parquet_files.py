"""The Parquet files that a DuckLake's catalog refers to: listed, copied and checked. They never change."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import PipelineError, WarehouseError
from pipeline.filesystems.remote_files import open_filesystem, words_of
from pipeline.finding import counted, some
from pipeline.warehouse import literal

# The list of a backup, beside its manifest.
LIST = "files.csv"
# Files of every snapshot, since time travel needs them; `{catalog}` is the schema of the catalog's tables. Runs as it
# is in DuckDB, for a catalog in SQLite, and in PostgreSQL.
_FILES = """
    SELECT DISTINCT
        CASE WHEN files.path_is_relative THEN schemas.path || tables.path || files.path ELSE files.path END AS path,
        files.file_size_bytes AS size
    FROM (
        SELECT table_id, path, path_is_relative, file_size_bytes FROM {catalog}.ducklake_data_file
        UNION ALL
        SELECT table_id, path, path_is_relative, file_size_bytes FROM {catalog}.ducklake_delete_file
    ) AS files
    JOIN {catalog}.ducklake_table AS tables ON files.table_id = tables.table_id
    JOIN {catalog}.ducklake_schema AS schemas ON tables.schema_id = schemas.schema_id
    ORDER BY path
"""


@dataclass(frozen=True)
class ParquetFiles:
    """Files below WAREHOUSE_FILES: sizes in bytes by the path relative to it."""

    sizes: Mapping[str, int]

    @classmethod
    def of_list(cls, path: Path) -> "ParquetFiles":
        """The files of a backup's list."""
        rows = duckdb.sql(
            f"SELECT path, size FROM read_csv({literal(str(path))}, header = true, "
            "columns = {'path': 'VARCHAR', 'size': 'BIGINT'})"
        ).fetchall()
        return cls(dict(rows))

    @property
    def bytes(self) -> int:
        """Their size in all."""
        return sum(self.sizes.values())

    def missing_in(self, files: str) -> list[str]:
        """Those that WAREHOUSE_FILES, a folder or a prefix, does not have with their size."""
        if not self.sizes:
            return []
        with _opened(files, "can't be listed") as (filesystem, root):
            found: Mapping[str, Any] = filesystem.find(root, detail=True)
        sizes = {path[len(root) + 1 :]: int(entry["size"]) for path, entry in found.items()}
        return [path for path, size in self.sizes.items() if sizes.get(path) != size]

    def copy(self, files: str, folder: Path) -> int:
        """Copy those that a local folder lacks from WAREHOUSE_FILES. Returns their number.

        Raises:
            WarehouseError: one can't be read, or has another size than its catalog records.
        """
        new = [path for path, size in self.sizes.items() if not _has(folder / path, size)]
        with _opened(files, "can't be read") as (filesystem, root):
            for path in new:
                copy = folder / path
                copy.parent.mkdir(parents=True, exist_ok=True)
                unfinished = copy.with_name(f".{copy.name}.unfinished")
                unfinished.unlink(missing_ok=True)
                _fetch(filesystem, f"{root}/{path}", unfinished, is_local="://" not in files)
                if unfinished.stat().st_size != self.sizes[path]:
                    raise WarehouseError(f"WAREHOUSE_FILES: {path} has another size than its catalog records")
                unfinished.rename(copy)
        return len(new)

    def put_back(self, paths: Sequence[str], folder: Path, files: str) -> None:
        """Copy files from a backup's folder to WAREHOUSE_FILES. Raises WarehouseError: it can't be written."""
        with _opened(files, "can't be written") as (filesystem, root):
            for path in paths:
                filesystem.makedirs(f"{root}/{path}".rpartition("/")[0], exist_ok=True)
                filesystem.put_file(str(folder / path), f"{root}/{path}")

    def check(self, files: str, folder: Path | None) -> list[str]:
        """The files that have to be copied back from a backup's folder (None: it has none).

        Raises:
            WarehouseError: some are neither in WAREHOUSE_FILES nor in the backup.
        """
        missing = self.missing_in(files)
        lost = [path for path in missing if folder is None or not _has(folder / path, self.sizes[path])]
        if lost:
            remedy = (
                "The backup only lists them, and upkeep has removed them since, or they were lost: copy them back, or "
                "use a newer backup, or one made with --files"
                if folder is None
                else "The backup does not have them either: use another backup"
            )
            raise WarehouseError(
                f"WAREHOUSE_FILES: {counted(len(lost), 'Parquet file')} of the backup {_are(lost)} missing, or "
                f"{'has another size' if len(lost) == 1 else 'have other sizes'}: {some(lost)}. Nothing was "
                f"restored. {remedy}"
            )
        return missing


def list_files(connection: duckdb.DuckDBPyConnection, catalog: str, path: Path) -> ParquetFiles:
    """Write the list of a DuckLake's files; `catalog` is SQL for the schema of the catalog's tables."""
    connection.execute(f"COPY ({files_query(catalog)}) TO {literal(str(path))} (FORMAT csv, HEADER)")
    return ParquetFiles.of_list(path)


def files_query(catalog: str) -> str:
    """SQL for the files of all snapshots, with their sizes."""
    return _FILES.format(catalog=catalog)


def remove_unlisted(folder: Path, listed: Sequence[ParquetFiles]) -> int:
    """Remove the files of a backups' folder that no backup lists. Returns their number."""
    known = {path for files in listed for path in files.sizes}
    unlisted = [
        path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).as_posix() not in known
    ]
    for path in unlisted:
        path.unlink()
    return len(unlisted)


def _are(paths: Sequence[str]) -> str:
    return "is" if len(paths) == 1 else "are"


@contextmanager
def _opened(files: str, failure: str) -> Iterator[tuple[Any, str]]:
    """The file system of WAREHOUSE_FILES, and the path in it without a slash at its end. An error of a server becomes a
    WarehouseError without its message, which may contain a secret.
    """
    try:
        filesystem, path = open_filesystem(files, "WAREHOUSE_FILES")
        yield filesystem, path.rstrip("/")
    except PipelineError:
        raise
    except Exception as error:  # each file system has errors of its own
        if "://" not in files:
            raise
        raise WarehouseError(f"WAREHOUSE_FILES: {files} {failure} ({words_of(error)})") from None


def _has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _fetch(filesystem: Any, source: str, copy: Path, *, is_local: bool) -> None:
    """Link a file on the same disk, which takes no space, and copy any other."""
    if is_local:
        try:
            os.link(source, copy)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, copy)
    else:
        filesystem.get_file(source, str(copy))
    with copy.open("rb") as file:
        os.fsync(file.fileno())
