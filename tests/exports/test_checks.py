"""Checks of what people should review although every row is accounted for. Each passes, or reports what to do."""

from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.export_dates import ExportDates
from pipeline.exports.checks import (
    future_events,
    missing_dates,
    placeholder_dates,
    suspect_quotes,
    unknown_codes,
    unread_files,
    unusual_volumes,
)
from pipeline.exports.event_id_checks import shared_event_ids
from pipeline.warehouse.loads import last_load_number
from tests.support.export_folder import CODED, EVERY_DATE, HEADER, NOW, ZOE, Desk, layout

TUESDAY = date(2024, 6, 11)
OF_TUESDAY = ExportDates(TUESDAY, TUESDAY)
CODED_LAYOUT = layout(**CODED, columns={"CUSTOMER": "user_id", "OPENED_AT": "timestamp"})


@pytest.fixture
def desk(plain_desk: Desk) -> Desk:
    """Nothing here depends on how rows are stored."""
    return plain_desk


@pytest.fixture
def coded(desk: Desk) -> Desk:
    desk.layouts = (CODED_LAYOUT,)
    return desk


def rows(*codes: str) -> str:
    return "CUSTOMER,WHAT,OPENED_AT\n" + "".join(f"C-1,{code},2024-06-11T09:15:10\n" for code in codes)


def had(desk: Desk, *exports: tuple[date, int], layout_name: str = "opens") -> None:
    """Record loaded exports: their dates and their numbers of rows."""
    for day, number in exports:
        desk.connection.execute(
            "INSERT INTO raw.export_files (export_date, name, layout, kind, status, rows) "
            "VALUES (?, ?, ?, 'events', 'loaded', ?)",
            [day, f"{layout_name}_{day}.csv", layout_name, number],
        )


def days(first: date, number: int, every: int = 1) -> list[date]:
    return [first + timedelta(days=every * place) for place in range(number)]


