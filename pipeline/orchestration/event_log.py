"""Dagster's event log in SQLite, with connections that stay open.

Dagster's own class makes an engine and a connection for each event, and closing the last connection of a database makes
SQLite write its whole log back: some 600 times in a run, which took longer than loading a small date.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData


class OpenSqliteEventLogStorage(SqliteEventLogStorage):
    """The files and tables of `SqliteEventLogStorage`, in which Dagster's processes find the events as before.

    Events are in the file as soon as they are stored. Only a crash of the machine can lose the last ones: the log is
    synchronized with the disk when SQLite writes it back, not for each event.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, sa.Engine] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "OpenSqliteEventLogStorage":
        """The storage in the folder `base_dir`."""
        return cls(config_value["base_dir"], inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engines.get(shard) or self._opened(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _opened(self, shard: str) -> sa.Engine:
        """Open the database of one run, or of all runs' assets; the one of the run before is closed."""
        for other in [name for name in self._engines if name != INDEX_SHARD_NAME and shard != INDEX_SHARD_NAME]:
            self._engines.pop(other).dispose()
        engine = sa.create_engine(
            self.conn_string_for_shard(shard),
            poolclass=sa.StaticPool,  # one connection for all threads, which take turns by the lock
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        sa.event.listen(engine, "connect", _write_back_later)
        self._engines[shard] = engine
        return engine

    def wipe(self) -> None:
        """Delete all events."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close the connections."""
        self._close()
        super().dispose()

    def _close(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()


def _write_back_later(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
