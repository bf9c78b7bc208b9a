"""Values that go into the ledger and come out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from pipeline.export_dates import ExportDates

# The status of a batch. Held batches are not sent until they are released.
WAITING, DELIVERED, HELD = "waiting", "delivered", "held"
# Reasons of events that are dead on purpose: their people are suppressed, or no export contains them any longer.
SUPPRESSED, WITHDRAWN = "suppressed", "withdrawn"
# The reason of held batches whose events replace delivered ones under other ids begins with this.
NEW_IDS = "new ids"
# The reason of held batches that may have been sent between a backup and its restore begins with this.
IN_DOUBT = "restored"
# The reason of batches that count as delivered since `restore --delivered-until` states it.
TAKEN_AS_DELIVERED = "taken as delivered"
# Stages of an export date, one after the other: in the event tables, in the outbox, in the report.
MODELLED, CUT, REPORTED = "modelled", "cut", "reported"


@dataclass(frozen=True)
class Batch:
    """Events of one name and one export date that are sent together. It never changes after it was cut."""

    batch_id: str
    event: str
    export_date: date
    sequence: int
    events: int
    status: str = WAITING
    reason: str | None = None


@dataclass(frozen=True)
class Pairing:
    """What a warehouse and a ledger each store about the other: the id of the pair, the number of own writes that
    matter to the other (its generation), and the other's generation when it was last seen.
    """

    pair: str | None = None
    generation: int = 0
    seen: int = 0


@dataclass(frozen=True)
class Copied:
    """Rows of the warehouse's copy of a ledger, by table; the keys are the ledger's columns."""

    batches: Sequence[dict[str, object]] = ()
    dead: Sequence[dict[str, object]] = ()
    forgotten: Sequence[dict[str, object]] = ()
    withheld: Sequence[dict[str, object]] = ()
    earlier_deliveries: Sequence[dict[str, object]] = ()


@dataclass(frozen=True)
class Reconciled:
    """The result of a reconciliation: delivered events that the warehouse does not contain, how many of them are
    recognised when they are cut into the same batches again, and batches that were taken from the warehouse's copy.
    """

    missing: int
    recognisable: int
    taken: int


@dataclass(frozen=True)
class Restored:
    """A restore of the backup of `backup_at`, which took place `at` a time.

    `knows_deliveries`: the ledger has every delivery up to the restore, since it survived, or since the user stated
    that everything exported until `delivered_until` was sent, and nothing else. Dates that were `withheld` then were
    not sent either way. `is_complete`: what may have been sent is held.
    """

    at: datetime
    backup_at: datetime
    knows_deliveries: bool
    delivered_until: datetime | None = None
    withheld: Sequence[date] = ()
    is_complete: bool = True


@dataclass(frozen=True)
class Delivered:
    """Delivered events: their number, the range of their export dates, and when the first and the last of them were
    delivered; None where an earlier version did not record the time.
    """

    events: int
    dates: ExportDates
    first_at: datetime | None
    last_at: datetime | None


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
    """A requested replay of a dead event, with the batch and the export date that it had when it died."""

    id: str
    batch_id: str | None
    export_date: date


@dataclass(frozen=True)
class Remaining:
    """What remains of a batch without forgotten people; an event that never was in one has a hash as `batch_id`."""

    batch_id: str
    event: str
    export_date: date
    events: int


@dataclass(frozen=True)
class Settled:
    """The result of sending a batch: delivered but for its dead events, or still waiting with a reason.

    `without_names` is the number of its messages with an id and not its name, by name.
    """

    batch: Batch
    delivered: bool
    attempts: int
    dead: Sequence[DeadEvent] = ()
    reason: str | None = None
    without_names: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """Events of one export date and event name by status; forgotten ones are in none of the others."""

    export_date: date
    event: str
    delivered: int
    waiting: int
    dead: int
    forgotten: int = 0
    held: int = 0


@dataclass(frozen=True)
class HeldEvents:
    """Events of one export date and event name that are held for a reason: they may have been delivered before."""

    export_date: date
    event: str
    reason: str
    events: int


@dataclass(frozen=True)
class SentBatch:
    """A batch that was sent at least once; `lost` of its events are dead or forgotten, and may have been sent."""

    event: str
    export_date: date
    events: int
    lost: int
    first_attempt_at: datetime
    delivered_at: datetime | None
