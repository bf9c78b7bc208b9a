"""A refused or unmatched file is reported and changes nothing."""

from pipeline.export_dates import ExportDates
from pipeline.exports.export_files import LoadedFile
from pipeline.exports.loading import Loaded
from pipeline.exports.row_accounting import rows_accounted_for
from tests.exports.arrivals import HOUR, JEF, MONDAY, REFUSED, TUESDAY, WatchedLocation, names
from tests.support.export_folder import EVERY_DATE, HEADER, NO_PERSON, NOW, WRITTEN, ZOE, Desk, layout

# Refused


def test_a_refused_file_is_told_and_the_others_of_its_date_are_loaded(desk: Desk) -> None:
    desk.put("opens_a.csv", HEADER + ZOE)
    desk.put("opens_b.csv", REFUSED)
    desk.put("opens_c.csv", HEADER + JEF)
    reason = "line 1: the header has no column 'OPENED_AT'; it has 'NOTHING', 'HERE'"
    assert desk.load() == Loaded(
        [
            LoadedFile("opens_a.csv", TUESDAY, "events", "loaded", 1, records=1, layout="opens"),
            LoadedFile("opens_b.csv", TUESDAY, None, "refused", reason=reason, layout="opens"),
            LoadedFile("opens_c.csv", TUESDAY, "events", "loaded", 1, records=1, layout="opens"),
        ],
        0,
    )
    assert desk.events("user_id") == ["C-1", "C-2"]
    assert desk.files("name", "status", "reason") == [
        ("opens_a.csv", "loaded", None),
        ("opens_b.csv", "refused", reason),
        ("opens_c.csv", "loaded", None),
    ]


def test_several_refused_files_of_a_date_are_each_told_once(desk: Desk) -> None:
    desk.put("opens_a.csv", REFUSED)
    desk.put("opens_b.csv", HEADER + ZOE)
    desk.put("opens_c.csv", REFUSED)
    loaded = desk.load()
    assert (loaded.count("refused"), loaded.count("loaded"), loaded.unchanged) == (2, 1, 0)
    assert desk.files("status") == ["refused", "loaded", "refused"]


def test_a_refused_file_does_not_count_others_as_unchanged_twice(desk: Desk) -> None:
    desk.put("opens_a.csv", HEADER + ZOE)
    desk.load()
    desk.put("opens_b.csv", REFUSED)
    loaded = desk.load(at=NOW + HOUR)
    assert (names(loaded), loaded.unchanged) == ([("opens_b.csv", "refused")], 1)


def test_a_refused_file_is_not_read_again_until_it_changes(desk: Desk, watched: WatchedLocation) -> None:
    desk.put("opens.csv", REFUSED)
    desk.load()
    fetched = len(watched.fetched)
    assert desk.load(at=NOW + HOUR) == Loaded([], 1)
    assert len(watched.fetched) == fetched
    desk.put("opens.csv", HEADER + ZOE, WRITTEN + HOUR)
    assert names(desk.load(at=NOW + 2 * HOUR)) == [("opens.csv", "loaded")]
    assert desk.files("status") == ["replaced", "loaded"]


def test_a_refused_file_is_read_again_when_its_layout_changes(desk: Desk) -> None:
    desk.put("opens.csv", "KEY,AT\nC-1,2024-06-11T09:15:10\n")
    assert names(desk.load()) == [("opens.csv", "refused")]
    desk.layouts = (layout(columns={"KEY": "user_id", "AT": "timestamp"}),)
    assert names(desk.load(at=NOW + HOUR)) == [("opens.csv", "loaded")]


def test_new_bytes_that_are_refused_leave_the_rows_of_the_former(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE + NO_PERSON)
    desk.load()
    desk.put("opens.csv", REFUSED, WRITTEN + HOUR)
    assert names(desk.load(at=NOW + HOUR)) == [("opens.csv", "refused")]
    assert desk.events("user_id", "loaded_at") == [("C-1", NOW), (None, NOW)]
    assert desk.rejected("line") == [3]
    assert desk.files("status", "rows") == [("loaded", 2), ("refused", 0)]


