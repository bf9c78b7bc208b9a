"""Migrations of a ledger that an earlier version of the program created: numbered, forward only.

A new ledger has the newest tables from the start. `origin` stores their number; a ledger without one is older than the
numbers.
"""

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.errors import SettingsError
from pipeline.ledger.schema import accepted_withdrawals, earlier_deliveries, metadata, origin

_NAME = "schema_version"


def _number_tables(connection: Connection) -> None:
    """Bring a ledger without a number up to date: add what it lacks and drop what is obsolete, since a required column
    that is no longer filled would make every insert fail.
    """
    metadata.create_all(connection)
    inspector = sa.inspect(connection)
    for table in metadata.sorted_tables:
        existing = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in existing:
                described = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
                connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {described}"))
        for index in inspector.get_indexes(table.name):
            if not set(index["column_names"]) <= set(table.columns.keys()):
                connection.execute(sa.text(f"DROP INDEX {index['name']}"))
        for name in sorted(existing - set(table.columns.keys())):
            connection.execute(sa.text(f"ALTER TABLE {table.name} DROP COLUMN {name}"))
        for wanted in table.indexes:
            wanted.create(connection, checkfirst=True)


def _names_that_were_missing(connection: Connection) -> None:
    """Add the numbers of messages without names; the first migration adds every column of the newest tables."""
    if "without_names" not in {column["name"] for column in sa.inspect(connection).get_columns("batches")}:
        connection.execute(sa.text("ALTER TABLE batches ADD COLUMN without_names TEXT"))


def _earlier_deliveries(connection: Connection) -> None:
    """Add the table of deliveries that were replayed."""
    earlier_deliveries.create(connection, checkfirst=True)


def _accepted_withdrawals(connection: Connection) -> None:
    """Add the table of withdrawals that were accepted."""
    accepted_withdrawals.create(connection, checkfirst=True)


def _lost_events_of_former_batches(connection: Connection) -> None:
    """Add the number of dead and forgotten events of former batches, of which none was kept before."""
    if "lost" not in {column["name"] for column in sa.inspect(connection).get_columns("former_batches")}:
        connection.execute(sa.text("ALTER TABLE former_batches ADD COLUMN lost INTEGER NOT NULL DEFAULT 0"))


# By the number that the tables have afterwards. A released migration is never changed.
MIGRATIONS: Mapping[int, Callable[[Connection], None]] = {
    1: _number_tables,
    2: _names_that_were_missing,
    3: _earlier_deliveries,
    4: _accepted_withdrawals,
    5: _lost_events_of_former_batches,
}
NEWEST = max(MIGRATIONS)


def make_tables(connection: Connection) -> None:
    """Create or migrate the tables. Raises SettingsError: a newer version of the program wrote the ledger."""
    version = _version_of(connection)
    if version == NEWEST:
        return
    if version is None:
        metadata.create_all(connection)
    else:
        if version > NEWEST:
            raise SettingsError(
                f"LEDGER: a newer version of this program wrote it (schema version {version}; this program supports "
                f"up to {NEWEST}); update the program, or use another ledger"
            )
        for number in range(version + 1, NEWEST + 1):
            MIGRATIONS[number](connection)
    connection.execute(sa.delete(origin).where(origin.c.name == _NAME))
    connection.execute(sa.insert(origin).values(name=_NAME, value=str(NEWEST)))


def _version_of(connection: Connection) -> int | None:
    """The number of the tables: 0 where there is none, None where there are no tables."""
    tables = set(sa.inspect(connection).get_table_names())
    if origin.name not in tables:
        return 0 if tables & set(metadata.tables) else None
    value = connection.execute(sa.select(origin.c.value).where(origin.c.name == _NAME)).scalar()
    return int(value or 0)
