"""The ledger as the rest of the pipeline uses it."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.ledger.dead_events import DeadEventsPart, complete_replays
from pipeline.ledger.earlier_deliveries import EarlierDeliveriesPart
from pipeline.ledger.held_batches import HeldBatchesPart
from pipeline.ledger.ledger_pairing import advance, recognise, record_generation
from pipeline.ledger.processes import ProcessesPart, check_sender
from pipeline.ledger.records import CUT, DELIVERED, REPORTED, WAITING, Batch, DeadEvent, Settled
from pipeline.ledger.restored import RestoredPart
from pipeline.ledger.schema import batches, progress, withheld_dates
from pipeline.ledger.standings import EVENTS_IN_OUTBOX, StandingsPart
from pipeline.ledger.statements import insert, insert_dead, unknown, within
from pipeline.ledger.transfer import TransferPart
from pipeline.warehouse.loads import Load

_SENDABLE = sa.and_(batches.c.status == WAITING, batches.c.export_date.not_in(sa.select(withheld_dates.c.export_date)))


class Ledger(
    DeadEventsPart,
    EarlierDeliveriesPart,
    HeldBatchesPart,
    ProcessesPart,
    RestoredPart,
    StandingsPart,
    TransferPart,
):
    """The ledger at a SQLAlchemy URL: batches and their sending, and the progress of export dates.

    Every change is one transaction. Every method raises DeliveryError if the database can't be used: it is missing,
    full, or locked for too long.
    """

    def register(
        self,
        cut: Iterable[Batch],
        dead: Iterable[DeadEvent],
        now: datetime,
        replayed: Collection[str] = (),
        generation: int | None = None,
    ) -> int:
        """Insert what the outbox contains and the ledger does not. Returns the number of new batches.

        `replayed` are events of requested replays in new batches: no longer dead. `generation` is the warehouse's.
        """
        cut = list(cut)
        with self._engine.begin() as connection:
            complete_replays(connection, replayed)
            new = unknown(connection, batches.c.batch_id, [batch.batch_id for batch in cut])
            recognised = recognise(connection, new)
            insert(connection, batches, recognised)
            yet_to_come = new - {str(row["batch_id"]) for row in recognised}
            insert(connection, batches, [vars(batch) for batch in cut if batch.batch_id in yet_to_come])
            insert_dead(connection, list(dead), now)
            if generation is not None:
                record_generation(connection, generation)
            if new or replayed:
                advance(connection)
        return len(new)

    # Withheld dates

    def withhold(self, days: Iterable[date], now: datetime) -> None:
        """Withhold the events of these export dates until they are released."""
        with self._engine.begin() as connection:
            known: set[date] = set(connection.execute(sa.select(withheld_dates.c.export_date)).scalars())
            new: list[dict[str, object]] = [
                {"export_date": day, "withheld_at": now} for day in sorted(set(days) - known)
            ]
            insert(connection, withheld_dates, new)

    def release(self, dates: ExportDates) -> list[date]:
        """Release these export dates, which were reported without events and so are unfinished now; returns them."""
        query = sa.select(withheld_dates.c.export_date).where(within(withheld_dates, dates))
        with self._engine.begin() as connection:
            released: list[date] = list(connection.execute(query.order_by(withheld_dates.c.export_date)).scalars())
            _set_back(connection, released)
            connection.execute(sa.delete(withheld_dates).where(within(withheld_dates, dates)))
        return released

    def withheld(self) -> list[date]:
        """Withheld export dates, in order."""
        return self._values(sa.select(withheld_dates.c.export_date).order_by(withheld_dates.c.export_date))

    # Sending

    def waiting(self, event: str, dates: ExportDates) -> list[Batch]:
        """Batches still to be sent, oldest export date first."""
        return self._sendable(batches.c.event == event, within(batches, dates))

    def waiting_since(self, day: date) -> list[Batch]:
        """Batches of every event still to be sent, of this export date or later ones."""
        return self._sendable(batches.c.export_date >= day)

    def _sendable(self, *conditions: sa.ColumnElement[bool]) -> list[Batch]:
        query = (
            sa.select(*(batches.c[name] for name in Batch.__dataclass_fields__ if name != "events"), EVENTS_IN_OUTBOX)
            .where(_SENDABLE, *conditions)
            .order_by(batches.c.event, batches.c.export_date, batches.c.sequence)
        )
        with self._engine.connect() as connection:
            return [Batch(**row) for row in connection.execute(query).mappings()]

    def waiting_ids(self, dates: ExportDates) -> list[str]:
        """Batches of every event of these export dates that are still to be sent, withheld ones included."""
        return self._values(sa.select(batches.c.batch_id).where(batches.c.status == WAITING, within(batches, dates)))

    def undelivered_ids(self, dates: ExportDates) -> list[str]:
        """The same, with held batches."""
        return self._values(sa.select(batches.c.batch_id).where(batches.c.status != DELIVERED, within(batches, dates)))

    def waiting_dates(self) -> set[date]:
        """Export dates with a batch still to be sent."""
        return set(self._values(sa.select(batches.c.export_date).where(_SENDABLE).distinct()))

    def start_attempts(self, group: Sequence[Batch], now: datetime, sender: str | None = None) -> list[Batch]:
        """Record that these batches are about to be sent, and that Segment may have received them.

        Returns those that still wait, as they are now: a replay may have taken events out of them.

        Raises:
            DeliveryError: another process has become the sender since this one got the token `sender`.
        """
        of_group = batches.c.batch_id.in_([batch.batch_id for batch in group])
        with self._engine.begin() as connection:
            if sender is not None:
                check_sender(connection, sender)
            connection.execute(
                sa.update(batches).where(of_group, batches.c.first_attempt_at.is_(None)).values(first_attempt_at=now)
            )
            advance(connection)
        return self._sendable(of_group)

    def settle(self, results: Sequence[Settled], now: datetime) -> None:
        """Record the results of some batches, all at once."""
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
                        without_names=_as_json(result.without_names) if result.delivered else None,
                    )
                )
            insert_dead(connection, [event for result in results for event in result.dead], now)
            advance(connection)

    # The progress of export dates

    def reach(self, stage: str, loaded: Mapping[date, Load]) -> None:
        """Record that these export dates passed a stage, each with everything loaded of it by then."""
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
        """Record that these export dates have something to cut again, and are unfinished until that is done."""
        with self._engine.begin() as connection:
            _set_back(connection, days)

    def reached(self, stage: str, dates: ExportDates = EVERY_DATE) -> dict[date, Load]:
        """The export dates that passed a stage, and the load of the newest file that was in it."""
        query = sa.select(progress).where(progress.c.stage == stage, within(progress, dates))
        with self._engine.connect() as connection:
            return {row.export_date: Load(row.load_number, row.loaded_at) for row in connection.execute(query)}


def _as_json(numbers: Mapping[str, int]) -> str | None:
    return json.dumps(dict(numbers)) if numbers else None


def _set_back(connection: sa.Connection, days: Collection[date]) -> None:
    yet_to_come = sa.and_(progress.c.stage.in_((CUT, REPORTED)), progress.c.export_date.in_(list(days)))
    connection.execute(sa.delete(progress).where(yet_to_come))
