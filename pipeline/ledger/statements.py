"""Parts that several statements share."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.export_dates import ExportDates
from pipeline.ledger.records import DeadEvent
from pipeline.ledger.schema import dead_events

_CHUNK = 500


def within(table: sa.Table, dates: ExportDates) -> sa.ColumnElement[bool]:
    """The condition that a row belongs to these export dates."""
    return table.c.export_date.between(dates.first, dates.last)


def insert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, object]]) -> None:
    """Insert the rows, if there are any."""
    if rows:
        connection.execute(sa.insert(table), list(rows))


def insert_dead(connection: Connection, dead: Sequence[DeadEvent], now: datetime) -> None:
    """Insert the events that were not dead before."""
    new = unknown(connection, dead_events.c.id, [event.id for event in dead])
    insert(connection, dead_events, [vars(event) | {"died_at": now} for event in dead if event.id in new])


def chunks(keys: Sequence[str]) -> list[Sequence[str]]:
    """Keys in groups that fit into one statement."""
    return [keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK)]


def found(
    connection: Connection, column: sa.Column[str], keys: Sequence[str], condition: sa.ColumnElement[bool] | None = None
) -> set[str]:
    """The keys that the ledger contains (and for which the condition holds)."""
    existing: set[str] = set()
    for chunk in chunks(keys):
        query = sa.select(column).where(column.in_(chunk))
        existing |= set(connection.execute(query if condition is None else query.where(condition)).scalars())
    return existing


def unknown(connection: Connection, column: sa.Column[str], keys: Sequence[str]) -> set[str]:
    """The keys that the ledger does not contain."""
    return set(keys) - found(connection, column, keys)
