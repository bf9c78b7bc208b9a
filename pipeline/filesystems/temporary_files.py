"""Temporary folders whose files do not outlive the process for long, even if it is killed."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

_PREFIX = "selligent-to-segment-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for the block, which only this user can read. If the process is killed, `remove_abandoned` removes it.

    The process holds a lock on it, which the operating system frees when the process ends.
    """
    while True:
        with TemporaryDirectory(prefix=_PREFIX) as name, _lock(name) as is_locked:
            if is_locked:
                yield Path(name)
                return


def remove_abandoned() -> None:
    """Remove this user's temporary folders that no process uses any longer."""
    for folder in Path(gettempdir()).glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # removed in the meantime, or another user's
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:  # in use
            continue
        finally:
            os.close(descriptor)


@contextmanager
def _lock(name: str) -> Iterator[bool]:
    """Hold the lock of a folder; False if `remove_abandoned` of another process was faster."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield Path(name).exists()
    finally:
        os.close(descriptor)
