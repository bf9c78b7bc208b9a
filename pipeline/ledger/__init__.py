"""What became of every batch: the one record that a delivery trusts.

One row a batch and one a dead event, so that ten million events cost some ten thousand rows. SQLite on one machine,
PostgreSQL on several. `Ledger` asks and answers; what takes more than a statement is a function of a connection, in a
module of its own.
"""

from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import (
    CUT,
    MODELLED,
    REPORTED,
    SUPPRESSED,
    WITHDRAWN,
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

__all__ = [
    "CUT",
    "MODELLED",
    "REPORTED",
    "SUPPRESSED",
    "WITHDRAWN",
    "Batch",
    "Copied",
    "DeadEvent",
    "Ledger",
    "Pairing",
    "Reconciled",
    "Remaining",
    "Replay",
    "SentBatch",
    "Settled",
    "Standing",
]
