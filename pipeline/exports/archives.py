"""The files inside an export file: unpacked as a stream, within limits."""

import errno
import gzip
import io
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from pipeline.errors import FileRefused, FileUnreadable
from pipeline.exports.file_signatures import GZIP_MAGIC, HEAD_BYTES, ZIP_MAGICS, refuse_foreign, refuse_packed_again
from pipeline.exports.zip_members import (
    HARMLESS_BYTES,
    Members,
    ensure_small_directory,
    members_of,
    most_bytes,
    too_much,
)

# Stays free on the disk for other programs.
_SPARE_BYTES = 1 << 30
# Raised by zipfile, gzip and zlib for an inconsistent archive.
_DAMAGE = (EOFError, zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, ValueError)
_CUT_OFF = "is cut off or damaged, so it can't be unpacked: {}; have it sent again"
_BEHIND_GZIP = "has bytes after its gzip data that are not gzip; have it sent again"


@dataclass(frozen=True)
class Piece:
    """A file to read: the export file itself, or a member of its archive, which has a `name`."""

    name: str | None
    open: Callable[[], IO[bytes]]


def pieces(path: Path) -> list[Piece]:
    """The pieces of a file, unpacked, in the order of their names.

    Raises:
        FileRefused: it is neither an export nor an archive of exports; also while a piece is read.
        FileUnreadable: the disk is too full to unpack it; only while a piece is read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(GZIP_MAGIC):
        return [Piece(None, lambda: _gunzipped(path))]
    if head.startswith(ZIP_MAGICS):
        return _members(path)
    refuse_foreign(head)
    return [Piece(None, lambda: path.open("rb"))]


def is_packed(path: Path) -> bool:
    """Whether the pieces have to be unpacked."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES).startswith((GZIP_MAGIC, *ZIP_MAGICS))


def left_out(path: Path) -> list[str]:
    """The names of archive members that are not exports and are not read; raises FileRefused as `pieces` does."""
    with path.open("rb") as file:
        if not file.read(HEAD_BYTES).startswith(ZIP_MAGICS):
            return []
        with opened_zip(file) as (_, members):
            return list(members.left_out)


@contextmanager
def opened_zip(file: IO[bytes]) -> Iterator[tuple[zipfile.ZipFile, Members]]:
    """A zip archive and its members, for the block. Raises FileRefused: it is damaged or unsafe."""
    with unpacking():
        packed_bytes = file.seek(0, 2)
        ensure_small_directory(file)
        with zipfile.ZipFile(file) as archive:
            yield archive, members_of(archive, packed_bytes)


@contextmanager
def unpacking() -> Iterator[None]:
    """Turn errors of unpacking into a refusal of the file."""
    try:
        yield
    except NotImplementedError as error:
        raise FileRefused(
            f"is compressed in a way that is not supported ({error}); use gzip or zip with Deflate"
        ) from None
    except gzip.BadGzipFile as error:
        # The file began as gzip does, or it would not be read as such.
        is_behind = str(error).startswith("Not a gzipped file")
        raise FileRefused(_BEHIND_GZIP if is_behind else _CUT_OFF.format(error)) from None
    except _DAMAGE as error:
        raise FileRefused(_CUT_OFF.format(error)) from None
    except OSError as error:
        # An impossible position (before the start of the file, say) comes from the archive itself.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise FileRefused(_CUT_OFF.format(error.strerror or error)) from None


def _gunzipped(path: Path) -> IO[bytes]:
    stream = gzip.open(path, "rb")  # noqa: SIM115 - the reader of the piece closes it
    try:
        with unpacking():
            head = stream.read(HEAD_BYTES)
            refuse_packed_again(head)
            refuse_foreign(head)
            stream.seek(0)
    except BaseException:
        stream.close()
        raise
    return bounded(stream, path.stat().st_size)


def _members(path: Path) -> list[Piece]:
    with path.open("rb") as file, opened_zip(file) as (_, members):
        texts = members.texts
    # One for all members: opening it reads the whole list of members.
    archive = zipfile.ZipFile(path)
    return [Piece(info.filename if len(texts) > 1 else None, partial(_opened, archive, info, path)) for info in texts]


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> IO[bytes]:
    with unpacking():
        with archive.open(info) as member:
            head = member.read(HEAD_BYTES)
        try:
            refuse_packed_again(head)
            refuse_foreign(head)
        except FileRefused as error:
            raise FileRefused(f"contains {info.filename!r}, which {error}") from None
        return bounded(archive.open(info), path.stat().st_size)


def bounded(stream: "IO[bytes] | gzip.GzipFile", packed_bytes: int) -> IO[bytes]:
    """A stream from a file of so many bytes; raises FileRefused or FileUnreadable if it has too much for one."""
    return io.BufferedReader(_Bounded(stream, packed_bytes), buffer_size=1 << 20)


class _Bounded(io.RawIOBase):
    """A stream that is refused when it grows out of proportion, or would fill the disk."""

    def __init__(self, stream: "IO[bytes] | gzip.GzipFile", packed_bytes: int) -> None:
        self._stream = stream
        self._most = most_bytes(packed_bytes)
        self._read = 0
        self._looked_at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        with unpacking():
            chunk = self._stream.read(len(buffer))
        self._read += len(chunk)
        if self._read > self._most:
            raise FileRefused(too_much(self._most))
        if self._read - self._looked_at > HARMLESS_BYTES:
            self._looked_at = self._read
            if shutil.disk_usage(tempfile.gettempdir()).free < _SPARE_BYTES:
                raise FileUnreadable(
                    f"can't be unpacked: less than {_SPARE_BYTES >> 30} GB is free in {tempfile.gettempdir()}; the "
                    "next run tries again"
                )
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        super().close()
