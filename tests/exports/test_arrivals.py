"""How files arrive: in parts, with a marker, with a promise in their name, twice, or not quite yet."""

import gzip
import hashlib
import io
import zipfile
from datetime import timedelta

import pytest

from pipeline.exports.discovery import discover
from pipeline.exports.loading import load
from tests.exports.arrivals import HOUR, JEF
from tests.support.export_folder import HEADER, LOADABLE, NOW, WRITTEN, ZOE, Desk, layout

PARTS = r"opens_(?P<date>\d{8})(_(?P<part>\d+))?\.csv"
LISTS = layout(
    name="lists",
    files=r"lists_(?P<date>\d{8})\.csv",
    kind="lists",
    event=None,
    columns={"LIST_ID": "list_id", "LIST_NAME": "list_name"},
)


def outcome(desk: Desk) -> list[tuple[str, str]]:
    return [(file.name, file.status) for file in desk.load().files]


def reasons(desk: Desk) -> dict[str, str]:
    return {file.name: file.reason or "" for file in desk.load().files}


def waiting(desk: Desk) -> dict[str, str]:
    seen = discover(desk.location, desk.layouts, LOADABLE)
    return {file.file.name: file.reason for file in seen.waiting}


# Ready markers


@pytest.mark.parametrize("marker", ["opens.csv.trg", "opens.trg"])
def test_a_file_waits_for_its_ready_marker(desk: Desk, marker: str) -> None:
    desk.layouts = (layout(ready_marker=".trg"),)
    desk.put("opens.csv", HEADER + ZOE)
    assert outcome(desk) == []
    assert waiting(desk) == {"opens.csv": "its ready marker (.trg) is not there yet"}
    desk.put(marker, "")
    assert outcome(desk) == [("opens.csv", "loaded")]
    assert waiting(desk) == {}


def test_the_marker_of_a_packed_file_may_be_called_as_the_text_is(desk: Desk) -> None:
    desk.layouts = (layout(ready_marker=".flag"),)
    desk.put("opens.csv.gz", gzip.compress((HEADER + ZOE).encode()))
    desk.put("opens.csv.flag", "")
    assert outcome(desk) == [("opens.csv.gz", "loaded")]


@pytest.mark.parametrize(
    ("content", "status"), [("1", "loaded"), ("1\r\n", "loaded"), ("2", "refused"), ("done", "loaded")]
)
def test_a_number_of_rows_in_the_marker_is_checked(desk: Desk, content: str, status: str) -> None:
    desk.layouts = (layout(ready_marker=".trg"),)
    desk.put("opens.csv", HEADER + ZOE)
    desk.put("opens.trg", content)
    assert outcome(desk) == [("opens.csv", status)]


# Promises


def test_the_rows_that_a_name_promises_must_be_there(desk: Desk) -> None:
    desk.layouts = (layout(files=r"opens_(?P<rows>\d+)\.csv"),)
    desk.put("opens_1.csv", HEADER + ZOE)
    desk.put("opens_3.csv", HEADER + ZOE + "broken\n")
    assert reasons(desk) == {
        "opens_1.csv": "",
        "opens_3.csv": "3 rows are announced by its name or its ready marker, but it has 2; have it sent again",
    }


def test_a_rejected_row_is_a_row_that_was_promised(desk: Desk) -> None:
    desk.layouts = (layout(files=r"opens_(?P<rows>\d+)\.csv"),)
    desk.put("opens_2.csv", HEADER + ZOE + "broken\n")
    assert outcome(desk) == [("opens_2.csv", "loaded")]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_the_bytes_that_a_name_promises_must_be_there(desk: Desk, packed: bool) -> None:
    """The MD5 may be that of the package or of the text in it."""
    desk.layouts = (layout(files=r"opens_(?P<md5>\w{32})\.csv"),)
    content = (HEADER + ZOE).encode()
    digest = hashlib.md5(content).hexdigest().upper()
    desk.put(f"opens_{digest}.csv", gzip.compress(content) if packed else content)
    other = hashlib.md5(b"").hexdigest()
    desk.put(f"opens_{other}.csv", HEADER + JEF)
    assert dict(outcome(desk)) == {f"opens_{digest}.csv": "loaded", f"opens_{other}.csv": "refused"}


