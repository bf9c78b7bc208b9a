"""The Parquet files that a DuckLake's catalog refers to: listed, copied and checked. They never change."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import WarehouseError
from pipeline.filesystems.remote_files import open_filesystem
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
        filesystem, root = open_filesystem(files, "WAREHOUSE_FILES")
        found = _sizes_below(filesystem, root) if self.sizes else {}
        return [path for path, size in self.sizes.items() if found.get(path) != size]

    def copy(self, files: str, folder: Path) -> int:
        """Copy those that a local folder lacks from WAREHOUSE_FILES. Returns their number.

        Raises:
            WarehouseError: one is missing, or has another size than its catalog records.
        """
        filesystem, root = open_filesystem(files, "WAREHOUSE_FILES")
        new = [path for path, size in self.sizes.items() if not _has(folder / path, size)]
        for path in new:
            copy = folder / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            unfinished = copy.with_name(f".{copy.name}.unfinished")
            unfinished.unlink(missing_ok=True)
            _fetch(filesystem, f"{root.rstrip('/')}/{path}", unfinished, is_local="://" not in files)
            if unfinished.stat().st_size != self.sizes[path]:
                raise WarehouseError(f"WAREHOUSE_FILES: {path} has another size than its catalog records")
            unfinished.rename(copy)
        return len(new)

    def put_back(self, paths: Sequence[str], folder: Path, files: str) -> None:
        """Copy files from a backup's folder to WAREHOUSE_FILES."""
        filesystem, root = open_filesystem(files, "WAREHOUSE_FILES")
        for path in paths:
            target = f"{root.rstrip('/')}/{path}"
            filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
            filesystem.put_file(str(folder / path), target)

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


def _sizes_below(filesystem: Any, root: str) -> dict[str, int]:
    found: Mapping[str, Any] = filesystem.find(root.rstrip("/"), detail=True)
    start = len(root.rstrip("/")) + 1
    return {path[start:]: int(entry["size"]) for path, entry in found.items()}


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
