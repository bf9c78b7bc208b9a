"""Dead events that are tried again: asked for by somebody, and no longer dead once the outbox has let go of them."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.dates import ExportDates
from pipeline.segment.ledger.statements import insert, within
from pipeline.segment.ledger.tables import batches, dead_events, replays
from pipeline.segment.ledger.values import SUPPRESSED, WITHDRAWN


def ask_for(connection: Connection, event: str | None, reason: str | None, dates: ExportDates) -> int:
    """Note which dead events are to be tried again; how many. None is any event and any reason.

    Not those that no export says any more, nor those of suppressed people: that they are dead is what was wanted.
    """
    query = sa.select(dead_events.c.id, dead_events.c.batch_id, dead_events.c.export_date).where(
        within(dead_events, dates),
        dead_events.c.reason != SUPPRESSED,
        dead_events.c.reason.not_like(f"{WITHDRAWN}%"),
        dead_events.c.id.not_in(sa.select(replays.c.id)),
    )
    if event is not None:
        query = query.where(dead_events.c.event == event)
    if reason is not None:
        query = query.where(dead_events.c.reason.contains(reason, autoescape=True))
    asked = [dict(row) for row in connection.execute(query).mappings()]
    insert(connection, replays, asked)
    return len(asked)


def asked_for(connection: Connection) -> list[tuple[str, date]]:
    """Events that the outbox may still have in their former batches, with their export dates."""
    rows: Sequence[Any] = connection.execute(sa.select(replays.c.id, replays.c.export_date)).all()
    return [(key, day) for key, day in rows]


def let_go(connection: Connection) -> None:
    """They are dead no more, and their former batches are smaller."""
    left = sa.select(sa.func.count()).where(replays.c.batch_id == batches.c.batch_id).scalar_subquery()
    connection.execute(
        sa.update(batches)
        .where(batches.c.batch_id.in_(sa.select(replays.c.batch_id)))
        .values(events=batches.c.events - left)
    )
    connection.execute(sa.delete(dead_events).where(dead_events.c.id.in_(sa.select(replays.c.id))))
    connection.execute(sa.delete(replays))
