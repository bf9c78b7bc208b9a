"""Migrations of a warehouse that an earlier version of the program made: numbered, forward only.

A new warehouse is created by the scripts and has the newest number from the start. `raw.origin` stores the number; a
warehouse without one was made before migrations had numbers.
"""

from collections.abc import Mapping, Sequence

import duckdb

from pipeline.errors import SettingsError
from pipeline.warehouse.sql import ALIAS, has_rows, literal, quoted

Connection = duckdb.DuckDBPyConnection

# In a statement: the schema of the event tables, which a setting names.
_SOURCE = "<source>"
_LAYOUT_OF_FILE = (
    "SELECT export_date, name, "
    "arg_max(layout, {'loaded': status = 'loaded', 'number': coalesce(load_number, 0), 'at': loaded_at}) AS layout "
    "FROM raw.export_files WHERE layout IS NOT NULL GROUP BY ALL"
)
# Statements by the number that the warehouse has after them. Released migrations never change.
MIGRATIONS: Mapping[int, Sequence[str]] = {
    # A warehouse without a number may lack any of these.
    1: (
        "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS suppressed BIGINT DEFAULT 0",
        "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS records BIGINT",
        "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS suspect_rows BIGINT",
        "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS suspect_line BIGINT",
        "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS load_number BIGINT",
        "ALTER TABLE raw.lookups ADD COLUMN IF NOT EXISTS load_number BIGINT",
        "ALTER TABLE raw.suppressed ADD COLUMN IF NOT EXISTS listing VARCHAR",
        "ALTER TABLE delivery.batches ADD COLUMN IF NOT EXISTS first_attempt_at TIMESTAMPTZ",
        "ALTER TABLE delivery.dead_events ADD COLUMN IF NOT EXISTS batch_id VARCHAR",
    ),
    # The outbox without the messages, which are made from the event tables when they are sent. It is written anew: a
    # dropped column would leave them in the Parquet files.
    2: (
        "CREATE TABLE delivery.outbox_without_messages (id VARCHAR, event VARCHAR, export_date DATE, "
        "timestamp TIMESTAMPTZ, batch_id VARCHAR, sequence INTEGER, dead_because VARCHAR, cut_at TIMESTAMPTZ)",
        "ALTER TABLE delivery.outbox_without_messages "
        "SET PARTITIONED BY (year(export_date), month(export_date), event)",
        "INSERT INTO delivery.outbox_without_messages "
        "SELECT id, event, export_date, timestamp, batch_id, sequence, dead_because, cut_at FROM delivery.outbox",
        "DROP TABLE delivery.outbox",
        "ALTER TABLE delivery.outbox_without_messages RENAME TO outbox",
    ),
    # Properties of layouts, and the meanings link_url, ip and user_agent.
    3: (
        "ALTER TABLE raw.events ADD COLUMN IF NOT EXISTS link_url VARCHAR",
        "ALTER TABLE raw.events ADD COLUMN IF NOT EXISTS ip VARCHAR",
        "ALTER TABLE raw.events ADD COLUMN IF NOT EXISTS user_agent VARCHAR",
        "ALTER TABLE raw.events ADD COLUMN IF NOT EXISTS properties JSON",
        "ALTER TABLE raw.events ADD COLUMN IF NOT EXISTS unreadable_properties VARCHAR[]",
        *(
            f"ALTER TABLE IF EXISTS staging.{table} ADD COLUMN IF NOT EXISTS {column}"
            for table in ("event_rows", "events")
            for column in ("link_url VARCHAR", "ip VARCHAR", "user_agent VARCHAR", "properties JSON")
        ),
        *(
            f"ALTER TABLE IF EXISTS {_SOURCE}.{table} ADD COLUMN IF NOT EXISTS {column} VARCHAR"
            for table in (
                *("email_delivered", "email_opened", "email_link_clicked", "email_marked_as_spam"),
                *("email_bounced", "email_unsubscribed", "tracks"),
            )
            for column in ("context_ip", "context_user_agent")
        ),
        f"ALTER TABLE IF EXISTS {_SOURCE}.email_link_clicked ADD COLUMN IF NOT EXISTS link_url VARCHAR",
    ),
    # Events of machines can be held; NULL: cut before that, and not held.
    4: (
        "ALTER TABLE delivery.outbox ADD COLUMN IF NOT EXISTS held BOOLEAN",
        "DROP VIEW IF EXISTS delivery.events",  # created anew after the migrations
    ),
    # Traits of contacts.
    5: (
        "ALTER TABLE raw.lookups ADD COLUMN IF NOT EXISTS traits JSON",
        "ALTER TABLE raw.lookups ADD COLUMN IF NOT EXISTS unreadable_traits VARCHAR[]",
    ),
    # delivery.earlier_deliveries, which delivery.sql creates.
    6: (),
    # Events that replace delivered ones under other ids are held.
    7: (
        "ALTER TABLE delivery.outbox ADD COLUMN IF NOT EXISTS held_because VARCHAR",
        "DROP VIEW IF EXISTS delivery.events",  # created anew after the migrations
    ),
    # Several layouts can load one file. Until then, each file had one: that of its loaded bytes, or the last one.
    8: tuple(
        statement
        for table in ("raw.rejected_rows", "raw.lookups")
        for statement in (
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS layout VARCHAR",
            f"UPDATE {table} AS target SET layout = files.layout FROM ({_LAYOUT_OF_FILE}) AS files "
            "WHERE files.export_date = target.export_date AND files.name = target.file AND target.layout IS NULL",
        )
    ),
}
NEWEST = max(MIGRATIONS)
# What only a DuckLake understands.
PARTITIONING = "SET PARTITIONED BY"

_NAME = "schema_version"


def version_of(connection: Connection) -> int | None:
    """The warehouse's number: 0 without one, None without tables. Raises SettingsError: from a newer program."""
    try:
        found = connection.execute(f"SELECT value FROM raw.origin WHERE name = {literal(_NAME)}").fetchone()
    except duckdb.CatalogException:
        return 0 if _has_tables(connection) else None
    version = int(found[0]) if found else 0
    if version > NEWEST:
        raise SettingsError(
            f"WAREHOUSE: a newer version of this program wrote it (its tables have number {version}, and this version "
            f"knows those up to {NEWEST}); update the program, or name another warehouse"
        )
    return version


def _has_tables(connection: Connection) -> bool:
    query = f"SELECT 1 FROM duckdb_tables() WHERE database_name = {literal(ALIAS)} AND schema_name = 'raw' LIMIT 1"
    return has_rows(connection, query)


def migrate(connection: Connection, version: int, *, is_ducklake: bool) -> None:
    """Migrate the tables from one number to the newest, within the caller's transaction."""
    source = _source_of(connection)
    for number in range(version + 1, NEWEST + 1):
        for statement in MIGRATIONS[number]:
            if _SOURCE in statement and source is None:
                continue
            if is_ducklake or PARTITIONING not in statement:
                connection.execute(statement.replace(_SOURCE, source or ""))


def _source_of(connection: Connection) -> str | None:
    """The schema of the event tables; None before the models have run."""
    query = "SELECT schema_name FROM duckdb_tables() WHERE table_name = 'tracks' AND database_name = "
    found = connection.execute(f"{query}{literal(ALIAS)}").fetchone()
    return quoted(found[0]) if found else None


def note_version(connection: Connection) -> None:
    """Store the newest number, within the caller's transaction."""
    connection.execute("DELETE FROM raw.origin WHERE name = ?", [_NAME])
    connection.execute("INSERT INTO raw.origin VALUES (?, ?)", [_NAME, str(NEWEST)])
