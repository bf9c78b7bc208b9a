"""What is new in the location, compared with what is remembered of it."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from pipeline.errors import SettingsError
from pipeline.export_dates import ExportDates
from pipeline.exports.discovery import Discovered, FileKey, KnownFile, discover, is_known, known_files
from pipeline.exports.listing import ExportFile
from pipeline.exports.locations import ExportLocation
from pipeline.exports.matching import MatchedFile, Unmatched
from tests.exports.arrivals import MONDAY, TUESDAY
from tests.support.export_folder import HEADER, LOADABLE, NOW, WRITTEN, ZOE, Desk, layout

DATED = layout(files=r"opens_(?P<date>\d{8})\.csv")
LANDED = MatchedFile(
    ExportFile("opens_20240610.csv", 100, WRITTEN), DATED, MONDAY, WRITTEN, "opens_20240610.csv", ("opens",)
)
STRANGER = Unmatched(ExportFile("readme.md", 100, WRITTEN), "no layout matches its name")
KNOWN = KnownFile(100, WRITTEN, "sha", DATED.fingerprint, "loaded", None)
KNOWN_STRANGER = KnownFile(100, WRITTEN, None, None, "unmatched", "no layout matches its name")


def test_a_look_tells_files_that_can_be_loaded_from_those_that_cannot(desk: Desk) -> None:
    desk.put("opens_20240610.csv", HEADER)
    desk.put("opens_20240611.csv", HEADER)
    desk.put("readme.md", "hello")
    seen = discover(desk.location, [DATED], LOADABLE)
    assert [(file.file.name, file.export_date) for file in seen.matched] == [
        ("opens_20240610.csv", MONDAY),
        ("opens_20240611.csv", TUESDAY),
    ]
    assert [file.file.name for file in seen.unmatched] == ["readme.md"]


def test_a_file_of_tomorrow_can_be_loaded_tomorrow(desk: Desk) -> None:
    desk.put("opens_20240611.csv", HEADER)
    assert [
        len(discover(desk.location, [DATED], ExportDates(MONDAY, today)).matched) for today in (MONDAY, TUESDAY)
    ] == [0, 1]


def test_a_place_that_is_not_there_cannot_be_looked_at(desk: Desk) -> None:
    with pytest.raises(SettingsError):
        discover(ExportLocation(f"{desk.folder}/nowhere"), [DATED], LOADABLE)


@pytest.mark.parametrize(
    ("known", "new"),
    [
        ({}, {MONDAY}),
        ({(MONDAY, "opens_20240610.csv"): KNOWN}, set()),
        ({(MONDAY, "opens_20240610.csv"): replace(KNOWN, status="refused", reason="line 1: …")}, set()),
        ({(MONDAY, "opens_20240610.csv"): replace(KNOWN, size=99)}, {MONDAY}),
        ({(MONDAY, "opens_20240610.csv"): replace(KNOWN, modified_at=WRITTEN + timedelta(seconds=1))}, {MONDAY}),
        ({(MONDAY, "opens_20240610.csv"): replace(KNOWN, layout_fingerprint="another")}, {MONDAY}),
        ({(TUESDAY, "opens_20240610.csv"): KNOWN}, {MONDAY}),
        ({(MONDAY, "opens_20240611.csv"): KNOWN}, {MONDAY}),
    ],
    ids=["never seen", "seen", "refused", "other size", "other time", "other layout", "other date", "other name"],
)
def test_a_date_is_new_where_a_file_is_new_or_changed_or_under_a_changed_layout(
    known: dict[FileKey, KnownFile], new: set[date]
) -> None:
    assert Discovered([LANDED], [STRANGER]).new_dates({key: {"opens": file} for key, file in known.items()}) == new


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True),
        ({"size": 99}, False),
        ({"reason": "more than one layout matches its name"}, False),
        ({"status": "loaded", "layout_fingerprint": "x"}, False),
    ],
)
def test_a_stranger_is_known_while_the_reason_stays_the_same(changes: dict[str, Any], known: bool) -> None:
    remembered = replace(KNOWN_STRANGER, **changes)
    assert is_known(STRANGER, {(WRITTEN.date(), "readme.md"): {None: remembered}}) == known


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"sha256": "other"}, False),
        ({"layout_fingerprint": "other"}, False),
        ({"status": "refused"}, False),
    ],
)
def test_bytes_are_known_where_they_were_loaded_with_the_same_layout(changes: dict[str, Any], same: bool) -> None:
    assert replace(KNOWN, **changes).is_loaded_from("sha", DATED) == same


def test_the_newest_row_of_a_file_is_what_is_known(desk: Desk) -> None:
    key = (WRITTEN.date(), "opens.csv")
    later = WRITTEN + timedelta(hours=1)
    desk.put("opens.csv", HEADER + ZOE)
    desk.load(at=NOW)
    assert known_files(desk.connection)[key]["opens"].status == "loaded"
    desk.put("opens.csv", "NOTHING\n", later)
    desk.load(at=NOW + timedelta(hours=1))
    known = known_files(desk.connection)[key]["opens"]
    assert (known.status, known.size, known.modified_at) == ("refused", len("NOTHING\n"), later)
    assert known.reason == "line 1: the header has no column 'OPENED_AT'; it has 'NOTHING'"


def test_what_was_replaced_is_not_known_any_more(desk: Desk) -> None:
    first, second = HEADER + ZOE, HEADER + ZOE + ZOE
    for hour, content in enumerate([first, second]):
        desk.put("opens.csv", content, WRITTEN + timedelta(hours=hour))
        desk.load(at=NOW + timedelta(hours=hour))
    known = known_files(desk.connection)
    assert {name: file["opens"].size for (_, name), file in known.items()} == {"opens.csv": len(second)}


def test_nothing_is_known_at_first(desk: Desk) -> None:
    assert known_files(desk.connection) == {}


def test_times_are_known_to_the_microsecond(desk: Desk) -> None:
    """Else a file would look changed at each look, and be read again."""
    desk.put("opens.csv", HEADER + ZOE, datetime.fromisoformat("2024-06-11T06:30:00.123457+00:00"))
    desk.load()
    assert discover(desk.location, desk.layouts, LOADABLE).new_dates(known_files(desk.connection)) == set()
