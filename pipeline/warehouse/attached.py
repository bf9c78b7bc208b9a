"""Attached databases that are kept between their uses.

To attach a DuckLake takes a tenth of a second, and a run uses it some twenty times. One that is kept holds no lock and
no memory of its users: each gets a connection of its own, with its own temporary tables, and its transactions end with
it.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import duckdb

# None: databases are detached after each use.
_kept: dict[Hashable, duckdb.DuckDBPyConnection] | None = None


@contextmanager
def keep_attached() -> Iterator[None]:
    """Keep databases attached until the end of the block, for the whole process. Blocks may be nested."""
    global _kept
    if _kept is not None:
        yield
        return
    _kept = {}
    try:
        yield
    finally:
        databases, _kept = _kept, None
        for database in databases.values():
            database.close()


def kept(key: Hashable) -> duckdb.DuckDBPyConnection | None:
    """The database that is kept under a key."""
    return _kept.get(key) if _kept is not None else None


def keep(key: Hashable, database: duckdb.DuckDBPyConnection) -> bool:
    """Keep a database. Returns whether it is; otherwise the caller has to close it."""
    if _kept is None or key in _kept:
        return False
    _kept[key] = database
    return True
