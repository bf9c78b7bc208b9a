"""What the ledger is told, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

WAITING, DELIVERED = "waiting", "delivered"
# Reasons of death that nothing is wrong with: nobody says the event any more, or nobody may.
SUPPRESSED, WITHDRAWN = "suppressed", "withdrawn"
# How far an export date has come, one after the other: in the event tables, in the outbox, in the report.
MODELLED, CUT, REPORTED = "modelled", "cut", "reported"


@dataclass(frozen=True)
class Batch:
    """Events of one name and one export date that are sent together; it never changes after it was cut."""

    batch_id: str
    event: str
    export_date: date
    sequence: int
    events: int


@dataclass(frozen=True)
class Pairing:
    """What a warehouse and a ledger each keep of the other: the id of the two together, how often this one was written
    in a way that matters to the other (its generation), and the other's generation when it was last seen.
    """

    pair: str | None = None
    generation: int = 0
    seen: int = 0


@dataclass(frozen=True)
class Copied:
    """Rows of a ledger as the warehouse has copied them, by table; the keys are the ledger's columns."""

    batches: Sequence[dict[str, object]] = ()
    dead: Sequence[dict[str, object]] = ()
    forgotten: Sequence[dict[str, object]] = ()
    withheld: Sequence[dict[str, object]] = ()


@dataclass(frozen=True)
class Reconciled:
    """What became of a ledger: delivered events that the warehouse does not have, how many of them are recognised when
    they are cut into the same batches again, and batches that were taken from the warehouse's copy.
    """

    missing: int
    recognisable: int
    taken: int


@dataclass(frozen=True)
class DeadEvent:
    """An event that can't be delivered, and why."""

    id: str
    event: str
    export_date: date
    batch_id: str | None
    reason: str


@dataclass(frozen=True)
class Replay:
    """A dead event that is to be tried again, with the batch and the export date that it had when it died."""

    id: str
    batch_id: str | None
    export_date: date


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
