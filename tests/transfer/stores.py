"""Stores with a few events, and what a backup and a restore make of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import DeadEvent, Ledger, Settled
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.ledger.warehouse_pairing import check_pair, pair_up
from pipeline.segment.enqueue import cut_due
from pipeline.settings import Settings
from pipeline.transfer import restore
from pipeline.transfer.backup import BackedUp, back_up
from pipeline.transfer.copied_stores import rows_by_table
from pipeline.transfer.restore import RestoredBackup
from pipeline.warehouse import Warehouse
from pipeline.warehouse.immutable_settings import ensure_origin
from tests.support.modelled_tables import DATES, NOW, Lake, event_row, id_of

MONDAY = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


def settings_in(folder: Path, warehouse: str = "ducklake:sqlite:{}/warehouse.sqlite", ledger: str = "") -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        message_id_namespace="example.com",
        selligent_exports="/srv/out",
        warehouse=warehouse.format(folder),
        warehouse_files=f"{folder}/warehouse/",
        ledger=ledger or f"sqlite:///{folder}/ledger.sqlite",
    )


@contextmanager
def writing(settings: Settings) -> Iterator[Lake]:
    with Warehouse.of(settings).writing() as connection:
        yield Lake(connection)


def load(settings: Settings, *numbers: int, exported_at: datetime = MONDAY) -> None:
    """An export with these events is loaded, modelled and cut."""
    ledger = Ledger(settings.ledger)
    with writing(settings) as lake:
        ensure_origin(lake.connection, settings)
        if not lake.query("SELECT 1 FROM duckdb_tables() WHERE schema_name = 'staging' AND database_name = 'lake'"):
            lake.make_tables()
        lake.query(
            "INSERT INTO raw.export_files (export_date, name, exported_at, loaded_at, status, kind, load_number) "
            "VALUES (?, 'a.csv', ?, ?, 'loaded', 'events', 1)",
            DATES.first,
            exported_at,
            NOW,
        )
        lake.stage(*(event_row(number, exported_at=exported_at.isoformat()) for number in numbers))
        pair_up(lake.connection, ledger)
        cut_due(lake.connection, ledger, settings, DATES, NOW)
    ledger.close()


def deliver(settings: Settings, dead: int | None = None) -> list[str]:
    """Everything that waits is delivered, but for one event that Segment rejects: the numbers that it got."""
    ledger = Ledger(settings.ledger)
    waiting = ledger.start_attempts(ledger.waiting("email_opened", DATES), NOW)
    rejected = [DeadEvent(id_of(dead), each.event, each.export_date, each.batch_id, "no") for each in waiting if dead]
    ledger.settle([Settled(batch, True, 1, rejected) for batch in waiting], NOW)
    with writing(settings) as lake:
        check_pair(lake.connection, ledger)
        mirror_into(lake.connection, ledger, EVERY_DATE)
        sent = [number for batch in waiting for number in lake.batches()[batch.batch_id]]
    ledger.close()
    return sorted(str(int(key.replace("-", ""), 16)) for key in sent)


def standing(settings: Settings) -> tuple[int, int, int]:
    """Delivered, waiting and held events."""
    ledger = Ledger(settings.ledger)
    found = ledger.standing_of("email_opened", DATES)
    ledger.close()
    return found.delivered, found.waiting, found.held


def backed_up(settings: Settings, *, files: bool = False, keep: int | None = None) -> BackedUp:
    return back_up(settings, backups(settings), datetime.now(UTC), with_files=files, keep=keep)


def backups(settings: Settings) -> Path:
    return Path(settings.warehouse_files).parent / "backups"


def restored(settings: Settings, until: datetime | None = None) -> RestoredBackup:
    return restore.restore(settings, backups(settings), datetime.now(UTC), until)


def rows(settings: Settings) -> dict[str, int]:
    with Warehouse.of(settings).reading() as connection:
        return dict(rows_by_table(connection))
