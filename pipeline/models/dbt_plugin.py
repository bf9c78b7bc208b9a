"""dbt-duckdb's plugin for this project, configured in `profiles.yml`.

It gives dbt's connection `sync_files()`, which each model's transaction calls last, lets a signal interrupt dbt, and
spares it what this process has done before.
"""

import threading
from typing import Any
from weakref import WeakSet

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection

from pipeline.warehouse import are_checked
from pipeline.warehouse.file_sync import provide_sync


class Interrupt(threading.Event):
    """Set while dbt is to end: its query in progress is interrupted, and every later one fails.

    dbt-duckdb itself interrupts a new cursor, and waits for the query to end.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cursors = WeakSet[DuckDBPyConnection]()

    def add(self, cursor: DuckDBPyConnection) -> None:
        """Add a cursor that dbt is about to use.

        Raises:
            DbtRuntimeError: dbt is to end.
        """
        if self.is_set():
            raise DbtRuntimeError("dbt was interrupted")
        self._cursors.add(cursor)

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
        """Skip signatures of extensions that this process has checked."""
        config["allow_unsigned_extensions"] = are_checked(map(str, creds.extensions or ()))

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Define the function; dbt's cursors share it."""
        provide_sync(conn, self._files)

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Let signals interrupt the cursor."""
        INTERRUPT.add(cursor)