def test_the_former_bytes_may_come_back_after_others_were_refused(desk: Desk) -> None:
    for hour, content in enumerate([HEADER + ZOE, REFUSED, HEADER + ZOE]):
        desk.put("opens.csv", content, WRITTEN + hour * HOUR)
        desk.load(at=NOW + hour * HOUR)
    assert desk.events("user_id") == ["C-1"]
    assert [status for status in desk.files("status") if status != "replaced"] == ["loaded"]


# Unmatched


def test_a_file_without_a_layout_is_told_once_and_not_read(desk: Desk, watched: WatchedLocation) -> None:
    desk.put("readme.md", "hello")
    reason = "no layout matches its name; write one, or move the file elsewhere"
    assert desk.load() == Loaded([LoadedFile("readme.md", TUESDAY, None, "unmatched", reason=reason)], 0)
    assert desk.load(at=NOW + HOUR) == Loaded([], 1)
    assert watched.fetched == []
    assert desk.files("name", "export_date", "status", "reason", "sha256", "layout", "rows") == [
        ("readme.md", TUESDAY, "unmatched", reason, None, None, 0)
    ]


def test_a_file_with_two_layouts_of_events_is_told(desk: Desk) -> None:
    desk.layouts = (layout(), layout(name="all", files=".*"))
    desk.put("opens.csv", HEADER + ZOE)
    loaded = desk.load()
    assert [file.reason for file in loaded.files] == [
        "more than one layout of events matches its name (opens, all); make their patterns stricter"
    ]
    assert desk.events() == []


def test_a_file_that_gets_a_layout_is_loaded(desk: Desk) -> None:
    desk.put("views.csv", HEADER + ZOE)
    assert names(desk.load()) == [("views.csv", "unmatched")]
    desk.layouts = (layout(files="views.*"),)
    assert names(desk.load(at=NOW + HOUR)) == [("views.csv", "loaded")]
    assert desk.files("status") == ["replaced", "loaded"]


def test_a_file_that_gets_a_layout_with_a_date_in_its_name_is_a_stranger_no_more(desk: Desk) -> None:
    """A stranger is shown at the date of its modification, which is not the date in its name."""
    desk.put("views_20240610.csv", HEADER + ZOE)
    desk.load()
    desk.layouts = (layout(files=r"views_(?P<date>\d{8})\.csv"),)
    desk.load(at=NOW + HOUR)
    assert "unmatched" not in desk.files("status")


def test_a_loaded_file_that_loses_its_layout_keeps_its_rows_and_they_add_up(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    former, desk.layouts = desk.layouts, (layout(files="views.*"),)
    assert names(desk.load(at=NOW + HOUR)) == [("opens.csv", "unmatched")]
    assert desk.load(at=NOW + HOUR).unchanged == 1
    assert desk.files("status") == ["loaded", "unmatched"]
    assert (desk.events("user_id"), rows_accounted_for(desk.connection, EVERY_DATE).numbers) == (["C-1"], {"rows": 1})

    desk.layouts = former
    assert names(desk.load(at=NOW + 2 * HOUR)) == [("opens.csv", "loaded")]
    assert desk.files("status") == ["replaced", "replaced", "loaded"]
    assert desk.load(at=NOW + 3 * HOUR).unchanged == 1


def test_a_stranger_is_told_whatever_dates_are_asked_for(desk: Desk) -> None:
    """No run is requested for an unmatched file."""
    desk.put("readme.md", "hello")
    assert names(desk.load(ExportDates(MONDAY, MONDAY))) == [("readme.md", "unmatched")]
    assert desk.load(ExportDates(MONDAY, MONDAY), at=NOW + HOUR) == Loaded([], 1)
