"""The files of a location: each entry with its size and time, or with the reason why it is ignored.

A problem of one entry (a broken link, a folder without permission, a pipe) is a fault of that entry; the others are
listed. An error leaves this module only if the location itself can't be listed.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.exports.file_names import escaped, without_packing
from pipeline.filesystems.local_files import kind_of
from pipeline.filesystems.remote_files import words_of

OUTSIDE = (
    "is a link to a target outside the exports folder and is not followed; move the target into the folder, or "
    "set SELLIGENT_FOLLOW_LINKS=true"
)
_NOWHERE = "is a link whose target does not exist"
_TO_ITSELF = "is a link to itself"
_CLOSED_FOLDER = "is a folder that can't be listed ({}); nothing in it is read, and the next run tries again"
_WITHOUT_TIME = "has a modification time that is not a date"
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class ExportFile:
    """One file: its name within the location (see `file_names`), its size in bytes, when it was last written (UTC);
    `fault` is why it can't be read, whatever its name.
    """

    name: str
    size: int
    modified_at: datetime
    fault: str | None = None

    @property
    def base_name(self) -> str:
        """The name that layouts are matched with: no folders, no `.gz` or `.zip`."""
        return without_packing(self.name.rpartition("/")[2])


def is_inside(path: str, root: str) -> bool:
    """Whether a path lies in a folder; both without links."""
    return path == root or path.startswith(f"{root.rstrip('/')}/")


class LocalWalk:
    """Every entry below a local folder that is not a folder itself.

    A link to a folder inside is skipped, since that folder is listed itself; so a loop always ends. A link that leads
    out of the folder is a fault, unless `follow_links`.
    """

    def __init__(self, root: str, *, follow_links: bool) -> None:
        self._given = root
        self._root = os.path.realpath(root)
        self._follow_links = follow_links
        self._visited: set[tuple[int, int]] = set()
        self._folders = [(root, "")]
        # Folders outside come last: files inside are listed under their own names.
        self._linked: list[tuple[str, str]] = []

    def files(self) -> Iterator[ExportFile]:
        """The entries without hidden ones. Raises OSError: the folder itself can't be listed."""
        while self._folders or self._linked:
            folder, prefix = (self._folders or self._linked).pop()
            try:
                seen = Path(folder).stat()
                if (seen.st_dev, seen.st_ino) in self._visited:
                    continue
                self._visited.add((seen.st_dev, seen.st_ino))
                with os.scandir(folder) as listed:
                    entries = list(listed)
            except FileNotFoundError:
                if folder == self._given:
                    raise
                continue  # removed in the meantime
            except OSError as error:
                if folder == self._given:
                    raise
                yield _faulty(prefix.rstrip("/"), _CLOSED_FOLDER.format(error.strerror), _modified_at(folder))
                continue
            for entry in entries:
                if (file := self._entry(entry, prefix + entry.name)) is not None:
                    yield file

    def _entry(self, entry: "os.DirEntry[str]", name: str) -> ExportFile | None:
        try:
            if entry.is_dir(follow_symlinks=False):
                self._folders.append((entry.path, f"{name}/"))
                return None
            if entry.name.startswith("."):  # work in progress
                return None
            if entry.is_symlink():
                return self._link(entry.path, name)
            return _described(name, entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            return None  # removed in the meantime
        except OSError as error:
            return _faulty(name, f"can't be inspected ({error.strerror})", _modified_at(entry.path))

    def _link(self, path: str, name: str) -> ExportFile | None:
        try:
            target = os.path.realpath(path, strict=True)
            found = Path(target).stat()
        except FileNotFoundError:
            return _faulty(name, _NOWHERE, _modified_at(path))
        except OSError as error:
            fault = _TO_ITSELF if error.errno == errno.ELOOP else f"{_NOWHERE} ({error.strerror})"
            return _faulty(name, fault, _modified_at(path))
        inside = is_inside(target, self._root)
        if not inside and not self._follow_links:
            return _faulty(name, OUTSIDE, _modified_at(path))
        if stat.S_ISDIR(found.st_mode):
            if not inside:
                self._linked.append((target, f"{name}/"))
            return None
        return _described(name, found)


def _described(name: str, found: os.stat_result) -> ExportFile:
    if not stat.S_ISREG(found.st_mode):
        return _faulty(name, f"is not a file but {kind_of(found.st_mode)}", found.st_mtime)
    return described(name, {"size": found.st_size, "mtime": found.st_mtime})


def _faulty(name: str, fault: str, modified: object = None) -> ExportFile:
    """An entry that can't be read, with its own time, not that of a link's target."""
    try:
        return ExportFile(escaped(name), 0, _moment(modified or 0), fault)
    except (OverflowError, ValueError, OSError):
        return ExportFile(escaped(name), 0, _EPOCH, fault)


def _modified_at(path: str) -> float:
    try:
        return Path(path).lstat().st_mtime
    except OSError:
        return 0


def _moment(modified: Any) -> datetime:
    if not isinstance(modified, datetime):
        return datetime.fromtimestamp(float(modified), UTC)
    return modified.replace(tzinfo=UTC) if modified.tzinfo is None else modified.astimezone(UTC)


def described(name: str, info: Mapping[str, Any], modified: Callable[[], Any] | None = None) -> ExportFile:
    """An entry as a file system describes it; `modified` returns the time if the description has none."""
    moment = info.get("mtime") or info.get("LastModified") or info.get("last_modified")
    if moment is None:
        moment = modified() if modified else 0
    try:
        return ExportFile(escaped(name), int(info["size"]), _moment(moment))
    except (OverflowError, ValueError, OSError):
        return _faulty(name, _WITHOUT_TIME)


class RemoteWalk:
    """Every entry below a remote folder. Object stores list all entries at once; on SFTP each folder is listed by
    itself, since fsspec silently skips folders that can't be listed.
    """

    def __init__(self, filesystem: Any, root: str, *, has_folders: bool, follow_links: bool) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._has_folders = has_folders
        self._follow_links = follow_links

    def files(self) -> Iterator[ExportFile]:
        """The entries without hidden ones. Raises an error of the file system's own if the location can't be listed."""
        listed = self._folder_by_folder() if self._has_folders else self._at_once()
        for path, info in listed:
            name = path.removeprefix(self._root).removeprefix("/")
            if PurePosixPath(name).name.startswith("."):
                continue
            if info.get("fault"):
                yield _faulty(name, info["fault"], info.get("mtime"))
            elif info.get("type", "file") != "file":
                yield _faulty(name, "is not a file", info.get("mtime"))
            else:
                try:
                    file = described(name, info, partial(self._filesystem.modified, path))
                except Exception as error:  # each file system has errors of its own
                    self.ensure_that_it_answers()
                    file = _faulty(name, f"can't be inspected ({words_of(error)})")
                yield file

    def _at_once(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for path, info in self._filesystem.find(self._root, detail=True).items():
            if not path.endswith("/"):  # a folder made by S3's console
                yield path, info

    def _folder_by_folder(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        real_root = self._filesystem.realpath(self._root or "/")
        visited: set[str] = set()
        folders, linked = [self._root or "/"], list[str]()
        while folders or linked:
            folder = (folders or linked).pop()
            try:
                real = self._filesystem.realpath(folder)
                if real in visited:
                    continue
                visited.add(real)
                entries = self._filesystem.ls(folder, detail=True)
            except Exception as error:  # each file system has errors of its own
                if folder == (self._root or "/"):
                    raise
                self.ensure_that_it_answers()
                yield folder, {"fault": _CLOSED_FOLDER.format(words_of(error))}
                continue
            for info in entries:
                path = info["name"]
                if info["type"] == "directory":
                    folders.append(path)
                elif info["type"] != "link" or PurePosixPath(path).name.startswith("."):
                    yield path, info
                elif (led := self._followed(path, real_root)).get("type") != "directory":
                    yield path, {"mtime": info["mtime"], **led}
                elif not led["inside"]:
                    linked.append(path)

    def _followed(self, path: str, real_root: str) -> Mapping[str, Any]:
        """The target of a link, since the link stays the same when its target changes."""
        try:
            target = self._filesystem.realpath(path)
            inside = is_inside(target, real_root)
            if not inside and not self._follow_links:
                return {"fault": OUTSIDE}
            return {**self._filesystem.info(path), "inside": inside}
        except FileNotFoundError:
            return {"fault": _NOWHERE}
        except Exception as error:  # each file system has errors of its own
            self.ensure_that_it_answers()
            return {"fault": f"is a link that can't be followed ({words_of(error)})"}

    def ensure_that_it_answers(self) -> None:
        """Raise the file system's own error if not only an entry but the location can't be read."""
        self._filesystem.invalidate_cache()
        self._filesystem.ls(self._root or "/")
