"""Locks at a PostgreSQL server, for processes on all machines."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import WarehouseError
from pipeline.warehouse.locks import Held
from pipeline.warehouse.postgres import driver

LOST = (
    "The connection to the PostgreSQL server that holds this process's lock was lost, and another process may have the "
    "lock now. Nothing more is written; run again."
)
NO_SERVER = "WAREHOUSE: the PostgreSQL catalog can't be opened; check its host, database, user and password."

# The writer's turn: the same on every machine, by whatever name it reaches the server. A lock belongs to one database.
_LOCK = int.from_bytes(b"lakeTurn")
# A lock of the transaction, not of the session, which a connection pooler would pass on to another client. It lasts as
# long as the writing, so no time limit of the server may end it. Where a machine disappears, the server notices in two
# minutes instead of two hours.
_UNTIL_RELEASED = """
    SELECT set_config(name, wanted.value, true)
    FROM pg_settings JOIN (
        VALUES ('statement_timeout', '0'), ('lock_timeout', '0'), ('transaction_timeout', '0'),
            ('idle_in_transaction_session_timeout', '0'),
            ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '6')
    ) AS wanted (name, value) USING (name)
"""
# PostgreSQL cuts the name of an application off at 63 bytes.
_NAME_BYTES = 63
_HOLDER = """
    SELECT activity.application_name
    FROM pg_locks AS locks JOIN pg_stat_activity AS activity USING (pid)
    WHERE locks.locktype = 'advisory' AND locks.granted AND locks.classid = %s AND locks.objid = %s
        AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

# The connections whose locks this process holds.
_holding = set[Any]()


@contextmanager
def turn_at_server(dsn: str) -> Iterator[None]:
    """Wait for the writer's turn; the server releases it with the connection. Raises SettingsError, WarehouseError."""
    psycopg = driver("WAREHOUSE")
    try:
        connection = psycopg.connect(dsn)
    except psycopg.Error:  # its message repeats the connection string
        raise WarehouseError(NO_SERVER) from None
    held = _HeldConnection(connection)
    try:
        try:
            connection.execute(_UNTIL_RELEASED)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        except psycopg.Error:
            raise WarehouseError(NO_SERVER) from None
        yield
    finally:
        held.release()


def check_locks() -> None:
    """Check that this process still has all of its locks: a server that restarts gives them to others.

    A transaction that is checked after its first query and before its commit is safe: a restart before the check is
    noticed here, and one after it ends the transaction's own connection.

    Raises:
        WarehouseError: a lock is lost.
    """
    for connection in list(_holding):
        import psycopg

        try:
            connection.execute("SELECT 1")
        except psycopg.Error:
            raise WarehouseError(LOST) from None


@dataclass(frozen=True)
class ServerLocks:
    """Locks in the database at `dsn`; `setting` is the one that names it."""

    dsn: str = field(repr=False)
    setting: str

    def take(self, name: str, holder: str, *, shared: bool = False) -> Held | None:
        """The lock, if it is free; its transaction stays open as long as it is held. One that is `shared` is free for
        all who share it.

        Raises:
        SettingsError: the driver is not installed.
        WarehouseError: the server can't be queried.
        """
        connection = self._connect(holder)
        taken = False
        try:
            function = "pg_try_advisory_xact_lock_shared" if shared else "pg_try_advisory_xact_lock"
            taken = self._ask(connection, _UNTIL_RELEASED, f"SELECT {function}(%s)", [_key(name)])
        finally:
            if not taken:
                connection.close()
        return _HeldConnection(connection) if taken else None

    def holder(self, name: str) -> str | None:
        """The holder of the lock, as it was recorded; raises as `take` does."""
        key = _key(name) % 2**64
        connection = self._connect("queries the holder of a lock")
        try:
            found = self._ask(connection, "SELECT 1", _HOLDER, [key >> 32, key % 2**32])
        finally:
            connection.close()
        return str(found) if found else None

    def _connect(self, holder: str) -> Any:
        psycopg = driver(self.setting)
        name = holder.encode("ascii", "replace")[:_NAME_BYTES].decode("ascii")
        try:
            return psycopg.connect(self.dsn, application_name=name)
        except psycopg.Error:  # its message repeats the connection string
            raise self._unreachable() from None

    def _ask(self, connection: Any, first: str, question: str, values: list[int]) -> Any:
        import psycopg

        try:
            connection.execute(first)
            row = connection.execute(question, values).fetchone()
        except psycopg.Error:
            raise self._unreachable() from None
        return row[0] if row else None

    def _unreachable(self) -> WarehouseError:
        return WarehouseError(
            f"{self.setting}: the PostgreSQL server can't be asked for its locks; check that it is running"
        )


@dataclass(frozen=True)
class _HeldConnection:
    connection: Any

    def __post_init__(self) -> None:
        _holding.add(self.connection)

    def release(self) -> None:
        import psycopg

        _holding.discard(self.connection)

        # A closed connection alone leaves the lock to the server, which notices some time later.
        with suppress(psycopg.Error):  # the server is gone, and the lock with it
            self.connection.rollback()
        self.connection.close()


def _key(name: str) -> int:
    """The same on every machine; a lock belongs to one database."""
    return int.from_bytes(hashlib.sha256(f"selligent-to-segment {name}".encode()).digest()[:8], signed=True)
