"""A folder or URL with files that others read: they see the former file or the new one, never a part of it."""

import mimetypes
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.errors import LocationError, SettingsError
from pipeline.filesystems.remote_files import (
    close,
    has_folders,
    open_filesystem,
    require_packages,
    scheme_of,
    without_login,
    words_of,
)

# Object stores that keep the content type with an object; without it, a browser downloads a page.
_WITH_CONTENT_TYPES = ("s3", "s3a")
_READ_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
_TRIAL = "selligent-to-segment-check"


class Destination:
    """A local folder or a URL, which may contain a password; `setting` is the one that names it."""

    def __init__(self, url: str, setting: str) -> None:
        self._url, self._setting, self._scheme = url, setting, scheme_of(url)

    @property
    def folder(self) -> Path | None:
        """The local folder; None for a URL."""
        return None if self._scheme else Path(self._url)

    def shown(self, name: str = "") -> str:
        """The destination, or a file in it, without a login."""
        return f"{without_login(self._url).rstrip('/')}/{name}"

    def require_packages(self) -> None:
        """Raise SettingsError if the packages for it are not installed; nothing is connected."""
        require_packages(self._url, self._setting)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, or replace it. Folders are created.

        Raises:
            OSError: a local file can't be written.
            LocationError: a remote file can't be written.
            SettingsError: a package for it is not installed.
        """
        if self.folder is not None:
            _write_locally(self.folder / name, content)
            return
        with self._opened(f"{self.shown(name)} can't be written") as (filesystem, folder):
            path = f"{folder}/{name}"
            if has_folders(self._scheme):
                filesystem.makedirs(folder or "/", exist_ok=True)
                unfinished = f"{folder}/{_unfinished(name)}"
                filesystem.pipe_file(unfinished, content)
                filesystem.replace(unfinished, path)
            else:  # an object is replaced as a whole
                filesystem.pipe_file(path, content, **self._headers(name))

    def exists(self) -> bool:
        """Whether a remote folder exists; those of object stores always do. Raises as `write` does."""
        with self._opened(f"{self.shown()} can't be reached") as (filesystem, folder):
            return not has_folders(self._scheme) or not folder or bool(filesystem.exists(folder))

    def try_out(self) -> None:
        """Write an empty file to a remote folder, and remove it. Raises as `write` does."""
        name = _unfinished(_TRIAL)
        with self._opened(f"{self.shown()} can't be written") as (filesystem, folder):
            filesystem.pipe_file(f"{folder}/{name}", b"")
        with self._opened(f"{self.shown(name)}, a test file, can't be removed") as (filesystem, folder):
            filesystem.rm_file(f"{folder}/{name}")

    def _headers(self, name: str) -> dict[str, str]:
        kind, _encoding = mimetypes.guess_type(name)
        return {"ContentType": f"{kind}; charset=utf-8"} if kind and self._scheme in _WITH_CONTENT_TYPES else {}

    @contextmanager
    def _opened(self, failure: str) -> Iterator[tuple[Any, str]]:
        """The file system and the path in it, without a slash at its end; errors are of the setting."""
        try:
            filesystem, path = open_filesystem(self._url, self._setting)
            try:
                yield filesystem, path.rstrip("/")
            finally:
                close(filesystem)
        except SettingsError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise LocationError(f"{self._setting}: {failure} ({words_of(error)})") from None


def _unfinished(name: str) -> str:
    """The name of a file that is being written; hidden, and always the same, so that a killed process leaves one."""
    return f".{name}.unfinished"


def _write_locally(file: Path, content: bytes) -> None:
    """Replace a file by one that everyone can read who can read its folder, whatever the umask."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(_unfinished(file.name))
    unfinished.unlink(missing_ok=True)
    try:
        with unfinished.open("xb") as opened:
            os.fchmod(opened.fileno(), stat.S_IRUSR | stat.S_IWUSR | file.parent.stat().st_mode & _READ_BY_OTHERS)
            opened.write(content)
        unfinished.replace(file)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
