"""Each file is loaded once, by its bytes; what was loaded stays until it is replaced."""

from datetime import UTC, datetime
from pathlib import Path

from pipeline.export_dates import ExportDates
from pipeline.exports.discovery import Discovered, discover
from pipeline.exports.export_files import LoadedFile
from pipeline.exports.layouts import MEANINGS
from pipeline.exports.loading import Loaded, load
from pipeline.warehouse import Warehouse
from tests.exports.arrivals import DATED, HOUR, JEF, MONDAY, REFUSED, TUESDAY, WEDNESDAY, WatchedLocation, names, zoe
from tests.support.export_folder import CODED, HEADER, LOADABLE, NO_PERSON, NOW, WRITTEN, ZOE, Desk, layout

EVERY_COLUMN = ("file", "row_number", *MEANINGS, "extra", "event", "occurred_at", "rejected_because")
LISTS = layout(
    name="lists", files="lists.*", kind="lists", event=None, columns={"LIST_ID": "list_id", "LIST_NAME": "list_name"}
)


# Once


def test_a_file_is_remembered_with_what_it_was_and_how_it_was_read(desk: Desk) -> None:
    desk.layouts = (layout(files=r"opens_(?P<date>\d{8})_(?P<time>\d{4})\.csv", **CODED),)
    content = (
        "CUSTOMER,WHAT,MAIL,SUBJECT,OPENED_AT\n"
        "C-1,OPEN,,,2024-06-09T23:59:59\n"
        "C-1,CLICK,,,2024-06-10T00:00:01\n"
        "C-1,SENT,,,2024-06-01T00:00:00\n"
        "C-1,FWD,,,2024-05-01T00:00:00\n"
    )
    desk.put("opens_20240610_0630.csv", content)
    loaded = desk.load()
    expected = LoadedFile("opens_20240610_0630.csv", MONDAY, "events", "loaded", 4, 1, 1, records=4, layout="opens")
    assert loaded == Loaded([expected], 0)
    [file] = desk.files(
        "export_date", "name", "size", "modified_at", "layout", "kind", "exported_at", "status", "reason",
        "rows", "skipped", "rejected", "first_event_at", "last_event_at", "loaded_at",
    )  # fmt: skip
    assert file == (
        MONDAY,
        "opens_20240610_0630.csv",
        len(content),
        WRITTEN,
        "opens",
        "events",
        datetime(2024, 6, 10, 4, 30, tzinfo=UTC),
        "loaded",
        None,
        4,
        1,
        1,
        datetime(2024, 6, 9, 21, 59, 59, tzinfo=UTC),
        datetime(2024, 6, 9, 22, 0, 1, tzinfo=UTC),
        NOW,
    )


def test_a_file_is_loaded_once(desk: Desk, watched: WatchedLocation) -> None:
    desk.put("opens.csv", HEADER + ZOE + NO_PERSON)
    desk.load()
    commits = desk.commits()
    assert desk.load(at=NOW + HOUR) == Loaded([], 1)
    assert watched.fetched == ["opens.csv"]
    assert desk.commits() == commits
    assert desk.events("user_id", "loaded_at") == [("C-1", NOW), (None, NOW)]


def test_the_same_bytes_at_a_newer_time_are_not_loaded_again(desk: Desk, watched: WatchedLocation) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    desk.put("opens.csv", HEADER + ZOE, WRITTEN + HOUR)
    assert desk.load(at=NOW + HOUR) == Loaded([], 1)
    assert desk.events("loaded_at") == [NOW]
    assert desk.files("status", "modified_at", "loaded_at") == [("loaded", WRITTEN + HOUR, NOW)]
    desk.load()
    assert watched.fetched == ["opens.csv"] * 2


