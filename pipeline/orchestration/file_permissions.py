"""Files that only the program's own user can read: nearly all of them contain addresses.

Called where a process starts: on the command line, and where Dagster loads the code, for the service or for a run's own
process. dbt, DuckDB and SQLite inherit the umask.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.settings import DATA_DIR, INSTALLATION_DIR

_UMASK = 0o077
# What the program itself creates in its folder, which may contain other files.
_OWN = ("warehouse", "warehouse.*", "ledger.*", "brands", "dagster", "dbt", "docs", "dry_run", "report", "tmp")


def keep_private(*folders: Path) -> None:
    """Have this process and its children create files with mode 600 and folders with 700; correct `folders` once, by
    default those of the data.

    Outside of them, files that exist keep their modes: they may be shared on purpose. Where a folder belongs to
    another user, as volumes of containers do, its mode is left to that user.
    """
    os.umask(_UMASK)
    for folder in folders or (INSTALLATION_DIR, DATA_DIR):
        _close_folder(folder)


def _close_folder(folder: Path) -> None:
    with suppress(FileNotFoundError):  # nothing was created yet
        mode = folder.stat().st_mode
        # It is closed last: once it is closed, everything below it is.
        if mode & _UMASK and not mode & stat.S_ISVTX:
            for path in _own_files(folder):
                _close(path)
            _close(folder)


def _own_files(folder: Path) -> Iterator[Path]:
    for pattern in _OWN:
        for top in folder.glob(pattern):
            yield top
            for parent, folders, files in os.walk(top):
                yield from (Path(parent) / name for name in (*folders, *files))


def _close(path: Path) -> None:
    """Remove the permissions of others from a file or folder of this user."""
    with suppress(FileNotFoundError):  # an active run has removed it
        found = path.lstat()
        if found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode) and found.st_mode & _UMASK:
            path.chmod(stat.S_IMODE(found.st_mode) & ~_UMASK)
