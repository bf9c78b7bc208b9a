"""Where exports arrive: a folder, or anything that fsspec reaches; and what tells one file from another."""

import hashlib
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Self

from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import LocationError, SettingsError
from pipeline.filesystems import close, open_filesystem, refuse_missing, scheme_of, without_login, words_of

CHUNK_BYTES = 1 << 20
_SETTING = "SELLIGENT_EXPORTS"


@dataclass(frozen=True)
class ExportFile:
    """One file as it was seen: its name within the location, its bytes' number, when it was last written (UTC)."""

    name: str
    size: int
    modified_at: datetime

    @property
    def base_name(self) -> str:
        """The name that layouts are matched with: no folders, no `.gz` or `.zip`."""
        return PurePosixPath(self.name).name.removesuffix(".gz").removesuffix(".zip")


@dataclass(frozen=True)
class LocalCopy:
    """A file's bytes on this machine, with their sha256."""

    path: Path
    sha256: str


class ExportLocation:
    """A folder or URL that exports arrive in; `shown` says which to a person, without a login.

    Raises:
        SettingsError: there is no such place, or no package that reaches it.
        LocationError: the place can't be reached, listed or read.
    """

    def __init__(self, url: str) -> None:
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
        """Every file below the location, by name; hidden ones are somebody's work in progress."""
        if self._is_local and not Path(self._root).is_dir():
            raise SettingsError(f"{_SETTING}: there is no folder {self._root}")
        try:
            found = self._filesystem.find(self._root, detail=True)
            if not found:  # which `find` also answers where there is nothing to look into
                refuse_missing(self._filesystem, self._root, self._scheme)
            files = [
                self._described(path, info)
                for path, named in found.items()
                if not path.endswith("/")  # what S3's console makes for a folder
                and (info := self._followed(path, named)).get("type", "file") == "file"
            ]
        except Exception as error:
            raise self._failure("listed", error) from None
        return sorted(
            (file for file in files if not PurePosixPath(file.name).name.startswith(".")), key=lambda file: file.name
        )

    def _followed(self, path: str, info: dict[str, Any]) -> dict[str, Any]:
        """What a link leads to, since the link stays as it is when that changes; the link where it leads nowhere."""
        try:
            if self._is_local and info.get("islink"):
                led = Path(path).stat()
                kind = "file" if stat.S_ISREG(led.st_mode) else "other"
                return {"type": kind, "size": led.st_size, "mtime": led.st_mtime}
            return self._filesystem.info(path) if info.get("type") == "link" else info
        except FileNotFoundError:
            return info

    def _described(self, path: str, info: dict[str, Any]) -> ExportFile:
        modified = info.get("mtime") or info.get("LastModified") or info.get("last_modified")
        if modified is None:
            modified = self._filesystem.modified(path)
        if not isinstance(modified, datetime):
            modified = datetime.fromtimestamp(float(modified), UTC)
        elif modified.tzinfo is None:
            modified = modified.replace(tzinfo=UTC)
        name = str(PurePosixPath(path).relative_to(self._root))
        return ExportFile(name, int(info["size"]), modified.astimezone(UTC))

    @contextmanager
    def local(self, file: ExportFile) -> Iterator[LocalCopy]:
        """The file on this machine: itself where it is local, else a copy that goes away afterwards.

        Raises:
            FileNotFoundError: it was taken away since it was listed.
        """
        path = str(PurePosixPath(self._root) / file.name)
        if self._is_local:
            with Path(path).open("rb") as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
            yield LocalCopy(Path(path), digest)
            return
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "export"
            try:
                with self._filesystem.open(path, "rb") as source, copy.open("wb") as target:
                    shutil.copyfileobj(source, target, CHUNK_BYTES)
            except FileNotFoundError:
                raise  # taken away since it was listed
            except Exception as error:
                raise self._failure(f"read at {file.name}", error) from None
            with copy.open("rb") as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
            yield LocalCopy(copy, digest)

    def _failure(self, done: str, error: Exception) -> LocationError:
        place = f"{self._scheme}://" if self._scheme else self.shown
        return LocationError(f"{_SETTING}: {place} can't be {done} ({words_of(error)})")
