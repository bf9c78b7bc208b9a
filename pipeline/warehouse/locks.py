"""Locks that processes wait for by turns. The system or the server releases one when its process ends."""

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
    """A lock that this process holds."""

    def release(self) -> None:
        """Release it."""


class Locks(Protocol):
    """The locks of one warehouse or ledger, each with a name."""

    def take(self, name: str, holder: str) -> Held | None:
        """The lock, if it is free; `holder` is shown to processes that wait for it."""

    def holder(self, name: str) -> str | None:
        """The holder of the lock, as far as it is recorded."""


def this_process(what: str) -> str:
    """A description of this process as a holder; its time is for display only."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{what} (process {os.getpid()} on {socket.gethostname()}), since {since}"


class FileLocks:
    """Locks beside a file: `warehouse.sqlite` has `warehouse.sqlite.steps.lock`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def take(self, name: str, holder: str) -> Held | None:
        """The lock, if it is free. Raises PipelineError: its file can't be created."""
        lock = FileLock(self._path(name, "lock"))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            return None
        except OSError as error:
            raise PipelineError(f"The lock {lock.lock_file} can't be created: {error.strerror}") from None
        held = _HeldFile(lock, self._path(name, "holder"))
        held.note(holder)
        return held

    def holder(self, name: str) -> str | None:
        """The holder of the lock; None where it is not recorded yet."""
        with suppress(OSError, ValueError):
            return str(json.loads(self._path(name, "holder").read_text("utf-8")))
        return None

    def _path(self, name: str, ending: str) -> Path:
        return self._file.with_name(f"{self._file.name}.{name}.{ending}")


@dataclass(frozen=True)
class _HeldFile:
    lock: FileLock
    holder_file: Path

    def note(self, holder: str) -> None:
        with suppress(OSError):  # a full disk does not prevent locking
            self.holder_file.write_text(json.dumps(holder), "utf-8")

    def release(self) -> None:
        with suppress(OSError):
            self.holder_file.unlink(missing_ok=True)
        self.lock.release()


class Turn:
    """A fair lock: the next in line holds a second lock, so that who wants another turn comes after those who wait."""

    def __init__(self, locks: Locks, name: str) -> None:
        self._locks = locks
        self._name = name
        self._in_line: Held | None = None
        self._held: Held | None = None

    def take(self, holder: str) -> bool:
        """Take the lock or a position in line. Returns whether this process has the lock; repeat until it does."""
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
        """The process that has the turn, for display."""
        known = self._locks.holder(self._name) or self._locks.holder(f"{self._name}.next")
        return known or "another process"

    def leave(self) -> None:
        """Release the turn, or the place in line."""
        for held in (self._held, self._in_line):
            if held is not None:
                held.release()
        self._held = self._in_line = None
