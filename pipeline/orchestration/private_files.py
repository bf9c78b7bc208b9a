"""Files that only the program's own user can read: nearly all of them contain addresses.

Called where a process starts: on the command line, and where Dagster loads the code, for the service or for a run's own
process. dbt, DuckDB and SQLite inherit the umask.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.settings import DATA_DIR

_UMASK = 0o077
# What the program itself creates in its folder, which may contain other files.
_OWN = ("warehouse", "warehouse.*", "ledger.*", "dagster", "dbt", "docs", "dry_run", "report", "tmp")


def keep_private(folder: Path = DATA_DIR) -> None:
    """Have this process and its children make files with mode 600 and folders with 700; mend `folder` once.

    Outside of `folder`, files that exist keep their modes: they may be shared on purpose. Where the folder
    belongs to another user, as volumes of containers do, its mode is left to that user.
    """
    os.umask(_UMASK)
    with suppress(FileNotFoundError):  # nothing was made yet
        mode = folder.stat().st_mode
        # Last of all it is closed itself, which says that all below it was.
        if mode & _UMASK and not mode & stat.S_ISVTX:
            for path in _made_by_us(folder):
                _close(path)
            _close(folder)


def _made_by_us(folder: Path) -> Iterator[Path]:
    for pattern in _OWN:
        for top in folder.glob(pattern):
            yield top
            for place, folders, files in os.walk(top):
                yield from (Path(place) / name for name in (*folders, *files))


def _close(path: Path) -> None:
    """Take from a file or folder of this user what others may do with it."""
    with suppress(FileNotFoundError):  # a run that is going on has removed it
        found = path.lstat()
        if found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode) and found.st_mode & _UMASK:
            path.chmod(stat.S_IMODE(found.st_mode) & ~_UMASK)
