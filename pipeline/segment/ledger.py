"""What became of every batch: the one record that a delivery trusts.

One row a batch and one a dead event, so that ten million events cost some ten thousand rows. SQLite on one machine,
PostgreSQL on several.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url

from pipeline.dates import ExportDates
from pipeline.errors import DeliveryError, SettingsError

WAITING, DELIVERED, DEAD = "waiting", "delivered", "dead"
# Reasons of death that nothing is wrong with: nobody says the event any more, or nobody may.
SUPPRESSED, WITHDRAWN = "suppressed", "withdrawn"
_CHUNK = 500


class Instant(sa.TypeDecorator[datetime]):
    """A point in time, UTC. SQLite keeps no time zone, so it is put on again when a value comes back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To the database."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """From the database."""
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)) if value else None


metadata = sa.MetaData()

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("batch_id", sa.String(64), primary_key=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("export_date", sa.Date, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False, default=WAITING),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("first_attempt_at", Instant),
    sa.Column("delivered_at", Instant),
    sa.Column("reason", sa.Text),
    sa.Index("batches_by_date", "export_date", "event", "status"),
)

dead_events = sa.Table(
    "dead_events",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("export_date", sa.Date, nullable=False),
    sa.Column("batch_id", sa.String(64), index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("died_at", Instant, nullable=False),
    sa.Index("dead_events_by_date", "export_date", "event"),
)

completed_dates = sa.Table(
    "completed_dates",
    metadata,
    sa.Column("export_date", sa.Date, primary_key=True),
    sa.Column("loaded_at", Instant, nullable=False),
)


# Export dates whose events are not due until they are released.
withheld_dates = sa.Table(
    "withheld_dates",
    metadata,
    sa.Column("export_date", sa.Date, primary_key=True),
    sa.Column("withheld_at", Instant, nullable=False),
)


# Dead events that somebody wants to be tried again, until the outbox has let go of them.
replays = sa.Table(
    "replays",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("batch_id", sa.String(64)),
    sa.Column("export_date", sa.Date, nullable=False),
)


# What was forgotten is a number: nothing here leads back to a person.
forgotten = sa.Table(
    "forgotten",
    metadata,
    sa.Column("batch_id", sa.String(64), primary_key=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("export_date", sa.Date, nullable=False),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Index("forgotten_by_date", "export_date", "event"),
)


_SENDABLE = sa.and_(batches.c.status == WAITING, batches.c.export_date.not_in(sa.select(withheld_dates.c.export_date)))


@dataclass(frozen=True)
class Batch:
    """Events of one name and one export date that are sent together; it never changes after it was cut."""

    batch_id: str
    event: str
    export_date: date
    sequence: int
    events: int
    bytes: int


@dataclass(frozen=True)
class DeadEvent:
    """An event that can't be delivered, and why."""

    id: str
    event: str
    export_date: date
    batch_id: str | None
    reason: str


@dataclass(frozen=True)
class Remaining:
    """What is left of a batch when some of its people are forgotten; `batch_id` of an event that never was in one is
    a hash of its own.
    """

    batch_id: str
    event: str
    export_date: date
    events: int


@dataclass(frozen=True)
class Settled:
    """What became of a batch in one go: delivered but for its dead events, or still waiting with a reason."""

    batch: Batch
    delivered: bool
    attempts: int
    dead: Sequence[DeadEvent] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Standing:
    """Events of one export date and event name, by what became of them; forgotten ones are none of the three."""

    export_date: date
    event: str
    delivered: int
    waiting: int
    dead: int
    forgotten: int = 0


@dataclass(frozen=True)
class SentBatch:
    """A batch that was sent at least once; `lost` of its events are dead or forgotten, which may have been sent."""

    event: str
    export_date: date
    events: int
    lost: int
    first_attempt_at: datetime
    delivered_at: datetime | None


