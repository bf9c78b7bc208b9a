"""The rows of all tables, copied from one attached warehouse to another and compared.

A table is copied in slices of a month, each in one transaction. Slices that are equal already are skipped, so a copy
that was stopped continues where it was.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from pipeline.errors import WarehouseError
from pipeline.warehouse import ALIAS, literal, one_column, one_row, quoted, transaction

Connection = duckdb.DuckDBPyConnection

# The alias of the warehouse that is copied, beside `lake`, which is the copy.
SOURCE = "source"
# Written last, with the id of the pair, so that no run can use an incomplete copy.
_ORIGIN = ("raw", "origin")
# The first of these columns divides a table into months.
_TIMES = ("export_date", "timestamp")


@dataclass(frozen=True)
class Table:
    """A table by its schema and name, with the names of its columns."""

    schema: str
    name: str
    columns: Sequence[str]

    @property
    def path(self) -> str:
        """SQL for its name in a schema."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def slice(self) -> str:
        """SQL for the month that a row belongs to; one slice where the table has no time."""
        time = next((column for column in _TIMES if column in self.columns), None)
        return f"CAST(date_trunc('month', {quoted(time)}) AS DATE)" if time else "CAST(NULL AS DATE)"


@dataclass(frozen=True)
class Contents:
    """The number of rows of a table, and the sum of their hashes, which does not depend on their order."""

    rows: int
    hashes: int


def tables_of(connection: Connection) -> list[Table]:
    """The tables of the source, but for that of its origin. The copy gets those that it lacks, empty.

    Raises:
        WarehouseError: a table of the copy has other columns.
    """
    theirs, known = _columns(connection, SOURCE), _columns(connection, ALIAS)
    for schema, name in sorted(theirs.keys() - known.keys()):  # of people, or of a setting that is off now
        path = f"{quoted(schema)}.{quoted(name)}"
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {ALIAS}.{quoted(schema)}")
        connection.execute(f"CREATE TABLE {ALIAS}.{path} AS FROM {SOURCE}.{path} LIMIT 0")
    ours = _columns(connection, ALIAS)
    if different := sorted(name for name in theirs if sorted(theirs[name]) != sorted(ours.get(name, ()))):
        names = ", ".join(".".join(name) for name in different)
        raise WarehouseError(
            f"The copy has other columns than the warehouse: {names}. Run the pipeline once (`python -m pipeline "
            "run`), so that the tables are those of this version, and copy again"
        )
    return [Table(*name, theirs[name]) for name in sorted(theirs) if name != _ORIGIN]


def tables_in(connection: Connection, alias: str) -> list[Table]:
    """All tables of an attached warehouse, by schema and name."""
    return [Table(*name, columns) for name, columns in sorted(_columns(connection, alias).items())]


def copy_table(connection: Connection, table: Table, progress: Callable[[int], None]) -> Contents:
    """Make the copy of a table equal to it; `progress` gets numbers of rows that are equal by now.

    Raises:
        WarehouseError: they differ afterwards.
    """
    listed = ", ".join(quoted(column) for column in table.columns)
    for month, rows in _different_slices(connection, table):
        of_month = f"{table.slice} IS NOT DISTINCT FROM CAST({literal(str(month) if month else None)} AS DATE)"
        with transaction(connection):
            connection.execute(f"DELETE FROM {ALIAS}.{table.path} WHERE {of_month}")
        with transaction(connection):
            connection.execute(
                f"INSERT INTO {ALIAS}.{table.path} ({listed}) SELECT {listed} FROM {SOURCE}.{table.path} "
                f"WHERE {of_month}"
            )
        progress(rows)
    theirs, ours = (_contents(connection, alias, table) for alias in (SOURCE, ALIAS))
    if theirs != ours:
        raise WarehouseError(
            f"{table.schema}.{table.name}: the copy has {ours.rows:,} rows, and the warehouse {theirs.rows:,}, or "
            "their values differ. Nothing was switched over; copy again"
        )
    return ours


def copy_origin(connection: Connection) -> None:
    """Make the copy a warehouse of its own: with the settings, and the id of the pair, of the source."""
    with transaction(connection):
        connection.execute(f"DELETE FROM {ALIAS}.raw.origin")
        connection.execute(f"INSERT INTO {ALIAS}.raw.origin SELECT name, value FROM {SOURCE}.raw.origin")


def _columns(connection: Connection, alias: str) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for schema, name, column in connection.execute(
        "SELECT columns.schema_name, columns.table_name, columns.column_name "
        "FROM duckdb_columns() AS columns JOIN duckdb_tables() AS tables "
        "USING (database_name, schema_name, table_name) "
        "WHERE columns.database_name = ? AND NOT tables.internal ORDER BY columns.column_index",
        [alias],
    ).fetchall():
        found.setdefault((schema, name), []).append(column)
    return found


def _different_slices(connection: Connection, table: Table) -> Iterator[tuple[Any, int]]:
    """Months in which the copy has other rows, with the number of rows in the source."""
    slices = [
        f"SELECT {table.slice} AS month, count(*) AS rows, sum(hash({_listed(table)})) AS hashes "
        f"FROM {alias}.{table.path} GROUP BY 1"
        for alias in (SOURCE, ALIAS)
    ]
    yield from connection.execute(
        f"SELECT coalesce(theirs.month, ours.month) AS month, coalesce(theirs.rows, 0) "
        f"FROM ({slices[0]}) AS theirs FULL JOIN ({slices[1]}) AS ours "
        "ON theirs.month IS NOT DISTINCT FROM ours.month "
        "WHERE (theirs.rows, theirs.hashes) IS DISTINCT FROM (ours.rows, ours.hashes) ORDER BY 1"
    ).fetchall()


def _contents(connection: Connection, alias: str, table: Table) -> Contents:
    query = f"SELECT count(*), coalesce(sum(hash({_listed(table)})), 0) FROM {alias}.{table.path}"
    rows, hashes = one_row(connection, query)
    return Contents(int(rows), int(hashes))


def _listed(table: Table) -> str:
    return ", ".join(quoted(column) for column in table.columns)


def is_empty(connection: Connection) -> bool:
    """Whether the copy has no row in any table but that of its origin."""
    return not any(
        one_column(connection, f"SELECT 1 FROM {ALIAS}.{quoted(schema)}.{quoted(name)} LIMIT 1")
        for schema, name in _columns(connection, ALIAS)
        if (schema, name) != _ORIGIN
    )
