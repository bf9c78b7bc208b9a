"""Copies of the files that catalogs and ledgers are in, made while other processes use them."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from pipeline.errors import WarehouseError

# As long as the pipeline's own connections wait.
_BUSY_SECONDS = 30
# What SQLite and DuckDB keep beside a database's file.
_BESIDE = ("", "-wal", "-shm", ".wal")


def copy_sqlite(source: Path, copy: Path) -> None:
    """Copy a SQLite database as it was at one moment. Its writers don't wait, and it is not changed.

    No other SQLite library of this process may have the source open: its locks would be lost.

    Raises:
        WarehouseError: it can't be read.
    """
    for ending in _BESIDE:  # the log of an earlier copy would be taken for this one's
        Path(f"{copy}{ending}").unlink(missing_ok=True)
    location = f"file:{quote(str(source))}?mode=rw"
    try:
        with (
            closing(sqlite3.connect(location, uri=True, timeout=_BUSY_SECONDS)) as reading,
            closing(sqlite3.connect(copy)) as writing,
        ):
            reading.backup(writing)
    except sqlite3.Error as error:
        raise WarehouseError(f"{source}: can't be copied ({error})") from None
    as_one_file(copy)


def as_one_file(database: Path) -> None:
    """Move what is in a SQLite database's log into its file; the log is removed. It stays in WAL mode, without which
    no reader can attach a catalog.
    """
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def copy_duckdb_file(source: Path, copy: Path) -> None:
    """Copy a DuckDB file, with the log that a killed process left. The caller has the writer's turn."""
    for ending in ("", ".wal"):
        if (path := Path(f"{source}{ending}")).exists():
            shutil.copyfile(path, f"{copy}{ending}")


def set_aside(file: Path, ending: str) -> Path | None:
    """Rename a database's file, and those beside it, by an ending; the new path. None: there is no file."""
    aside = Path(f"{file}{ending}")
    for beside in reversed(_BESIDE):
        if (path := Path(f"{file}{beside}")).exists():
            path.rename(f"{aside}{beside}")
    return aside if aside.exists() else None
