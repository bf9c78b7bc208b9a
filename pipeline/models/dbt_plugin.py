"""dbt-duckdb's plugin for this project, configured in `profiles.yml`.

It gives dbt's connection `sync_files()`, which each model's transaction calls last, lets a signal interrupt dbt, and
spares it what this process has done before: where the process keeps the warehouse attached, dbt uses that database.
"""

import threading
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError

from pipeline.orchestration.long_steps import ESTIMATED
from pipeline.warehouse import ONE_SNAPSHOT, are_checked
from pipeline.warehouse.attached import shared
from pipeline.warehouse.file_sync import provide_sync


class Interrupt(threading.Event):
    """Set while dbt is to end: its query in progress is interrupted, and every later one fails.

    dbt-duckdb itself interrupts a new cursor, and waits for the query to end.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cursors = WeakSet[duckdb.DuckDBPyConnection]()

    def add(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Add a cursor that dbt is about to use.

        Raises:
            DbtRuntimeError: dbt is to end.
        """
        if self.is_set():
            raise DbtRuntimeError("dbt was interrupted")
        self._cursors.add(cursor)

    def done(self) -> float:
        """How much of the query in progress is done, in percent; a negative number where that is not known."""
        done = -1.0
        for cursor in list(self._cursors):
            with suppress(duckdb.Error):  # dbt has closed it
                done = max(done, cursor.query_progress())
        return done

    def set(self) -> None:
        """Interrupt every query."""
        super().set()
        for cursor in list(self._cursors):
            cursor.interrupt()


INTERRUPT = Interrupt()


class Plugin(BasePlugin):
    """The plugin; `files` is the folder of the warehouse's Parquet files."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Read the folder from the profile."""
        self._files = str(plugin_config.get("files", ""))

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Open the database that this process keeps, or skip signatures of extensions that it has checked."""
        config["allow_unsigned_extensions"] = are_checked(map(str, creds.extensions or ()))
        config.update(shared(creds.path) or {})

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Prepare a new database as the warehouse's writers do; dbt's cursors share the function."""
        assert self.creds is not None
        if shared(self.creds.path) is None:
            if "sqlite_scanner" in (self.creds.extensions or ()):
                conn.execute(ONE_SNAPSHOT)
            provide_sync(conn, self._files)

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Let signals interrupt the cursor, and DuckDB estimate how much of its query is done."""
        cursor.execute(ESTIMATED)
        INTERRUPT.add(cursor)
