"""Numbers of the ledger, and its rows as the warehouse copies them."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.export_dates import ExportDates
from pipeline.ledger.database import LedgerDatabase
from pipeline.ledger.records import DELIVERED, HELD, WAITING, SentBatch, Standing
from pipeline.ledger.schema import Instant, batches, dead_events, earlier_deliveries, forgotten, withheld_dates
from pipeline.ledger.statements import within

if TYPE_CHECKING:
    import pandas as pd

_STATUSES = (DELIVERED, WAITING, HELD)
_NOTHING = (0, *(0 for _ in _STATUSES))
_FORGOTTEN_OF_BATCH = (
    sa.select(sa.func.coalesce(sa.func.sum(forgotten.c.events), 0))
    .where(forgotten.c.batch_id == batches.c.batch_id)
    .scalar_subquery()
)
# The events of a batch that the outbox contains, dead ones included: forgotten ones are deleted there.
EVENTS_IN_OUTBOX = (batches.c.events - _FORGOTTEN_OF_BATCH).label("events")

# By the name of the copy: the table, and the columns that are copied, the key first.
_COPIED = {
    "delivery.batches": (
        batches,
        [
            *("batch_id", "event", "export_date", "events", "status", "attempts"),
            *("first_attempt_at", "delivered_at", "reason"),
        ],
    ),
    "delivery.dead_events": (dead_events, ["id", "event", "export_date", "batch_id", "reason", "died_at"]),
    "delivery.forgotten_events": (forgotten, ["batch_id", "event", "export_date", "events"]),
    "delivery.earlier_deliveries": (earlier_deliveries, [column.name for column in earlier_deliveries.columns]),
    "delivery.withheld_dates": (withheld_dates, ["export_date", "withheld_at"]),
}


class StandingsPart(LedgerDatabase):
    """The part of the ledger that counts."""

    def standings(self, dates: ExportDates | None = None) -> list[Standing]:
        """Events by export date and name.

        A batch counts what it was cut with, less replayed events; dead and forgotten ones are subtracted here.
        """
        with self._engine.connect() as connection:
            batched = _numbers(connection, batches, batches.c.events, dates)
            dead = _numbers(connection, dead_events, sa.literal_column("1", sa.Integer), dates)
            gone = _numbers(connection, forgotten, forgotten.c.events, dates)
        found = []
        for key in sorted(batched.keys() | dead.keys() | gone.keys()):
            _, *of_batches = batched.get(key, _NOTHING)
            died, *of_dead = dead.get(key, _NOTHING)
            left_out, *of_forgotten = gone.get(key, _NOTHING)
            delivered, waiting, held = (
                batch - dead_of - forgotten_of
                for batch, dead_of, forgotten_of in zip(of_batches, of_dead, of_forgotten, strict=True)
            )
            found.append(
                Standing(
                    *key,
                    delivered=delivered,
                    waiting=waiting,
                    dead=died,
                    forgotten=left_out,
                    held=held,
                )
            )
        return found

    def waiting_reasons(self, most: int = 5) -> list[tuple[str, int]]:
        """Why tried batches still wait, with the number of their events, the most frequent first."""
        dead = sa.select(sa.func.count()).where(dead_events.c.batch_id == batches.c.batch_id).scalar_subquery()
        number = sa.func.sum(EVENTS_IN_OUTBOX - dead)
        tried = sa.and_(batches.c.status == WAITING, batches.c.reason.is_not(None))
        query = sa.select(batches.c.reason, number).where(tried).group_by(batches.c.reason).order_by(number.desc())
        with self._engine.connect() as connection:
            return [(str(reason), int(events)) for reason, events in connection.execute(query.limit(most)).tuples()]

    def standing_of(self, event: str, dates: ExportDates) -> Standing:
        """Events of one name over some export dates."""
        found = [standing for standing in self.standings(dates) if standing.event == event]
        numbers = ("delivered", "waiting", "dead", "forgotten", "held")
        return Standing(dates.first, event, *(sum(getattr(each, number) for each in found) for number in numbers))

    def sent_since(self, moment: datetime) -> list[SentBatch]:
        """Batches that were delivered since then, and those that were tried and are still waiting."""
        dead = sa.select(sa.func.count()).where(dead_events.c.batch_id == batches.c.batch_id).scalar_subquery()
        tried = sa.func.coalesce(batches.c.first_attempt_at, batches.c.delivered_at, type_=Instant)
        query = sa.select(
            batches.c.event,
            batches.c.export_date,
            batches.c.events,
            (dead + _FORGOTTEN_OF_BATCH).label("lost"),
            tried.label("first_attempt_at"),
            batches.c.delivered_at,
        ).where(tried.is_not(None), sa.or_(batches.c.delivered_at.is_(None), batches.c.delivered_at >= moment))
        with self._engine.connect() as connection:
            return [SentBatch(**row) for row in connection.execute(query).mappings()]

    def delivered_without_name(self, dates: ExportDates) -> dict[str, int]:
        """By name (`email_subject`, `campaign_name` …), the number of delivered messages of these export dates that
        have the id but not the name; names that are always there are omitted.
        """
        query = sa.select(batches.c.without_names).where(
            batches.c.without_names.is_not(None), batches.c.status == DELIVERED, within(batches, dates)
        )
        numbers: Counter[str] = Counter()
        for text in self._values(query):
            numbers.update(json.loads(text))
        return dict(sorted(numbers.items()))

    def frames(self, dates: ExportDates) -> dict[str, "pd.DataFrame"]:
        """The rows of some export dates by the name of their copy in the warehouse; the first column is the key."""
        import pandas as pd  # which takes longer to import than most commands take

        with self._engine.connect() as connection:
            return {
                copy: pd.read_sql(
                    sa.select(*(table.c[name] for name in columns)).where(within(table, dates)), connection
                )
                for copy, (table, columns) in _COPIED.items()
            }


def _numbers(
    connection: Connection, table: sa.Table, events: sa.ColumnElement[int], dates: ExportDates | None
) -> dict[tuple[date, str], tuple[int, ...]]:
    """The number of events in a table by export date and name: in all, and in delivered, waiting and held batches."""
    query = (
        sa.select(
            table.c.export_date,
            table.c.event,
            sa.func.sum(events),
            *(sa.func.sum(sa.case((batches.c.status == status, events), else_=0)) for status in _STATUSES),
        )
        .select_from(table if table is batches else table.outerjoin(batches, table.c.batch_id == batches.c.batch_id))
        .group_by(table.c.export_date, table.c.event)
    )
    if dates is not None:
        query = query.where(within(table, dates))
    rows: Sequence[Any] = connection.execute(query).all()
    return {(day, event): tuple(map(int, numbers)) for day, event, *numbers in rows}
