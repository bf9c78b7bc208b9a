"""A warehouse and a ledger in which something of everything has happened, counted by hand."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.export_dates import ExportDates
from pipeline.ledger import DeadEvent, Ledger, Settled
from pipeline.report.location import publish
from pipeline.report.numbers import Numbers, newest_dates, read_numbers
from pipeline.report.page import Report, make_report
from pipeline.segment import cut_rules
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse, literal
from tests.support.delivery_fixtures import opened
from tests.support.modelled_tables import DAY, MODELLED, SCHEMA, Lake, day, event_row, id_of
from tests.support.warehouses import plain_file_in

WRITE_KEY = "Wk7vQ2-write-key-secret"
TOKEN = "sgp_public-api-token"
PASSWORD = "hunter2-of-the-ledger"
NEXT_DAY = day(1).first
BOTH_DAYS = ExportDates(DAY, NEXT_DAY)
MADE_AT = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
DELIVERED_AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
HOSTILE = '<img src="http://evil.example/x.png" onerror=alert(1)>'


@dataclass(frozen=True)
class Reported:
    """A warehouse with its ledger, and the report of them."""

    warehouse: Warehouse
    ledger: Ledger
    folder: Path

    def make(self, **settings: object) -> Report:
        given = {"segment_write_key": WRITE_KEY, **settings}
        with self.warehouse.writing() as connection:
            return make_report(connection, self.ledger, settings_of(self.warehouse, **given), MADE_AT)

    def page(self, **settings: object) -> str:
        return self.make(**settings).page

    def published(self) -> Path:
        """The page as a file."""
        settings = settings_of(self.warehouse, report=f"{self.folder}/report")
        return Path(publish(self.page(), settings))

    def numbers(self) -> Numbers:
        with self.warehouse.reading() as connection:
            return read_numbers(connection, SCHEMA)

    def dates(self) -> ExportDates | None:
        with self.warehouse.reading() as connection:
            return newest_dates(connection)

    def change(self, *statements: str) -> None:
        with opened(self.warehouse) as lake:
            for statement in statements:
                lake.connection.execute(statement)


def settings_of(warehouse: Warehouse, **settings: object) -> Settings:
    given: dict[str, object] = {"warehouse": warehouse.location, "warehouse_files": warehouse.files, **settings}
    return Settings(_env_file=None, **given)  # type: ignore[arg-type, call-arg]


def load(lake: Lake, name: str, export_date: object, *, status: str = "loaded", **columns: object) -> None:
    """A file as `raw.export_files` has it."""
    given = {"rows": 0, "skipped": 0, "rejected": 0, "suppressed": 0, "kind": "events", "reason": None} | columns
    lake.connection.execute(
        f"INSERT INTO raw.export_files (export_date, name, status, loaded_at, {', '.join(given)}) "
        f"VALUES (?, ?, ?, ?, {', '.join('?' for _ in given)})",
        [export_date, name, status, MADE_AT, *given.values()],
    )


def read_rows(lake: Lake, export_date: object, events: int, skipped: int = 0, rejected: Sequence[str] = ()) -> None:
    """Rows of one date as `raw` has them."""
    run = lake.connection.execute
    run(f"INSERT INTO raw.events (export_date, event) SELECT '{export_date}', 'Email Opened' FROM range({events})")
    run(f"INSERT INTO raw.events (export_date) SELECT '{export_date}' FROM range({skipped})")
    for line, reason in enumerate(rejected, start=2):
        run(
            f"INSERT INTO raw.rejected_rows (export_date, file, line, reason, text) "
            f"VALUES ('{export_date}', {literal(f'{HOSTILE}.csv')}, {line}, {literal(reason)}, 'ann@example.com')"
        )


@pytest.fixture(scope="session")
def empty_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty-tables")
    with opened(plain_file_in(folder)) as lake:
        lake.make_tables()
        lake.connection.execute(f"CREATE TABLE {SCHEMA}.tracks AS SELECT {MODELLED} FROM staging.events WHERE false")
    return folder


@pytest.fixture
def nothing(empty_tables: Path, tmp_path: Path) -> Reported:
    """Tables without a row."""
    shutil.copytree(empty_tables, tmp_path / "warehouse")
    return Reported(plain_file_in(tmp_path / "warehouse"), Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"), tmp_path)


@pytest.fixture
def busy(nothing: Reported, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reported]:
    """Two export dates.

    The first: 20 rows = 13 event rows (11 events, 2 repeated) + 4 names + 2 skipped + 1 rejected. Its events: six
    delivered, three opens (two of one person, one by a machine), a click, an unsubscribe; all but the dead one, which
    Segment refused, are delivered. The second: 3 rows of which 1 is suppressed; its two events wait, it is withheld.
    """
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 3)
    first = [
        *(event_row(number, "Email Delivered") for number in range(6)),
        event_row(6, "Email Opened", user_id="user-1", is_bot=False),
        event_row(7, "Email Opened", user_id="user-1"),
        event_row(8, "Email Opened", user_id="user-2", is_bot=True),
        event_row(9, "Email Link Clicked", user_id="user-1"),
        event_row(10, "Email Unsubscribed", user_id="user-3"),
    ]
    second = [
        event_row(20, "Email Delivered", export_date=f"{NEXT_DAY}"),
        event_row(21, "Email Bounced", export_date=f"{NEXT_DAY}"),
    ]
    with opened(nothing.warehouse) as lake:
        load(lake, "log & more.csv", DAY, rows=16, skipped=2, rejected=1)
        load(lake, "names.csv", DAY, rows=4, kind="campaigns")
        load(lake, "next.csv", NEXT_DAY, rows=3, suppressed=1)
        load(lake, f"{HOSTILE}.csv", NEXT_DAY, status="refused", reason="no column 'ann@example.com' <script>")
        load(lake, "ann@example.com.csv", day(5).first, status="unmatched", reason="no layout matches")
        read_rows(lake, DAY, 13, 2, ["the date-time 'ann@example.com' cannot be read as <b>ISO</b>"])
        read_rows(lake, NEXT_DAY, 2)
        lake.connection.execute(f"INSERT INTO raw.lookups (export_date) SELECT '{DAY}' FROM range(4)")
        lake.stage(*first, *second)
        lake.stage_duplicates(event_row(6, "Email Opened"), event_row(0, "Email Delivered"))
        lake.connection.execute(f"INSERT INTO {SCHEMA}.tracks BY NAME SELECT {MODELLED} FROM staging.events")
        lake.put_out(nothing.ledger, BOTH_DAYS)
    nothing.ledger.withhold([NEXT_DAY], MADE_AT)
    deliver(nothing.ledger)
    yield nothing
    nothing.ledger.close()


def deliver(ledger: Ledger) -> None:
    """Everything of the first date, each batch a second after the one before, but for one event that is refused."""
    for place, batch in enumerate(ledger.waiting_since(DAY)):
        if batch.export_date != DAY:
            continue
        refused = DeadEvent(
            id_of(10), batch.event, DAY, batch.batch_id, f"Segment answered 400 to bob@example.com {HOSTILE}"
        )
        ledger.start_attempts([batch], DELIVERED_AT)
        settled = Settled(batch, True, 1, [refused] if batch.event == "email_unsubscribed" else [])
        ledger.settle([settled], DELIVERED_AT + timedelta(seconds=place + 1))