# Parts


def test_only_the_first_part_of_an_export_needs_a_header(desk: Desk) -> None:
    desk.layouts = (layout(files=PARTS),)
    desk.put("opens_20240611_1.csv", HEADER + ZOE)
    desk.put("opens_20240611_2.csv", JEF)
    desk.put("opens_20240611_3.csv", HEADER + JEF.replace("C-2", "C-3"))
    assert [status for _, status in outcome(desk)] == ["loaded"] * 3
    assert desk.events("user_id", "row_number", "export") == [
        ("C-1", 1, "./opens_20240611.csv"),
        ("C-2", 1, "./opens_20240611.csv"),
        ("C-3", 1, "./opens_20240611.csv"),
    ]


def test_a_further_part_waits_for_the_first(desk: Desk) -> None:
    desk.layouts = (layout(files=PARTS),)
    desk.put("opens_20240611_2.csv", JEF)
    assert outcome(desk) == []
    assert waiting(desk) == {"opens_20240611_2.csv": "the first part of its export, with the header, is not there yet"}
    desk.put("opens_20240611_1.csv", HEADER + ZOE)
    assert outcome(desk) == [("opens_20240611_1.csv", "loaded"), ("opens_20240611_2.csv", "loaded")]


def test_a_part_whose_header_goes_away_before_it_is_read_keeps_its_former_rows(desk: Desk) -> None:
    desk.layouts = (layout(files=PARTS),)
    desk.put("opens_20240611_1.csv", HEADER + ZOE)
    desk.put("opens_20240611_2.csv", JEF)
    desk.load()
    desk.put("opens_20240611_2.csv", JEF + JEF, WRITTEN + HOUR)
    seen = discover(desk.location, desk.layouts, LOADABLE)
    desk.remove("opens_20240611_1.csv")
    load(desk.connection, desk.location, seen)
    assert desk.events("user_id") == ["C-1", "C-2"]


def test_the_line_of_a_rejected_row_is_that_of_its_part(desk: Desk) -> None:
    desk.layouts = (layout(files=PARTS),)
    desk.put("opens_20240611_1.csv", HEADER + ZOE)
    desk.put("opens_20240611_2.csv", JEF + "broken\n")
    desk.load()
    assert desk.rejected("file", "line") == [("opens_20240611_2.csv", 2)]


# Archives


