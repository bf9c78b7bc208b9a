"""The status of every batch: the record that a delivery relies on.

One row per batch and one per dead event, so that ten million events take some ten thousand rows. SQLite on one machine,
PostgreSQL on several. `Ledger` is one class in six parts: batches and progress (ledger.py), dead events
(dead_events.py), replays of delivered batches (earlier_deliveries.py), held batches (held_batches.py), numbers
(standings.py), and the warehouse that it belongs to (ledger_pairing.py).
"""

from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import (
    CUT,
    HELD,
    MODELLED,
    NEW_IDS,
    REPORTED,
    SUPPRESSED,
    WAITING,
    WITHDRAWN,
    Batch,
    Copied,
    DeadEvent,
    Delivered,
    Pairing,
    Reconciled,
    Remaining,
    Replacing,
    Replay,
    SentBatch,
    Settled,
    Standing,
)

__all__ = [
    "CUT",
    "HELD",
    "MODELLED",
    "NEW_IDS",
    "REPORTED",
    "SUPPRESSED",
    "WAITING",
    "WITHDRAWN",
    "Batch",
    "Copied",
    "DeadEvent",
    "Delivered",
    "Ledger",
    "Pairing",
    "Reconciled",
    "Remaining",
    "Replacing",
    "Replay",
    "SentBatch",
    "Settled",
    "Standing",
]
