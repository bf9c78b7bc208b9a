"""Where exports arrive: a folder, or anything that fsspec reaches; and what tells one file from another."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import LocationError, SettingsError

CHUNK_BYTES = 1 << 20
# Which of this project's extras brings a file system.
_EXTRAS = {"sftp": "sftp", "ssh": "sftp", "s3": "s3", "s3a": "s3", "abfs": "azure", "abfss": "azure", "az": "azure"}


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
    """A folder or URL that exports arrive in.

    Raises:
        SettingsError: there is no such place.
        LocationError: on listing or fetching, where the place can't be read.
    """

    def __init__(self, url: str) -> None:
        try:
            self._filesystem, self._root = url_to_fs(url)
        except ImportError:
            scheme = url.partition("://")[0]
            extra = _EXTRAS.get(scheme)
            remedy = f"`pip install -e '.[{extra}]'`" if extra else "install the fsspec implementation for it"
            raise SettingsError(
                f"SELLIGENT_EXPORTS: {scheme}:// needs a package that is not installed: {remedy}"
            ) from None
        except (OSError, ValueError) as error:  # their words can hold a password
            scheme = url.partition("://")[0]
            raise LocationError(
                f"SELLIGENT_EXPORTS: {scheme}:// can't be used ({type(error).__name__}); check the URL, host and "
                "credentials"
            ) from None
        self._is_local = isinstance(self._filesystem, LocalFileSystem)

    def files(self) -> list[ExportFile]:
        """Every file below the location, by name; hidden ones are somebody's work in progress."""
        if self._is_local and not Path(self._root).is_dir():
            raise SettingsError(f"SELLIGENT_EXPORTS: there is no folder {self._root}")
        try:
            found = self._filesystem.find(self._root, detail=True)
        except Exception as error:  # each file system has errors of its own
            raise LocationError(
                f"SELLIGENT_EXPORTS: {self._filesystem.protocol} can't be listed ({type(error).__name__}); "
                "check host, path and credentials"
            ) from None
        files = [self._described(path, info) for path, info in found.items()]
        return sorted(
            (file for file in files if not PurePosixPath(file.name).name.startswith(".")), key=lambda file: file.name
        )

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
        """The file on this machine: itself where it is local, else a copy that goes away afterwards."""
        path = str(PurePosixPath(self._root) / file.name)
        if self._is_local:
            with Path(path).open("rb") as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
            yield LocalCopy(Path(path), digest)
            return
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "export"
            with self._filesystem.open(path, "rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)
            with copy.open("rb") as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
            yield LocalCopy(copy, digest)
