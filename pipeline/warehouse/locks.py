"""Locks that processes wait for by turns, and who holds them. The system or the server takes a lock back when its
process ends, however it ends.
"""

import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from pipeline.errors import PipelineError


class Held(Protocol):
    """A lock that this process has."""

    def release(self) -> None:
        """Let go of it."""


class Locks(Protocol):
    """Locks of one place, each with a name."""

    def take(self, name: str, holder: str) -> Held | None:
        """The lock, if it can be had at once; `holder` is what others read who wait for it."""

    def holder(self, name: str) -> str | None:
        """Who has the lock, as far as it is noted."""


def this_process(what: str) -> str:
    """A note of who holds a lock; the time is for people, nothing is decided by it."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{what} (process {os.getpid()} on {socket.gethostname()}), since {since}"


class FileLocks:
    """Locks beside a file: `warehouse.sqlite` has `warehouse.sqlite.steps.lock`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def take(self, name: str, holder: str) -> Held | None:
        """The lock, if it can be had at once.

        Raises:
            PipelineError: its file can't be made.
        """
        lock = FileLock(self._path(name, "lock"))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            return None
        except OSError as error:
            raise PipelineError(f"The lock {lock.lock_file} can't be made: {error.strerror}") from None
        held = _HeldFile(lock, self._path(name, "holder"))
        held.note(holder)
        return held

    def holder(self, name: str) -> str | None:
        """Who has the lock; None where its note is not written yet."""
        with suppress(OSError, ValueError):
            return str(json.loads(self._path(name, "holder").read_text("utf-8")))
        return None

    def _path(self, name: str, ending: str) -> Path:
        return self._file.with_name(f"{self._file.name}.{name}.{ending}")


@dataclass(frozen=True)
class _HeldFile:
    lock: FileLock
    place: Path

    def note(self, holder: str) -> None:
        with suppress(OSError):  # a disk that is full keeps nobody from the lock
            self.place.write_text(json.dumps(holder), "utf-8")

    def release(self) -> None:
        with suppress(OSError):
            self.place.unlink(missing_ok=True)
        self.lock.release()


class Turn:
    """A turn at a place: whoever waits stands in line by a lock of its own, so that whoever has had a turn and wants
    the next one comes after those who wait already.
    """

    def __init__(self, locks: Locks, name: str) -> None:
        self._locks = locks
        self._name = name
        self._in_line: Held | None = None
        self._held: Held | None = None

    def take(self, holder: str) -> bool:
        """Whether it is this process's turn now; asked again and again, it will be."""
        if self._in_line is None:
            self._in_line = self._locks.take(f"{self._name}.next", holder)
            if self._in_line is None:
                return False
        self._held = self._locks.take(self._name, holder)
        if self._held is None:
            return False
        self._in_line.release()
        self._in_line = None
        return True

    def holder(self) -> str:
        """Who has the turn, for a person."""
        known = self._locks.holder(self._name) or self._locks.holder(f"{self._name}.next")
        return known or "another process"

    def leave(self) -> None:
        """Let go of the turn, or of the place in line."""
        for held in (self._held, self._in_line):
            if held is not None:
                held.release()
        self._held = self._in_line = None
