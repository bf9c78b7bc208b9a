"""The entries of a folder as FTP servers list them."""

import re
from datetime import UTC, datetime
from ftplib import FTP
from typing import Any

from pipeline.filesystems.remote_errors import RemoteFault

# One character a byte: ftplib can't decode names that are not UTF-8.
WIRE_ENCODING = "latin-1"
_LINK = "is a link, which FTP can't follow safely; put the file itself there"
_UNKNOWN = "the server lists files in a way that is not known; it needs MLSD, or listings as of `ls -l` or of Windows"
# `-rw-r--r-- 1 owner group 1234 Jun 11 09:15 name`, also without a group or the number of links.
_UNIX = re.compile(
    r"(?P<type>[-dlbcps])[-rwxsStT]{9}\S*\s+.*?\s(?P<size>\d+)\s+\w{3}\s+\d{1,2}\s+[\d:]{4,5}\s(?P<name>.+)"
)
# `06-11-24  09:15AM  1234 name`
_WINDOWS = re.compile(r"\d\d-\d\d-\d{2,4}\s+\d\d:\d\d([AP]M)?\s+(?P<size><DIR>|\d+)\s+(?P<name>.+)")


def wired(text: str) -> str:
    """A name, or a word of a login, as ftplib has to send it: as its bytes, which are UTF-8 or whatever they are."""
    return text.encode("utf-8", "surrogateescape").decode(WIRE_ENCODING)


def moment_of(digits: str) -> datetime:
    """A time as MLSD and MDTM have it, in UTC (RFC 3659, section 2.3)."""
    return datetime.strptime(digits[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def entries_of_mlsd(connection: FTP) -> list[dict[str, Any]]:
    """The entries of the current folder by MLSD (RFC 3659), whose times are UTC. Raises error_perm: it is not known."""
    entries = []
    for name, facts in connection.mlsd():
        kind = facts.get("type", "").lower()
        if kind in ("cdir", "pdir") or name in (".", ".."):
            continue
        entry = _entry(name, {"dir": "directory", "file": "file"}.get(kind, "other"), int(facts.get("size", 0)))
        if "slink" in kind or "symlink" in kind:
            entry["fault"] = _LINK
        if "modify" in facts:
            entry["mtime"] = moment_of(facts["modify"])
        entries.append(entry)
    return entries


def entries_of_list(connection: FTP) -> list[dict[str, Any]]:
    """The entries of the current folder by LIST, without times: those of LIST have no zone, and often no year.

    Raises RemoteFault: their form is not known.
    """
    lines: list[str] = []
    connection.retrlines("LIST", lines.append)
    return [entry for line in lines if line.strip() and (entry := _listed(line)) is not None]


def _listed(line: str) -> dict[str, Any] | None:
    if line.startswith("total "):
        return None
    if found := _UNIX.fullmatch(line):
        kind = {"-": "file", "d": "directory"}.get(found["type"], "other")
        entry = _entry(found["name"], kind, int(found["size"]))
        if found["type"] == "l":
            entry |= {"name": entry["name"].partition(" -> ")[0], "fault": _LINK}
    elif found := _WINDOWS.fullmatch(line):
        is_folder = found["size"] == "<DIR>"
        entry = _entry(found["name"], "directory" if is_folder else "file", 0 if is_folder else int(found["size"]))
    else:
        raise RemoteFault(_UNKNOWN)
    return None if entry["name"] in (".", "..") else entry


def _entry(name: str, kind: str, size: int) -> dict[str, Any]:
    unwired = name.encode(WIRE_ENCODING).decode("utf-8", "surrogateescape")
    return {"name": unwired, "type": kind, "size": size}
