"""Held batches: of machines, of identify calls while those are switched off, and of events that may have been delivered
before: with new ids, or before a restore.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import sqlalchemy as sa

from pipeline.export_dates import ExportDates
from pipeline.ledger.database import LedgerDatabase
from pipeline.ledger.ledger_pairing import advance
from pipeline.ledger.records import DELIVERED, HELD, IN_DOUBT, NEW_IDS, WAITING, DeadEvent, HeldEvents
from pipeline.ledger.schema import accepted_withdrawals, batches, dead_events, former_batches
from pipeline.ledger.standings import EVENTS_IN_OUTBOX
from pipeline.ledger.statements import found, insert, unknown, within

_DEAD = sa.select(sa.func.count()).where(dead_events.c.batch_id == batches.c.batch_id).scalar_subquery()
# Those that may have been delivered before: only a release that names the reason releases them.
_MAY_BE_DUPLICATES = sa.or_(batches.c.reason.like(f"{NEW_IDS}:%"), batches.c.reason.like(f"{IN_DOUBT}:%"))


class HeldBatchesPart(LedgerDatabase):
    """The part of the ledger about held batches."""

    def hold(self, event: str) -> None:
        """Hold the waiting batches of an event, of every date."""
        of_these = sa.and_(batches.c.status == WAITING, batches.c.event == event)
        with self._engine.begin() as connection:
            if connection.execute(sa.update(batches).where(of_these).values(status=HELD)).rowcount:
                advance(connection)

    def release_held(self, event: str | None, dates: ExportDates) -> int:
        """Set held batches back to waiting, but for those that may have been delivered before; None: of every event.
        Returns the number of their events.
        """
        return self._release(event, dates, sa.or_(batches.c.reason.is_(None), sa.not_(_MAY_BE_DUPLICATES)))

    # Events that may have been delivered before

    def replacing(self, dates: ExportDates) -> list[HeldEvents]:
        """Held events with new ids, by export date and event; without dead and forgotten ones."""
        return self._held_because(NEW_IDS, dates)

    def in_doubt(self, dates: ExportDates) -> list[HeldEvents]:
        """The same of those that may have been sent between a backup and its restore."""
        return self._held_because(IN_DOUBT, dates)

    def _held_because(self, reason: str, dates: ExportDates) -> list[HeldEvents]:
        number = sa.func.sum(EVENTS_IN_OUTBOX - _DEAD)
        query = (
            sa.select(batches.c.export_date, batches.c.event, batches.c.reason, number)
            .where(batches.c.status == HELD, batches.c.reason.like(f"{reason}:%"), within(batches, dates))
            .group_by(batches.c.export_date, batches.c.event, batches.c.reason)
            .having(number > 0)
            .order_by(batches.c.export_date, batches.c.event, batches.c.reason)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).tuples().all()
        return [HeldEvents(day, event, str(reason), int(events)) for day, event, reason, events in rows]

    def release_possible_duplicates(self, event: str | None, dates: ExportDates, reason: str) -> int:
        """Set held batches that may have been delivered before, and whose reason contains a text, back to waiting.
        Returns the number of their events.
        """
        contains = batches.c.reason.contains(reason, autoescape=True)
        return self._release(event, dates, sa.and_(_MAY_BE_DUPLICATES, contains))

    def delivered_among(self, gone: Sequence[DeadEvent]) -> list[DeadEvent]:
        """Those of these events that were delivered."""
        batch_ids = sorted({event.batch_id for event in gone if event.batch_id})
        with self._engine.connect() as connection:
            sent = found(connection, batches.c.batch_id, batch_ids, batches.c.status == DELIVERED)
            candidates = [event for event in gone if event.batch_id in sent]
            alive = unknown(connection, dead_events.c.id, [event.id for event in candidates])
        return [event for event in candidates if event.id in alive]

    def accepted_withdrawals(self, dates: ExportDates) -> Mapping[date, Mapping[str, int]]:
        """How many delivered events were known to be withdrawn when new events of the date were sent, by date and
        event.
        """
        table, accepted = accepted_withdrawals, defaultdict[date, Counter[str]](Counter)
        query = sa.select(table.c.export_date, table.c.event, table.c.events).where(within(table, dates))
        with self._engine.connect() as connection:
            for day, event, events in connection.execute(query).tuples():
                accepted[day][event] = events
        return accepted

    def accept_withdrawals(self, withdrawn: Mapping[date, Mapping[str, int]]) -> None:
        """Record such numbers, which replace former ones of the same date and event."""
        rows: list[dict[str, object]] = [
            {"export_date": day, "event": event, "events": events}
            for day, by_event in withdrawn.items()
            for event, events in by_event.items()
        ]
        table = accepted_withdrawals
        with self._engine.begin() as connection:
            for row in rows:
                of_these = sa.and_(table.c.export_date == row["export_date"], table.c.event == row["event"])
                connection.execute(sa.delete(table).where(of_these))
            insert(connection, table, rows)

    def _release(self, event: str | None, dates: ExportDates, condition: sa.ColumnElement[bool]) -> int:
        of_these = sa.and_(batches.c.status == HELD, within(batches, dates), condition)
        if event is not None:
            of_these = sa.and_(of_these, batches.c.event == event)
        with self._engine.begin() as connection:
            numbers: Sequence[int] = (
                connection.execute(sa.select(EVENTS_IN_OUTBOX - _DEAD).where(of_these)).scalars().all()
            )
            if numbers:
                fresh = {"status": WAITING, "reason": sa.case((_MAY_BE_DUPLICATES, None), else_=batches.c.reason)}
                _forget_former(connection, of_these)
                connection.execute(sa.update(batches).where(of_these).values(**fresh))
                advance(connection)
        return sum(numbers)


def _forget_former(connection: sa.Connection, released: sa.ColumnElement[bool]) -> None:
    """Delete the former batches of the dates and events of released ones: further events of them are sent."""
    in_doubt = sa.and_(released, batches.c.reason.like(f"{IN_DOUBT}:%"))
    of_these = sa.and_(batches.c.export_date == former_batches.c.export_date, batches.c.event == former_batches.c.event)
    connection.execute(sa.delete(former_batches).where(sa.exists().where(in_doubt, of_these)))
