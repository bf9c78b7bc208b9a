"""A folder of exports beside an open warehouse: files go in, rows come out."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from pipeline.export_dates import ExportDates
from pipeline.exports.discovery import Discovered, discover
from pipeline.exports.export_files import LoadedFile
from pipeline.exports.layouts import Layout
from pipeline.exports.loading import Loaded, load
from pipeline.exports.locations import ExportLocation
from pipeline.openpgp import SecretKey
from pipeline.warehouse import transaction

NOW = datetime(2024, 6, 20, 8, 0, tzinfo=UTC)
WRITTEN = datetime(2024, 6, 11, 6, 30, tzinfo=UTC)
EVERY_DATE = ExportDates(date(2010, 1, 1), date(2030, 1, 1))
LOADABLE = ExportDates(EVERY_DATE.first, NOW.date())

HEADER = "CUSTOMER,MAIL,SUBJECT,OPENED_AT\n"
ZOE = "C-1,zoe@example.com,Soldes,2024-06-11T09:15:10\n"
# A row that is read and not understood: it contains no person.
NO_PERSON = ",,Soldes,2024-06-11T09:15:10\n"
# A row that can't be read: it breaks off.
HALF = "C-2,jef@exam\n"
# When ZOE is, in Brussels.
AT = datetime(2024, 6, 11, 7, 15, 10, tzinfo=UTC)
NAMES = ["CUSTOMER", "MAIL", "SUBJECT", "OPENED_AT"]
OPENS: dict[str, Any] = {
    "name": "opens",
    "files": "opens.*",
    "kind": "events",
    "timezone": "Europe/Brussels",
    "event": "Email Opened",
    "columns": {"CUSTOMER": "user_id", "MAIL": "email", "SUBJECT": "email_subject", "OPENED_AT": "timestamp"},
}
# The same with a code in each row: a layout has either one event or codes.
CODED: dict[str, Any] = {
    "event": None,
    "event_column": "WHAT",
    "event_codes": {"OPEN": "Email Opened", "CLICK": "Email Link Clicked", "SENT": None},
}
CODED_COLUMNS = {"CUSTOMER": "user_id", "MAIL": "email", "OPENED_AT": "timestamp"}

FEWER = "the row has fewer columns than the header"
NOT_DOUBLED = "the row has an unclosed quote, or an unescaped (not doubled) quote inside a value"
UNIDENTIFIED = "no person identified: neither user id, email address, nor list id with Selligent user id"

Row = dict[str, Any]


def layout(**changes: Any) -> Layout:
    """The layout of the opens, with changes."""
    return _checked(json.dumps(OPENS | changes))


@cache
def _checked(layout: str) -> Layout:
    """Once for all tests: to look up a time zone takes as long as to load a file."""
    return Layout.model_validate(json.loads(layout))


def rows_of(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> list[Row]:
    result = connection.execute(query, list(parameters))
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def columns_of(rows: Sequence[Row], names: Sequence[str]) -> list[Any]:
    """The values of one column, or a tuple a row."""
    return [row[names[0]] if len(names) == 1 else tuple(row[name] for name in names) for row in rows]


class Desk:
    """A folder that exports arrive in, and the warehouse that they are loaded into."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path, *layouts: Layout) -> None:
        self.connection = connection
        self.folder = folder
        self.layouts = layouts or (layout(),)
        self.location = ExportLocation(str(folder))
        self.key: SecretKey | None = None

    def put(self, name: str, content: str | bytes, written: datetime = WRITTEN) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (written.timestamp(), written.timestamp()))

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def load(self, dates: ExportDates = EVERY_DATE, *, reload: bool = False, at: datetime = NOW) -> Loaded:
        seen = discover(self.location, self.layouts, LOADABLE)
        return self.load_seen(seen, dates, reload=reload, at=at)

    def load_seen(
        self, seen: Discovered, dates: ExportDates = EVERY_DATE, *, reload: bool = False, at: datetime = NOW
    ) -> Loaded:
        """Load what was seen at an earlier look."""
        return load(self.connection, self.location, seen.within(dates), reload=reload, key=self.key, now=at)

    def events(self, *names: str) -> list[Any]:
        """Columns of raw.events, in the order of date, file and row."""
        return columns_of(
            rows_of(self.connection, "SELECT * FROM raw.events ORDER BY export_date, file, row_number"), names
        )

    def lookups(self, *names: str) -> list[Any]:
        return columns_of(
            rows_of(self.connection, "SELECT * FROM raw.lookups ORDER BY export_date, file, row_number"), names
        )

    def rejected(self, *names: str) -> list[Any]:
        return columns_of(rows_of(self.connection, "SELECT * FROM raw.rejected_rows ORDER BY file, line"), names)

    def files(self, *names: str) -> list[Any]:
        """Columns of raw.export_files, by name and in the order in which they were written."""
        return columns_of(rows_of(self.connection, "SELECT * FROM raw.export_files ORDER BY name, loaded_at"), names)

    def commits(self) -> int:
        """How often the lake was changed."""
        found = self.connection.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchone()
        assert found is not None
        return int(found[0])


