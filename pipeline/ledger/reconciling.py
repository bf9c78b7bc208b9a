"""A ledger and a warehouse that don't go together, of which one was lost or is older, brought together."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.ledger.records import DELIVERED, Copied
from pipeline.ledger.schema import (
    batches,
    dead_events,
    forgotten,
    former_batches,
    progress,
    replays,
    withheld_dates,
)
from pipeline.ledger.statements import chunks, insert, unknown

_FORMER = [column.name for column in former_batches.columns]


def set_aside(connection: Connection, known: Collection[str]) -> tuple[int, int]:
    """Batches that are not among those that the warehouse has are batches no more: how many delivered events were in
    them, and how many of these are kept for `recognise`.

    Not kept are batches with dead or forgotten events, of which nothing says any more which were delivered.
    """
    there: set[str] = set(connection.execute(sa.select(batches.c.batch_id)).scalars())
    events = kept = 0
    for chunk in chunks(sorted(there - set(known))):
        rows = [dict(row) for row in connection.execute(_of(chunk)).mappings()]
        lost = _lost(connection, [str(row["batch_id"]) for row in rows])
        whole = [row for row in rows if row["batch_id"] not in lost]
        events += sum(row["events"] for row in rows) - sum(lost.values())
        kept += sum(row["events"] for row in whole)
        connection.execute(sa.delete(former_batches).where(former_batches.c.batch_id.in_(chunk)))
        insert(connection, former_batches, whole)
        for column in (batches.c.batch_id, forgotten.c.batch_id):
            connection.execute(sa.delete(column.table).where(column.in_(chunk)))
    return events, kept


def _of(batch_ids: Sequence[str]) -> sa.Select[tuple[object, ...]]:
    columns = (batches.c[name] for name in _FORMER)
    return sa.select(*columns).where(batches.c.batch_id.in_(batch_ids), batches.c.status == DELIVERED)


def _lost(connection: Connection, batch_ids: Sequence[str]) -> dict[str, int]:
    """How many events of these batches are dead or forgotten, where any is."""
    numbers: dict[str, int] = {}
    for table, number in ((dead_events, sa.func.count()), (forgotten, sa.func.sum(forgotten.c.events))):
        query = sa.select(table.c.batch_id, number).where(table.c.batch_id.in_(batch_ids)).group_by(table.c.batch_id)
        rows: Sequence[Any] = connection.execute(query).all()
        for batch_id, events in rows:
            numbers[batch_id] = numbers.get(batch_id, 0) + int(events)
    return numbers


def drop_dead(connection: Connection, kept: Collection[str]) -> None:
    """Only these events are dead, and none is asked for; how far dates have come is to be found out again."""
    there: set[str] = set(connection.execute(sa.select(dead_events.c.id)).scalars())
    for chunk in chunks(sorted(there - set(kept))):
        connection.execute(sa.delete(dead_events).where(dead_events.c.id.in_(chunk)))
    for table in (replays, progress):
        connection.execute(sa.delete(table))


def take(connection: Connection, copied: Copied) -> int:
    """Take from the warehouse's copy of a ledger what is not known here; how many batches were not, or were not known
    to be delivered.
    """
    new = unknown(connection, batches.c.batch_id, [str(row["batch_id"]) for row in copied.batches])
    insert(connection, batches, [row for row in copied.batches if row["batch_id"] in new])
    delivered = [row for row in copied.batches if row["status"] == DELIVERED and row["batch_id"] not in new]
    learnt = 0
    for row in delivered:
        values = {name: row[name] for name in ("status", "attempts", "first_attempt_at", "delivered_at", "reason")}
        learnt += connection.execute(
            sa.update(batches)
            .where(batches.c.batch_id == row["batch_id"], batches.c.status != DELIVERED)
            .values(**values)
        ).rowcount
    keys: list[tuple[sa.Table, Sequence[dict[str, object]], str]] = [
        (dead_events, copied.dead, "id"),
        (forgotten, copied.forgotten, "batch_id"),
    ]
    for table, rows, key in keys:
        missing = unknown(connection, table.c[key], [str(row[key]) for row in rows])
        insert(connection, table, [row for row in rows if row[key] in missing])
    known: set[date] = set(connection.execute(sa.select(withheld_dates.c.export_date)).scalars())
    insert(connection, withheld_dates, [row for row in copied.withheld if row["export_date"] not in known])
    return len(new) + learnt


def recognise(connection: Connection, new: Collection[str]) -> list[dict[str, object]]:
    """Of new batches the rows of those that were delivered before the warehouse was lost, which is known no longer."""
    recognised: list[dict[str, object]] = []
    for chunk in chunks(sorted(new)):
        of_these = former_batches.c.batch_id.in_(chunk)
        recognised += [dict(row) for row in connection.execute(sa.select(former_batches).where(of_these)).mappings()]
        connection.execute(sa.delete(former_batches).where(of_these))
    return recognised
