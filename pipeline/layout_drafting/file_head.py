"""The head of an export: its first bytes, unpacked, from any location."""

import gzip
import io
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import FileRefused, FileUnreadable, InspectionRefused, PipelineError
from pipeline.exports.archives import opened_zip, unpacking
from pipeline.exports.decryption import decrypted
from pipeline.exports.file_names import escaped, without_pgp_ending
from pipeline.exports.file_signatures import (
    GZIP_MAGIC,
    ZIP_MAGICS,
    is_encrypted,
    refuse_foreign,
    refuse_packed_again,
)
from pipeline.exports.file_signatures import HEAD_BYTES as MAGIC_BYTES
from pipeline.filesystems.local_files import open_regular
from pipeline.filesystems.remote_files import opened, words_of
from pipeline.openpgp import SecretKey

# Enough for thousands of rows, and small enough to read at once.
HEAD_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Head:
    """The first bytes of a file, unpacked; `name` is the file's own, without folders."""

    name: str
    content: bytes
    is_whole: bool
    packing: str | None = None
    member: str | None = None
    further_members: int = 0


class IsEncrypted(PipelineError):
    """A file of which only a decrypted copy can be read."""


def read_head(file: str, size: int = HEAD_BYTES, name: str | None = None) -> Head:
    """The head of a local file or of a URL; `name` is the name to show, if it is a copy.

    Raises:
        InspectionRefused: it can't be read, or is not an export.
        IsEncrypted: it has to be decrypted before, see `decrypted_copy`.
    """
    name = name or _name_of(file)
    try:
        with _opened(file) as raw:
            head = _unpacked(name, raw, size)
    except FileRefused as error:
        raise InspectionRefused(f"{name}: {error}") from None
    except FileNotFoundError:
        raise InspectionRefused(f"{name}: there is no such file") from None
    except IsADirectoryError:
        raise InspectionRefused(f"{name or file}: is a folder; name one file in it") from None
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise InspectionRefused(f"{name}: can't be unpacked: {error}") from None
    except (OSError, ValueError, NotImplementedError) as error:  # their messages can contain a password
        words = f"can't be read ({type(error).__name__})"
        is_no_file = isinstance(error, OSError) and error.errno is None  # as `open_regular` words it
        raise InspectionRefused(f"{name}: {error if is_no_file else words}") from None
    if not head.content.strip():
        raise InspectionRefused(f"{name}: is empty")
    return head


def whole_file(file: str, copy: Path) -> Path:
    """The path of a local file, or of a copy of a remote one. Raises InspectionRefused: it can't be read."""
    if "://" not in file:
        return Path(file)
    with _opened(file) as remote, copy.open("wb") as target:
        shutil.copyfileobj(remote, target)
    return copy


def decrypted_copy(file: str, folder: Path, key: Callable[[], SecretKey | None]) -> tuple[Path, str]:
    """A decrypted copy of an encrypted file, in `folder`, and the name for it. Raises InspectionRefused."""
    name = _name_of(file)
    try:
        path = decrypted(whole_file(file, folder / "export"), name, folder, key())
        return path, without_pgp_ending(name)
    except (FileRefused, FileUnreadable) as error:
        raise InspectionRefused(f"{name}: {error}") from None


def _name_of(file: str) -> str:
    return escaped(PurePosixPath(urlsplit(file).path if "://" in file else file).name)


@contextmanager
def _opened(file: str) -> Iterator[io.BufferedReader]:
    if "://" not in file:
        with open_regular(file) as local:
            yield local
        return
    name = _name_of(file)
    try:
        with opened(file, name) as remote:
            raw: Any = _Raw(remote)
            yield io.BufferedReader(raw)
    except (PipelineError, FileNotFoundError, EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile):
        raise
    except Exception as error:  # each file system has errors of its own, when it connects and when it reads
        raise InspectionRefused(f"{name}: can't be read ({words_of(error)})") from None


class _Raw(io.RawIOBase):
    """A file of a remote file system; some kinds support only reading and seeking."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        return int(self._file.tell())


def _unpacked(name: str, raw: io.BufferedReader, size: int) -> Head:
    start = raw.peek(MAGIC_BYTES)[:MAGIC_BYTES]
    if is_encrypted(start, name):
        raise IsEncrypted
    refuse_foreign(start)
    if start.startswith(GZIP_MAGIC):
        with unpacking(), gzip.GzipFile(fileobj=raw) as unpacked:
            content = unpacked.read(size + 1)
        return _head(name, content, size, packing="gzip")
    if start.startswith(ZIP_MAGICS):
        return _zipped(name, raw, size)
    return _head(name, raw.read(size + 1), size)


def _zipped(name: str, raw: io.BufferedReader, size: int) -> Head:
    with opened_zip(raw) as (archive, members):
        filled = [member for member in members.texts if member.file_size]
        if not filled:
            raise InspectionRefused(f"{name}: is empty")
        with archive.open(filled[0]) as member:
            content = member.read(size + 1)
    return _head(name, content, size, "zip", filled[0].filename, len(filled) - 1)


def _head(
    name: str, content: bytes, size: int, packing: str | None = None, member: str | None = None, further: int = 0
) -> Head:
    if packing:
        if is_encrypted(content[:MAGIC_BYTES], member or name.lower().removesuffix(".gz")):
            raise IsEncrypted
        refuse_packed_again(content)
        refuse_foreign(content)
    return Head(name, content[:size], len(content) <= size, packing, member, further)
