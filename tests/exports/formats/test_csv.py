"""Text is read as it was written: delimiters, quotes, line ends, encodings, packing."""

import gzip
from typing import Any

import pytest

from tests.support.export_folder import (
    AT,
    FEWER,
    HALF,
    HEADER,
    NAMES,
    NO_PERSON,
    NOT_DOUBLED,
    UNIDENTIFIED,
    ZOE,
    Reader,
)

# Delimiters, quotes, line ends


@pytest.mark.parametrize("delimiter", [";", "|", "\t", "^", " ", "\\", "#", "'", "x", "§", "☀", "😀"])
def test_any_character_separates_columns(read: Reader, delimiter: str) -> None:
    content = '"CUSTOMER","SUBJECT","OPENED_AT"\n"C-1","Soldes","2024-06-11T09:15:10"\n'.replace(",", delimiter)
    assert read(content, delimiter=delimiter).all("user_id", "email_subject", "occurred_at") == [("C-1", "Soldes", AT)]


def test_quotes_hold_delimiters_line_breaks_and_doubled_quotes(read: Reader) -> None:
    reading = read(HEADER + 'C-1,,"Soldes, ""encore""\nune fois",2024-06-11T09:15:10\n' + ZOE)
    assert reading.all("row_number", "user_id", "email_subject") == [
        (1, "C-1", 'Soldes, "encore"\nune fois'),
        (2, "C-1", "Soldes"),
    ]


def test_another_quote_leaves_double_quotes_as_they_are(read: Reader) -> None:
    reading = read(HEADER + "C-1,,'l''été, \"encore\"',2024-06-11T09:15:10\n", quote="'")
    assert reading.all("email_subject") == ['l\'été, "encore"']


def test_where_nothing_is_quoted_quotes_are_text(read: Reader) -> None:
    reading = read('CUSTOMER,SUBJECT,OPENED_AT\n"C-1","Soldes,2024-06-11T09:15:10\n', quote=None)
    assert reading.counts == ("loaded", 1, 0, 0)
    assert reading.all("user_id", "email_subject") == [('"C-1"', '"Soldes')]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_do_on_any_machine(read: Reader, line_end: str) -> None:
    reading = read((HEADER + ZOE + NO_PERSON + ZOE).replace("\n", line_end))
    assert reading.counts == ("loaded", 3, 0, 1)
    assert reading.lines == [3]
    assert reading.all("timestamp") == ["2024-06-11T09:15:10"] * 3


def test_where_carriage_returns_end_lines_a_flaw_costs_its_own_row_and_blank_lines_are_none(read: Reader) -> None:
    open_quote = 'C-3,,"Soldes,2024-06-11T09:15:10\n'
    reading = read((HEADER + ZOE + "\n" + HALF + "\n\n" + open_quote + ZOE).replace("\n", "\r"))
    assert reading.rejected == [(4, FEWER, HALF.rstrip()), (7, NOT_DOUBLED, open_quote.rstrip())]
    assert reading.counts == ("loaded", 4, 0, 2)


def test_the_last_line_needs_no_end(read: Reader) -> None:
    assert read((HEADER + ZOE + ZOE).rstrip("\n")).counts == ("loaded", 2, 0, 0)


# Encodings and packing


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (HEADER + ZOE, {}),
        ('"CUSTOMER","MAIL","SUBJECT","OPENED_AT"\n' + ZOE, {}),
        (ZOE, {"header": NAMES}),
        ('"C-1","zoe@example.com","Soldes","2024-06-11T09:15:10"\n', {"header": NAMES}),
    ],
    ids=["header", "quoted header", "row", "quoted row"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_byte_order_mark_is_no_part_of_the_first_value(
    read: Reader, content: str, changes: dict[str, Any], packed: bool
) -> None:
    marked = content.encode("utf-8-sig")
    reading = read(gzip.compress(marked) if packed else marked, **changes)
    assert reading.all("user_id", "email") == [("C-1", "zoe@example.com")]


@pytest.mark.parametrize("name", ["opens.csv.gz", "opens.csv"])
def test_a_packed_file_is_known_by_its_content(read: Reader, name: str) -> None:
    assert read(gzip.compress((HEADER + ZOE).encode()), name=name).all("user_id") == ["C-1"]


def test_a_file_that_is_only_called_packed_is_read_as_it_is(read: Reader) -> None:
    assert read(HEADER + ZOE, name="opens.csv.gz").all("user_id") == ["C-1"]


@pytest.mark.parametrize("name", ["opens.csv", "opens.ndjson"])
def test_a_broken_package_is_refused_and_stops_nothing_else(read: Reader, name: str) -> None:
    reading = read(b"\x1f\x8b and then no gzip at all", name=name, format=name.partition(".")[2])
    assert reading.counts == ("refused", 0, 0, 0)


def test_bytes_that_are_no_utf_8_cost_their_row(read: Reader) -> None:
    reading = read((HEADER + ZOE).encode() + b"C-2,,\xe9t\xe9,2024-06-11T09:15:10\n" + (NO_PERSON + ZOE).encode())
    assert reading.counts == ("loaded", 4, 0, 2)
    assert [(line, reason) for line, reason, _ in reading.rejected] == [
        (3, "the row is not valid utf-8"),
        (4, UNIDENTIFIED),
    ]


@pytest.mark.parametrize("changes", [{}, {"header": NAMES}, {"format": "ndjson"}], ids=["csv", "no header", "ndjson"])
@pytest.mark.parametrize(
    "content", [b"", b"\xef\xbb\xbf", gzip.compress(b"")], ids=["empty", "byte order mark", "packed"]
)
def test_a_file_with_nothing_in_it_is_legal(read: Reader, content: bytes, changes: dict[str, Any]) -> None:
    reading = read(content, **changes)
    assert (*reading.counts, reading.file.reason) == ("loaded", 0, 0, 0, None)


@pytest.mark.parametrize(
    "content",
    [HEADER, HEADER.rstrip("\n"), gzip.compress(HEADER.encode())],
    ids=["one line", "no line end", "packed"],
)
def test_a_file_with_nothing_but_a_header_is_legal(read: Reader, content: str | bytes) -> None:
    assert read(content).counts == ("loaded", 0, 0, 0)
