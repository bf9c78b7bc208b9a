"""A copy of a plain DuckDB file for those who only read it, beside it: `warehouse.readable.duckdb`.

DuckDB locks a file for the process that writes to it, and readers lock it for writers. So each run publishes a copy at
its end, by a rename: who has the former copy open keeps it, and no run waits for a reader. The copy has the file's time
of modification, by which it is known to be of the file's current content. To copy the bytes takes about a second for a
gigabyte, a fortieth of the time of `COPY FROM DATABASE`, and no memory.
"""

import fcntl
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.console import err
from pipeline.errors import WarehouseError, WarehouseLocked
from pipeline.warehouse.catalog_file import is_empty
from pipeline.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Readable:
    """The warehouse that a reader opens; `as_of` is the time of a copy that is older than the warehouse."""

    warehouse: Warehouse
    as_of: datetime | None = None


def copy_of(file: Path) -> Path:
    """The path of a plain file's copy."""
    return file.with_name(f"{file.stem}.readable{file.suffix}")


def readable(warehouse: Warehouse) -> Readable:
    """What a reader should open: the copy where it is current, or where another process has locked the file itself;
    then a line on stderr says so. Any other warehouse is itself.
    """
    file = warehouse.plain_file
    if file is None:
        return Readable(warehouse)
    copy = copy_of(file)
    copied = replace(warehouse, location=str(copy))
    if _is_current(file, copy):
        return Readable(copied)
    try:
        with warehouse.impatient().reading():
            pass
    except WarehouseLocked as locked:
        with suppress(FileNotFoundError):
            as_of = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
            err.print(f"{locked.held}; reading its copy as of {as_of:%Y-%m-%d %H:%M:%S} UTC", style="yellow")
            return Readable(copied, as_of)
    except WarehouseError:
        pass  # which the reader gets when it opens the warehouse
    return Readable(warehouse)


def publish(warehouse: Warehouse) -> None:
    """Publish a copy of a plain file's current content, as `publish_in_turn` does, as a writer of this machine."""
    if warehouse.plain_file is not None:
        with warehouse.turn():
            publish_in_turn(warehouse)


def publish_in_turn(warehouse: Warehouse) -> None:
    """The same for a caller that holds the writer's lock. A copy that is current stays.

    Raises:
        OSError: the copy can't be written; the former one stays.
        WarehouseLocked: another program keeps the file open for writing.
    """
    file = warehouse.plain_file
    if file is None or is_empty(file):
        return
    copy = copy_of(file)
    unfinished = unfinished_copy_of(file)
    unfinished.unlink(missing_ok=True)  # of a process that was killed
    if _is_current(file, copy):
        return
    if not is_empty(_log_of(file)):  # of a process that was killed; to open the file applies it
        with warehouse.writing_in_turn() as connection:
            connection.execute("CHECKPOINT")
    try:
        _copy(file, unfinished)
        unfinished.replace(copy)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def replace_in_turn(warehouse: Warehouse) -> None:
    """Remove the copy, whose content must not be read any longer, and publish a new one; raises as `publish_in_turn`
    does, and the former copy is gone all the same.
    """
    if warehouse.plain_file is not None:
        copy_of(warehouse.plain_file).unlink(missing_ok=True)
        publish_in_turn(warehouse)


def unfinished_copy_of(file: Path) -> Path:
    """The path of a copy that is being written."""
    copy = copy_of(file)
    return copy.with_name(f".{copy.name}.unfinished")


def _copy(file: Path, target: Path) -> None:
    """Copy a file with its mode and time, while no process can write to it."""
    with file.open("rb") as source, target.open("xb") as copied:
        try:
            fcntl.lockf(source, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WarehouseLocked(str(file), "another process") from None
        found = os.fstat(source.fileno())
        os.fchmod(copied.fileno(), stat.S_IMODE(found.st_mode))
        shutil.copyfileobj(source, copied, 1 << 20)
        copied.flush()
        os.fsync(copied.fileno())
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _is_current(file: Path, copy: Path) -> bool:
    """Whether the copy has the content that the file has now, without what an open transaction adds."""
    try:
        ours, theirs = copy.stat(), file.stat()
    except FileNotFoundError:
        return False
    return (ours.st_mtime_ns, ours.st_size) == (theirs.st_mtime_ns, theirs.st_size) and is_empty(_log_of(file))


def _log_of(file: Path) -> Path:
    """The write-ahead log of a DuckDB file; it is empty or missing where the file is closed."""
    return file.with_name(f"{file.name}.wal")