def test_a_reload_reads_what_is_known_and_changes_no_row_but_its_time(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE + NO_PERSON + "half\n")
    desk.load()
    before = desk.events("row_number", "user_id", "occurred_at"), desk.rejected("line", "reason", "text")
    loaded = desk.load(reload=True, at=NOW + HOUR)
    assert (names(loaded), loaded.unchanged) == ([("opens.csv", "loaded")], 0)
    assert (desk.events("row_number", "user_id", "occurred_at"), desk.rejected("line", "reason", "text")) == before
    assert set(desk.events("loaded_at")) == {NOW + HOUR}
    assert desk.files("status") == ["replaced", "loaded"]


def test_a_changed_layout_reads_its_files_again(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    desk.layouts = (layout(timezone="America/New_York"),)
    assert names(desk.load(at=NOW + HOUR)) == [("opens.csv", "loaded")]
    assert desk.events("occurred_at") == [datetime(2024, 6, 11, 13, 15, 10, tzinfo=UTC)]


def test_only_the_dates_asked_for_are_loaded(desk: Desk) -> None:
    desk.layouts = (layout(files=DATED),)
    for day in ("20240610", "20240611", "20240612"):
        desk.put(f"opens_{day}.csv", HEADER + zoe(day))
    assert names(desk.load(ExportDates(TUESDAY, TUESDAY))) == [("opens_20240611.csv", "loaded")]
    assert names(desk.load(ExportDates(TUESDAY, WEDNESDAY))) == [("opens_20240612.csv", "loaded")]
    assert desk.events("export_date") == [TUESDAY, WEDNESDAY]


def test_files_of_one_name_in_two_folders_are_two_files(desk: Desk) -> None:
    desk.put("belgium/opens.csv", HEADER + ZOE)
    desk.put("france/opens.csv", HEADER + JEF)
    assert names(desk.load()) == [("belgium/opens.csv", "loaded"), ("france/opens.csv", "loaded")]
    assert desk.events("file", "user_id") == [("belgium/opens.csv", "C-1"), ("france/opens.csv", "C-2")]


def test_nothing_to_load_is_no_fault(desk: Desk) -> None:
    commits = desk.commits()
    assert desk.load() == Loaded([], 0)
    assert desk.commits() == commits


# Instead of


def test_new_bytes_take_the_place_of_the_rows_of_the_former(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE + JEF + NO_PERSON + "half\n")
    desk.put("opens_too.csv", HEADER + JEF + NO_PERSON)
    desk.load()
    desk.put("opens.csv", HEADER + JEF, WRITTEN + HOUR)
    loaded = desk.load(at=NOW + HOUR)
    expected = LoadedFile("opens.csv", TUESDAY, "events", "loaded", 1, 0, 0, records=1, layout="opens")
    assert loaded == Loaded([expected], 1)
    assert desk.events("file", "row_number", "user_id", "loaded_at") == [
        ("opens.csv", 1, "C-2", NOW + HOUR),
        ("opens_too.csv", 1, "C-2", NOW),
        ("opens_too.csv", 2, None, NOW),
    ]
    assert desk.rejected("file", "line") == [("opens_too.csv", 3)]
    assert desk.files("name", "status", "rows", "loaded_at") == [
        ("opens.csv", "replaced", 4, NOW),
        ("opens.csv", "loaded", 1, NOW + HOUR),
        ("opens_too.csv", "loaded", 2, NOW),
    ]


def test_what_was_replaced_still_tells_when_its_events_happened(desk: Desk) -> None:
    """The models have to look again at the days of events that are gone."""
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    desk.put("opens.csv", HEADER, WRITTEN + HOUR)
    desk.load(at=NOW + HOUR)
    assert desk.files("status", "first_event_at", "last_event_at") == [
        ("replaced", *[datetime(2024, 6, 11, 7, 15, 10, tzinfo=UTC)] * 2),
        ("loaded", None, None),
    ]
    assert desk.events() == []


def test_a_new_snapshot_of_a_lookup_takes_the_place_of_the_former_file_alone(desk: Desk) -> None:
    desk.layouts = (LISTS,)
    desk.put("lists_a.csv", "LIST_ID,LIST_NAME\n12,Nieuwsbrief\n13,Wedstrijd\n")
    desk.put("lists_b.csv", "LIST_ID,LIST_NAME\n12,Newsletter\n")
    desk.load()
    desk.put("lists_a.csv", "LIST_ID,LIST_NAME\n14,Loyalty\n", WRITTEN + HOUR)
    loaded = desk.load(at=NOW + HOUR)
    assert (loaded.total("rows", lookups=True), loaded.total("rows")) == (1, 0)
    assert desk.lookups("file", "list_id", "list_name", "kind") == [
        ("lists_a.csv", "14", "Loyalty", "lists"),
        ("lists_b.csv", "12", "Newsletter", "lists"),
    ]


def test_a_file_whose_kind_turns_out_to_be_another_leaves_none_of_its_former_rows(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + "12,Nieuwsbrief,,2024-06-11T09:15:10\n")
    desk.load()
    desk.layouts = (layout(kind="lists", event=None, columns={"CUSTOMER": "list_id", "MAIL": "list_name"}),)
    desk.load(at=NOW + HOUR)
    assert desk.events() == []
    assert desk.lookups("list_id", "list_name") == [("12", "Nieuwsbrief")]


def test_a_file_that_is_gone_keeps_its_rows(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    desk.remove("opens.csv")
    assert desk.load(at=NOW + HOUR) == Loaded([], 0)
    assert desk.events("user_id", "loaded_at") == [("C-1", NOW)]
    assert desk.files("status") == ["loaded"]
    assert desk.load(reload=True, at=NOW + HOUR) == Loaded([], 0)
    assert desk.events("user_id", "loaded_at") == [("C-1", NOW)]


def test_a_file_that_comes_back_unchanged_is_not_loaded_again(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    desk.remove("opens.csv")
    desk.load(at=NOW + HOUR)
    desk.put("opens.csv", HEADER + ZOE, WRITTEN + HOUR)
    assert desk.load(at=NOW + 2 * HOUR) == Loaded([], 1)


# Elsewhere


def test_a_plain_duckdb_file_holds_the_same(desk: Desk, tmp_path: Path) -> None:
    desk.put("opens_a.csv", HEADER + ZOE + NO_PERSON + "half\n")
    desk.put("opens_b.csv", REFUSED)
    with Warehouse(f"{tmp_path}/plain.duckdb", "").writing() as connection:
        plain = Desk(connection, desk.folder)
        assert desk.load() == plain.load()
        assert desk.events(*EVERY_COLUMN) == plain.events(*EVERY_COLUMN)
        assert desk.rejected("file", "line", "reason", "text") == plain.rejected("file", "line", "reason", "text")
        assert desk.files("name", "status", "rows") == plain.files("name", "status", "rows")


def test_what_is_being_read_is_told(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    logged: list[str] = []
    seen = discover(desk.location, desk.layouts, LOADABLE)
    load(desk.connection, desk.location, seen, log=logged.append)
    assert logged == ["reading opens.csv (79 bytes) as opens"]


# Numbers


def test_numbers_of_events_and_of_lookups_are_added_up_apart() -> None:
    loaded = Loaded(
        [
            LoadedFile("a", MONDAY, "events", "loaded", rows=10, skipped=2, rejected=1),
            LoadedFile("b", MONDAY, "events", "loaded", rows=5, rejected=3),
            LoadedFile("c", MONDAY, "lists", "loaded", rows=7, rejected=1),
            LoadedFile("d", MONDAY, None, "refused"),
        ],
        unchanged=4,
    )
    assert [loaded.total(number) for number in ("rows", "skipped", "rejected")] == [15, 2, 4]
    assert [loaded.total(number, lookups=True) for number in ("rows", "skipped", "rejected")] == [7, 0, 1]
    assert [loaded.count(status) for status in ("loaded", "refused", "unmatched")] == [3, 1, 0]


def test_a_look_without_files_loads_nothing(desk: Desk) -> None:
    nothing = Discovered([], [])
    assert load(desk.connection, desk.location, nothing) == Loaded([], 0)
