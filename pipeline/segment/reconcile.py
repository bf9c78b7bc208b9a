"""Reconciliation of a warehouse and a ledger that do not belong together, with as few repeated sends as possible."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import duckdb

from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Copied, Ledger, Pairing, Reconciled
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.ledger.warehouse_pairing import batch_ids, pair_warehouse, pairing_of
from pipeline.segment.outbox import cut_batches, undeliverable

Connection = duckdb.DuckDBPyConnection

_COPIED_BATCHES = """
    SELECT batches.*, outbox.sequence
    FROM delivery.batches AS batches
    JOIN (
        SELECT batch_id, any_value(sequence) AS sequence FROM delivery.outbox GROUP BY batch_id
    ) AS outbox ON batches.batch_id = outbox.batch_id
"""
_COPIED_DEAD = """
    SELECT dead.* FROM delivery.dead_events AS dead
    JOIN delivery.outbox ON dead.id = outbox.id AND dead.batch_id IS NOT DISTINCT FROM outbox.batch_id
"""


def reconcile(connection: Connection, ledger: Ledger, now: datetime) -> Reconciled:
    """Pair a warehouse and a ledger; the connection is a writer's.

    If the ledger was lost or is older, it is completed from the warehouse's copy of it. Batches that the warehouse does
    not contain are dropped; delivered ones are recognised by their ids when they are cut again. The ledger is written
    first: if the process is killed after that, the two still do not belong together, and the command can be repeated.
    """
    ours, theirs = pairing_of(connection), ledger.pairing()
    is_behind = ours.pair != theirs.pair or theirs.generation < ours.seen
    copied = _copied(connection) if is_behind else Copied()
    later = max(ours.generation, theirs.seen) + 1, max(theirs.generation, ours.seen) + 1
    pair = str(uuid4())
    done = ledger.reconcile(
        batch_ids(connection), _dead(connection, ledger), copied, Pairing(pair, generation=later[1], seen=later[0])
    )
    ledger.register(cut_batches(connection, EVERY_DATE), undeliverable(connection, EVERY_DATE), now)
    pair_warehouse(connection, Pairing(pair, generation=later[0], seen=later[1]))
    mirror_into(connection, ledger, EVERY_DATE)
    return done


def _copied(connection: Connection) -> Copied:
    return Copied(
        _rows(connection, _COPIED_BATCHES),
        _rows(connection, _COPIED_DEAD),
        _rows(connection, "SELECT * FROM delivery.forgotten_events"),
        _rows(connection, "SELECT * FROM delivery.withheld_dates"),
        _rows(connection, "SELECT * FROM delivery.earlier_deliveries"),
    )


def _dead(connection: Connection, ledger: Ledger) -> set[str]:
    """Dead events of the ledger that are in the outbox, in the batches in which they died."""
    died_in = ledger.dead_batches()
    rows = connection.execute(
        "SELECT id, batch_id FROM delivery.outbox WHERE id IN (SELECT unnest(?::VARCHAR[]))", [list(died_in)]
    ).fetchall()
    return {key for key, batch_id in rows if batch_id == died_in[key]}


def _rows(connection: Connection, query: str) -> Sequence[dict[str, object]]:
    found = connection.execute(query)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
