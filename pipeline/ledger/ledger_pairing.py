"""The ledger's side of the pair: which warehouse it belongs to, and reconciling it with another one."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.ledger.database import LedgerDatabase
from pipeline.ledger.records import DELIVERED, HELD, WAITING, Copied, Pairing, Reconciled
from pipeline.ledger.schema import (
    batches,
    dead_events,
    earlier_deliveries,
    forgotten,
    former_batches,
    metadata,
    origin,
    progress,
    replays,
    withheld_dates,
)
from pipeline.ledger.statements import chunks, insert, unknown

_PAIR, _GENERATION, _SEEN = "pair", "generation", "warehouse_generation"
# Names of rows with the ids of pairs that the ledger was part of before begin with this.
_EARLIER_PAIR = "earlier_pair:"
_FORMER = [column.name for column in former_batches.columns if column.name != "lost"]


class PairingPart(LedgerDatabase):
    """The part of the ledger about the warehouse that it belongs to."""

    def pairing(self) -> Pairing:
        """What the ledger stores about the warehouse."""
        with self._engine.connect() as connection:
            known: dict[str, str] = dict(connection.execute(sa.select(origin.c.name, origin.c.value)).tuples().all())
        return Pairing(known.get(_PAIR), int(known.get(_GENERATION, 0)), int(known.get(_SEEN, 0)))

    def pairs(self) -> set[str]:
        """The ids of the pairs that the ledger is or was part of."""
        now = self.pairing().pair
        names = self._values(sa.select(origin.c.name).where(origin.c.name.startswith(_EARLIER_PAIR)))
        return {name.removeprefix(_EARLIER_PAIR) for name in names} | ({now} if now else set())

    def pair(self, new: Pairing) -> None:
        """Pair the ledger with another warehouse."""
        with self._engine.begin() as connection:
            _pair(connection, new)

    def record_generation(self, generation: int) -> None:
        """Record the generation that the warehouse has."""
        with self._engine.begin() as connection:
            record_generation(connection, generation)

    def has_sent(self) -> bool:
        """Whether any batch was ever sent or tried."""
        tried = sa.or_(batches.c.status == DELIVERED, batches.c.attempts > 0, batches.c.first_attempt_at.is_not(None))
        died, replayed = dead_events.c.batch_id.is_not(None), earlier_deliveries.c.id.is_not(None)
        query = sa.select(sa.exists().where(tried) | sa.exists().where(died) | sa.exists().where(replayed))
        return bool(self._values(query)[0])

    def delivered_events(self) -> int:
        """The number of events in delivered batches."""
        query = sa.select(sa.func.coalesce(sa.func.sum(batches.c.events), 0)).where(batches.c.status == DELIVERED)
        return int(self._values(query)[0])

    def batch_ids(self) -> set[str]:
        """Every batch, whatever its status."""
        return set(self._values(sa.select(batches.c.batch_id)))

    def dead_batches(self) -> dict[str, str | None]:
        """Every dead event with the batch that it died in; None where it never was in one."""
        with self._engine.connect() as connection:
            return dict(connection.execute(sa.select(dead_events.c.id, dead_events.c.batch_id)).tuples().all())

    def start_over(self, new: Pairing) -> None:
        """Drop all batches, none of which was ever sent, and pair with another warehouse; withheld dates stay so."""
        with self._engine.begin() as connection:
            for table in metadata.sorted_tables:
                if table not in (origin, withheld_dates):
                    connection.execute(sa.delete(table))
            _pair(connection, new)

    def reconcile(self, known: Collection[str], dead: Collection[str], copied: Copied, new: Pairing) -> Reconciled:
        """Pair with another warehouse, which has the batches `known`, and events `dead` in the batches they died in."""
        with self._engine.begin() as connection:
            missing, recognisable = _retire_batches(connection, known)
            _keep_dead(connection, dead)
            taken = _insert_copied(connection, copied)
            _pair(connection, new)
        return Reconciled(missing, recognisable, taken)


def advance(connection: Connection) -> None:
    """Increase the ledger's generation: every earlier copy of it is older. No effect before it has a warehouse."""
    later = sa.cast(sa.cast(origin.c.value, sa.BigInteger) + 1, sa.Text)
    connection.execute(sa.update(origin).where(origin.c.name == _GENERATION).values(value=later))


def record_generation(connection: Connection, generation: int) -> None:
    """Record the generation that the warehouse has. No effect before the ledger has a warehouse."""
    is_other = sa.and_(origin.c.name == _SEEN, origin.c.value != str(generation))
    connection.execute(sa.update(origin).where(is_other).values(value=str(generation)))


def recognise(connection: Connection, new: Collection[str]) -> list[dict[str, object]]:
    """Delete and return the former rows of new batches that were delivered before the warehouse was lost."""
    recognised: list[dict[str, object]] = []
    for chunk in chunks(sorted(new)):
        of_these = sa.and_(former_batches.c.batch_id.in_(chunk), former_batches.c.lost == 0)
        query = sa.select(*(former_batches.c[name] for name in _FORMER)).where(of_these)
        recognised += [dict(row) for row in connection.execute(query).mappings()]
        connection.execute(sa.delete(former_batches).where(of_these))
    return recognised


