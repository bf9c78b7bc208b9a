"""What stands around the rows of a file and is not a row: each case is an export as some tool writes it."""

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.exports.formats.csv_surroundings import states_row_count
from tests.support.export_folder import HEADER, NAMES, Desk, layout

ROWS = [f"C-{n},p{n}@example.com,Hello,2024-06-10T09:15:0{n}" for n in (1, 2, 3)]
FIRST = datetime(2024, 6, 10, 7, 15, 1, tzinfo=UTC)
PROMISING = r"opens_(?P<rows>\d+)\.csv"


def text(*lines: str, end: str = "\n") -> str:
    return "".join(f"{line}{end}" for line in lines)


def loaded(desk: Desk, content: str | bytes, name: str = "opens.csv", **changes: Any) -> tuple[str, int, int]:
    desk.layouts = (layout(**changes),)
    desk.put(name, content)
    (file,) = desk.load().files
    assert file.reason is None or file.status == "refused"
    return file.status, file.rows, file.rejected


HEAD = HEADER.strip()


@pytest.mark.parametrize(
    "content",
    [
        text("", "", HEAD, *ROWS),
        text("", HEAD, *ROWS, end="\r\n"),
        text("  \t", "\ufeff", HEAD, *ROWS),
        text(",,,", HEAD, *ROWS),
        text("sep=,", HEAD, *ROWS),
        text('"sep=,"', HEAD, *ROWS, end="\r\n"),
        "\ufeff" + text("sep=,", "", HEAD, *ROWS),
        text(HEAD, *ROWS, end="\r\r\n"),
        text(HEAD, *ROWS) + "\x1a",
        text(HEAD, *ROWS, end="\r\n") + "\x1a\x00\x00\x00",
        text(HEAD, *ROWS) + "\x1a\n",
        text(HEAD, *ROWS, "", "(3 rows affected)"),
        text(HEAD, *ROWS, "", "(3 Zeile(n) betroffen)", end="\r\n"),
        text(HEAD, *ROWS, "", "3 rows selected."),
        text(HEAD, "----,---,-------,---------", *ROWS, "", "(3 rows affected)", "", end="\r\n"),
        text("CUSTOMER, MAIL ,SUBJECT\u00a0,\u200bOPENED_AT", *ROWS),
    ],
    ids=repr,
)
def test_three_rows_are_three_events(desk: Desk, content: str) -> None:
    assert loaded(desk, content) == ("loaded", 3, 0)
    assert desk.events("user_id", "email", "occurred_at")[0] == ("C-1", "p1@example.com", FIRST)
    assert len(set(desk.events("occurred_at"))) == 3


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_lines_are_counted_as_an_editor_shows_them(desk: Desk, end: str) -> None:
    """Two blank lines, sep=, header, dashes; then a row that breaks off on line 7 and one without a person on 9."""
    lines = [
        "sep=,",
        "",
        HEAD,
        "---,---,---,---",
        ROWS[0],
        ROWS[1],
        "C-9,half",
        "",
        ",,Hello,2024-06-10T09:15:09",
        ROWS[2],
    ]
    expected = [7, 9]
    if end in ("\r", "\r\r\n"):  # the row behind the blank line
        assert text(*lines, end=end)
    assert loaded(desk, text(*lines, end=end)) == ("loaded", 5, 2)
    assert desk.rejected("line") == expected


def test_each_member_of_an_archive_may_have_its_own_surroundings(desk: Desk) -> None:
    with io.BytesIO() as target:
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("a.csv", text("", HEAD, ROWS[0], "(1 row affected)"))
            archive.writestr("b.csv", text("", HEAD, ROWS[1], "half", ROWS[2]) + "\x1a")
        packed = target.getvalue()
    assert loaded(desk, packed, "opens.zip") == ("loaded", 4, 1)
    assert desk.rejected("line", "reason") == [(4, "in b.csv: the row has fewer columns than the header")]


def zipped(*members: str) -> bytes:
    with io.BytesIO() as target:
        with zipfile.ZipFile(target, "w") as archive:
            for number, member in enumerate(members):
                archive.writestr(f"{number}.csv", member)
        return target.getvalue()


def test_dashes_in_a_member_without_a_header_are_under_none(desk: Desk) -> None:
    """They were left out together with the header that its first row was taken for."""
    packed = zipped(text(HEAD, ROWS[0]), text(ROWS[1], "---,---,---,---", ROWS[2]))
    assert loaded(desk, packed, "opens.zip") == ("loaded", 4, 1)
    assert [reason.partition(":")[0] for reason in desk.rejected("reason")] == ["in 1.csv"]


@pytest.mark.parametrize(
    "header", [f"sep=,\n{HEAD}", "CUSTOMER\u200b, MAIL,SUBJECT,OPENED_AT", f"{HEAD}\n---,---,---,---"]
)
def test_a_member_may_repeat_the_header_as_the_first_one_may_have_it(desk: Desk, header: str) -> None:
    packed = zipped(text(HEAD, ROWS[0]), text(header, ROWS[1]))
    assert loaded(desk, packed, "opens.zip") == ("loaded", 2, 0)


def test_a_carriage_return_in_the_first_row_of_a_headerless_file_in_parts_is_a_part_of_its_value(desk: Desk) -> None:
    first = "C-1,p1@example.com,Good\rday,2024-06-10T09:15:01"
    packed = zipped(text(first), text(ROWS[1]))
    assert loaded(desk, packed, "opens.zip", header=NAMES, quote=None) == ("loaded", 2, 0)
    assert desk.events("email_subject")[0] == "Good\rday"


# Names that stand there twice, or are blank


