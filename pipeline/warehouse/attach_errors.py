"""Why a warehouse can't be attached, in a sentence."""

import re
from pathlib import Path, PurePath

from pipeline.errors import WarehouseError, WarehouseLocked
from pipeline.warehouse.postgres_locks import NO_SERVER

_LOCKED = re.compile(r"could not set lock|conflicting lock|database is locked", re.IGNORECASE)
# As DuckDB names the holder: `held in /usr/bin/python3 (PID 31036)`, or only `PID 31036`, perhaps `by user ann`.
_HOLDER = re.compile(r"held in (?:(?P<program>.+?) \()?PID (?P<pid>\d+)\)?(?: by user (?P<user>[^\s.]+))?")
_NO_CREDENTIALS = re.compile(r"secret validation failure", re.IGNORECASE)
_OTHER_VERSION = re.compile(r"catalog version|version number|storage version", re.IGNORECASE)


def attach_error(file: Path | None, message: str) -> WarehouseError:
    """The error for DuckDB's message about a warehouse in `file`, or on a server (None). The driver's own message can
    contain a password and is not repeated for a server.
    """
    if _NO_CREDENTIALS.search(message):
        return WarehouseError(
            "WAREHOUSE_FILES: there are no credentials for S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    name = str(file or "the PostgreSQL catalog")
    if _LOCKED.search(message):
        return WarehouseLocked(name, _holder(message))
    if _OTHER_VERSION.search(message):
        return WarehouseError(
            f"WAREHOUSE: {name} was written by another version of DuckDB or DuckLake; use that version."
        )
    if file is None:
        return WarehouseError(NO_SERVER)
    return WarehouseError(f"WAREHOUSE: {name} can't be opened as a warehouse: {message.splitlines()[0]}")


def _holder(message: str) -> str:
    found = _HOLDER.search(message)
    if found is None:
        return "another process"
    program = f" ({PurePath(found['program']).name})" if found["program"] else ""
    return f"process {found['pid']}{program}" + (f" of {found['user']}" if found["user"] else "")
