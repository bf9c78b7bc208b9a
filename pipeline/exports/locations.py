"""The location of the exports: a folder, or anything that fsspec reaches."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import FileChanged, FileUnreadable, LocationError, SettingsError
from pipeline.exports.file_names import escaped, unescaped
from pipeline.exports.listing import OUTSIDE, ExportFile, LocalWalk, RemoteWalk, described, is_inside
from pipeline.filesystems.local_files import open_regular
from pipeline.filesystems.remote_files import (
    close,
    has_folders,
    open_filesystem,
    require_location,
    scheme_of,
    without_login,
    words_of,
)
from pipeline.orchestration.system_errors import naming

CHUNK_BYTES = 1 << 20
_SETTING = "SELLIGENT_EXPORTS"
# Errors of the machine, whichever file is read.
_OF_THE_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
}
_CHANGED = "changed while it was read; the next run reads it"
_CLOSED = "can't be read ({}); the next run tries again"


@dataclass(frozen=True)
class LocalCopy:
    """A file's bytes on this machine, with their sha256."""

    path: Path
    sha256: str


class ExportLocation:
    """A folder or URL with exports; `shown` is its URL without a login. `follow_links`: also those that lead out of it.

    Raises:
    SettingsError: the location does not exist, or a package for it is not installed.
    LocationError: the location can't be reached, listed or read.
    """

    def __init__(self, url: str, *, follow_links: bool = False) -> None:
        self._follow_links = follow_links
        self._scheme, self.shown = scheme_of(url), without_login(url)
        try:
            self._filesystem, self._root = open_filesystem(url, _SETTING)
        except SettingsError:
            raise
        except Exception as error:  # some connect at once, and each has errors of its own
            raise self._failure("reached", error) from None
        self._is_local = isinstance(self._filesystem, LocalFileSystem)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        close(self._filesystem)

    def files(self) -> list[ExportFile]:
        """Every entry below the location, by name. Hidden files are work in progress and are left out."""
        if self._is_local and not Path(self._root).is_dir():
            raise SettingsError(f"{_SETTING}: there is no folder {escaped(self._root)}")
        try:
            if self._is_local:
                found = list(LocalWalk(self._root, follow_links=self._follow_links).files())
            else:
                found = list(self._walk().files())
                if not found and not has_folders(self._scheme):  # `find` returns nothing for a missing bucket, too
                    require_location(self._filesystem, self._root, self._scheme)
        except Exception as error:
            raise self._failure("listed", error) from None
        return sorted(found, key=lambda file: file.name)

    def _walk(self) -> RemoteWalk:
        folders, links = has_folders(self._scheme), self._follow_links
        return RemoteWalk(self._filesystem, self._root, has_folders=folders, follow_links=links)

    @contextmanager
    def local(self, file: ExportFile) -> Iterator[LocalCopy]:
        """The file on this machine: itself if it is local, else a temporary copy.

        Raises:
            FileNotFoundError: it was removed since it was listed.
            FileUnreadable: it can't be read, while others can.
            FileChanged: it changed since it was listed; also raised after the block.
            LocationError: nothing can be read there anymore.
        """
        path = f"{self._root.rstrip('/')}/{unescaped(file.name)}"
        with TemporaryDirectory() as folder:
            if self._is_local:
                yield self._here(path, Path(folder))
                _ensure_unchanged(path, file)
            else:
                yield self._copied(path, file, Path(folder))

    def _here(self, path: str, folder: Path) -> LocalCopy:
        """The file in place; through a link with a plain name, if DuckDB doesn't accept its path."""
        try:
            if not self._follow_links and not is_inside(os.path.realpath(path), os.path.realpath(self._root)):
                raise FileUnreadable(OUTSIDE)  # it was not a link when it was listed
            with open_regular(path) as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno in _OF_THE_MACHINE:
                raise
            raise FileUnreadable(_CLOSED.format(error.strerror or error)) from None
        if escaped(path) == path:
            return LocalCopy(Path(path), digest)
        link = folder / "export"
        link.symlink_to(path)
        return LocalCopy(link, digest)

    def _copied(self, path: str, file: ExportFile, folder: Path) -> LocalCopy:
        copy = folder / "export"
        try:
            with naming(copy), self._filesystem.open(path, "rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)
        except FileNotFoundError:
            raise  # removed since it was listed
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
                raise
            self._ensure_that_it_answers(file, error)
            raise FileUnreadable(_CLOSED.format(words_of(error))) from None
        if copy.stat().st_size != file.size:
            raise FileChanged(_CHANGED)
        with copy.open("rb") as source:
            return LocalCopy(copy, hashlib.file_digest(source, "sha256").hexdigest())

    def _ensure_that_it_answers(self, file: ExportFile, error: Exception) -> None:
        """Raise the error of a file as one of the location, if that can't be listed either."""
        try:
            self._walk().ensure_that_it_answers()
        except Exception:  # each file system has errors of its own; the first one has more detail
            raise self._failure(f"read at {file.name}", error) from None

    def _failure(self, done: str, error: Exception) -> LocationError:
        location = f"{self._scheme}://" if self._scheme else self.shown
        return LocationError(f"{_SETTING}: {location} can't be {done} ({words_of(error)})")


def _ensure_unchanged(path: str, file: ExportFile) -> None:
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return  # removed after it was read
    now = described(file.name, {"size": found.st_size, "mtime": found.st_mtime})
    if (now.size, now.modified_at) != (file.size, file.modified_at):
        raise FileChanged(_CHANGED)
