"""Settings that can't change once a warehouse was made with them."""

from collections.abc import Mapping

import duckdb

from pipeline.errors import SettingsError
from pipeline.settings import EXAMPLES, Settings
from pipeline.warehouse.sql import has_rows

# Name of the row with the brand, whose value is empty for the settings of `.env`.
_BRAND = "brand"
# Names of rows that a copy has until it is complete, and the original afterwards.
INCOMPLETE_COPY, MOVED_TO = "incomplete_copy", "moved_to"
_START_ANEW = (
    "or start again with another WAREHOUSE, WAREHOUSE_FILES and LEDGER (`rm -r data`, where they are the default)"
)


def check_origin(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Raise SettingsError for another brand, namespace, schema or kind of exports than the warehouse was made with."""
    check_known(dict(connection.execute("SELECT name, value FROM raw.origin").fetchall()), settings)


def check_known(known: Mapping[str, str], settings: Settings) -> None:
    """The same for what the warehouse records about itself, by name."""
    if INCOMPLETE_COPY in known:
        raise SettingsError("WAREHOUSE: is an incomplete copy; call `python -m pipeline copy` again to complete it")
    if MOVED_TO in known:
        raise SettingsError(f"WAREHOUSE: was moved to {known[MOVED_TO]}; set WAREHOUSE to it, or copy it back")
    brand = known.get(_BRAND, settings.brand)
    if brand != settings.brand:
        raise SettingsError(
            f"WAREHOUSE: belongs to {_of_brand(brand)}, and these are the settings of {_of_brand(settings.brand)}; "
            "each has a warehouse and a ledger of its own. If only the file of settings was renamed, "
            "`python -m pipeline --env-file FILE reconcile` hands the warehouse over"
        )
    _check_others(known, settings)


def _check_others(known: Mapping[str, str], settings: Settings) -> None:
    namespace = known.get("message_id_namespace", settings.message_id_namespace)
    if namespace != settings.message_id_namespace:
        raise SettingsError(
            f"MESSAGE_ID_NAMESPACE: the warehouse was created with {namespace!r}; with "
            f"{settings.message_id_namespace!r} every event would get another id and be "
            f"delivered again. Set it back, {_START_ANEW}"
        )
    schema = known.get("schema", settings.schema_name)
    if schema != settings.schema_name:
        raise SettingsError(
            f"SEGMENT_SOURCE_NAME: the event tables are in the schema {schema!r}, and {settings.segment_source_name!r} "
            f"would create others in {settings.schema_name!r}. Set it back, {_START_ANEW}"
        )
    exports = known.get("exports", _exports(settings))
    if exports != _exports(settings):
        raise SettingsError(
            f"SELLIGENT_EXPORTS: the warehouse contains {exports} exports, and these are {_exports(settings)}; "
            f"example events must not be mixed with real ones. Set it back, {_START_ANEW}"
        )


def ensure_origin(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """The same; a new warehouse records its settings."""
    check_origin(connection, settings)
    if not has_rows(connection, "SELECT 1 FROM raw.origin WHERE name = 'message_id_namespace'"):
        connection.execute(
            "INSERT INTO raw.origin VALUES ('message_id_namespace', ?), ('exports', ?), ('schema', ?)",
            [settings.message_id_namespace, _exports(settings), settings.schema_name],
        )
    if not has_rows(connection, f"SELECT 1 FROM raw.origin WHERE name = '{_BRAND}'"):
        connection.execute("INSERT INTO raw.origin VALUES (?, ?)", [_BRAND, settings.brand])


def take_over(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Record that the warehouse belongs to this brand from now on; raises as `check_origin` does for other settings."""
    _check_others(dict(connection.execute("SELECT name, value FROM raw.origin").fetchall()), settings)
    connection.execute("UPDATE raw.origin SET value = ? WHERE name = ?", [settings.brand, _BRAND])


def _of_brand(brand: str) -> str:
    return f"the brand {brand!r}" if brand else ".env"


def _exports(settings: Settings) -> str:
    return "example" if settings.selligent_exports == EXAMPLES else "own"
