"""What a file really is: told by its first bytes, whatever its name says; unpacked as a stream, within limits."""

import errno
import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from pipeline.errors import FileRefused

# Text packs to a tenth; where rows are all alike, to a hundredth. Beyond this a file was made to fill disks.
MAX_RATIO = 250
MAX_UNPACKED_BYTES = 256 << 30
# So little is unpacked without asking for the ratio: a file of one row, repeated, is no bomb.
_HARMLESS_BYTES = 64 << 20

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_HEAD_BYTES = 16

PGP = "is encrypted or signed with PGP; decrypt it first"
EXCEL = "is an Excel workbook; have the export written as delimited text"
_FOREIGN = {
    b"-----BEGIN PGP": PGP,
    b"\xd0\xcf\x11\xe0": EXCEL,
    b"%PDF": "is a PDF; have the export written as delimited text",
    b"PAR1": "is a Parquet file; have the export written as delimited text",
    b"7z\xbc\xaf\x27\x1c": "is packed with 7-Zip; zip and gzip are read",
    b"Rar!\x1a\x07": "is packed with RAR; zip and gzip are read",
    b"BZh": "is packed with bzip2; zip and gzip are read",
    b"\xfd7zXZ\x00": "is packed with xz; zip and gzip are read",
    b"\x28\xb5\x2f\xfd": "is packed with Zstandard; zip and gzip are read",
}
# What zipfile, gzip and zlib raise where a package contradicts itself.
_DAMAGE = (EOFError, zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, ValueError)
_CUT_OFF = "is cut off or damaged, so it can't be unpacked: {}; have it sent again"


@dataclass(frozen=True)
class Piece:
    """A text inside a file: the file itself, or a member of its archive, which has a `name`."""

    name: str | None
    open: Callable[[], IO[bytes]]


def pieces(path: Path) -> list[Piece]:
    """The texts that a file holds, still encoded, in the order of their names.

    Raises:
        FileRefused: it is no text and no archive of texts; also while a piece is read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(GZIP_MAGIC):
        return [Piece(None, lambda: _bounded(gzip.open(path, "rb"), path.stat().st_size))]
    if head.startswith(ZIP_MAGICS):
        return _members(path)
    refuse_foreign(head)
    return [Piece(None, lambda: path.open("rb"))]


def is_packed(path: Path) -> bool:
    """Whether the texts have to be unpacked."""
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).startswith((GZIP_MAGIC, *ZIP_MAGICS))


@contextmanager
def unpacking() -> Iterator[None]:
    """Faults of a package, while it is read, as a reason to refuse the file."""
    try:
        yield
    except _DAMAGE as error:
        raise FileRefused(_CUT_OFF.format(error)) from None
    except OSError as error:
        # A place that can't be (before the start of the file, say) is written in the package itself.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise FileRefused(_CUT_OFF.format(error.strerror or error)) from None


def refuse_foreign(head: bytes) -> None:
    """Refuse what begins as a file of another kind does, such as Excel's or PGP's.

    Raises:
        FileRefused: with what it is.
    """
    for magic, reason in _FOREIGN.items():
        if head.startswith(magic):
            raise FileRefused(reason)
    if _is_openpgp(head):
        raise FileRefused(PGP)


def _is_openpgp(head: bytes) -> bool:
    """Whether a binary OpenPGP message begins here: an encrypted session key, whose version number stands after one
    or two bytes of length (RFC 9580, sections 4.2 and 5.1).
    """
    if len(head) < 4:
        return False
    versions = {0x84: head[2] == 3, 0x85: head[3] == 3, 0x8C: head[2] == 4, 0xC1: 3 in head[2:4], 0xC3: head[2] == 4}
    return versions.get(head[0], False)


def texts_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members of an archive that are texts of an export, in the order of their names.

    Raises:
        FileRefused: it is a workbook, or holds what is never read.
    """
    infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
    if any(info.filename == "[Content_Types].xml" for info in infos):
        raise FileRefused(EXCEL)
    for info in infos:
        inside, windows = PurePosixPath(info.filename), PureWindowsPath(info.filename)
        if inside.is_absolute() or windows.drive or ".." in (*inside.parts, *windows.parts):
            raise FileRefused(f"holds {info.filename!r}, a path outside of the archive; nothing of it is read")
        if info.flag_bits & 0x1:
            raise FileRefused(f"holds {info.filename!r}, which has a password; have it sent without")
    return sorted((info for info in infos if not _is_scrap(info.filename)), key=lambda info: info.filename)


def _members(path: Path) -> list[Piece]:
    with unpacking(), zipfile.ZipFile(path) as archive:
        texts = texts_in(archive)
    return [Piece(info.filename if len(texts) > 1 else None, _opener(path, info)) for info in texts]


def _is_scrap(name: str) -> bool:
    """What packers leave behind beside the files that they were given."""
    path = PurePosixPath(name)
    return path.parts[:1] == ("__MACOSX",) or path.name.startswith(".")


def _opener(path: Path, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        with unpacking():
            with zipfile.ZipFile(path) as archive:
                stream = archive.open(info)  # it keeps the file open after the archive is closed
            head = stream.read(_HEAD_BYTES)
            stream.seek(0)
        if head.startswith((GZIP_MAGIC, *ZIP_MAGICS)):
            raise FileRefused(f"holds {info.filename!r}, which is packed once more; pack it once")
        refuse_foreign(head)
        return _bounded(stream, path.stat().st_size)

    return opened


def _bounded(stream: "IO[bytes] | gzip.GzipFile", packed_bytes: int) -> IO[bytes]:
    return io.BufferedReader(_Bounded(stream, packed_bytes), buffer_size=1 << 20)


class _Bounded(io.RawIOBase):
    """A stream that ends in a refusal when it grows out of proportion."""

    def __init__(self, stream: "IO[bytes] | gzip.GzipFile", packed_bytes: int) -> None:
        self._stream = stream
        self._most = min(max(packed_bytes * MAX_RATIO, _HARMLESS_BYTES), MAX_UNPACKED_BYTES)
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        with unpacking():
            chunk = self._stream.read(len(buffer))
        self._read += len(chunk)
        if self._read > self._most:
            raise FileRefused(f"unpacks to more than {self._most / 1e6:,.0f} MB, which no export of its size does")
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        super().close()
