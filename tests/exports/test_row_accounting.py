"""Every row of every file is an event, skipped, or rejected; the check counts in the tables, not while loading."""

from datetime import date, timedelta

import pytest

from pipeline.export_dates import ExportDates
from pipeline.exports.row_accounting import rows_accounted_for
from pipeline.finding import Finding
from tests.support.export_folder import CODED, NOW, WRITTEN, Desk, layout

TUESDAY = ExportDates(date(2024, 6, 11), date(2024, 6, 11))
MONDAY = ExportDates(date(2024, 6, 10), date(2024, 6, 10))
CODED_LAYOUT = layout(**CODED, columns={"CUSTOMER": "user_id", "OPENED_AT": "timestamp"})
ROWS = (
    "CUSTOMER,WHAT,OPENED_AT\n"
    "C-1,OPEN,2024-06-11T09:15:10\n"
    "C-1,OPEN,2024-06-11T09:15:10\n"
    "C-1,SENT,2024-06-11T09:15:10\n"
    "C-1,FWD,2024-06-11T09:15:10\n"
    "half\n"
)
LISTS = layout(name="lists", files="lists.*", kind="lists", event=None, columns={"ID": "list_id", "NAME": "list_name"})


@pytest.fixture
def desk(plain_desk: Desk) -> Desk:
    """Nothing here depends on how rows are stored."""
    return plain_desk


@pytest.fixture
def filled(desk: Desk) -> Desk:
    desk.layouts = (CODED_LAYOUT, LISTS)
    desk.put("opens.csv", ROWS)
    desk.put("lists.csv", "ID,NAME\n12,Nieuwsbrief\n,Wedstrijd\n")
    desk.put("readme.md", "hello")
    desk.load()
    return desk


def test_events_skipped_and_rejected_rows_are_all_the_rows_of_a_file(filled: Desk) -> None:
    assert rows_accounted_for(filled.connection, TUESDAY) == Finding(
        True, "All rows are accounted for: 7 rows of 2 files.", {"rows": 7}, grave=True
    )


def test_only_the_files_of_the_dates_count(filled: Desk) -> None:
    assert rows_accounted_for(filled.connection, MONDAY) == Finding(
        True, "All rows are accounted for: 0 rows of 0 files.", {"rows": 0}, grave=True
    )


def test_a_file_that_was_replaced_counts_once(filled: Desk) -> None:
    filled.put("opens.csv", ROWS + "C-2,OPEN,2024-06-11T09:15:10\n", WRITTEN + timedelta(hours=1))
    filled.load(at=NOW + timedelta(hours=1))
    assert rows_accounted_for(filled.connection, TUESDAY).numbers == {"rows": 8}


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "DELETE FROM raw.events WHERE row_number = 1",
            "opens.csv had 5 rows, but 1 events + 1 skipped + 2 rejected",
        ),
        (
            "DELETE FROM raw.events WHERE event_code = 'SENT'",
            "opens.csv had 5 rows, but 2 events + 0 skipped + 2 rejected",
        ),
        (
            "DELETE FROM raw.rejected_rows WHERE file = 'opens.csv'",
            "opens.csv had 5 rows, but 2 events + 1 skipped + 0 rejected",
        ),
        (
            "INSERT INTO raw.lookups SELECT * FROM raw.lookups",
            "lists.csv had 2 rows, but 2 events + 0 skipped + 1 rejected",
        ),
    ],
    ids=["event", "skipped row", "rejected rows", "lookup twice"],
)
def test_a_row_that_is_lost_or_there_twice_is_reported(filled: Desk, statement: str, sentence: str) -> None:
    filled.connection.execute(statement)
    assert rows_accounted_for(filled.connection, TUESDAY) == Finding(
        False, f"{sentence}. Materialize raw/events for these dates with `reload: true`.", {"rows": 7}, grave=True
    )


def test_a_reload_restores_lost_rows(filled: Desk) -> None:
    filled.connection.execute("DELETE FROM raw.events WHERE row_number = 1")
    filled.load(reload=True, at=NOW + timedelta(hours=1))
    assert rows_accounted_for(filled.connection, TUESDAY).holds