class Ledger:
    """The ledger at a SQLAlchemy URL; its tables are made on first use.

    Every question raises DeliveryError where the database can't be asked: gone, full, locked for too long.

    Raises:
        SettingsError: the driver that it needs is not installed.
        DeliveryError: it can't be opened; the message has no password in it.
    """

    def __init__(self, url: str) -> None:
        place = make_url(url)
        try:
            if place.get_backend_name() == "sqlite" and place.database:
                Path(place.database).parent.mkdir(parents=True, exist_ok=True)
            self._engine = _engine(url)
            metadata.create_all(self._engine)
        except ImportError as error:
            raise SettingsError(
                f"LEDGER: {place.get_backend_name()} needs the package {error.name}: `pip install -e '.[postgres]'`"
            ) from None
        except (sa.exc.SQLAlchemyError, DeliveryError, OSError) as error:
            # A password can also stand among the parameters of a URL, and drivers repeat what they were given.
            shown = place.set(query={}).render_as_string(hide_password=True)
            raise DeliveryError(f"LEDGER: {shown} can't be opened ({type(error).__name__})") from None

    def register(self, cut: Iterable[Batch], dead: Iterable[DeadEvent], now: datetime) -> int:
        """Enter what the outbox has and the ledger has not; how many batches were new."""
        cut, dead = list(cut), list(dead)
        with self._engine.begin() as connection:
            new = _unknown(connection, batches.c.batch_id, [batch.batch_id for batch in cut])
            _insert(connection, batches, [vars(batch) for batch in cut if batch.batch_id in new])
            new_dead = _unknown(connection, dead_events.c.id, [event.id for event in dead])
            _insert(connection, dead_events, [vars(event) | {"died_at": now} for event in dead if event.id in new_dead])
        return len(new)

    def waiting(self, event: str, dates: ExportDates) -> list[Batch]:
        """Batches still to be sent, oldest export date first."""
        query = (
            sa.select(*(batches.c[name] for name in Batch.__dataclass_fields__))
            .where(_SENDABLE, _within(batches, dates), batches.c.event == event)
            .order_by(batches.c.export_date, batches.c.sequence)
        )
        with self._engine.connect() as connection:
            return [Batch(**row) for row in connection.execute(query).mappings()]

    def waiting_since(self, day: date) -> list[Batch]:
        """Batches of whatever event still to be sent, of this export date or later ones."""
        query = (
            sa.select(*(batches.c[name] for name in Batch.__dataclass_fields__))
            .where(_SENDABLE, batches.c.export_date >= day)
            .order_by(batches.c.event, batches.c.export_date, batches.c.sequence)
        )
        with self._engine.connect() as connection:
            return [Batch(**row) for row in connection.execute(query).mappings()]

    def withhold(self, days: Iterable[date], now: datetime) -> None:
        """Events of these export dates are not due until they are released."""
        with self._engine.begin() as connection:
            known: set[date] = set(connection.execute(sa.select(withheld_dates.c.export_date)).scalars())
            new: list[dict[str, object]] = [
                {"export_date": day, "withheld_at": now} for day in sorted(set(days) - known)
            ]
            _insert(connection, withheld_dates, new)

    def release(self, dates: ExportDates) -> list[date]:
        """Events of these export dates are due again; those that had been withheld."""
        released = [day for day in self.withheld() if day in dates]
        with self._engine.begin() as connection:
            connection.execute(sa.delete(withheld_dates).where(_within(withheld_dates, dates)))
        return released

    def withheld(self) -> list[date]:
        """Export dates that are withheld, in order."""
        query = sa.select(withheld_dates.c.export_date).order_by(withheld_dates.c.export_date)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def ask_for_replay(self, event: str | None, reason: str | None, dates: ExportDates) -> int:
        """Note which dead events are to be tried again; how many. None is any event and any reason.

        Not those that no export says any more, nor those of suppressed people: that they are dead is what was wanted.
        """
        query = sa.select(dead_events.c.id, dead_events.c.batch_id, dead_events.c.export_date).where(
            _within(dead_events, dates),
            dead_events.c.reason != SUPPRESSED,
            dead_events.c.reason.not_like(f"{WITHDRAWN}%"),
            dead_events.c.id.not_in(sa.select(replays.c.id)),
        )
        if event is not None:
            query = query.where(dead_events.c.event == event)
        if reason is not None:
            query = query.where(dead_events.c.reason.contains(reason, autoescape=True))
        with self._engine.begin() as connection:
            found = [dict(row) for row in connection.execute(query).mappings()]
            _insert(connection, replays, found)
        return len(found)

    def replays(self) -> list[tuple[str, date]]:
        """Events to be tried again that the outbox may still have in their former batches, with their export dates."""
        with self._engine.connect() as connection:
            rows: Sequence[Any] = connection.execute(sa.select(replays.c.id, replays.c.export_date)).all()
        return [(key, day) for key, day in rows]

    def replayed(self) -> None:
        """The outbox has let go of them: they are dead no more, and their former batches are smaller."""
        left = sa.select(sa.func.count()).where(replays.c.batch_id == batches.c.batch_id).scalar_subquery()
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(batches)
                .where(batches.c.batch_id.in_(sa.select(replays.c.batch_id)))
                .values(events=batches.c.events - left)
            )
            connection.execute(sa.delete(dead_events).where(dead_events.c.id.in_(sa.select(replays.c.id))))
            connection.execute(sa.delete(replays))

    def waiting_ids(self, dates: ExportDates) -> list[str]:
        """Batches of these export dates, of whatever event, that are still to be sent."""
        query = sa.select(batches.c.batch_id).where(batches.c.status == WAITING, _within(batches, dates))
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def waiting_dates(self) -> set[date]:
        """Export dates with a batch still to be sent."""
        query = sa.select(batches.c.export_date).where(_SENDABLE).distinct()
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def dead_ids(self, event: str, dates: ExportDates) -> list[str]:
        """Events that must not be sent with their batch."""
        query = sa.select(dead_events.c.id).where(dead_events.c.event == event, _within(dead_events, dates))
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def batches_with_dead(self, event: str, dates: ExportDates) -> set[str]:
        """Batches of which some events must not be sent."""
        query = sa.select(dead_events.c.batch_id).where(dead_events.c.event == event, _within(dead_events, dates))
        with self._engine.connect() as connection:
            keys: Sequence[str | None] = connection.execute(query.distinct()).scalars().all()
        return {key for key in keys if key}

    def attempting(self, group: Sequence[Batch], now: datetime) -> None:
        """Note, before they are sent, that these batches may have been received from now on."""
        statement = (
            sa.update(batches)
            .where(batches.c.batch_id.in_([batch.batch_id for batch in group]), batches.c.first_attempt_at.is_(None))
            .values(first_attempt_at=now)
        )
        with self._engine.begin() as connection:
            connection.execute(statement)

    def settle(self, results: Sequence[Settled], now: datetime) -> None:
        """Write down what became of some batches, all at once."""
        with self._engine.begin() as connection:
            for result in results:
                connection.execute(
                    sa.update(batches)
                    .where(batches.c.batch_id == result.batch.batch_id)
                    .values(
                        status=DELIVERED if result.delivered else WAITING,
                        attempts=batches.c.attempts + result.attempts,
                        delivered_at=now if result.delivered else None,
                        reason=result.reason,
                    )
                )
            dead = [event for result in results for event in result.dead]
            new = _unknown(connection, dead_events.c.id, [event.id for event in dead])
            _insert(connection, dead_events, [vars(event) | {"died_at": now} for event in dead if event.id in new])

    def withdraw(self, gone: Sequence[DeadEvent], now: datetime) -> tuple[int, int]:
        """Events that no export says any more, or of people who are suppressed, must not be sent: how many are dead
        from now on, and how many had been delivered before, which nobody can take back.
        """
        batch_ids = sorted({event.batch_id for event in gone if event.batch_id})
        with self._engine.begin() as connection:
            alive = _unknown(connection, dead_events.c.id, [event.id for event in gone])
            sent = _found(connection, batches.c.batch_id, batch_ids, batches.c.status == DELIVERED)
            late = [event for event in gone if event.id in alive and event.batch_id in sent]
            in_time = [event for event in gone if event.id in alive and event.batch_id not in sent]
            _insert(connection, dead_events, [vars(event) | {"died_at": now} for event in in_time])
        return len(in_time), len(late)

    def forget(self, remaining: Sequence[Remaining], ids: Sequence[str]) -> int:
        """Keep of these events no more than their number; how many of them were dead.

        A number is set and not added to, so a process that was killed can do it again. A batch of which nothing remains
        goes as well: taken off the list, its people may make one of the same name, which is to be sent.
        """
        before = {row.batch_id: row for row in remaining}
        with self._engine.begin() as connection:
            sizes: dict[str, int] = {}
            for chunk in _chunks(list(before)):
                query = sa.select(batches.c.batch_id, batches.c.events).where(batches.c.batch_id.in_(chunk))
                sizes |= {row.batch_id: row.events for row in connection.execute(query)}
            over = {key: _nameless(key) for key, row in before.items() if row.events == 0 and key in sizes}
            done = _found(connection, forgotten.c.batch_id, [_nameless(key) for key in before if key not in sizes])
            counted = [
                vars(row) | {"batch_id": over.get(key, key), "events": sizes.get(key, 1) - row.events}
                for key, row in before.items()
                if _nameless(key) not in done
            ]
            for chunk in _chunks([str(row["batch_id"]) for row in counted]):
                connection.execute(sa.delete(forgotten).where(forgotten.c.batch_id.in_(chunk)))
            for chunk in _chunks(list(over)):
                connection.execute(sa.delete(forgotten).where(forgotten.c.batch_id.in_(chunk)))
                connection.execute(sa.delete(batches).where(batches.c.batch_id.in_(chunk)))
            _insert(connection, forgotten, counted)
            return sum(
                connection.execute(sa.delete(dead_events).where(dead_events.c.id.in_(chunk))).rowcount
                for chunk in _chunks(ids)
            )

    def texts(self) -> pd.DataFrame:
        """Every text that came from elsewhere, with the row that has it: the answers of Segment, and of proxies."""
        queries = [
            sa.select(table.c[key].label("key"), table.c.reason).where(table.c.reason.is_not(None))
            for table, key in ((batches, "batch_id"), (dead_events, "id"))
        ]
        with self._engine.connect() as connection:
            return pd.read_sql(sa.union_all(*queries), connection)

    def replace_texts(self, keys: Sequence[str], text: str) -> None:
        """Say this instead of what an answer said."""
        with self._engine.begin() as connection:
            for chunk in _chunks(keys):
                for column in (batches.c.batch_id, dead_events.c.id):
                    connection.execute(sa.update(column.table).where(column.in_(chunk)).values(reason=text))

    @property
    def file(self) -> Path | None:
        """The file that the ledger is; None for a server."""
        database = self._engine.url.database
        return Path(database) if self._engine.dialect.name == "sqlite" and database else None

    def compact(self) -> None:
        """Write everything anew, so that no byte of a deleted row is left in the database's files."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in (
                ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")
                if self.file
                else [f"VACUUM FULL {table.name}" for table in metadata.sorted_tables]
            ):
                connection.execute(sa.text(statement))

    def close(self) -> None:
        """Let go of the database; the next question opens it again."""
        self._engine.dispose()

    def standings(self, dates: ExportDates | None = None) -> list[Standing]:
        """Events by export date and name; what was never put into a batch is dead."""
        batched = sa.select(
            batches.c.export_date,
            batches.c.event,
            sa.func.sum(sa.case((batches.c.status == DELIVERED, batches.c.events), else_=0)).label("delivered"),
            sa.func.sum(sa.case((batches.c.status == WAITING, batches.c.events), else_=0)).label("waiting"),
        ).group_by(batches.c.export_date, batches.c.event)
        died = (
            sa.select(
                dead_events.c.export_date,
                dead_events.c.event,
                sa.func.count().label("dead"),
                sa.func.sum(sa.case((batches.c.status == DELIVERED, 1), else_=0)).label("of_delivered"),
                sa.func.sum(sa.case((batches.c.status == WAITING, 1), else_=0)).label("of_waiting"),
            )
            .select_from(dead_events.outerjoin(batches, dead_events.c.batch_id == batches.c.batch_id))
            .group_by(dead_events.c.export_date, dead_events.c.event)
        )
        left_out = (
            sa.select(
                forgotten.c.export_date,
                forgotten.c.event,
                sa.func.sum(forgotten.c.events).label("forgotten"),
                sa.func.sum(sa.case((batches.c.status == DELIVERED, forgotten.c.events), else_=0)),
                sa.func.sum(sa.case((batches.c.status == WAITING, forgotten.c.events), else_=0)),
            )
            .select_from(forgotten.outerjoin(batches, forgotten.c.batch_id == batches.c.batch_id))
            .group_by(forgotten.c.export_date, forgotten.c.event)
        )
        if dates is not None:
            left_out = left_out.where(_within(forgotten, dates))
            batched = batched.where(_within(batches, dates))
            died = died.where(_within(dead_events, dates))
        found: dict[tuple[date, str], Standing] = {}
        with self._engine.connect() as connection:
            rows: Sequence[Any] = connection.execute(batched).all()
            for day, event, delivered, waiting in rows:
                found[day, event] = Standing(day, event, int(delivered), int(waiting), 0)
            dead_rows: Sequence[Any] = connection.execute(died).all()
            for day, event, dead, of_delivered, of_waiting in dead_rows:
                alive = found.get((day, event), Standing(day, event, 0, 0, 0))
                found[day, event] = Standing(
                    day, event, alive.delivered - int(of_delivered), alive.waiting - int(of_waiting), int(dead)
                )
            gone_rows: Sequence[Any] = connection.execute(left_out).all()
            for day, event, gone, of_delivered, of_waiting in gone_rows:
                there = found.get((day, event), Standing(day, event, 0, 0, 0))
                found[day, event] = replace(
                    there,
                    delivered=there.delivered - int(of_delivered),
                    waiting=there.waiting - int(of_waiting),
                    forgotten=int(gone),
                )
        return [found[key] for key in sorted(found)]

    def causes_of_death(self, most: int = 5) -> list[tuple[str, int]]:
        """Why events are dead and how many, the most frequent first."""
        number = sa.func.count()
        query = sa.select(dead_events.c.reason, number).group_by(dead_events.c.reason).order_by(number.desc())
        with self._engine.connect() as connection:
            rows: Sequence[Any] = connection.execute(query.limit(most)).all()
        return [(reason, events) for reason, events in rows]

    def standing_of(self, event: str, dates: ExportDates) -> Standing:
        """Events of one name over some export dates."""
        found = [standing for standing in self.standings(dates) if standing.event == event]
        return Standing(
            dates.first,
            event,
            sum(standing.delivered for standing in found),
            sum(standing.waiting for standing in found),
            sum(standing.dead for standing in found),
            sum(standing.forgotten for standing in found),
        )

    def sent_since(self, moment: datetime) -> list[SentBatch]:
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
        with self._engine.connect() as connection:
            return [SentBatch(**row) for row in connection.execute(query).mappings()]

    def frames(self, dates: ExportDates) -> tuple[pd.DataFrame, ...]:
        """Batches, dead events, forgotten events and withheld dates of some export dates, as the warehouse's copies
        have them.
        """
        mirrored = (
            (batches, MIRRORED_BATCH_COLUMNS),
            (dead_events, MIRRORED_DEAD_COLUMNS),
            (forgotten, MIRRORED_FORGOTTEN_COLUMNS),
            (withheld_dates, MIRRORED_WITHHELD_COLUMNS),
        )
        with self._engine.connect() as connection:
            return tuple(
                pd.read_sql(sa.select(*(table.c[name] for name in columns)).where(_within(table, dates)), connection)
                for table, columns in mirrored
            )

    def complete(self, loaded: dict[date, datetime]) -> None:
        """These export dates went all the way, with what had been loaded by then."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(completed_dates).where(completed_dates.c.export_date.in_(list(loaded))))
            _insert(connection, completed_dates, [{"export_date": day, "loaded_at": at} for day, at in loaded.items()])

    def completed(self) -> dict[date, datetime]:
        """When the newest file was loaded of each date that went all the way."""
        with self._engine.connect() as connection:
            return {row.export_date: row.loaded_at for row in connection.execute(sa.select(completed_dates))}


