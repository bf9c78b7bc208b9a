"""A file that several layouts match is loaded by each, and gives what a file for each of them would give."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.exports.checks import suspect_quotes, unread_files
from pipeline.exports.discovery import discover, known_files
from pipeline.exports.file_checks import many_rejected, repeated_files
from pipeline.exports.layout_files import BrokenLayout
from pipeline.exports.layouts import Layout
from pipeline.exports.row_accounting import rows_accounted_for
from tests.exports.arrivals import HOUR, TUESDAY, WatchedLocation, names
from tests.exports.counted_files import zipped
from tests.exports.test_decryption import KEY, sealed
from tests.support.export_folder import EVERY_DATE, LOADABLE, NOW, WRITTEN, Desk, layout, rows_of

HEADER = "LIST,SID,KEY,MAIL,CAMPAIGN,NAME,AT\n"
ZOE = "12,1,C-1,zoe@example.com,c1,Soldes,2024-06-11T09:15:10\n"
JEF = "12,2,C-2,jef@example.com,c1,Soldes,2024-06-11T10:00:00\n"
# An event of a person without a contact in the export, and one without a date-time, of a contact.
UNLISTED = ",,C-3,,c1,Soldes,2024-06-11T11:00:00\n"
TIMELESS = "12,4,C-4,,c2,Fêtes,\n"
WIDE = HEADER + ZOE + JEF + UNLISTED + TIMELESS
NO_CONTACT = "no list_id or no selligent_user_id"
NO_TIME = "no date-time in column AT"

FILES = r"wide(_(?P<date>\d{8}))?(_(?P<part>\d+))?\.csv"


def clicks(files: str = FILES, **changes: Any) -> Layout:
    columns = {"KEY": "user_id", "LIST": "list_id", "SID": "selligent_user_id", "CAMPAIGN": "campaign_id"}
    return layout(
        name="clicks", files=files, event="Email Link Clicked", columns=columns | {"AT": "timestamp"}, **changes
    )


def contacts(files: str = FILES, **changes: Any) -> Layout:
    columns = {"LIST": "list_id", "SID": "selligent_user_id", "KEY": "user_id", "MAIL": "email"}
    return layout(
        **{"name": "contacts", "files": files, "kind": "contacts", "event": None, "columns": columns} | changes
    )


def campaigns(files: str = FILES) -> Layout:
    columns = {"CAMPAIGN": "campaign_id", "NAME": "campaign_name"}
    return layout(name="campaigns", files=files, kind="campaigns", event=None, columns=columns)


@pytest.fixture
def wide(plain_desk: Desk) -> Desk:
    plain_desk.layouts = (clicks(), contacts(), campaigns())
    return plain_desk


def content(desk: Desk, *besides: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of the files, without what differs from file to file and from load to load."""
    left_out = ", ".join(["file", "loaded_at", *besides])
    return {
        table: rows_of(desk.connection, f"SELECT * EXCLUDE ({left_out}{further}) FROM raw.{table} ORDER BY ALL", [])
        for table, further in (("events", ", export"), ("lookups", ", load_number"), ("rejected_rows", ""))
    }


def accounts(desk: Desk) -> str:
    return rows_accounted_for(desk.connection, EVERY_DATE).sentence


def as_separate_files(desk: Desk, pack: Callable[[str], bytes], ending: str) -> dict[str, list[dict[str, Any]]]:
    """What a file for each layout gives, in an empty warehouse."""
    for table in ("export_files", "events", "lookups", "rejected_rows"):
        desk.connection.execute(f"DELETE FROM raw.{table}")
    for path in desk.folder.iterdir():
        path.unlink()
    desk.layouts = (clicks("clicks.*"), contacts("contacts.*"), campaigns("campaigns.*"))
    for name in ("clicks", "contacts", "campaigns"):
        desk.put(f"{name}{ending}", pack(WIDE))
    assert {status for _, status in names(desk.load())} == {"loaded"}
    return content(desk)


@pytest.mark.parametrize(
    ("pack", "ending"),
    [
        (str.encode, ".csv"),
        (lambda text: gzip.compress(text.encode()), ".csv.gz"),
        (lambda text: zipped({"inside.csv": text.encode()}), ".csv.zip"),
        (lambda text: sealed(text.encode()), ".csv.pgp"),
    ],
    ids=["plain", "gzip", "zip", "encrypted"],
)
def test_a_mixed_file_gives_what_a_file_for_each_layout_would(
    wide: Desk, pack: Callable[[str], bytes], ending: str
) -> None:
    wide.key = KEY
    wide.put(f"wide{ending}", pack(WIDE))
    loaded = wide.load()
    assert [(file.layout, file.status, file.rows, file.rejected) for file in loaded.files] == [
        ("contacts", "loaded", 4, 1),
        ("campaigns", "loaded", 4, 0),
        ("clicks", "loaded", 4, 1),
    ]
    assert (loaded.count("loaded"), loaded.unchanged) == (1, 0)
    assert wide.rejected("layout", "line", "reason") == [("contacts", 4, NO_CONTACT), ("clicks", 5, NO_TIME)]
    assert accounts(wide) == "All rows are accounted for: 12 rows of 1 file."
    assert wide.load() == type(loaded)([], 1)
    mixed = content(wide)
    assert mixed == as_separate_files(wide, pack, ending)


