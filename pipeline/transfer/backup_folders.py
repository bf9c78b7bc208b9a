"""A folder of backups: each backup is a folder of its own, which has its name once it is complete.

So an interrupted backup can't be mistaken for a complete one, and a backup of a damaged warehouse replaces no good one.
Parquet files that are copied never change, and are shared by all backups of the folder.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from pipeline.errors import SettingsError, WarehouseError
from pipeline.transfer.manifest import MANIFEST

# The folder of the Parquet files, beside the backups.
PARQUET_FILES = "files"
_UNFINISHED = ".unfinished-"
_NAME = "%Y-%m-%dT%H%M%SZ"


@dataclass(frozen=True)
class Unfinished:
    """A backup that is being written into the folder `path`, and belongs into `folder`."""

    path: Path
    folder: Path
    created_at: datetime

    def finish(self) -> Path:
        """Give the folder the name of a complete backup; returns it."""
        flush(self.path)
        name = self.created_at.astimezone(UTC).strftime(_NAME)
        path, number = self.folder / name, 1
        while path.exists():
            number += 1
            path = self.folder / f"{name}-{number}"
        self.path.rename(path)
        flush_to_disk(self.folder)
        return path


@contextmanager
def new_backup(folder: Path, now: datetime) -> Iterator[Unfinished]:
    """A backup to be written and finished within the block; what is unfinished at its end is removed.

    Raises:
        WarehouseError: another backup is being written to the same folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise WarehouseError(f"{folder}: another backup is being written to it; wait until it has ended") from None
    with lock:
        for path in folder.glob(f"{_UNFINISHED}*"):  # of a process that was killed
            shutil.rmtree(path)
        path = folder / f"{_UNFINISHED}{uuid4().hex}"
        path.mkdir()
        try:
            yield Unfinished(path, folder, now)
        finally:
            shutil.rmtree(path, ignore_errors=True)


def backups_in(folder: Path) -> list[Path]:
    """The complete backups in a folder, oldest first."""
    return sorted(path.parent for path in folder.glob(f"[0-9]*Z*/{MANIFEST}"))


def backup_at(path: Path) -> Path:
    """The backup that a path names: itself, or the newest one in it. Raises SettingsError: there is none."""
    if (path / MANIFEST).is_file():
        return path
    if not (found := backups_in(path)):
        raise SettingsError(f"{path}: contains no complete backup; name a folder that `backup` wrote to")
    return found[-1]


def remove_all_but(folder: Path, number: int) -> list[Path]:
    """Remove the oldest backups, so that so many remain. Returns the removed ones."""
    removed = backups_in(folder)[:-number]
    for path in removed:
        (path / MANIFEST).unlink()  # first: without it, the rest is no backup
        shutil.rmtree(path)
    return removed


def flush(folder: Path) -> None:
    """Write the files of a folder to the disk before their names matter."""
    for path in (*folder.iterdir(), folder):
        flush_to_disk(path)


def flush_to_disk(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
