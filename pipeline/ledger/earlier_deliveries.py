"""Delivered batches that are to be sent again: they went to a wrong source. Their first deliveries are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from pipeline.export_dates import ExportDates
from pipeline.ledger.database import LedgerDatabase
from pipeline.ledger.ledger_pairing import advance
from pipeline.ledger.records import DELIVERED, WAITING, Delivered
from pipeline.ledger.schema import Instant, batches, dead_events, earlier_deliveries
from pipeline.ledger.standings import EVENTS_IN_OUTBOX
from pipeline.ledger.statements import chunks, insert, within

_DEAD = sa.select(sa.func.count()).where(dead_events.c.batch_id == batches.c.batch_id).scalar_subquery()
_EVENTS = EVENTS_IN_OUTBOX - _DEAD
_KEPT = ("batch_id", "event", "export_date", "attempts", "first_attempt_at", "delivered_at")


class EarlierDeliveriesPart(LedgerDatabase):
    """The part of the ledger about replays of delivered batches."""

    def delivered(self, event: str | None, dates: ExportDates) -> Delivered | None:
        """Delivered events of these export dates, and of one event name or (None) of all; None if there are none."""
        at = batches.c.delivered_at
        query = sa.select(
            sa.func.coalesce(sa.func.sum(_EVENTS), 0).label("events"),
            sa.func.min(batches.c.export_date).label("first"),
            sa.func.max(batches.c.export_date).label("last"),
            sa.func.min(at, type_=Instant).label("first_at"),
            sa.func.max(at, type_=Instant).label("last_at"),
        ).where(_of(event, dates))
        with self._engine.connect() as connection:
            row: Any = connection.execute(query).one()
        if not row.events:
            return None
        return Delivered(int(row.events), ExportDates(row.first, row.last), row.first_at, row.last_at)

    def replay_delivered(self, event: str | None, dates: ExportDates, now: datetime) -> int:
        """Set delivered batches back to waiting, in one transaction with the record of their delivery.

        A batch stays as it was cut, so its events are sent under the same ids. Returns the number of events.
        """
        query = sa.select(*(batches.c[name] for name in _KEPT), _EVENTS.label("events")).where(_of(event, dates))
        fresh = {"status": WAITING, "attempts": 0, "first_attempt_at": None, "delivered_at": None}
        with self._engine.begin() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            insert(connection, earlier_deliveries, [{"id": str(uuid4()), "replayed_at": now} | row for row in rows])
            for chunk in chunks([str(row["batch_id"]) for row in rows]):
                of_these = batches.c.batch_id.in_(chunk)
                connection.execute(sa.update(batches).where(of_these).values(**fresh, reason=None, without_names=None))
            if rows:
                advance(connection)
        return sum(int(row["events"]) for row in rows)

    def replayed_since(self, moment: datetime) -> set[str]:
        """Delivered batches that were set back to waiting since then."""
        query = sa.select(earlier_deliveries.c.batch_id).where(earlier_deliveries.c.replayed_at >= moment)
        return set(self._values(query))


def _of(event: str | None, dates: ExportDates) -> sa.ColumnElement[bool]:
    """The condition that a batch has delivered events of an event name and these export dates."""
    conditions: Sequence[sa.ColumnElement[bool]] = [batches.c.status == DELIVERED, within(batches, dates), _EVENTS > 0]
    return sa.and_(*conditions) if event is None else sa.and_(*conditions, batches.c.event == event)
