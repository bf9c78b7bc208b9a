"""Errors of the system as sentences: above all a full disk, as the system, DuckDB, SQLite and dbt report it.

Nothing is lost then: a transaction that did not commit has no effect, and the next run repeats it. So a message needs
only what could not be written, and why.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir

import sqlalchemy as sa

from pipeline.settings import DATA_DIR, SPILL_DIR, Settings
from pipeline.warehouse import Warehouse

_FULL = "the disk is full"
_READ_ONLY = "it is read-only"
_NO_TEMPORARY_FOLDER = "No usable temporary directory found"  # as `tempfile` looks for one
_SPILLING = "max_temp_directory_size"  # as DuckDB names what was free when it began
_WORDS = {
    **dict.fromkeys((os.strerror(errno.ENOSPC), "database or disk is full", _NO_TEMPORARY_FOLDER, _SPILLING), _FULL),
    os.strerror(errno.EDQUOT): "the disk quota is used up",
    os.strerror(errno.EFBIG): "the limit for the size of a file is reached (`ulimit -f`)",
    **dict.fromkeys((os.strerror(errno.EROFS), "readonly database", "read-only database"), _READ_ONLY),
    # SQLite's; a full disk can't hold its shared memory either.
    "disk I/O error": "the disk is full or damaged",
}
_FAULT = re.compile("|".join(map(re.escape, _WORDS)), re.IGNORECASE)
_KINDS = {words.lower(): kind for words, kind in _WORDS.items()}
_PATH = re.compile(r"""(["'])(?P<path>/.+?)\1""")
# DuckDB's errors of a DuckLake's catalog name no file.
_OF_THE_CATALOG = re.compile(r"DuckLake|Failed to execute query", re.IGNORECASE)
_LEDGER = "LEDGER:"
# A disk with less free space counts as full: the log of a database grows by as much.
_FULL_BELOW_BYTES = 1_000_000


def sentence(text: str, settings: Settings | None) -> str | None:
    """What could not be written and why, for an error of a disk; None for the text of any other error."""
    kind = _kind_of(text)
    return None if kind is None else f"{_location(text, kind, settings)} can't be written: {_remedy(kind)}"


def completed(words: str, settings: Settings | None) -> str:
    """A sentence about an error; for one of a disk, with the location and the remedy appended."""
    kind = _kind_of(words)
    if kind is None or kind in words:
        return words
    return f"{words.rstrip('.')}; {_location(words, kind, settings)}: {_remedy(kind)}"


def words_of_error(error: BaseException, settings: Settings | None) -> str | None:
    """A sentence for an error of the system, of an encoding or of a disk; None for any other."""
    if isinstance(error, UnicodeError):
        return f"A text has another encoding than expected: {error}"
    cause: BaseException | None = error
    while cause is not None:
        if (words := sentence(str(cause), settings)) is not None:
            return words
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, OSError):
        words = error.strerror or str(error)
        return f"{error.filename}: {words}" if error.filename is not None else words
    return None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the system name the path that the block writes: those of a full disk name none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def _kind_of(text: str) -> str | None:
    found = _FAULT.search(text)
    return _KINDS[found[0].lower()] if found else None


def _remedy(kind: str) -> str:
    return f"{kind}; {'make it writable' if kind == _READ_ONLY else 'make room'} and run again"


def _location(text: str, kind: str, settings: Settings | None) -> str:
    if _SPILLING in text:
        return str(SPILL_DIR)
    line = next(line for line in text.splitlines() if _FAULT.search(line))  # other lines of a traceback name code
    if (found := _PATH.search(line)) and _NO_TEMPORARY_FOLDER not in text:
        return found["path"]
    if settings is not None:
        catalog = Warehouse.of(settings).catalog_file
        if text.startswith(_LEDGER):
            return str(sa.make_url(settings.ledger).database)
        if catalog is not None and _OF_THE_CATALOG.search(text):
            return str(catalog)
    full = [str(folder) for folder in _disks(settings) if _is_unwritable(folder, kind)]
    return " and ".join(full) or f"A file in {DATA_DIR} or in the folder of temporary files"


def _disks(settings: Settings | None) -> Iterator[Path]:
    """Folders that are written to, one of each disk."""
    folders = [DATA_DIR, Path(os.environ.get("DAGSTER_HOME", DATA_DIR))]
    if settings is not None:
        warehouse, ledger = Warehouse.of(settings), sa.make_url(settings.ledger)
        folders += [warehouse.catalog_file.parent] if warehouse.catalog_file else []
        folders += [Path(warehouse.files)] if warehouse.is_ducklake and not warehouse.is_in_s3 else []
        folders += [Path(ledger.database).parent] if ledger.get_backend_name() == "sqlite" and ledger.database else []
    with suppress(FileNotFoundError):  # no disk takes temporary files
        folders.append(Path(gettempdir()))
    folders += [folder for folder in sorted(DATA_DIR.glob("*")) if folder.is_dir()]  # each may be a volume of its own
    seen = set[int]()
    for folder in folders:
        while not folder.exists():
            folder = folder.parent
        if (disk := folder.stat().st_dev) not in seen:
            seen.add(disk)
            yield folder


def _is_unwritable(folder: Path, kind: str) -> bool:
    disk = os.statvfs(folder)
    if kind == _READ_ONLY:
        return bool(disk.f_flag & os.ST_RDONLY)
    return disk.f_bavail * disk.f_frsize < _FULL_BELOW_BYTES or (disk.f_files > 0 and disk.f_favail == 0)