def archive(**members: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return content.getvalue()


def test_the_members_of_an_archive_are_one_file(desk: Desk) -> None:
    desk.put(
        "opens.csv.zip", archive(a=HEADER + ZOE + "broken\n", b=HEADER + JEF + "broken too\n", c=JEF + "and here\n")
    )
    (file,) = desk.load().files
    assert (file.status, file.rows, file.rejected) == ("loaded", 6, 3)
    assert desk.events("user_id", "row_number") == [("C-1", 1), ("C-2", 2), ("C-2", 3)]
    assert [(line, reason.partition(":")[0]) for line, reason in desk.rejected("line", "reason")] == [
        (2, "in c"),
        (3, "in a"),
        (3, "in b"),
    ]


def test_a_header_of_several_lines_may_be_repeated_by_each_member(desk: Desk) -> None:
    header = HEADER.replace("SUBJECT", '"SUBJECT\nOF IT"')
    desk.put("opens.csv.zip", archive(a=header + ZOE, b="\n" + header + JEF + "broken\n"))
    (file,) = desk.load().files
    assert (file.rows, file.rejected) == (3, 1)
    assert desk.rejected("line") == [5]


@pytest.mark.parametrize(
    "content",
    [
        archive(**{".": HEADER + JEF, "a": ZOE}),
        archive(unnamed=HEADER + JEF, a=ZOE).replace(b"unnamed", b"\0nnamed"),  # a name ends before a zero
    ],
    ids=["dot", "none"],
)
def test_a_member_with_an_odd_name_stops_nothing(desk: Desk, content: bytes) -> None:
    desk.put("opens.csv.zip", content)
    desk.put("opens_2.csv", HEADER + ZOE)
    assert [(file.status, file.rows) for file in desk.load().files] == [("loaded", 2), ("loaded", 1)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive(a=HEADER + ZOE * 9)[:-30], "is cut off or damaged"),
        (gzip.compress((HEADER + ZOE * 9).encode())[:-9], "is cut off or damaged"),
        (archive(**{"../opens.csv": HEADER}), "a path outside of the archive"),
        (archive(**{"/opens.csv": HEADER}), "a path outside of the archive"),
        (archive(**{"[Content_Types].xml": "", "xl/workbook.xml": ""}), "is an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "is an Excel workbook"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA", "is encrypted with PGP, and SELLIGENT_PGP_KEY is not set"),
        (b"\x85\x01\x0c\x03" + b"\xab" * 99, "is encrypted with PGP, and SELLIGENT_PGP_KEY is not set"),
        (b"PAR1" + b"\0" * 99, "is a Parquet file"),
        (gzip.compress(b"\0" * 500_000_000, 9), "unpacks to more than"),
        (b"DAY,SENT,DELIVERED,OPENS,CLICKS\n2024-06-11,9,8,7,6\n", "may be an aggregate, not an export of events"),
    ],
    ids=["cut zip", "cut gzip", "dots", "root", "xlsx", "xls", "armored", "pgp", "parquet", "bomb", "aggregate"],
)
def test_what_is_no_export_is_refused_with_its_reason_and_the_others_go_on(
    desk: Desk, content: bytes, words: str
) -> None:
    desk.put("opens_1.csv", content)
    desk.put("opens_2.csv", HEADER + ZOE)
    found = reasons(desk)
    assert words in found["opens_1.csv"]
    assert desk.files("name", "status") == [("opens_1.csv", "refused"), ("opens_2.csv", "loaded")]


# The same bytes again


def test_the_same_bytes_under_a_new_name_are_loaded_once(desk: Desk) -> None:
    desk.put("opens_a.csv", HEADER + ZOE)
    desk.load()
    desk.put("opens_b.csv", HEADER + ZOE)
    assert reasons(desk) == {"opens_b.csv": "is identical to opens_a.csv"}
    assert desk.events("file") == ["opens_a.csv"]
    assert outcome(desk) == []


def test_a_copy_counts_when_the_other_file_says_something_else_now(desk: Desk) -> None:
    desk.put("opens_a.csv", HEADER + ZOE)
    desk.put("opens_b.csv", HEADER + ZOE)
    desk.load()
    desk.put("opens_a.csv", HEADER + JEF, WRITTEN + timedelta(hours=1))
    desk.load(at=NOW + timedelta(hours=1))
    desk.load(at=NOW + timedelta(hours=2))
    assert sorted(desk.events("file", "user_id")) == [("opens_a.csv", "C-2"), ("opens_b.csv", "C-1")]


def test_files_without_rows_are_nobodys_copies(desk: Desk) -> None:
    desk.put("opens_a.csv", HEADER)
    desk.put("opens_b.csv", HEADER)
    assert outcome(desk) == [("opens_a.csv", "loaded"), ("opens_b.csv", "loaded")]


@pytest.mark.parametrize("noted", ["loaded", "duplicate"])
def test_a_lookup_that_repeats_its_former_content_is_the_newest(desk: Desk, noted: str) -> None:
    """Also where a former version of this program had noted it as a copy and left it alone."""
    desk.layouts = (LISTS,)
    for day, name in enumerate(("Nieuwsbrief", "Newsletter", "Nieuwsbrief"), start=10):
        desk.put(f"lists_202406{day}.csv", f"LIST_ID,LIST_NAME\n12,{name}\n")
    desk.load()
    if noted == "duplicate":
        desk.connection.execute("UPDATE raw.export_files SET status = 'duplicate' WHERE name = 'lists_20240612.csv'")
        desk.connection.execute("DELETE FROM raw.lookups WHERE file = 'lists_20240612.csv'")
        desk.load(at=NOW + timedelta(hours=1))
    assert desk.lookups("file", "list_name")[-1] == ("lists_20240612.csv", "Nieuwsbrief")
