"""More of what stands around rows, and rows that only look like it."""

import pytest

from tests.support.export_folder import HEADER, NAMES, ZOE, Desk, Reader, layout

TABS = {"delimiter": "\t"}


def test_excel_names_a_tab_in_its_own_line_too(read: Reader) -> None:
    reading = read("sep=\t\n" + (HEADER + ZOE).replace(",", "\t"), **TABS)
    assert reading.counts == ("loaded", 1, 0, 0)


def test_ctrl_z_leaves_the_empty_cells_at_the_end_of_the_last_row(read: Reader) -> None:
    header = "CUSTOMER\tOPENED_AT\tMAIL\tSUBJECT\n"
    reading = read(header + "C-1\t2024-06-11T09:15:10\t\t\n\x1a", **TABS)
    assert reading.counts == ("loaded", 1, 0, 0)
    assert reading.rejected == []


def test_a_first_row_of_empty_cells_is_a_row_where_a_file_has_no_header(read: Reader) -> None:
    reading = read("\t\t\t\n" + ZOE.replace(",", "\t"), header=NAMES, **TABS)
    assert reading.counts == ("loaded", 2, 0, 1)
    assert reading.lines == [1]


@pytest.mark.parametrize("line", ["-,----,-------,----------", "--- , - , ---, ----", "---+----+---+----"])
def test_dashes_under_a_header_may_be_as_short_as_their_column(read: Reader, line: str) -> None:
    delimiter = "|" if "+" in line else ","
    content = (HEADER + ZOE).replace(",", delimiter)
    first, rest = content.split("\n", 1)
    reading = read(f"{first}\n{line}\n{rest}", delimiter=delimiter)
    assert reading.counts == ("loaded", 1, 0, 0)


@pytest.mark.parametrize("line", ["-,zoe@example.com,--,--", "--,--,--"])
def test_a_row_with_some_dashes_is_a_row(read: Reader, line: str) -> None:
    assert read(HEADER + line + "\n" + ZOE).counts == ("loaded", 2, 0, 1)


def test_dashes_further_below_are_a_row(read: Reader) -> None:
    assert read(HEADER + ZOE + "--,--,--,--\n").counts == ("loaded", 2, 0, 1)


@pytest.mark.parametrize(
    "trailer",
    ["TRAILER,3", "T,0000003", "TRL0000003", "9,3,20240611", "TRAILER,3\n\x1a", "TRAILER,3\r\n\r\n", '"TRAILER","3"'],
)
def test_a_trailer_of_any_style_is_beside_the_promised_rows(desk: Desk, trailer: str) -> None:
    desk.layouts = (layout(files=r"opens_(?P<rows>\d+)\.csv"),)
    desk.put("opens_3.csv", HEADER + ZOE * 3 + trailer + "\n")
    assert [file.status for file in desk.load().files] == ["loaded"]
    assert desk.files("rows", "rejected") == [(4, 1)]


def test_a_trailer_with_thousands_apart_is_one(desk: Desk) -> None:
    desk.layouts = (layout(files=r"opens_(?P<rows>\d+)\.csv"),)
    desk.put("opens_1200.csv", HEADER + ZOE * 1200 + "rows: 1.200\n")
    assert [file.status for file in desk.load().files] == ["loaded"]


def test_a_trailer_beside_a_row_that_is_missing_refuses_the_file(desk: Desk) -> None:
    desk.layouts = (layout(files=r"opens_(?P<rows>\d+)\.csv"),)
    desk.put("opens_3.csv", HEADER + ZOE * 2 + "TRAILER,3\n")
    assert [file.status for file in desk.load().files] == ["refused"]


@pytest.mark.parametrize(
    "footer",
    [
        "(1 row affected)",
        "(1 row)",
        "1 row selected.",
        "(1 Zeile(n) betroffen)",
        "(1 lignes affectées)",
        "1 row(s) returned",
    ],
)
def test_a_footer_is_no_row(read: Reader, footer: str) -> None:
    assert read(HEADER + ZOE + "\n" + footer + "\n").counts == ("loaded", 1, 0, 0)


def test_a_footer_inside_a_quoted_value_is_text(read: Reader) -> None:
    reading = read(HEADER + 'C-1,,"Hello\n(3 rows affected)\n",2024-06-11T09:15:10\n')
    assert reading.all("email_subject") == ["Hello\n(3 rows affected)\n"]


def test_a_further_part_may_have_blank_lines_before_its_header_or_none(desk: Desk) -> None:
    desk.layouts = (layout(files=r"opens_(?P<part>\d)\.csv"),)
    desk.put("opens_1.csv", "\n" + HEADER + ZOE)
    desk.put("opens_2.csv", "\n\n" + HEADER + ZOE.replace("C-1", "C-2"))
    desk.put("opens_3.csv", "\n" + ZOE.replace("C-1", "C-3"))
    desk.load()
    assert desk.events("user_id") == ["C-1", "C-2", "C-3"]


@pytest.mark.parametrize(
    "row",
    [
        "4711,Zoe Peeters,Hello,Monday",
        "C-1,jef.smit@example.com,Hello,x",
        "Zoe,+32 475 12 34 56,Hello,x",
        "Zoe Peeters,9f86d081884c7d659a2feaa0c55ad015,Hello,x",
        "Zoe,BE-1234567,Hello,x",
        "Zoe,ACME_20391,Hello,x",
    ],
)
def test_a_row_in_place_of_the_header_is_called_one_and_not_shown(read: Reader, row: str) -> None:
    reading = read(row + "\n" + ZOE)
    reason = reading.file.reason or ""
    assert "looks like a row, not a header" in reason
    assert not any(cell in reason for cell in row.split(","))


def test_an_address_in_an_unused_name_of_a_good_header_is_in_no_reason(read: Reader) -> None:
    reading = read("jef@example.com," + HEADER.replace("MAIL,", "") + "x,C-1,Soldes,2024-06-11T09:15:10\n")
    assert "jef" not in (reading.file.reason or "")


def test_names_that_differ_only_by_case_may_repeat_unless_used(read: Reader) -> None:
    good = read("note,Note," + HEADER + "a,b," + ZOE)
    assert good.counts == ("loaded", 1, 0, 0)
    assert good.all("extra") == ['{"note":"a","Note_2":"b"}']
    assert read("mail," + HEADER + "a," + ZOE).counts[0] == "refused"


def test_the_reason_shows_no_more_than_some_names_each_shortened(read: Reader) -> None:
    reading = read(",".join(f"NAME_{'x' * 200}{chr(65 + i % 26)}{chr(65 + i // 26)}" for i in range(60)) + "\n")
    assert len(reading.file.reason or "") < 1500


def test_no_break_and_zero_width_blanks_around_names_are_none(read: Reader) -> None:
    assert read("\u200bCUSTOMER\u00a0,\tMAIL,SUBJECT\u200b,OPENED_AT\0\n" + ZOE).counts == ("loaded", 1, 0, 0)


def test_a_header_that_each_page_repeats_is_a_rejected_row(read: Reader) -> None:
    zoe, jef = ZOE, ZOE.replace("C-1", "C-2")
    reading = read(HEADER + zoe + HEADER + jef + HEADER + ZOE.replace("C-1", "C-3"))
    assert reading.counts == ("loaded", 5, 0, 2)
    assert reading.accepted("user_id") == ["C-1", "C-2", "C-3"]
    assert reading.lines == [3, 5]