@pytest.mark.parametrize(
    ("header", "extra"),
    [
        ("CUSTOMER,MAIL,NAME,NAME,OPENED_AT", ["a", "b"]),
        ("CUSTOMER,MAIL,name,NAME,OPENED_AT", ["a", "b"]),
        ("CUSTOMER,MAIL,,,OPENED_AT", ["a", "b"]),
        ("CUSTOMER,MAIL,NO\x00TE, ,OPENED_AT", ["a", "b"]),
    ],
)
def test_only_columns_that_a_layout_uses_must_stand_there_once(desk: Desk, header: str, extra: list[str]) -> None:
    rows = [f"C-{n},p{n}@example.com,a,b,2024-06-10T09:15:0{n}" for n in (1, 2, 3)]
    columns = {"CUSTOMER": "user_id", "MAIL": "email", "OPENED_AT": "timestamp"}
    assert loaded(desk, text(header, *rows), columns=columns) == ("loaded", 3, 0)
    assert [sorted(json.loads(found).values()) for found in desk.events("extra")] == [extra] * 3


def test_a_used_column_that_stands_there_twice_refuses_the_file(desk: Desk) -> None:
    assert loaded(desk, text("CUSTOMER,MAIL,mail,OPENED_AT", "C-1,a,b,2024-06-10T09:15:01"))[0] == "refused"
    (reason,) = desk.files("reason")
    assert reason.startswith("line 1: the column 'MAIL' is in the header more than once")


def test_a_listed_header_that_stands_in_the_file_all_the_same_is_no_row(desk: Desk) -> None:
    names = ["CUSTOMER", "MAIL", "NAME", "NAME_4", "OPENED_AT"]
    rows = [f"C-{n},p{n}@example.com,a,b,2024-06-10T09:15:0{n}" for n in (1, 2, 3)]
    columns = {"CUSTOMER": "user_id", "MAIL": "email", "OPENED_AT": "timestamp"}
    content = text("CUSTOMER,MAIL,NAME,NAME,OPENED_AT", *rows, "half")
    assert loaded(desk, content, header=names, columns=columns) == ("loaded", 4, 1)
    assert desk.rejected("line") == [5]


# Promised numbers of rows


@pytest.mark.parametrize(
    ("end", "name"),
    [
        ("TRAILER,3\n", "opens_3.csv"),
        ("T,3,,\n", "opens_3.csv"),
        ("END OF FILE\n", "opens_3.csv"),
        ("\x1a", "opens_3.csv"),
        ("(3 rows affected)\n", "opens_3.csv"),
    ],
)
def test_a_trailer_is_none_of_the_rows_that_were_promised(desk: Desk, end: str, name: str) -> None:
    status, _, _ = loaded(desk, text(HEAD, *ROWS) + end, name, files=PROMISING)
    assert status == "loaded"
    assert len(desk.events("user_id")) - len(desk.rejected("line")) in (2, 3)


@pytest.mark.parametrize("end", ["C-4,half\n", ROWS[0] + "\n", ",,Hello,2024-06-10T09:15:03\n"])
def test_a_row_too_many_is_not_taken_for_a_trailer(desk: Desk, end: str) -> None:
    assert loaded(desk, text(HEAD, *ROWS) + end, "opens_3.csv", files=PROMISING)[0] == "refused"


@pytest.mark.parametrize(
    ("line", "is_one"),
    [("TRAILER|3", True), ("3", True), ("C-3", False), ("T0003", True), ("C-13", False), ("Totals", False)],
)
def test_a_trailer_that_states_the_row_count(line: str, is_one: bool) -> None:
    assert states_row_count(line, 3) is is_one


# What messages show


def test_a_row_in_place_of_a_header_is_not_repeated(desk: Desk) -> None:
    assert loaded(desk, text(*ROWS))[0] == "refused"
    (reason,) = desk.files("reason")
    assert "looks like a row, not a header" in reason and "list the names under header:" in reason
    assert "example.com" not in reason and "C-1" not in reason


def test_names_are_quoted_so_that_what_no_one_sees_shows(desk: Desk) -> None:
    names = ["CUS\x00TOMER", "MA\u200bIL", "x" * 200, *(f"column {chr(65 + n)}" for n in range(26))]
    assert loaded(desk, text(",".join(names), ",".join(names)))[0] == "refused"
    (reason,) = desk.files("reason")
    assert "'CUS\\x00TOMER', 'MA\\u200bIL', 'xxx" in reason
    assert reason.isprintable() and len(reason) < 700 and reason.endswith("and 9 more")


def test_too_many_columns_are_refused_in_words(desk: Desk) -> None:
    names = [*NAMES, *(f"COLUMN_{n}" for n in range(5_000))]
    assert loaded(desk, text(",".join(names), ",".join("x" for _ in names)))[0] == "refused"
    assert desk.files("reason") == ["line 1: it has 5,004 columns, and at most 600 are read"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised(desk: Desk, encoding: str) -> None:
    assert loaded(desk, text(HEAD, *ROWS).encode(encoding))[0] == "refused"
    assert f"looks like {encoding} without a byte order mark" in desk.files("reason")[0]
    assert loaded(desk, text(HEAD, *ROWS).encode(encoding), encoding=encoding) == ("loaded", 3, 0)


def test_nuls_of_bcp_are_empty_strings_where_the_layout_says_so(desk: Desk) -> None:
    rows = [
        "C-1,\0,\0,2024-06-10T09:15:01",
        "C-2,p2@example.com,Hello,2024-06-10T09:15:02",
        "\0,\0,Hello,2024-06-10T09:15:03",
    ]
    for null_values in ([""], ["", "\0"]):
        assert loaded(desk, text(HEAD, *rows), null_values=null_values) == ("loaded", 3, 1)
        assert desk.rejected("line") == [4]
