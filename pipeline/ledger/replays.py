"""Dead events that are tried again: asked for first, and no longer dead once the outbox has them in new batches."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.export_dates import ExportDates
from pipeline.ledger.records import SUPPRESSED, WITHDRAWN, Replay
from pipeline.ledger.schema import batches, dead_events, replays
from pipeline.ledger.statements import chunks, insert, within

# They are dead since nobody says them or nobody may, and not for what Segment would have said.
_SET_ASIDE = sa.or_(dead_events.c.reason == SUPPRESSED, dead_events.c.reason.like(f"{WITHDRAWN}%"))
_NOT_ASKED_FOR = dead_events.c.id.not_in(sa.select(replays.c.id))


def ask_for(connection: Connection, event: str | None, reason: str | None, dates: ExportDates) -> int:
    """Note which dead events are to be tried again; how many. None is any event and any reason.

    Not those that no export says any more, nor those of suppressed people: that they are dead is what was wanted.
    """
    conditions = [within(dead_events, dates), sa.not_(_SET_ASIDE)]
    if event is not None:
        conditions.append(dead_events.c.event == event)
    if reason is not None:
        conditions.append(dead_events.c.reason.contains(reason, autoescape=True))
    return _ask(connection, *conditions)


def set_aside(connection: Connection) -> list[str]:
    """Events that are dead since no export said them any more, or since they are of suppressed people."""
    return list(connection.execute(sa.select(dead_events.c.id).where(_SET_ASIDE, _NOT_ASKED_FOR)).scalars())


def revive(connection: Connection, ids: Sequence[str]) -> None:
    """Note that these are to be tried again, for whatever reason they are dead."""
    for chunk in chunks(ids):
        _ask(connection, dead_events.c.id.in_(chunk))


def asked_for(connection: Connection) -> list[Replay]:
    """Events that the outbox may still have in the batches in which they died."""
    query = sa.select(*(replays.c[name] for name in Replay.__dataclass_fields__))
    return [Replay(**row) for row in connection.execute(query).mappings()]


def complete(connection: Connection, ids: Collection[str]) -> None:
    """The outbox has these in new batches: they are dead no more, and their former batches are smaller, or gone."""
    for chunk in chunks(sorted(ids)):
        of_these = replays.c.id.in_(chunk)
        former = batches.c.batch_id.in_(sa.select(replays.c.batch_id).where(of_these))
        left = sa.select(sa.func.count()).where(of_these, replays.c.batch_id == batches.c.batch_id).scalar_subquery()
        connection.execute(sa.update(batches).where(former).values(events=batches.c.events - left))
        connection.execute(sa.delete(batches).where(former, batches.c.events == 0))
        connection.execute(sa.delete(dead_events).where(dead_events.c.id.in_(sa.select(replays.c.id).where(of_these))))
        connection.execute(sa.delete(replays).where(of_these))


def _ask(connection: Connection, *conditions: sa.ColumnElement[bool]) -> int:
    query = sa.select(dead_events.c.id, dead_events.c.batch_id, dead_events.c.export_date)
    asked = [dict(row) for row in connection.execute(query.where(_NOT_ASKED_FOR, *conditions)).mappings()]
    insert(connection, replays, asked)
    return len(asked)
