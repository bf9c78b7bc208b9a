"""The status of every batch: the record that a delivery relies on.

One row per batch and one per dead event, so that ten million events take some ten thousand rows. SQLite on one machine,
PostgreSQL on several. `Ledger` is one class in seven parts: batches and progress (ledger.py), dead events
(dead_events.py), replays of delivered batches (earlier_deliveries.py), held batches (held_batches.py), restores
(restored.py), numbers (standings.py), and the warehouse that it belongs to (ledger_pairing.py).
"""

from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import (
    CUT,
    HELD,
    IN_DOUBT,
    MODELLED,
    NEW_IDS,
    REPORTED,
    SUPPRESSED,
    TAKEN_AS_DELIVERED,
    WAITING,
    WITHDRAWN,
    Batch,
    Copied,
    DeadEvent,
    Delivered,
    HeldEvents,
    Pairing,
    Reconciled,
    Remaining,
    Replay,
    Restored,
    SentBatch,
    Settled,
    Standing,
)

__all__ = [
    "CUT",
    "HELD",
    "IN_DOUBT",
    "MODELLED",
    "NEW_IDS",
    "REPORTED",
    "SUPPRESSED",
    "TAKEN_AS_DELIVERED",
    "WAITING",
    "WITHDRAWN",
    "Batch",
    "Copied",
    "DeadEvent",
    "Delivered",
    "HeldEvents",
    "Ledger",
    "Pairing",
    "Reconciled",
    "Remaining",
    "Replay",
    "Restored",
    "SentBatch",
    "Settled",
    "Standing",
]
