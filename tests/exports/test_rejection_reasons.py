"""What is repeated of a file in a reason stays on one line, shows what can't be seen, and names no person."""

import pytest

from tests.support.export_folder import CODED, CODED_COLUMNS, HEADER, ZOE, Reader

CODES = "CUSTOMER,MAIL,WHAT,OPENED_AT\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("zoe@example.com", "z***@example.com"),
        ("mailto:zoe%40example.com", "mailto:z***%40example.com"),
        ('"""zoe van dam""@example.com"', "z***@example.com"),
        ('"O\nPEN"', "O\\nPEN"),
        ("O\tP\0EN", "O\\tP\\x00EN"),
        ("O\u202ePEN\x1b[2J", "O\ufffdPEN\ufffd[2J"),
        ("x" * 100, "x" * 59 + "…"),
    ],
    ids=["address", "in a link", "quoted address", "line break", "tab and NUL", "direction and escape", "long"],
)
def test_a_code_that_is_unknown_is_shown_printable_and_without_a_person(read: Reader, value: str, shown: str) -> None:
    reading = read(CODES + f"C-1,,{value},2024-06-11T09:15:10\n", **CODED, columns=CODED_COLUMNS)
    assert reading.reasons == [f"unknown event code '{shown}' in column WHAT; list it in event_codes of layout opens"]


def test_an_address_where_a_date_time_belongs_is_masked(read: Reader) -> None:
    reading = read(HEADER + ZOE + "C-2,,Soldes,jef.smit@example.com\n")
    assert reading.reasons == [
        "the date-time 'j***@example.com' in column OPENED_AT cannot be read as ISO 8601, like 2024-06-11T09:15:10"
    ]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("layout", ["utf-8", "windows-1252"])
def test_a_wide_text_without_its_mark_is_refused_with_its_encoding(read: Reader, encoding: str, layout: str) -> None:
    reading = read((HEADER + ZOE).encode(encoding), encoding=layout)
    assert reading.counts == ("refused", 0, 0, 0)
    assert f"looks like {encoding} without a byte order mark" in (reading.file.reason or "")
    assert (reading.file.reason or "").isprintable()


def test_a_wide_text_whose_bytes_come_in_the_other_order_is_refused(read: Reader) -> None:
    reading = read((HEADER + ZOE).encode("utf-16-be"), encoding="utf-16-le")
    assert "looks like utf-16-be" in (reading.file.reason or "")
    assert read((HEADER + ZOE).encode("utf-16-be"), encoding="utf-16-be").counts == ("loaded", 1, 0, 0)


def test_zeros_for_empty_strings_make_no_text_a_wide_one(read: Reader) -> None:
    reading = read(HEADER + "C-1,\0,\0,2024-06-11T09:15:10\n" * 3)
    assert reading.counts == ("loaded", 3, 0, 0)


def test_a_zero_can_be_a_null_value(read: Reader) -> None:
    rows = "C-1,\0,\0,2024-06-11T09:15:10\n\0,\0,Soldes,2024-06-11T09:15:10\n"
    reading = read(HEADER + rows, null_values=["", "\0"])
    assert reading.all("user_id", "email", "email_subject") == [("C-1", None, None), (None, None, "Soldes")]
    assert reading.counts == ("loaded", 2, 0, 1)
