"""Dead events: why they are dead, their replays, and what remains of forgotten people."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.ledger.database import LedgerDatabase
from pipeline.ledger.ledger_pairing import advance
from pipeline.ledger.records import DELIVERED, SUPPRESSED, WITHDRAWN, DeadEvent, Remaining, Replay
from pipeline.ledger.schema import batches, dead_events, earlier_deliveries, forgotten, replays
from pipeline.ledger.statements import chunks, found, insert, insert_dead, unknown, within

if TYPE_CHECKING:
    import pandas as pd

# Dead on purpose, not because Segment would reject them.
_UNWANTED = sa.or_(dead_events.c.reason == SUPPRESSED, dead_events.c.reason.like(f"{WITHDRAWN}%"))
_NOT_REQUESTED = dead_events.c.id.not_in(sa.select(replays.c.id))


class DeadEventsPart(LedgerDatabase):
    """The part of the ledger about dead events."""

    def dead_ids(self, event: str, dates: ExportDates) -> list[str]:
        """Events that must not be sent with their batch."""
        return self._values(sa.select(dead_events.c.id).where(dead_events.c.event == event, within(dead_events, dates)))

    def dead_reasons(
        self, most: int | None = 5, dates: ExportDates = EVERY_DATE, *, wanted: bool = False
    ) -> list[tuple[str, int]]:
        """The most frequent reasons of dead events, with their number of events, the most frequent first; None: all.
        `wanted`: without suppressed and withdrawn ones.
        """
        number = sa.func.count()
        query = sa.select(dead_events.c.reason, number).where(within(dead_events, dates))
        if wanted:
            query = query.where(sa.not_(_UNWANTED))
        query = query.group_by(dead_events.c.reason).order_by(number.desc())
        with self._engine.connect() as connection:
            rows: Sequence[Any] = connection.execute(query.limit(most)).all()
        return [(reason, events) for reason, events in rows]

    def withdraw(self, gone: Sequence[DeadEvent], now: datetime) -> tuple[int, int]:
        """Mark events as dead that no export contains any longer, or that belong to suppressed people.

        Returns how many are now dead, and how many had already been delivered, which can't be undone.
        """
        batch_ids = sorted({event.batch_id for event in gone if event.batch_id})
        with self._engine.begin() as connection:
            not_dead = unknown(connection, dead_events.c.id, [event.id for event in gone])
            sent = found(connection, batches.c.batch_id, batch_ids, batches.c.status == DELIVERED)
            late = [event for event in gone if event.id in not_dead and event.batch_id in sent]
            in_time = [event for event in gone if event.id in not_dead and event.batch_id not in sent]
            insert_dead(connection, in_time, now)
        return len(in_time), len(late)

    # Replays: requested first; the events are no longer dead once the outbox contains them in new batches.

    def request_replays(self, event: str | None, reason: str | None, dates: ExportDates) -> int:
        """Request a replay of dead events, but not of unwanted ones; None matches any. Returns their number."""
        conditions = [within(dead_events, dates), sa.not_(_UNWANTED)]
        if event is not None:
            conditions.append(dead_events.c.event == event)
        if reason is not None:
            conditions.append(dead_events.c.reason.contains(reason, autoescape=True))
        with self._engine.begin() as connection:
            return _request(connection, *conditions)

    def replays(self) -> list[Replay]:
        """Requested replays. The outbox may still contain the events in the batches in which they died."""
        query = sa.select(*(replays.c[name] for name in Replay.__dataclass_fields__))
        with self._engine.connect() as connection:
            return [Replay(**row) for row in connection.execute(query).mappings()]

    def unwanted_ids(self) -> list[str]:
        """Dead events that no export contained any longer, or of suppressed people."""
        return self._values(sa.select(dead_events.c.id).where(_UNWANTED, _NOT_REQUESTED))

    def revive(self, ids: Sequence[str]) -> None:
        """Request a replay of these events, whatever the reason for which they are dead."""
        with self._engine.begin() as connection:
            for chunk in chunks(ids):
                _request(connection, dead_events.c.id.in_(chunk))

    # Forgetting: a number remains, and nothing that leads back to a person.

    def forget(self, remaining: Sequence[Remaining], ids: Sequence[str]) -> int:
        """Keep only the number of these events. Returns the number of dead ones.

        A number is set and not added to, so that a process that was killed can repeat it. A batch of which nothing
        remains is deleted: off the list again, its people may make a batch of the same id, which is to be sent.
        """
        before = {row.batch_id: row for row in remaining}
        sizes: dict[str, int] = {}
        with self._engine.begin() as connection:
            for chunk in chunks(list(before)):
                query = sa.select(batches.c.batch_id, batches.c.events).where(batches.c.batch_id.in_(chunk))
                sizes |= {row.batch_id: row.events for row in connection.execute(query)}
            emptied = {key: _anonymous(key) for key, row in before.items() if row.events == 0 and key in sizes}
            done = found(connection, forgotten.c.batch_id, [_anonymous(key) for key in before if key not in sizes])
            counted = [
                vars(row) | {"batch_id": emptied.get(key, key), "events": sizes.get(key, 1) - row.events}
                for key, row in before.items()
                if _anonymous(key) not in done
            ]
            _delete(connection, forgotten.c.batch_id, [str(row["batch_id"]) for row in counted])
            _delete(connection, forgotten.c.batch_id, list(emptied))
            _delete(connection, batches.c.batch_id, list(emptied))
            for key, anonymous in emptied.items():
                of_batch = earlier_deliveries.c.batch_id == key
                connection.execute(sa.update(earlier_deliveries).where(of_batch).values(batch_id=anonymous))
            insert(connection, forgotten, counted)
            dead = _delete(connection, dead_events.c.id, ids)
            advance(connection)
        return dead

    def texts(self) -> "pd.DataFrame":
        """Every text from outside, by the key of its row: the responses of Segment and of proxies."""
        import pandas as pd  # which takes longer to import than most commands take

        queries = [
            sa.select(table.c[key].label("key"), table.c.reason).where(table.c.reason.is_not(None))
            for table, key in ((batches, "batch_id"), (dead_events, "id"))
        ]
        with self._engine.connect() as connection:
            return pd.read_sql(sa.union_all(*queries), connection)

    def replace_texts(self, keys: Sequence[str], text: str) -> None:
        """Overwrite the stored responses of these rows."""
        with self._engine.begin() as connection:
            for chunk in chunks(keys):
                for column in (batches.c.batch_id, dead_events.c.id):
                    connection.execute(sa.update(column.table).where(column.in_(chunk)).values(reason=text))


def complete_replays(connection: Connection, ids: Collection[str]) -> None:
    """Revive events that are in new batches. Their former batches are smaller, or deleted."""
    for chunk in chunks(sorted(ids)):
        of_these = replays.c.id.in_(chunk)
        former = batches.c.batch_id.in_(sa.select(replays.c.batch_id).where(of_these))
        left = sa.select(sa.func.count()).where(of_these, replays.c.batch_id == batches.c.batch_id).scalar_subquery()
        connection.execute(sa.update(batches).where(former).values(events=batches.c.events - left))
        connection.execute(sa.delete(batches).where(former, batches.c.events == 0))
        connection.execute(sa.delete(dead_events).where(dead_events.c.id.in_(sa.select(replays.c.id).where(of_these))))
        connection.execute(sa.delete(replays).where(of_these))


def _request(connection: Connection, *conditions: sa.ColumnElement[bool]) -> int:
    query = sa.select(dead_events.c.id, dead_events.c.batch_id, dead_events.c.export_date)
    requested = [dict(row) for row in connection.execute(query.where(_NOT_REQUESTED, *conditions)).mappings()]
    insert(connection, replays, requested)
    return len(requested)


def _anonymous(batch_id: str) -> str:
    """The key under which the number of a deleted batch is kept."""
    return hashlib.sha256(batch_id.encode()).hexdigest()


def _delete(connection: Connection, column: sa.Column[str], keys: Sequence[str]) -> int:
    return sum(connection.execute(sa.delete(column.table).where(column.in_(chunk))).rowcount for chunk in chunks(keys))
