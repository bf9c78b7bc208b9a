"""dbt-duckdb's plugin that gives dbt's connection `sync_files()`, which each model's transaction calls last."""

from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from pipeline.warehouse.file_sync import provide_sync


class Plugin(BasePlugin):
    """Configured in `profiles.yml`; `files` is the folder of the warehouse's Parquet files."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Read the folder from the profile."""
        self._files = str(plugin_config.get("files", ""))

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Define the function; dbt's cursors share it."""
        provide_sync(conn, self._files)