def test_a_lake_holds_the_same(desk: Desk) -> None:
    desk.layouts = (clicks(), contacts())
    desk.put("wide.csv", WIDE)
    desk.load()
    assert desk.events("user_id") == ["C-1", "C-2", "C-3", "C-4"]
    assert desk.lookups("kind", "layout", "user_id") == [("contacts", "contacts", f"C-{n}") for n in (1, 2, 4)]
    assert desk.files("name", "layout", "kind", "status", "rows", "rejected") == [
        ("wide.csv", "contacts", "contacts", "loaded", 4, 1),
        ("wide.csv", "clicks", "events", "loaded", 4, 1),
    ]
    assert [day is not None for day in desk.files("first_event_at")] == [False, True]


def test_the_parts_of_a_split_export_share_the_first_ones_header_for_each_layout(wide: Desk) -> None:
    wide.put("wide_20240611_1.csv", HEADER + ZOE)
    wide.put("wide_20240611_2.csv", JEF)
    wide.load()
    assert wide.events("file", "user_id") == [("wide_20240611_1.csv", "C-1"), ("wide_20240611_2.csv", "C-2")]
    assert [row for row in wide.lookups("file", "user_id") if row[1]] == [
        ("wide_20240611_1.csv", "C-1"),
        ("wide_20240611_2.csv", "C-2"),
    ]
    assert len(set(wide.events("export"))) == 1


def test_a_file_waits_until_it_is_complete_for_each_of_its_layouts(wide: Desk) -> None:
    wide.layouts = (clicks(), contacts(ready_marker=".trg"))
    wide.put("wide.csv", WIDE)
    seen = discover(wide.location, wide.layouts, LOADABLE)
    assert (seen.matched, [each.reason for each in seen.waiting]) == ([], ["its ready marker (.trg) is not there yet"])
    wide.put("wide.csv.trg", "")
    assert names(wide.load()) == [("wide.csv", "loaded")] * 2


def test_a_file_waits_as_a_whole_for_a_layout_that_is_broken(wide: Desk) -> None:
    wide.put("wide.csv", WIDE)
    broken = BrokenLayout("contacts", "contacts.yml: …", contacts().pattern)
    known_later = discover(wide.location, wide.layouts, LOADABLE).without([broken])
    known_at_once = discover(wide.location, (clicks(), campaigns()), LOADABLE, broken=[broken])
    for seen in (known_later, known_at_once):
        assert (seen.matched, [file.name for file in seen.undecided]) == ([], ["wide.csv"])
        assert seen.names == {"wide.csv"}


# Changes


def test_a_corrected_file_replaces_the_rows_of_each_layout(wide: Desk) -> None:
    wide.put("wide.csv", WIDE)
    wide.load()
    wide.put("wide.csv", HEADER + JEF, WRITTEN + HOUR)
    assert names(wide.load(at=NOW + HOUR)) == [("wide.csv", "loaded")] * 3
    assert wide.events("user_id") == ["C-2"]
    assert sorted(wide.lookups("kind", "user_id", "campaign_name")) == [
        ("campaigns", None, "Soldes"),
        ("contacts", "C-2", None),
    ]
    assert wide.rejected() == []
    assert sorted(wide.files("layout", "status")) == [
        (name, status) for name in ("campaigns", "clicks", "contacts") for status in ("loaded", "replaced")
    ]
    assert accounts(wide) == "All rows are accounted for: 3 rows of 1 file."


def test_the_same_bytes_at_a_later_time_are_not_loaded_again(wide: Desk) -> None:
    wide.put("wide.csv", WIDE)
    wide.load()
    wide.put("wide.csv", WIDE, WRITTEN + HOUR)
    assert wide.load(at=NOW + HOUR).unchanged == 1
    assert set(wide.files("status", "modified_at")) == {("loaded", WRITTEN + HOUR)}


