"""The ledger as the rest of the pipeline knows it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.ledger import forgetting, mirrored, outcomes, pairing, reconciling, replays, standings
from pipeline.ledger.engine import open_engine
from pipeline.ledger.records import (
    CUT,
    REPORTED,
    WAITING,
    Batch,
    Copied,
    DeadEvent,
    Pairing,
    Reconciled,
    Remaining,
    Replay,
    SentBatch,
    Settled,
    Standing,
)
from pipeline.ledger.schema import batches, dead_events, forgotten, metadata, progress, withheld_dates
from pipeline.ledger.statements import insert, insert_dead, unknown, within
from pipeline.warehouse.loads import Load

_SENDABLE = sa.and_(batches.c.status == WAITING, batches.c.export_date.not_in(sa.select(withheld_dates.c.export_date)))
# Of a batch the events that the outbox has, dead ones included: forgotten ones are there no more.
_KEPT = (
    batches.c.events
    - sa.select(sa.func.coalesce(sa.func.sum(forgotten.c.events), 0))
    .where(forgotten.c.batch_id == batches.c.batch_id)
    .scalar_subquery()
).label("events")


class Ledger:
    """The ledger at a SQLAlchemy URL; its tables are made on first use.

    Every change is one transaction. Every question raises DeliveryError where the database can't be asked: gone, full,
    locked for too long.

    Raises:
        SettingsError: the driver that it needs is not installed, or a newer version of the program wrote it.
        DeliveryError: it can't be opened; the message has no password in it.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)

    # Entering

    def register(
        self,
        cut: Iterable[Batch],
        dead: Iterable[DeadEvent],
        now: datetime,
        replayed: Collection[str] = (),
        generation: int | None = None,
    ) -> int:
        """Enter what the outbox has and the ledger has not; how many batches were new.

        `replayed` are events that were asked for by a replay and are in new batches: they are dead no more.
        `generation` is the warehouse's, which is seen from now on.
        """
        cut = list(cut)
        with self._engine.begin() as connection:
            replays.complete(connection, replayed)
            new = unknown(connection, batches.c.batch_id, [batch.batch_id for batch in cut])
            recognised = reconciling.recognise(connection, new)
            insert(connection, batches, recognised)
            yet_to_come = new - {str(row["batch_id"]) for row in recognised}
            insert(connection, batches, [vars(batch) for batch in cut if batch.batch_id in yet_to_come])
            insert_dead(connection, list(dead), now)
            if generation is not None:
                pairing.see(connection, generation)
            if new or replayed:
                pairing.advance(connection)
        return len(new)

    def withdraw(self, gone: Sequence[DeadEvent], now: datetime) -> tuple[int, int]:
        """Events that no export says any more, or of people who are suppressed, must not be sent: how many are dead
        from now on, and how many had been delivered before, which nobody can take back.
        """
        with self._engine.begin() as connection:
            return outcomes.withdraw(connection, gone, now)

    # Holding back

    def withhold(self, days: Iterable[date], now: datetime) -> None:
        """Events of these export dates are not due until they are released."""
        with self._engine.begin() as connection:
            known: set[date] = set(connection.execute(sa.select(withheld_dates.c.export_date)).scalars())
            new: list[dict[str, object]] = [
                {"export_date": day, "withheld_at": now} for day in sorted(set(days) - known)
            ]
            insert(connection, withheld_dates, new)

    def release(self, dates: ExportDates) -> list[date]:
        """Events of these export dates are due again; those that had been withheld.

        They have yet to be cut and reported, which was done without their events before: whoever ends now leaves dates
        that did not go all the way.
        """
        query = sa.select(withheld_dates.c.export_date).where(within(withheld_dates, dates))
        with self._engine.begin() as connection:
            released: list[date] = list(connection.execute(query.order_by(withheld_dates.c.export_date)).scalars())
            _set_back(connection, released)
            connection.execute(sa.delete(withheld_dates).where(within(withheld_dates, dates)))
        return released

    def withheld(self) -> list[date]:
        """Export dates that are withheld, in order."""
        query = sa.select(withheld_dates.c.export_date).order_by(withheld_dates.c.export_date)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    # Sending

    def waiting(self, event: str, dates: ExportDates) -> list[Batch]:
        """Batches still to be sent, oldest export date first."""
        return self._sendable(batches.c.event == event, within(batches, dates))

    def waiting_since(self, day: date) -> list[Batch]:
        """Batches of whatever event still to be sent, of this export date or later ones."""
        return self._sendable(batches.c.export_date >= day)

    def _sendable(self, *conditions: sa.ColumnElement[bool]) -> list[Batch]:
        query = (
            sa.select(*(batches.c[name] for name in Batch.__dataclass_fields__ if name != "events"), _KEPT)
            .where(_SENDABLE, *conditions)
            .order_by(batches.c.event, batches.c.export_date, batches.c.sequence)
        )
        with self._engine.connect() as connection:
            return [Batch(**row) for row in connection.execute(query).mappings()]

    def waiting_ids(self, dates: ExportDates) -> list[str]:
        """Batches of these export dates, of whatever event, that are still to be sent."""
        query = sa.select(batches.c.batch_id).where(batches.c.status == WAITING, within(batches, dates))
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def waiting_dates(self) -> set[date]:
        """Export dates with a batch still to be sent."""
        query = sa.select(batches.c.export_date).where(_SENDABLE).distinct()
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def dead_ids(self, event: str, dates: ExportDates) -> list[str]:
        """Events that must not be sent with their batch."""
        query = sa.select(dead_events.c.id).where(dead_events.c.event == event, within(dead_events, dates))
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def batches_with_dead(self, event: str, dates: ExportDates) -> set[str]:
        """Batches of which some events must not be sent."""
        query = sa.select(dead_events.c.batch_id).where(dead_events.c.event == event, within(dead_events, dates))
        with self._engine.connect() as connection:
            keys: Sequence[str | None] = connection.execute(query.distinct()).scalars().all()
        return {key for key in keys if key}

    def attempting(self, group: Sequence[Batch], now: datetime) -> list[Batch]:
        """Note, before they are sent, that these batches may have been received from now on; the batches as they are
        now, since a replay may have taken events out of them, and those that do not wait any more left out.
        """
        with self._engine.begin() as connection:
            outcomes.attempting(connection, group, now)
            pairing.advance(connection)
        return self._sendable(batches.c.batch_id.in_([batch.batch_id for batch in group]))

    def settle(self, results: Sequence[Settled], now: datetime) -> None:
        """Write down what became of some batches, all at once."""
        with self._engine.begin() as connection:
            outcomes.settle(connection, results, now)
            pairing.advance(connection)

    # The warehouse that it goes with

    def pairing(self) -> Pairing:
        """What is known of the warehouse."""
        with self._engine.connect() as connection:
            return pairing.pairing(connection)

    def pair(self, new: Pairing) -> None:
        """Go with another warehouse from now on."""
        with self._engine.begin() as connection:
            pairing.pair(connection, new)

    def see(self, generation: int) -> None:
        """Keep which generation the warehouse has."""
        with self._engine.begin() as connection:
            pairing.see(connection, generation)

    def has_sent(self) -> bool:
        """Whether something was ever sent, or tried."""
        with self._engine.connect() as connection:
            return pairing.has_sent(connection)

    def delivered_events(self) -> int:
        """Events in batches that were delivered."""
        with self._engine.connect() as connection:
            return pairing.delivered_events(connection)

    def batch_ids(self) -> set[str]:
        """Every batch, whatever became of it."""
        with self._engine.connect() as connection:
            return set(connection.execute(sa.select(batches.c.batch_id)).scalars())

    def dead_batches(self) -> dict[str, str | None]:
        """Every dead event with the batch that it died in; None of one that never was in any."""
        with self._engine.connect() as connection:
            return dict(connection.execute(sa.select(dead_events.c.id, dead_events.c.batch_id)).tuples().all())

    def start_over(self, new: Pairing) -> None:
        """Drop all batches, none of which was ever sent, and go with another warehouse; withheld dates stay so."""
        with self._engine.begin() as connection:
            pairing.start_over(connection)
            pairing.pair(connection, new)

    def reconcile(self, known: Collection[str], dead: Collection[str], copied: Copied, new: Pairing) -> Reconciled:
        """Go with another warehouse, all at once: `known` are the batches that it has, `dead` the events that are in
        the batches they died in, `copied` what it has copied of a ledger.
        """
        with self._engine.begin() as connection:
            missing, recognisable = reconciling.set_aside(connection, known)
            reconciling.drop_dead(connection, dead)
            taken = reconciling.take(connection, copied)
            pairing.pair(connection, new)
        return Reconciled(missing, recognisable, taken)

    # Trying again

    def ask_for_replay(self, event: str | None, reason: str | None, dates: ExportDates) -> int:
        """Note which dead events are to be tried again; how many. None is any event and any reason.

        Not those that no export says any more, nor those of suppressed people: that they are dead is what was wanted.
        """
        with self._engine.begin() as connection:
            return replays.ask_for(connection, event, reason, dates)

    def replays(self) -> list[Replay]:
        """Events to be tried again that the outbox may still have in the batches in which they died."""
        with self._engine.connect() as connection:
            return replays.asked_for(connection)

    def set_aside(self) -> list[str]:
        """Events that are dead since no export said them any more, or since they are of suppressed people."""
        with self._engine.connect() as connection:
            return replays.set_aside(connection)

    def revive(self, ids: Sequence[str]) -> None:
        """Note that these are to be tried again, for whatever reason they are dead."""
        with self._engine.begin() as connection:
            replays.revive(connection, ids)

    # Forgetting

    def forget(self, remaining: Sequence[Remaining], ids: Sequence[str]) -> int:
        """Keep of these events no more than their number; how many of them were dead. It can be done again."""
        with self._engine.begin() as connection:
            dead = forgetting.forget(connection, remaining, ids)
            pairing.advance(connection)
            return dead

    def texts(self) -> pd.DataFrame:
        """Every text that came from elsewhere, with the row that has it: the answers of Segment, and of proxies."""
        with self._engine.connect() as connection:
            return forgetting.texts(connection)

    def replace_texts(self, keys: Sequence[str], text: str) -> None:
        """Say this instead of what an answer said."""
        with self._engine.begin() as connection:
            forgetting.replace_texts(connection, keys, text)

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

    # How things stand

    def standings(self, dates: ExportDates | None = None) -> list[Standing]:
        """Events by export date and name; what was never put into a batch is dead."""
        with self._engine.connect() as connection:
            return standings.standings(connection, dates)

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

    def causes_of_death(self, most: int = 5) -> list[tuple[str, int]]:
        """Why events are dead and how many, the most frequent first."""
        with self._engine.connect() as connection:
            return standings.causes_of_death(connection, most)

    def sent_since(self, moment: datetime) -> list[SentBatch]:
        """Batches that were delivered since then, and those that were tried and are still waiting."""
        with self._engine.connect() as connection:
            return standings.sent_since(connection, moment)

    def frames(self, dates: ExportDates) -> dict[str, pd.DataFrame]:
        """The rows of some export dates as the warehouse's copies have them, by the name of the copy; the first column
        tells rows apart.
        """
        with self._engine.connect() as connection:
            return mirrored.frames(connection, dates)

    # How far dates have come

    def reach(self, stage: str, loaded: Mapping[date, Load]) -> None:
        """Note that a stage was made of these export dates, with all that had been loaded of each by then."""
        rows: list[dict[str, object]] = [
            {"export_date": day, "stage": stage, "loaded_at": load.at, "load_number": load.number}
            for day, load in loaded.items()
        ]
        with self._engine.begin() as connection:
            connection.execute(
                sa.delete(progress).where(progress.c.stage == stage, progress.c.export_date.in_(list(loaded)))
            )
            insert(connection, progress, rows)

    def set_back(self, days: Collection[date]) -> None:
        """These export dates have something to cut again, and did not go all the way until that is done."""
        with self._engine.begin() as connection:
            _set_back(connection, days)

    def reached(self, stage: str, dates: ExportDates = EVERY_DATE) -> dict[date, Load]:
        """The export dates that a stage was made of, and the load that the newest file in it came with."""
        query = sa.select(progress).where(progress.c.stage == stage, within(progress, dates))
        with self._engine.connect() as connection:
            return {row.export_date: Load(row.load_number, row.loaded_at) for row in connection.execute(query)}


def _set_back(connection: sa.Connection, days: Collection[date]) -> None:
    yet_to_come = sa.and_(progress.c.stage.in_((CUT, REPORTED)), progress.c.export_date.in_(list(days)))
    connection.execute(sa.delete(progress).where(yet_to_come))
