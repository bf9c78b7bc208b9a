"""How things stand: what became of events, why some are dead, and what was sent when."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.export_dates import ExportDates
from pipeline.ledger.records import DELIVERED, WAITING, SentBatch, Standing
from pipeline.ledger.schema import Instant, batches, dead_events, forgotten
from pipeline.ledger.statements import within

_NOTHING = (0, 0, 0)


def standings(connection: Connection, dates: ExportDates | None) -> list[Standing]:
    """Events by export date and name; what was never put into a batch is dead.

    A batch counts the events that it was cut with, less those that were replayed: the dead and the forgotten ones are
    taken off here.
    """
    batched = _numbers(connection, batches, batches.c.events, dates)
    dead = _numbers(connection, dead_events, sa.literal_column("1", sa.Integer), dates)
    gone = _numbers(connection, forgotten, forgotten.c.events, dates)
    found = []
    for key in sorted(batched.keys() | dead.keys() | gone.keys()):
        _, delivered, waiting = batched.get(key, _NOTHING)
        died, died_of_delivered, died_of_waiting = dead.get(key, _NOTHING)
        left_out, left_out_of_delivered, left_out_of_waiting = gone.get(key, _NOTHING)
        found.append(
            Standing(
                *key,
                delivered=delivered - died_of_delivered - left_out_of_delivered,
                waiting=waiting - died_of_waiting - left_out_of_waiting,
                dead=died,
                forgotten=left_out,
            )
        )
    return found


def causes_of_death(connection: Connection, most: int) -> list[tuple[str, int]]:
    """Why events are dead and how many, the most frequent first."""
    number = sa.func.count()
    query = sa.select(dead_events.c.reason, number).group_by(dead_events.c.reason).order_by(number.desc())
    rows: Sequence[Any] = connection.execute(query.limit(most)).all()
    return [(reason, events) for reason, events in rows]


def sent_since(connection: Connection, moment: datetime) -> list[SentBatch]:
    """Batches that were delivered since then, and those that were tried and are still waiting."""
    dead = sa.select(sa.func.count()).where(dead_events.c.batch_id == batches.c.batch_id).scalar_subquery()
    gone = (
        sa.select(sa.func.coalesce(sa.func.sum(forgotten.c.events), 0))
        .where(forgotten.c.batch_id == batches.c.batch_id)
        .scalar_subquery()
    )
    tried = sa.func.coalesce(batches.c.first_attempt_at, batches.c.delivered_at, type_=Instant)
    query = sa.select(
        batches.c.event,
        batches.c.export_date,
        batches.c.events,
        (dead + gone).label("lost"),
        tried.label("first_attempt_at"),
        batches.c.delivered_at,
    ).where(tried.is_not(None), sa.or_(batches.c.delivered_at.is_(None), batches.c.delivered_at >= moment))
    return [SentBatch(**row) for row in connection.execute(query).mappings()]


def _numbers(
    connection: Connection, table: sa.Table, events: sa.ColumnElement[int], dates: ExportDates | None
) -> dict[tuple[date, str], tuple[int, int, int]]:
    """By export date and name, how many events a table has: in all, in delivered batches, in waiting ones."""
    query = (
        sa.select(
            table.c.export_date,
            table.c.event,
            sa.func.sum(events),
            *(sa.func.sum(sa.case((batches.c.status == status, events), else_=0)) for status in (DELIVERED, WAITING)),
        )
        .select_from(table if table is batches else table.outerjoin(batches, table.c.batch_id == batches.c.batch_id))
        .group_by(table.c.export_date, table.c.event)
    )
    if dates is not None:
        query = query.where(within(table, dates))
    rows: Sequence[Any] = connection.execute(query).all()
    return {
        (day, event): (int(number), int(of_delivered), int(of_waiting))
        for day, event, number, of_delivered, of_waiting in rows
    }