def test_a_layout_that_is_added_later_reads_the_file_and_the_others_keep_their_rows(wide: Desk) -> None:
    wide.put("wide.csv", WIDE)
    wide.load()
    at_once = content(wide)
    for table in ("export_files", "events", "lookups", "rejected_rows"):
        wide.connection.execute(f"DELETE FROM raw.{table}")
    wide.layouts = (clicks(),)
    wide.load()
    wide.layouts = (clicks(), contacts(), campaigns())
    assert discover(wide.location, wide.layouts, LOADABLE).new_dates(known_files(wide.connection)) == {TUESDAY}
    loaded = wide.load(at=NOW + HOUR)
    assert [file.layout for file in loaded.files] == ["contacts", "campaigns"]
    assert loaded.unchanged == 0
    assert content(wide) == at_once
    assert set(wide.events("loaded_at")) == {NOW}


@pytest.mark.parametrize(
    "later",
    [(clicks(),), (clicks(), contacts(r"people\.csv")), (clicks(), contacts(name="persons"))],
    ids=["removed", "stricter", "renamed"],
)
def test_a_layout_that_no_longer_matches_a_file_gives_up_its_rows(wide: Desk, later: tuple[Layout, ...]) -> None:
    wide.layouts = (clicks(), contacts())
    wide.put("wide.csv", WIDE)
    wide.load()
    wide.layouts = later
    assert discover(wide.location, wide.layouts, LOADABLE).new_dates(known_files(wide.connection)) == {TUESDAY}
    wide.load(at=NOW + HOUR)
    changed = content(wide)
    for table in ("export_files", "events", "lookups", "rejected_rows"):
        wide.connection.execute(f"DELETE FROM raw.{table}")
    wide.load(at=NOW + HOUR)
    assert changed == content(wide)
    assert wide.load().unchanged == 1


def test_a_layout_that_gave_up_its_rows_is_recorded_and_the_load_is_a_newer_one(wide: Desk) -> None:
    """Otherwise, a run that is killed would not be continued, and the models would keep the events of those rows."""
    wide.layouts = (clicks(), contacts())
    wide.put("wide.csv", WIDE)
    wide.load()
    wide.layouts = (contacts(),)
    wide.load(at=NOW + HOUR)
    assert sorted(wide.files("layout", "status", "load_number")) == [
        ("clicks", "replaced", 1),
        ("contacts", "loaded", 2),
        ("contacts", "replaced", 1),
    ]
    assert wide.events() == []


# Refused


def test_a_file_that_one_layout_refuses_is_loaded_by_none(wide: Desk) -> None:
    wide.layouts = (contacts(), clicks())
    wide.put("wide.csv", WIDE.replace("AT\n", "WHEN\n", 1))
    wide.put("wide_20240611.csv", HEADER + JEF)
    loaded = wide.load()
    reason = (
        "layout clicks: line 1: the header has no column 'AT'; it has 'LIST', 'SID', 'KEY', 'MAIL', 'CAMPAIGN', "
        "'NAME', 'WHEN'"
    )
    assert [(file.name, file.status, file.reason) for file in loaded.files] == [
        *[("wide.csv", "refused", reason)] * 2,
        *[("wide_20240611.csv", "loaded", None)] * 2,
    ]
    assert (loaded.count("refused"), loaded.count("loaded")) == (1, 1)
    assert set(wide.lookups("file")) == set(wide.events("file")) == {"wide_20240611.csv"}
    assert unread_files(wide.connection, EVERY_DATE, 0, {"wide.csv"}).sentence.startswith(
        f"1 file refused: wide.csv ({reason}). Have"
    )


def test_a_refusal_keeps_the_rows_of_the_former_bytes_for_each_layout(wide: Desk) -> None:
    wide.put("wide.csv", WIDE)
    wide.load()
    before = content(wide)
    wide.put("wide.csv", WIDE.replace("AT\n", "WHEN\n", 1), WRITTEN + HOUR)
    assert names(wide.load(at=NOW + HOUR)) == [("wide.csv", "refused")] * 3
    assert content(wide) == before
    assert wide.load(at=NOW + HOUR).unchanged == 1
    wide.put("wide.csv", HEADER + JEF, WRITTEN + 2 * HOUR)
    assert names(wide.load(at=NOW + 2 * HOUR)) == [("wide.csv", "loaded")] * 3
    assert "refused" not in wide.files("status")


