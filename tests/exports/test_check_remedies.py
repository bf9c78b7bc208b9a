"""After the remedy in the sentence of a check, the check passes."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from pipeline.export_dates import ExportDates
from pipeline.exports.checks import (
    future_events,
    missing_dates,
    suspect_quotes,
    unknown_codes,
    unread_files,
    unusual_volumes,
)
from pipeline.exports.event_id_checks import shared_event_ids
from pipeline.exports.layouts import Layout
from pipeline.exports.property_values import unreadable_properties
from pipeline.exports.row_accounting import rows_accounted_for
from pipeline.finding import Finding
from tests.support.export_folder import CODED, CODED_COLUMNS, EVERY_DATE, HEADER, NOW, WRITTEN, ZOE, Desk, layout

LATER = WRITTEN + timedelta(hours=1)
CODES = "CUSTOMER,WHAT,MAIL,OPENED_AT\nC-1,OPEN,,2024-06-11T09:15:10\nC-2,FWD,,2024-06-11T09:15:10\n"
BY_ROW = {"ROWID": "event_id", "CUSTOMER": "user_id", "OPENED_AT": "timestamp"}
# The eleventh of June, with the day first.
DAY_FIRST = "CUSTOMER,OPENED_AT\n" + "".join(f"C-{number},11/06/2024 09:15\n" for number in range(20))
DAY_FIRST_COLUMNS = {"CUSTOMER": "user_id", "OPENED_AT": "timestamp"}
SWALLOWED = HEADER + ZOE.replace("Soldes", '"Soldes') + ZOE.replace("Soldes", "Zomer") + ZOE.replace("Soldes", 'Zon"')


@pytest.fixture
def desk(plain_desk: Desk) -> Desk:
    """Nothing here depends on how rows are stored."""
    return plain_desk


@pytest.mark.parametrize(
    ("content", "check", "advice", "before", "after"),
    [
        (
            CODES,
            unknown_codes,
            "Add them to event_codes of the layout, with null for those that are none of the six events",
            layout(**CODED, columns=CODED_COLUMNS),
            layout(**CODED | {"event_codes": CODED["event_codes"] | {"FWD": None}}, columns=CODED_COLUMNS),
        ),
        (
            HEADER + ZOE.replace("Soldes", "mailbox full"),
            unreadable_properties,
            "1 value of properties can't be read as its type: 'code' in 1 row of opens.csv (layout opens).",
            layout(properties={"SUBJECT": {"name": "code", "type": "integer"}}),
            layout(properties={"SUBJECT": "code_text"}),
        ),
        (SWALLOWED, suspect_quotes, "set quote: null in the layout", layout(), layout(quote=None)),
        (
            DAY_FIRST,
            future_events,
            "Correct timezone or datetime_formats of the layout (day and month may be swapped) and run again",
            layout(columns=DAY_FIRST_COLUMNS, datetime_formats=["%m/%d/%Y %H:%M"]),
            layout(columns=DAY_FIRST_COLUMNS, datetime_formats=["%d/%m/%Y %H:%M"]),
        ),
        (
            "ROWID,CUSTOMER,OPENED_AT\n1E+15,C-1,2024-06-11T09:15:10\n1E+15,C-2,2024-06-11T09:15:10\n",
            shared_event_ids,
            "",
            layout(columns=BY_ROW),
            layout(columns={name: meaning for name, meaning in BY_ROW.items() if name != "ROWID"}),
        ),
    ],
    ids=["unknown codes", "unreadable properties", "stray quotes", "events in the future", "shared ids"],
)
def test_a_corrected_layout_makes_the_check_pass_at_the_next_run(
    desk: Desk, content: str, check: Callable[..., Finding], advice: str, before: Layout, after: Layout
) -> None:
    desk.layouts = (before,)
    desk.put("opens.csv", content)
    desk.load()
    found = check(desk.connection, EVERY_DATE)
    assert not found.holds
    assert advice in found.sentence
    desk.layouts = (after,)
    desk.load()
    assert check(desk.connection, EVERY_DATE).holds


def test_events_that_are_in_the_future_only_for_a_clock_that_was_behind(desk: Desk) -> None:
    """They are no longer in the future when they are loaded with the right clock; a new run alone changes nothing."""
    recent = f"{NOW + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"  # in Brussels, an hour ago
    desk.put("opens.csv", HEADER + "".join(f"C-{number},,,{recent}\n" for number in range(20)))
    desk.load(at=NOW - timedelta(hours=2))
    found = future_events(desk.connection, EVERY_DATE)
    assert found.grave
    assert (
        "If this machine's clock was behind when they were loaded, correct the clock and materialize raw/events for "
        "these dates with `reload: true`."
    ) in found.sentence
    desk.load()
    assert not future_events(desk.connection, EVERY_DATE).holds
    desk.load(reload=True)
    assert future_events(desk.connection, EVERY_DATE).holds


@pytest.mark.parametrize("broken", ["DELETE FROM raw.lookups", "INSERT INTO raw.lookups FROM raw.lookups"])
def test_rows_that_are_not_accounted_for_are_read_again_with_reload(desk: Desk, broken: str) -> None:
    desk.layouts = (
        layout(name="lists", kind="lists", event=None, columns={"LIST_ID": "list_id", "LIST_NAME": "list_name"}),
    )
    desk.put("opens.csv", "LIST_ID,LIST_NAME\n12,Newsletter\n")
    desk.load()
    desk.connection.execute(broken)
    found = rows_accounted_for(desk.connection, EVERY_DATE)
    assert found.sentence.endswith("Materialize raw/events for these dates with `reload: true`.")
    desk.load(reload=True, at=NOW - timedelta(hours=2))
    assert rows_accounted_for(desk.connection, EVERY_DATE).holds


@pytest.mark.parametrize("remedy", ["sent again", "layout corrected"])
def test_a_file_that_was_refused_is_read_when_it_is_sent_again_or_its_layout_is_right(desk: Desk, remedy: str) -> None:
    desk.put("opens.csv", "NOTHING,HERE\nC-1,2024-06-11T09:15:10\n")
    desk.load()
    found = unread_files(desk.connection, EVERY_DATE, 0, {"opens.csv"})
    assert "Have the file sent again, or correct its layout; the next run tries again." in found.sentence
    if remedy == "sent again":
        desk.put("opens.csv", HEADER + ZOE, LATER)
    else:
        desk.layouts = (layout(columns={"NOTHING": "user_id", "HERE": "timestamp"}),)
    desk.load(at=NOW - timedelta(hours=2))
    assert unread_files(desk.connection, EVERY_DATE, 0, {"opens.csv"}).holds


def test_an_export_that_is_made_again_under_its_name_has_its_usual_volume(desk: Desk) -> None:
    desk.layouts = (layout(files=r"opens_(?P<date>\d{8})\.csv"),)
    newest = date(2024, 6, 11)
    of_newest = ExportDates(newest, newest)

    def put(rows: int, week: int) -> None:
        day = newest - timedelta(weeks=week)
        lines = "".join(f"C-{week}-{number},,,2024-05-01T09:15:10\n" for number in range(rows))
        desk.put(f"opens_{day:%Y%m%d}.csv", HEADER + lines, WRITTEN if week or rows < 5 else LATER)

    for week in range(1, 5):
        put(10, week)
    put(2, 0)
    desk.load()
    found = unusual_volumes(desk.connection, of_newest)
    assert found.sentence.endswith("have the export made again under the same file name.")
    put(9, 0)
    desk.load()
    assert unusual_volumes(desk.connection, of_newest).holds


def test_an_export_that_arrives_late_is_no_longer_missing(desk: Desk) -> None:
    desk.layouts = (layout(files=r"opens_(?P<date>\d{8})\.csv"),)
    for day in (10, 12):
        desk.put(f"opens_202406{day}.csv", HEADER + ZOE.replace("C-1", f"C-{day}"))
    desk.load()
    assert missing_dates(desk.connection, EVERY_DATE).sentence.endswith(
        "a file that arrives late is loaded by the next run."
    )
    desk.put("opens_20240611.csv", HEADER + ZOE)
    desk.load()
    assert missing_dates(desk.connection, EVERY_DATE).holds
