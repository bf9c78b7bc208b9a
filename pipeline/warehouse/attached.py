"""Attached databases that are kept between their uses.

To attach a DuckLake takes a tenth of a second, and a run uses it some twenty times. One that is kept holds no lock and
no memory of its users: each gets a connection of its own, with its own temporary tables, and its transactions end with
it. DuckDB gives another connection to the database of a name to any part of the process that asks for it with the same
configuration; so does dbt.
"""

import time
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import duckdb

Configuration = Mapping[str, str | int | bool]

# The name of a database that no one else can open.
NAMELESS = ":memory:"

_SECONDS_WITH_SERVERS = 600.0


class _Kept(NamedTuple):
    database: duckdb.DuckDBPyConnection
    since: float


# None: databases are detached after each use.
_kept: dict[Hashable, _Kept] | None = None
# Configurations of kept databases that have a name, by the name.
_configurations: dict[str, Configuration] = {}


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
        databases, _kept = list(_kept.values()), None
        _configurations.clear()
        for each in databases:
            each.database.close()


def kept(key: Hashable, query: str | None = None) -> duckdb.DuckDBPyConnection | None:
    """The database that is kept under a key.

    One for which a `query` is given belongs to servers: it is kept as long as the query succeeds, since a server may
    have restarted, and for ten minutes at most, since credentials may expire. Its connections stay open.
    """
    found = _kept.get(key) if _kept is not None else None
    if found is None or query is None:
        return found.database if found else None
    try:
        with found.database.cursor() as connection:
            connection.execute(query)
    except duckdb.Error:
        usable = False
    else:
        usable = time.monotonic() - found.since < _SECONDS_WITH_SERVERS
    if not usable:
        assert _kept is not None
        del _kept[key]
    return found.database if usable else None


def keeps() -> bool:
    """Whether databases are kept now."""
    return _kept is not None


def keep(key: Hashable, database: duckdb.DuckDBPyConnection, name: str, configuration: Configuration) -> None:
    """Keep a database that was opened with this name, which is `:memory:` for one without, and configuration."""
    assert _kept is not None
    _kept[key] = _Kept(database, time.monotonic())
    if name != NAMELESS:
        _configurations[name] = configuration


def shared(name: str) -> Configuration | None:
    """The configuration with which the kept database of this name can be opened again; None if there is none."""
    return _configurations.get(name)