def test_a_file_that_was_read_is_not_reported(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    assert unread_files(desk.connection, EVERY_DATE, 0, {"opens.csv"}).holds


def test_files_that_were_not_loaded_are_reported(desk: Desk) -> None:
    desk.put("opens.csv", b"%PDF-1.7")
    desk.put("notes.txt", "Tuesday's opens are late.")
    desk.load()
    there = {"opens.csv", "notes.txt"}
    found = unread_files(desk.connection, EVERY_DATE, 0, there)
    assert not found.holds
    assert not found.grave
    assert found.numbers == {"refused": 1, "unmatched": 1}
    assert found.sentence.startswith("1 file refused: opens.csv (")
    assert "Have the file sent again, or correct its layout" in found.sentence
    assert "1 file left alone: notes.txt (" in found.sentence

    first, another = last_load_number(desk.connection), ExportDates(date(2020, 1, 1), date(2020, 1, 1))
    later = unread_files(desk.connection, EVERY_DATE, first, there)
    assert later.numbers == {"refused": 1, "unmatched": 0}, "an unmatched file is reported once"
    assert unread_files(desk.connection, another, first, there).holds
    assert unread_files(desk.connection, EVERY_DATE, first, {"notes.txt"}).holds, "the file was removed"

    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    assert unread_files(desk.connection, EVERY_DATE, first, there).holds

    desk.put("notes_2.txt", "Wednesday's are late, too.")
    desk.load(at=NOW - timedelta(hours=2))  # the clock was set back
    new = unread_files(desk.connection, EVERY_DATE, first, {*there, "notes_2.txt"})
    assert new.numbers == {"refused": 0, "unmatched": 1}


def test_listed_codes_are_known(coded: Desk) -> None:
    coded.put("opens.csv", rows("OPEN", "SENT"))
    coded.load()
    assert unknown_codes(coded.connection, OF_TUESDAY).holds


def test_codes_that_no_layout_lists_are_reported_with_their_files(coded: Desk) -> None:
    coded.put("opens_1.csv", rows("OPEN", "FWD", "FWD"))
    coded.put("opens_2.csv", rows("FWD", "PRINT"))
    coded.load()
    found = unknown_codes(coded.connection, OF_TUESDAY)
    assert not found.holds
    assert not found.grave
    assert found.numbers == {"codes": 2, "rows": 4}
    assert found.sentence == (
        "2 event codes are not listed in their layout: 'FWD' in opens_1.csv and 1 more (3 rows, layout opens); "
        "'PRINT' in opens_2.csv (1 row, layout opens). Add them to event_codes of the layout, with null for those that "
        "are none of the six events; the next run reads the files again."
    )
    assert unknown_codes(coded.connection, ExportDates(TUESDAY - timedelta(1), TUESDAY - timedelta(1))).holds


def test_an_address_in_the_column_of_codes_is_masked(coded: Desk) -> None:
    coded.put("opens.csv", rows("zoe@example.com"))
    coded.load()
    sentence = unknown_codes(coded.connection, OF_TUESDAY).sentence
    assert "'z***@example.com'" in sentence


def test_without_exports_every_check_passes(desk: Desk) -> None:
    assert missing_dates(desk.connection, EVERY_DATE).holds
    assert unusual_volumes(desk.connection, EVERY_DATE).holds
    assert future_events(desk.connection, EVERY_DATE).holds


def test_a_missing_date_is_reported_if_its_weekday_usually_has_an_export(desk: Desk) -> None:
    tuesday = date(2024, 7, 9)
    had(desk, *((day, 5) for day in days(TUESDAY, 35) if day != tuesday))
    found = missing_dates(desk.connection, ExportDates(date(2024, 7, 15), date(2024, 7, 15)))
    assert found.numbers == {"missing": 1}
    assert found.sentence == (
        "1 export missing: opens of Tuesday 2024-07-09. Ask for them where the exports are made; a file that arrives "
        "late is loaded by the next run."
    )


def test_a_weekly_export_is_not_expected_on_other_days(desk: Desk) -> None:
    had(desk, *((day, 5) for day in days(TUESDAY, 5, every=7)))
    had(desk, *((day, 5) for day in days(TUESDAY, 31)), layout_name="clicks")
    assert missing_dates(desk.connection, EVERY_DATE).holds


def test_a_weekly_export_is_expected_on_its_own_day(desk: Desk) -> None:
    had(desk, *((day, 5) for day in days(TUESDAY, 6, every=7) if day != date(2024, 7, 2)))
    assert "opens of Tuesday 2024-07-02" in missing_dates(desk.connection, EVERY_DATE).sentence


def test_a_layout_without_new_exports_is_reported_although_others_have_some(desk: Desk) -> None:
    had(desk, *((day, 5) for day in days(TUESDAY, 14)))
    had(desk, *((day, 5) for day in days(TUESDAY, 16)), layout_name="clicks")
    found = missing_dates(desk.connection, EVERY_DATE)
    assert found.numbers == {"missing": 1}, "the export of the newest date may still arrive"
    assert "opens of Tuesday 2024-06-25" in found.sentence


def test_in_the_first_week_a_missing_working_day_between_two_exports_is_reported(desk: Desk) -> None:
    had(desk, (TUESDAY, 5), (TUESDAY + timedelta(2), 5))
    assert "Wednesday 2024-06-12" in missing_dates(desk.connection, EVERY_DATE).sentence


def test_in_the_first_week_no_export_is_expected_on_a_weekend(desk: Desk) -> None:
    had(desk, *((day, 5) for day in days(TUESDAY, 7) if day.isoweekday() <= 5))
    assert missing_dates(desk.connection, EVERY_DATE).holds


def test_an_old_gap_is_not_reported_forever(desk: Desk) -> None:
    had(desk, *((day, 5) for day in days(TUESDAY, 70) if day != TUESDAY + timedelta(14)))
    latest = ExportDates(TUESDAY + timedelta(69), TUESDAY + timedelta(69))
    assert missing_dates(desk.connection, latest).holds
    assert not missing_dates(desk.connection, EVERY_DATE).holds


def test_a_refused_file_counts_as_a_missing_export(desk: Desk) -> None:
    had(desk, *((day, 5) for day in days(TUESDAY, 3)))
    desk.connection.execute("UPDATE raw.export_files SET status = 'refused' WHERE export_date = '2024-06-12'")
    assert not missing_dates(desk.connection, EVERY_DATE).holds


@pytest.mark.parametrize(("today", "holds"), [(50, True), (49, False), (200, True), (201, False), (0, False)])
def test_a_volume_is_compared_with_the_median_of_its_weekday(desk: Desk, today: int, holds: bool) -> None:
    before = zip(days(TUESDAY, 4, every=7), (90, 100, 110, 100), strict=True)
    had(desk, *before, (date(2024, 7, 8), 100_000), (date(2024, 7, 9), today))
    found = unusual_volumes(desk.connection, ExportDates(date(2024, 7, 9), date(2024, 7, 9)))
    assert found.holds is holds
    if not holds:
        assert f"opens of 2024-07-09 has {today:,} rows, and a Tuesday usually 100. Check whether" in found.sentence


def test_two_earlier_weekdays_are_too_few_for_a_comparison(desk: Desk) -> None:
    had(desk, (TUESDAY, 100), (TUESDAY + timedelta(7), 100), (TUESDAY + timedelta(14), 1))
    assert unusual_volumes(desk.connection, EVERY_DATE).holds


def test_each_layout_is_compared_with_itself(desk: Desk) -> None:
    for name, number in (("opens", 1000), ("bounces", 10)):
        had(desk, *((day, number) for day in days(TUESDAY, 4, every=7)), layout_name=name)
    assert unusual_volumes(desk.connection, EVERY_DATE).holds


def opens(desk: Desk, *moments: datetime) -> None:
    local = [f"{moment + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}" for moment in moments]  # Brussels in summer
    text = "CUSTOMER,MAIL,SUBJECT,OPENED_AT\n" + "".join(f"C-{n},,,{moment}\n" for n, moment in enumerate(local))
    desk.put("opens.csv", text)
    desk.load()


def test_an_event_a_few_minutes_in_the_future_is_tolerated(desk: Desk) -> None:
    opens(desk, NOW + timedelta(minutes=4))
    assert future_events(desk.connection, OF_TUESDAY).holds


def test_an_event_in_the_future_is_reported_and_kept(desk: Desk) -> None:
    opens(desk, NOW, datetime(2024, 8, 6, 8, 0, tzinfo=UTC))
    found = future_events(desk.connection, OF_TUESDAY)
    assert (found.holds, found.grave, found.numbers) == (False, False, {"events": 1, "files": 1})
    assert found.sentence.startswith(
        "1 event in the future in opens.csv (1 of 2 events, up to 2024-08-06 08:00 UTC, layout opens). They are kept"
    )


def test_a_file_full_of_events_in_the_future_stops_the_run(desk: Desk) -> None:
    """Day and month are swapped: the eleventh of June is read as the sixth of November."""
    opens(desk, *[NOW] * 90, *[datetime(2024, 11, 6, 8, 0, tzinfo=UTC)] * 10)
    found = future_events(desk.connection, OF_TUESDAY)
    assert found.grave
    assert "Correct timezone or datetime_formats of the layout" in found.sentence


BY_ROW_ID = layout(columns={"ROWID": "event_id", "CUSTOMER": "user_id", "OPENED_AT": "timestamp"})


def test_rows_of_many_people_under_one_event_id_are_reported(desk: Desk) -> None:
    """A spreadsheet shortens long numbers in this way."""
    desk.layouts = (BY_ROW_ID,)
    rows = "".join(f"1.23457E+15,C-{number},2024-06-10T09:00:00\n" for number in range(100))
    desk.put("opens_20240611.csv", "ROWID,CUSTOMER,OPENED_AT\n" + rows + "7,C-1,2024-06-10T09:00:00\n")
    desk.load()
    found = shared_event_ids(desk.connection, EVERY_DATE)
    assert (found.holds, found.grave, found.numbers) == (
        False,
        False,
        {"event_ids": 1, "rows": 100, "rows_of_several_files": 0},
    )
    assert found.sentence.startswith(
        "1 event_id shared by rows that differ in person or time: '1.23457E+15' in opens_20240611.csv (100 rows, "
        "layout opens). These 100 rows become only 1 event. "
    )
    desk.layouts = (layout(columns={"CUSTOMER": "user_id", "OPENED_AT": "timestamp"}),)
    desk.load()
    assert shared_event_ids(desk.connection, EVERY_DATE).holds, "the recommended remedy works"


@pytest.mark.parametrize(
    ("rows", "shared"),
    [
        (["r1,C-1,2024-06-10T09:00:00", "r1,C-1,2024-06-10T09:00:00"], 0),
        (["r1,C-1,2024-06-10T09:00:00", "r1 ,C-1\u200b,2024-06-10 09:00:00"], 0),
        (["r1,C-1,2024-06-10T09:00:00", "r1 ,C-1,2024-06-10T09:00:01"], 1),
        (["r1,C-1,2024-06-10T09:00:00", "\0r1,C-2,2024-06-10T09:00:00"], 1),
        ([",C-1,2024-06-10T09:00:00", "\0,C-2,2024-06-10T09:00:00", " ,C-3,2024-06-10T09:00:00"], 0),
        (["r1,C-1,2024-06-10T09:00:00", "r1,,2024-06-10T09:00:00"], 0),
    ],
    ids=["equal", "padded", "moments", "people", "no id", "rejected"],
)
def test_only_rows_of_different_people_or_times_count_as_sharing_an_event_id(
    desk: Desk, rows: list[str], shared: int
) -> None:
    desk.layouts = (BY_ROW_ID,)
    desk.put("opens.csv", "\n".join(["ROWID,CUSTOMER,OPENED_AT", *rows]) + "\n")
    desk.load()
    assert shared_event_ids(desk.connection, EVERY_DATE).numbers["event_ids"] == shared


def test_two_files_may_repeat_an_event_id(desk: Desk) -> None:
    """Both rows are the same event; the earliest export counts."""
    desk.layouts = (BY_ROW_ID,)
    desk.put("opens_1.csv", "ROWID,CUSTOMER,OPENED_AT\nr1,C-1,2024-06-10T09:00:00\n")
    desk.put("opens_2.csv", "ROWID,CUSTOMER,OPENED_AT\nr1,C-2,2024-06-10T09:00:00\n")
    desk.load()
    assert shared_event_ids(desk.connection, EVERY_DATE).holds


def test_an_event_id_that_begins_anew_with_each_file_is_reported(desk: Desk) -> None:
    desk.layouts = (BY_ROW_ID,)
    header = "ROWID,CUSTOMER,OPENED_AT\n"
    for day in (11, 12):
        rows = "".join(f"{number},C-{day}{number},2024-06-{day - 1}T09:00:00\n" for number in range(20))
        desk.put(f"opens_202406{day}.csv", header + rows)
    desk.load()
    found = shared_event_ids(desk.connection, EVERY_DATE)
    assert (found.holds, found.grave, found.numbers["rows_of_several_files"]) == (False, False, 40)
    assert found.sentence.startswith(
        "Rows of 2 files have the event_id of other events, as if it began anew with each file: '0' in "
    )
    desk.layouts = (layout(columns={"CUSTOMER": "user_id", "OPENED_AT": "timestamp"}),)
    desk.load()
    assert shared_event_ids(desk.connection, EVERY_DATE).holds, "the recommended remedy works"


def test_a_few_corrected_rows_are_no_ids_that_begin_anew(desk: Desk) -> None:
    desk.layouts = (BY_ROW_ID,)
    rows = [f"{number},C-{number},2024-06-10T09:00:{number:02}" for number in range(30)]
    for name, those in (("opens_1.csv", rows), ("opens_2.csv", [*rows[:29], "29,C-1,2024-06-10T10:00:00"])):
        desk.put(name, "\n".join(["ROWID,CUSTOMER,OPENED_AT", *those]) + "\n")
    desk.load()
    assert shared_event_ids(desk.connection, EVERY_DATE).holds


PLACEHOLDERS = [
    "1900-01-01 00:00:00.000",
    "1753-01-01T00:00:00",
    "0001-01-02T00:00:00",
    "9999-12-31T23:59:59",
    "1970-01-01T00:00:00",
    "1899-12-30T00:00:00Z",
    "1601-01-01T00:00:00+14:00",
    "9999-12-31T00:00:00+14:00",
    "0001-01-01T00:00:00",
]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Brussels", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_placeholder_date_times_are_counted_in_every_time_zone(desk: Desk, zone: str) -> None:
    desk.layouts = (layout(timezone=zone),)
    texts = [*PLACEHOLDERS, "2024-06-10T09:15:10", "2000-01-01T00:00:00"]
    desk.put("opens.csv", HEADER + "".join(f"C-1,,,{text}\n" for text in texts))
    desk.load()
    found = placeholder_dates(desk.connection, EVERY_DATE)
    assert (found.holds, found.grave, found.numbers) == (False, False, {"rows": len(PLACEHOLDERS)})


def test_placeholder_date_times_are_reported_and_the_recommended_remedy_works(desk: Desk) -> None:
    row = "C-1,,,1900-01-01 00:00:00.000\n"
    desk.put("opens.csv", HEADER + row * 2 + "C-3,,,0000-00-00\n" + ZOE)
    desk.load()
    found = placeholder_dates(desk.connection, EVERY_DATE)
    assert found.sentence.startswith(
        "2 rows have a placeholder for a date-time: '1900-01-01 00:00:00.000' in opens.csv (2 rows, layout opens). "
    )
    desk.layouts = (layout(null_values=["", "1900-01-01 00:00:00.000"]),)
    desk.load()
    assert placeholder_dates(desk.connection, EVERY_DATE).holds
    assert desk.rejected("reason")[:2] == ["no date-time in column OPENED_AT"] * 2


@pytest.mark.parametrize(
    ("swallowed", "expected"),
    [
        (2, "1 row has a quoted value that contains whole rows: opens.csv (line 4, layout opens)"),
        (20, "1 row has a quoted value that contains whole rows: opens.csv (line 4, layout opens)"),
        (0, None),
    ],
)
def test_stray_quotes_that_swallow_rows_are_reported(desk: Desk, swallowed: int, expected: str | None) -> None:
    rows = [ZOE.replace("Soldes", f"Soldes {number}") for number in range(swallowed)]
    if rows:
        rows[0] = rows[0].replace("Soldes", '"Soldes')
        rows[-1] = rows[-1].replace(f"Soldes {swallowed - 1}", 'Soldes"')
    desk.put("opens.csv", HEADER + "\n" + ZOE + "".join(rows) + ZOE.replace("Soldes", '"Zomer, zon,\nen, zee, en"'))
    desk.load()
    found = suspect_quotes(desk.connection, EVERY_DATE)
    assert found.sentence.partition(". Look")[0] == (expected or "No quoted value looks like several rows.")
    assert (found.holds, found.grave) == (expected is None, False)
    assert "zoe@" not in found.sentence