@dataclass(frozen=True)
class Reading:
    """What became of one file: `rows` as raw.events has them, rejected ones included, and `lookups`."""

    file: LoadedFile
    rows: list[Row]
    rejected: list[tuple[int, str, str]]
    lookups: list[Row]

    def all(self, *names: str) -> list[Any]:
        """Columns of every row that was read."""
        return columns_of(self.rows, names)

    def accepted(self, *names: str) -> list[Any]:
        """Columns of every row that is an event."""
        return columns_of(
            [row for row in self.rows if row["event"] is not None and row["rejected_because"] is None], names
        )

    @property
    def counts(self) -> tuple[str, int, int, int]:
        return (self.file.status, self.file.rows, self.file.skipped, self.file.rejected)

    @property
    def lines(self) -> list[int]:
        return [line for line, _, _ in self.rejected]

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason, _ in self.rejected]


# So many days lie between the first date of a Reader and NOW.
_DATES = 5_000


class Reader:
    """Loads one file at a time into a warehouse that stays open; each file has an export date of its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._numbers = count()

    def __call__(self, content: str | bytes, name: str = "opens.csv", **changes: Any) -> Reading:
        desk, written = self.desk(**changes)
        desk.put(name, content, written)
        day = written.date()
        loaded = desk.load(ExportDates(day, day))
        assert [file.name for file in loaded.files] == [name]
        with transaction(self._connection):  # one look at the catalog instead of three
            rows = self._of_day("SELECT * FROM raw.events WHERE export_date = ? ORDER BY row_number", day)
            rejected = self._of_day("SELECT * FROM raw.rejected_rows WHERE export_date = ? ORDER BY line", day)
            lookups = self._of_day("SELECT * FROM raw.lookups WHERE export_date = ? ORDER BY row_number", day)
        return Reading(loaded.files[0], rows, [(row["line"], row["reason"], row["text"]) for row in rejected], lookups)

    def desk(self, **changes: Any) -> tuple[Desk, datetime]:
        """An empty folder for files that are loaded together, and when they have to be written, so that their export
        date is one of their own.
        """
        number = next(self._numbers)
        self._connection.execute("DELETE FROM raw.export_files")  # the same bytes in two tests are no duplicate
        if number % _DATES == 0:  # dates have come round: what was loaded at them goes
            for table in ("events", "rejected_rows", "lookups"):
                self._connection.execute(f"DELETE FROM raw.{table}")
        written = datetime(2010, 1, 1, 12, tzinfo=UTC) + timedelta(days=number % _DATES)
        folder = self._folder / str(number)
        folder.mkdir()
        return Desk(self._connection, folder, layout(**changes)), written

    def _of_day(self, query: str, day: date) -> list[Row]:
        return rows_of(self._connection, query, [day])