@pytest.mark.parametrize(
    "right",
    [(clicks(), contacts()), (clicks(),), (clicks(), contacts("people.*"))],
    ids=["corrected", "removed", "stricter"],
)
def test_a_file_is_read_by_all_of_its_layouts_once_the_one_that_refused_it_is_right(
    wide: Desk, right: tuple[Layout, ...]
) -> None:
    wrong = contacts(columns={"LIST": "list_id", "SUBSCRIBER": "selligent_user_id", "MAIL": "email"})
    wide.layouts = (clicks(), wrong)
    wide.put("wide.csv", WIDE)
    assert names(wide.load()) == [("wide.csv", "refused")] * 2
    wide.layouts = right
    assert set(names(wide.load(at=NOW + HOUR))) == {("wide.csv", "loaded")}
    assert wide.events("user_id") == ["C-1", "C-2", "C-3", "C-4"]
    assert "refused" not in wide.files("status")
    assert wide.load(at=NOW + 2 * HOUR).unchanged == 1


def test_a_file_that_a_new_layout_refuses_keeps_its_rows_and_is_not_read_again(
    wide: Desk, watched_plain: WatchedLocation
) -> None:
    wide.layouts = (clicks(),)
    wide.put("wide.csv", WIDE)
    wide.load()
    wide.layouts = (clicks(), contacts(columns={"LIST": "list_id", "SUBSCRIBER": "selligent_user_id", "MAIL": "email"}))
    assert names(wide.load(at=NOW + HOUR)) == [("wide.csv", "refused")] * 2
    assert len(wide.events()) == 4
    fetched = len(watched_plain.fetched)
    assert wide.load(at=NOW + 2 * HOUR).unchanged == 1
    assert len(watched_plain.fetched) == fetched


@pytest.fixture
def watched_plain(wide: Desk) -> WatchedLocation:
    wide.location = WatchedLocation(wide.folder)
    return wide.location


def test_a_file_is_fetched_once_for_all_of_its_layouts(wide: Desk, watched_plain: WatchedLocation) -> None:
    wide.put("wide.csv", WIDE)
    wide.load()
    assert watched_plain.fetched == ["wide.csv"]


# Duplicates


def test_a_mixed_file_that_comes_twice_has_its_events_once_and_its_lookups_as_a_further_snapshot(wide: Desk) -> None:
    wide.layouts = (clicks(), contacts())
    wide.put("wide.csv", WIDE)
    wide.put("wide_20240612.csv", WIDE)
    loaded = wide.load()
    assert [(file.name, file.layout, file.status) for file in loaded.files] == [
        ("wide.csv", "contacts", "loaded"),
        ("wide.csv", "clicks", "loaded"),
        ("wide_20240612.csv", "contacts", "loaded"),
        ("wide_20240612.csv", "clicks", "duplicate"),
    ]
    assert (loaded.count("loaded"), loaded.count("duplicate")) == (2, 1)
    assert (len(wide.events()), len(wide.lookups())) == (4, 6)
    assert accounts(wide) == "All rows are accounted for: 12 rows of 2 files."
    assert repeated_files(wide.connection).numbers == {"files": 1}
    assert wide.load(at=NOW + HOUR).unchanged == 2


def test_events_of_a_mixed_file_count_again_once_the_other_file_has_other_content(wide: Desk) -> None:
    """The lookups of the repeated file are loaded from the same bytes, and are no other file."""
    wide.layouts = (clicks(), contacts())
    wide.put("wide.csv", WIDE)
    wide.put("wide_20240612.csv", WIDE)
    wide.load()
    wide.put("wide.csv", HEADER + UNLISTED, WRITTEN + HOUR)
    wide.load(at=NOW + HOUR)
    wide.load(at=NOW + 2 * HOUR)
    assert wide.events("file", "user_id") == [
        ("wide.csv", "C-3"),
        *(("wide_20240612.csv", f"C-{number}") for number in (1, 2, 3, 4)),
    ]


# Checks


def test_rejected_rows_are_those_of_the_layout_that_rejects_them(wide: Desk) -> None:
    wide.layouts = (clicks(), contacts())
    wide.put("wide.csv", HEADER + UNLISTED * 5 + TIMELESS)
    wide.load()
    found = many_rejected(wide.connection, EVERY_DATE)
    assert found.sentence.startswith(
        "1 file with many rejected rows: wide.csv (5 of 6 rows, usually 0%, layout contacts). Reasons: "
        f"{NO_CONTACT}: 5 rows. raw"
    )


def test_a_value_that_holds_rows_counts_once_for_all_layouts(wide: Desk) -> None:
    wide.layouts = (clicks(), contacts())
    wide.put("wide.csv", HEADER + f'12,1,C-1,"zoe\n{JEF}{JEF}",c1,Soldes,2024-06-11T09:15:10\n')
    wide.load()
    found = suspect_quotes(wide.connection, EVERY_DATE)
    assert found.sentence.startswith(
        "1 row has a quoted value that contains whole rows: wide.csv (line 2, layout clicks, contacts)."
    )
