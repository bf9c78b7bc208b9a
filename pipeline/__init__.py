"""Load Selligent exports into DuckDB, build the tables of a Segment warehouse, and deliver events to Segment."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__version__ = "1.0.0"


def connect() -> "DuckDBPyConnection":
    """A read-only DuckDB connection to the warehouse of the settings, for scripts and notebooks; UTC, as everywhere.

    The event tables are found by their names alone, the others by schema and name, such as `raw.export_files`. Of a
    DuckLake, it blocks no run, and sees each run's tables when it has committed them. Of a plain DuckDB file, it reads
    the copy that the last run published; a line on stderr says so if a run has changed the file since.

    Raises:
        SettingsError: a setting is wrong, or a newer version of the program wrote the warehouse.
        NoWarehouse: there is nothing to read yet.
        EarlierWarehouse: an earlier version of the program created it, and no run has migrated it yet.
        WarehouseError: it can't be opened.
    """
    # Imported here: the version is read before anything is installed, and most commands need no DuckDB.
    from pipeline.settings import load_settings
    from pipeline.warehouse import ALIAS, Warehouse, has_rows, quoted, readable

    settings = load_settings()
    connection = readable(Warehouse.of(settings)).warehouse.open_for_reading()
    of_models = "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?"
    if has_rows(connection, of_models, [ALIAS, settings.schema_name]):
        connection.execute(f"USE {ALIAS}.{quoted(settings.schema_name)}")
    return connection
