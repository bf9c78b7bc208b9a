"""Local files that can be read without blocking."""

import os
import stat
from io import BufferedReader

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def kind_of(mode: int) -> str:
    """The kind of a folder's entry that is not a file; `mode` is its `st_mode`."""
    return _KINDS.get(stat.S_IFMT(mode), "something else")


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular local file, and nothing else: a pipe without a writer would block, and a device may have no end.

    Raises:
    OSError: it is not a regular file (`errno` is None), or can't be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise OSError(f"is not a file but {kind_of(mode)}")
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")