MIRRORED_BATCH_COLUMNS = (
    *("batch_id", "event", "export_date", "events", "status", "attempts"),
    *("first_attempt_at", "delivered_at", "reason"),
)
MIRRORED_DEAD_COLUMNS = ("id", "event", "export_date", "batch_id", "reason", "died_at")
MIRRORED_FORGOTTEN_COLUMNS = ("batch_id", "event", "export_date", "events")
MIRRORED_WITHHELD_COLUMNS = ("export_date", "withheld_at")


def _engine(url: str) -> Engine:
    place = make_url(url)
    if place.drivername == "postgresql":  # SQLAlchemy would take it for psycopg2, which psycopg has replaced
        place = place.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(place)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _wal(dbapi_connection: Any, _record: Any) -> None:
            # WAL: `status` reads while a delivery writes. A commit survives the death of the process.
            for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 30000"):
                dbapi_connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "handle_error")
    def _in_a_sentence(context: sa.engine.ExceptionContext) -> None:
        if isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
            raise DeliveryError(f"LEDGER: {_cause(context.original_exception)}") from None

    return engine


def _cause(error: BaseException) -> str:
    """What the database said; of a server only the kind, since drivers repeat what they were given."""
    said = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
    return f"it can't be read or written ({said}); what was not sent is still waiting"


def _nameless(batch_id: str) -> str:
    """Under which the number of a batch is kept that is there no more."""
    return hashlib.sha256(batch_id.encode()).hexdigest()


def _within(table: sa.Table, dates: ExportDates) -> sa.ColumnElement[bool]:
    return table.c.export_date.between(dates.first, dates.last)


def _insert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        connection.execute(sa.insert(table), list(rows))


def _chunks(keys: Sequence[str]) -> list[Sequence[str]]:
    """Keys in handfuls that fit into one statement."""
    return [keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK)]


def _found(
    connection: Connection, column: sa.Column[str], keys: Sequence[str], condition: sa.ColumnElement[bool] | None = None
) -> set[str]:
    """Those of the keys that the ledger has (and for which the condition holds)."""
    found: set[str] = set()
    for chunk in _chunks(keys):
        query = sa.select(column).where(column.in_(chunk))
        found |= set(connection.execute(query if condition is None else query.where(condition)).scalars())
    return found


def _unknown(connection: Connection, column: sa.Column[str], keys: Sequence[str]) -> set[str]:
    """Those of the keys that the ledger does not have."""
    return set(keys) - _found(connection, column, keys)
