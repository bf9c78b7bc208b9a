"""The ledger of a restore: the present one if it survived, else the backup's, with what may have been sent since."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import duckdb
import sqlalchemy as sa

from pipeline.errors import DeliveryError, SettingsError
from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import HeldEvents, Ledger, Pairing, Restored
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.ledger.warehouse_pairing import pair_warehouse, pairing_of
from pipeline.segment.outbox import cut_batches, undeliverable
from pipeline.segment.reconcile import reconcile
from pipeline.segment.restored import in_doubt, taken_as_delivered
from pipeline.settings import Settings
from pipeline.transfer.manifest import Manifest
from pipeline.warehouse.catalog_file import is_empty

Connection = duckdb.DuckDBPyConnection

_REVIVED = "replayed after the backup that was restored; replay it again if Segment does not have it"


@dataclass(frozen=True)
class Deliveries:
    """What is known of the deliveries after the backup.

    `survived`: the ledger is still there. It `knows` all of them, or the user stated them. `missing` delivered events
    are not in the restored warehouse. `held` are events that may have been sent, and `taken` batches that count as
    delivered since the user stated it.
    """

    survived: bool
    knows: bool
    missing: int
    held: list[HeldEvents]
    taken: int


def surviving(settings: Settings, manifest: Manifest) -> Ledger | None:
    """The present ledger, if it is the backup's or a later state of it; None if it was lost, or is another one.

    Raises:
        DeliveryError: its server can't be reached.
    """
    url = sa.make_url(settings.ledger)
    is_file = url.get_backend_name() == "sqlite"
    if is_file and is_empty(Path(str(url.database))):
        return None
    try:
        ledger = Ledger(settings.ledger)
        found, pairs = ledger.pairing(), ledger.pairs()
        sent, restored = ledger.has_sent(), ledger.restored()
    except DeliveryError:
        if is_file:  # damaged
            return None
        raise
    if manifest.pair is None:  # no event was due yet, so there is nothing to compare
        survived = sent
    else:
        survived = manifest.pair in pairs and found.generation >= manifest.ledger_generation
    if restored is not None and not restored.is_complete:  # a backup's, of a restore that was killed
        survived = False
    if not survived:
        ledger.close()
    return ledger if survived else None


def prepare(ledger: Ledger, manifest: Manifest, restored: Restored) -> None:
    """Make a copy of the backup's ledger one that no warehouse matches until the restore is complete."""
    ledger.note_restored(replace(restored, is_complete=False))
    ledger.pair(Pairing(manifest.pair, manifest.ledger_generation, manifest.warehouse_generation + 1))


def new_restore(
    manifest: Manifest,
    before: Restored | None,
    now: datetime,
    until: datetime | None,
    *,
    survived: bool,
    ledger: Ledger,
) -> Restored:
    """The record of a restore; `before` is that of the restore before, which may have left open what was sent.

    Raises:
        SettingsError: `until` was given, and is not needed.
    """
    is_open = before is not None and not before.knows_deliveries
    if survived and until is not None and not is_open:
        raise SettingsError(
            "--delivered-until: the ledger is still there and has recorded what was delivered; leave the option out"
        )
    knows = (survived and not is_open) or until is not None
    backup_at = before.backup_at if before is not None and is_open else manifest.created_at
    if until is None and survived and before is not None:
        until = before.delivered_until
    return Restored(now, backup_at, knows, until, tuple(ledger.withheld()))


def complete(
    connection: Connection, ledger: Ledger, backup: Ledger, restored: Restored, *, survived: bool, stated: bool
) -> Deliveries:
    """Make the restored warehouse and the ledger a pair; the last step of a restore, which can be repeated.

    `stated`: the user stated until when everything was delivered.
    """
    missing = 0
    if survived:
        ledger.take_over_dead(backup, _REVIVED)
        ledger.match_outbox(_sizes(connection))
        missing = reconcile(connection, ledger, restored.at).missing
        ledger.take_over_progress(backup)
    else:
        ledger.register(cut_batches(connection, EVERY_DATE), undeliverable(connection, EVERY_DATE), restored.at)
        ledger.doubt_waiting(in_doubt(restored.backup_at))
        ledger.note_restored(restored)
    if stated:
        until = restored.delivered_until
        is_after = until is not None and until >= restored.backup_at
        ledger.decide_doubtful(taken_as_delivered(until) if until is not None and is_after else None)
    taken = ledger.settle_restored()
    if not survived:
        _pair_anew(connection, ledger)
    mirror_into(connection, ledger, EVERY_DATE)
    return Deliveries(survived, restored.knows_deliveries, missing, ledger.in_doubt(EVERY_DATE), taken)


def _pair_anew(connection: Connection, ledger: Ledger) -> None:
    """With an id that neither of the stores that were set aside has. The ledger is first: until the warehouse has the
    id, they do not belong together.
    """
    ours, theirs = pairing_of(connection), ledger.pairing()
    generation, seen = max(ours.generation, theirs.seen) + 1, max(theirs.generation, ours.seen) + 1
    new = Pairing(str(uuid4()), seen, generation)
    ledger.pair(new)
    pair_warehouse(connection, replace(new, generation=generation, seen=seen))


def _sizes(connection: Connection) -> dict[str, int]:
    """The number of events of each batch in the outbox."""
    query = "SELECT batch_id, count(*) FROM delivery.outbox WHERE batch_id IS NOT NULL GROUP BY ALL"
    return dict(connection.execute(query).fetchall())
