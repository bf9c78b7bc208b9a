"""What becomes of events: delivered, still waiting, dead, or withdrawn before they were sent."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.ledger.records import DELIVERED, WAITING, Batch, DeadEvent, Settled
from pipeline.ledger.schema import batches, dead_events
from pipeline.ledger.statements import found, insert_dead, unknown


def attempting(connection: Connection, group: Sequence[Batch], now: datetime) -> None:
    """Note, before they are sent, that these batches may have been received from now on."""
    connection.execute(
        sa.update(batches)
        .where(batches.c.batch_id.in_([batch.batch_id for batch in group]), batches.c.first_attempt_at.is_(None))
        .values(first_attempt_at=now)
    )


def settle(connection: Connection, results: Sequence[Settled], now: datetime) -> None:
    """Write down what became of some batches."""
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
    insert_dead(connection, [event for result in results for event in result.dead], now)


def withdraw(connection: Connection, gone: Sequence[DeadEvent], now: datetime) -> tuple[int, int]:
    """Events that no export says any more, or of people who are suppressed, must not be sent: how many are dead
    from now on, and how many had been delivered before, which nobody can take back.
    """
    batch_ids = sorted({event.batch_id for event in gone if event.batch_id})
    alive = unknown(connection, dead_events.c.id, [event.id for event in gone])
    sent = found(connection, batches.c.batch_id, batch_ids, batches.c.status == DELIVERED)
    late = [event for event in gone if event.id in alive and event.batch_id in sent]
    in_time = [event for event in gone if event.id in alive and event.batch_id not in sent]
    insert_dead(connection, in_time, now)
    return len(in_time), len(late)