def _pair(connection: Connection, new: Pairing) -> None:
    former = connection.execute(sa.select(origin.c.value).where(origin.c.name == _PAIR)).scalar()
    if former and former != new.pair:
        name = f"{_EARLIER_PAIR}{former}"
        connection.execute(sa.delete(origin).where(origin.c.name == name))
        insert(connection, origin, [{"name": name, "value": ""}])
    connection.execute(sa.delete(origin).where(origin.c.name.in_((_PAIR, _GENERATION, _SEEN))))
    values = {_PAIR: new.pair or "", _GENERATION: str(new.generation), _SEEN: str(new.seen)}
    insert(connection, origin, [{"name": name, "value": value} for name, value in values.items()])


def _retire_batches(connection: Connection, known: Collection[str]) -> tuple[int, int]:
    """Delete batches that the warehouse does not contain, and keep delivered ones among the former batches: how many
    delivered events were in them, and how many of these can be recognised. Those of batches with dead or forgotten
    events can't, as what was delivered is unknown.
    """
    existing: set[str] = set(connection.execute(sa.select(batches.c.batch_id)).scalars())
    events = kept = 0
    for chunk in chunks(sorted(existing - set(known))):
        delivered = sa.select(*(batches.c[name] for name in _FORMER)).where(
            batches.c.batch_id.in_(chunk), batches.c.status == DELIVERED
        )
        rows = [dict(row) for row in connection.execute(delivered).mappings()]
        lost = _lost(connection, [str(row["batch_id"]) for row in rows])
        events += sum(row["events"] for row in rows) - sum(lost.values())
        kept += sum(row["events"] for row in rows if row["batch_id"] not in lost)
        connection.execute(sa.delete(former_batches).where(former_batches.c.batch_id.in_(chunk)))
        insert(connection, former_batches, [row | {"lost": lost.get(str(row["batch_id"]), 0)} for row in rows])
        for column in (batches.c.batch_id, forgotten.c.batch_id):
            connection.execute(sa.delete(column.table).where(column.in_(chunk)))
    return events, kept


def _lost(connection: Connection, batch_ids: Sequence[str]) -> dict[str, int]:
    """The number of dead and forgotten events of these batches, where there are any."""
    numbers: dict[str, int] = {}
    for table, number in ((dead_events, sa.func.count()), (forgotten, sa.func.sum(forgotten.c.events))):
        query = sa.select(table.c.batch_id, number).where(table.c.batch_id.in_(batch_ids)).group_by(table.c.batch_id)
        rows: Sequence[Any] = connection.execute(query).all()
        for batch_id, events in rows:
            numbers[batch_id] = numbers.get(batch_id, 0) + int(events)
    return numbers


def _keep_dead(connection: Connection, kept: Collection[str]) -> None:
    """Keep only these dead events, and no request for a replay; the progress of dates has to be found out anew."""
    existing: set[str] = set(connection.execute(sa.select(dead_events.c.id)).scalars())
    for chunk in chunks(sorted(existing - set(kept))):
        connection.execute(sa.delete(dead_events).where(dead_events.c.id.in_(chunk)))
    for table in (replays, progress):
        connection.execute(sa.delete(table))


def _insert_copied(connection: Connection, copied: Copied) -> int:
    """Insert rows of the copy that the ledger lacks. Returns the number of batches that were unknown, or had an earlier
    status.
    """
    new = unknown(connection, batches.c.batch_id, [str(row["batch_id"]) for row in copied.batches])
    insert(connection, batches, [row for row in copied.batches if row["batch_id"] in new])
    ids = unknown(connection, earlier_deliveries.c.id, [str(row["id"]) for row in copied.earlier_deliveries])
    replayed = {row["batch_id"] for row in copied.earlier_deliveries if row["id"] in ids}
    updated = 0
    for row in copied.batches:
        if row["batch_id"] in new or row["status"] == HELD:
            continue
        earlier = [HELD, WAITING] if row["status"] == DELIVERED else [HELD]
        if row["batch_id"] in replayed:  # the ledger knows only the first delivery
            earlier = [HELD, WAITING, DELIVERED]
        values = {name: row[name] for name in ("status", "attempts", "first_attempt_at", "delivered_at", "reason")}
        updated += connection.execute(
            sa.update(batches)
            .where(batches.c.batch_id == row["batch_id"], batches.c.status.in_(earlier))
            .values(**values)
        ).rowcount
    keys: list[tuple[sa.Table, Sequence[dict[str, object]], str]] = [
        (dead_events, copied.dead, "id"),
        (earlier_deliveries, copied.earlier_deliveries, "id"),
        (forgotten, copied.forgotten, "batch_id"),
    ]
    for table, rows, key in keys:
        missing = unknown(connection, table.c[key], [str(row[key]) for row in rows])
        insert(connection, table, [row for row in rows if row[key] in missing])
    known: set[date] = set(connection.execute(sa.select(withheld_dates.c.export_date)).scalars())
    insert(connection, withheld_dates, [row for row in copied.withheld if row["export_date"] not in known])
    return len(new) + updated
