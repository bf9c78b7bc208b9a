"""Restores: what may have been sent between a backup and its restore, and is therefore not sent without a decision.

A backup's ledger does not have the deliveries after it. If the ledger itself survived, it has them, and the batches
that the restored warehouse lacks are among the former ones: a batch that is cut again with the same events was
delivered. If it did not survive, everything that had been exported by the restore may have been sent.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime
from operator import methodcaller

import sqlalchemy as sa

from pipeline.export_dates import ExportDates
from pipeline.ledger.database import LedgerDatabase
from pipeline.ledger.ledger_pairing import advance
from pipeline.ledger.records import DELIVERED, HELD, IN_DOUBT, TAKEN_AS_DELIVERED, WAITING, Restored
from pipeline.ledger.schema import batches, dead_events, forgotten, former_batches, origin, progress, withheld_dates
from pipeline.ledger.statements import insert, unknown, within

_NAME = "restored"
_IN_DOUBT = sa.and_(batches.c.status == HELD, batches.c.reason.like(f"{IN_DOUBT}:%"))
_TAKEN = sa.and_(batches.c.status == HELD, batches.c.reason.like(f"{TAKEN_AS_DELIVERED}:%"))


class RestoredPart(LedgerDatabase):
    """The part of the ledger about restores."""

    def restored(self) -> Restored | None:
        """The last restore; None if there was none."""
        found = self._values(sa.select(origin.c.value).where(origin.c.name == _NAME))
        return _read(found[0]) if found else None

    def note_restored(self, restored: Restored) -> None:
        """Record a restore, in place of an earlier one."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(origin).where(origin.c.name == _NAME))
            insert(connection, origin, [{"name": _NAME, "value": _written(restored)}])

    def settle_restored(self) -> int:
        """Decide on the held batches of the last restore, as far as it is known whether they were delivered.

        Those of exports that the user stated to be sent are delivered. If the deliveries are known, a batch waits
        unless other batches of its event and export date were delivered, which may have had the same events. Returns
        the number of batches that are delivered now.
        """
        if (restored := self.restored()) is None:
            return 0
        of_former = sa.and_(
            batches.c.export_date == former_batches.c.export_date, batches.c.event == former_batches.c.event
        )
        with self._engine.begin() as connection:
            delivered = {"status": DELIVERED, "delivered_at": restored.delivered_until}
            taken = connection.execute(sa.update(batches).where(_TAKEN).values(**delivered)).rowcount
            changed = taken
            if restored.knows_deliveries:
                is_new = sa.and_(_IN_DOUBT, sa.not_(sa.exists().where(of_former)))
                changed += connection.execute(
                    sa.update(batches).where(is_new).values(status=WAITING, reason=None)
                ).rowcount
            if changed:
                advance(connection)
        return taken

    def former_dates(self, dates: ExportDates) -> list[date]:
        """Export dates of delivered batches that the warehouse does not contain any longer."""
        return self._values(
            sa.select(former_batches.c.export_date)
            .where(within(former_batches, dates))
            .distinct()
            .order_by("export_date")
        )

    def doubt_waiting(self, reason: str) -> None:
        """Hold the batches that wait, but for those of withheld dates: they may have been sent since the backup."""
        withheld = sa.select(withheld_dates.c.export_date)
        of_these = sa.and_(batches.c.status == WAITING, batches.c.export_date.not_in(withheld))
        with self._engine.begin() as connection:
            connection.execute(sa.update(batches).where(of_these).values(status=HELD, reason=reason))
            advance(connection)

    def decide_doubtful(self, reason: str | None) -> None:
        """Take batches that were in doubt when the backup was restored as delivered, with a reason; None: they wait."""
        status = HELD if reason is not None else WAITING
        with self._engine.begin() as connection:
            connection.execute(sa.update(batches).where(_IN_DOUBT).values(status=status, reason=reason))

    def match_outbox(self, sizes: Mapping[str, int]) -> None:
        """Set the number of events of batches to those that a restored outbox has, by batch: events were replayed or
        forgotten after the backup, and are in their batches again.
        """
        gone = sa.select(sa.func.coalesce(sa.func.sum(forgotten.c.events), 0)).where(
            forgotten.c.batch_id == batches.c.batch_id
        )
        query = sa.select(batches.c.batch_id, batches.c.events - gone.scalar_subquery())
        with self._engine.begin() as connection:
            known: dict[str, int] = dict(connection.execute(query).tuples().all())
            for key, size in sizes.items():
                if key in known and known[key] != size:
                    connection.execute(sa.update(batches).where(batches.c.batch_id == key).values(events=size))
                    connection.execute(sa.delete(forgotten).where(forgotten.c.batch_id == key))

    def take_over_dead(self, backup: "RestoredPart", reason: str) -> None:
        """Let events be dead again, for a reason, that were dead in a backup's ledger and are not in this one: the
        restored outbox has them in the batches that they were taken out of for a replay.
        """
        with backup._engine.connect() as reading:
            dead = [dict(row) for row in reading.execute(sa.select(dead_events)).mappings()]
        with self._engine.begin() as connection:
            revived = unknown(connection, dead_events.c.id, [str(row["id"]) for row in dead])
            insert(connection, dead_events, [row | {"reason": reason} for row in dead if row["id"] in revived])

    def take_over_progress(self, backup: "RestoredPart") -> None:
        """Take over the progress of export dates from a backup's ledger, so that they need not all run again; but not
        that of dates that were withheld then, which may have been released since.
        """
        withheld = sa.select(withheld_dates.c.export_date)
        with backup._engine.connect() as reading:
            query = sa.select(progress).where(progress.c.export_date.not_in(withheld))
            reached = [dict(row) for row in reading.execute(query).mappings()]
        with self._engine.begin() as connection:
            connection.execute(sa.delete(progress))
            insert(connection, progress, reached)


def _written(restored: Restored) -> str:
    return json.dumps(vars(restored), default=methodcaller("isoformat"))


def _read(text: str) -> Restored:
    values = json.loads(text)
    moments = {name: datetime.fromisoformat(text) for name, text in values.items() if isinstance(text, str)}
    withheld = [date.fromisoformat(text) for text in values["withheld"]]
    return Restored(**{**values, **moments, "withheld": withheld})
