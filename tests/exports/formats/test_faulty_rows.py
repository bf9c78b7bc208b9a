"""Every row at fault is put aside with its reason, its text, and the line that it stands on."""

from datetime import UTC, datetime

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

MORE = "the row has more columns than the header"


# Rows that can't be read


@pytest.mark.parametrize(
    ("row", "reason", "text"),
    [
        ("C-2,jef@example.com\n", FEWER, "C-2,jef@example.com"),
        ("C-2,,Soldes, encore,2024-06-11T09:15:10\n", MORE, "C-2,,Soldes, encore,2024-06-11T09:15:10"),
        (
            'C-2,,"Soldes "encore" une fois",2024-06-11T09:15:10\n',
            NOT_DOUBLED,
            'C-2,,"Soldes "encore" une fois",2024-06-11T09:15:10',
        ),
        ('C-2,,"Soldes" encore,2024-06-11T09:15:10\n', NOT_DOUBLED, 'C-2,,"Soldes" encore,2024-06-11T09:15:10'),
        (" \n", FEWER, " "),
    ],
    ids=["fewer columns", "more columns", "quote inside", "text after a quote", "a blank"],
)
def test_a_row_that_cannot_be_read_is_put_aside_and_the_file_goes_on(
    read: Reader, row: str, reason: str, text: str
) -> None:
    reading = read(HEADER + ZOE + row + ZOE + ZOE)
    assert reading.counts == ("loaded", 4, 0, 1)
    assert reading.rejected == [(3, reason, text)]
    assert reading.accepted("row_number", "user_id") == [(1, "C-1"), (2, "C-1"), (3, "C-1")]


def test_an_unquoted_delimiter_in_a_subject_costs_its_row_where_nothing_is_quoted(read: Reader) -> None:
    reading = read(
        "CUSTOMER;SUBJECT;OPENED_AT\nC-1;Soldes; encore;2024-06-11T09:15:10\nC-2;Soldes;2024-06-11T09:15:10\n",
        delimiter=";",
        quote=None,
    )
    assert reading.rejected == [(2, MORE, "C-1;Soldes; encore;2024-06-11T09:15:10")]
    assert reading.accepted("user_id") == ["C-2"]


def test_the_text_of_a_row_that_cannot_be_read_holds_no_line_end(read: Reader) -> None:
    reading = read((HEADER + ZOE + HALF + ZOE + HALF).replace("\n", "\r\n"))
    assert reading.rejected == [(3, FEWER, "C-2,jef@exam"), (5, FEWER, "C-2,jef@exam")]


def test_a_row_with_two_faults_is_one_rejected_row(read: Reader) -> None:
    reading = read((HEADER + ZOE).encode() + b"C-2,\xe9\n" + ZOE.encode())
    assert reading.counts == ("loaded", 3, 0, 1)
    assert reading.lines == [3]


def test_a_header_whose_quote_is_never_closed_refuses_the_file(read: Reader) -> None:
    reading = read('CUSTOMER,MAIL,SUBJECT,"OPENED_AT\n' + ZOE * 4_000)
    assert reading.counts == ("refused", 0, 0, 0)


@pytest.mark.parametrize(
    ("format", "long", "good"),
    [
        ("csv", HEADER + "C-2,," + "x" * 2_500_000 + ",2024-06-11T09:15:10\n", ZOE),
        (
            "ndjson",
            '{"CUSTOMER": "C-2", "SUBJECT": "' + "x" * 2_500_000 + '"}\n',
            '{"CUSTOMER": "C-1", "OPENED_AT": "2024-06-11T09:15:10"}\n',
        ),
    ],
    ids=["csv", "ndjson"],
)
def test_a_row_of_megabytes_is_put_aside(read: Reader, format: str, long: str, good: str) -> None:
    reading = read(long + good, format=format)
    assert reading.counts == ("loaded", 2, 0, 1)
    assert reading.reasons == ["the row is longer than 2 MB"]
    assert reading.accepted("user_id") == ["C-1"]


# Rows that are not understood


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("C-2,,Soldes,\n", "no date-time in column OPENED_AT"),
        (
            "C-2,,Soldes,11/06/2024\n",
            "the date-time '11/06/2024' in column OPENED_AT cannot be read as ISO 8601, like 2024-06-11T09:15:10",
        ),
        (
            "C-2,,Soldes,2024-02-31T09:15:10\n",
            "the date-time '2024-02-31T09:15:10' in column OPENED_AT cannot be read as ISO 8601, "
            "like 2024-06-11T09:15:10",
        ),
        (NO_PERSON, UNIDENTIFIED),
    ],
)
def test_a_row_that_is_not_understood_is_put_aside_with_a_reason(read: Reader, row: str, reason: str) -> None:
    reading = read(HEADER + ZOE + row + ZOE)
    assert reading.counts == ("loaded", 3, 0, 1)
    assert reading.rejected == [(3, reason, row.rstrip("\n"))]
    assert reading.accepted("row_number") == [1, 3]


def test_a_person_needs_more_than_blanks(read: Reader) -> None:
    reading = read(HEADER + "  , ,Soldes,2024-06-11T09:15:10\n")
    assert reading.reasons == [UNIDENTIFIED]


def test_formats_of_date_times_are_named_where_none_fits(read: Reader) -> None:
    formats = ["%d-%m-%Y %H:%M:%S", "%d-%m-%Y"]
    reading = read(HEADER + "C-1,,,11-06-2024\nC-2,,,2024-06-11\n", datetime_formats=formats)
    assert reading.reasons == [
        "the date-time '2024-06-11' in column OPENED_AT cannot be read as %d-%m-%Y %H:%M:%S, %d-%m-%Y"
    ]


def test_a_local_time_needs_a_zone(read: Reader) -> None:
    reading = read(HEADER + "C-1,,,2024-06-11T09:15:10\nC-2,,,2024-06-11T09:15:10+02:00\n", timezone=None)
    assert reading.reasons == ["the date-time '2024-06-11T09:15:10' has no offset, and layout opens names no timezone"]
    assert reading.accepted("user_id", "occurred_at") == [("C-2", AT)]


def test_an_hour_that_comes_twice_or_never_is_put_aside_where_the_layout_says_so(read: Reader) -> None:
    rows = "C-1,,,2024-10-27T02:30:00\nC-2,,,2024-03-31T02:30:00\nC-3,,,2024-03-31T03:30:00\n"
    reading = read(HEADER + rows, ambiguous_hour="reject")
    assert reading.reasons == [
        "the local time '2024-10-27T02:30:00' is ambiguous (clocks change), and ambiguous_hour is reject",
        "the local time '2024-03-31T02:30:00' is nonexistent (clocks change), and ambiguous_hour is reject",
    ]
    assert reading.accepted("user_id", "time_note") == [("C-3", None)]


def test_an_hour_that_comes_twice_or_never_is_noted_where_it_is_taken(read: Reader) -> None:
    reading = read(HEADER + "C-1,,,2024-10-27T02:30:00\nC-2,,,2024-03-31T02:30:00\nC-3,,,2024-03-31T03:30:00\n")
    assert reading.accepted("user_id", "occurred_at", "time_note") == [
        ("C-1", datetime(2024, 10, 27, 0, 30, tzinfo=UTC), "ambiguous"),
        ("C-2", datetime(2024, 3, 31, 1, 30, tzinfo=UTC), "nonexistent"),
        ("C-3", datetime(2024, 3, 31, 1, 30, tzinfo=UTC), None),
    ]


def test_one_impossible_year_does_not_refuse_the_file(read: Reader) -> None:
    """3000 is beyond what a nanosecond can be counted in; years like it come from 'never expires'."""
    formats = ["%d-%m-%Y %H:%M:%S.%f", "%d-%m-%Y %H:%M:%S"]
    reading = read(HEADER + "C-1,,,11-06-2024 09:15:10\nC-2,,,01-01-3000 00:00:00\n", datetime_formats=formats)
    assert reading.file.status == "loaded"
    assert ("C-1", AT) in reading.accepted("user_id", "occurred_at")


def test_a_date_before_our_era_is_no_event(read: Reader) -> None:
    """What some systems write for 'no date'. East of Greenwich its instant lies in a year that Python does not know."""
    reading = read(HEADER + "C-1,,,0001-01-01T00:00:00\nC-2,,,2024-06-11T09:15:10\n")
    assert reading.counts == ("loaded", 2, 0, 1)
    assert reading.accepted("user_id", "occurred_at") == [("C-2", AT)]


def test_a_person_is_known_by_list_and_selligent_id_where_there_is_no_better_one(read: Reader) -> None:
    columns = {"LIST": "list_id", "USER": "selligent_user_id", "KEY": "user_id", "AT": "timestamp"}
    reading = read(
        "LIST,USER,KEY,AT\n"
        "12,884301,,2024-06-11T09:15:10\n"
        "12,,,2024-06-11T09:15:10\n"
        ",884301,,2024-06-11T09:15:10\n"
        ",,C-1,2024-06-11T09:15:10\n",
        columns=columns,
    )
    assert reading.accepted("row_number") == [1, 4]
    assert reading.lines == [3, 4]


# Lines


def test_lines_are_counted_from_the_first_line_of_the_file(read: Reader) -> None:
    assert read(HEADER + NO_PERSON + ZOE + NO_PERSON).lines == [2, 4]
    assert read(NO_PERSON + ZOE + NO_PERSON, header=NAMES).lines == [1, 3]


def test_rows_that_could_not_be_read_before_a_row_do_not_move_its_line(read: Reader) -> None:
    reading = read(HEADER + HALF + NO_PERSON + ZOE + HALF + HALF + NO_PERSON + ZOE + NO_PERSON + HALF)
    assert [(line, reason == FEWER) for line, reason, _ in reading.rejected] == [
        (2, True),
        (3, False),
        (5, True),
        (6, True),
        (7, False),
        (9, False),
        (10, True),
    ]


def test_a_blank_line_is_no_row(read: Reader) -> None:
    assert read(HEADER + "\n" + ZOE + "\n\n" + ZOE + "\n").counts == ("loaded", 2, 0, 0)


def test_lines_hold_in_a_file_that_is_read_in_several_parts_at_once(read: Reader) -> None:
    """DuckDB reads parts of 32 MB in parallel; what stands where must not depend on which part came first."""
    rows = [f"C-{number},,{'x' * 20_000},2024-06-11T09:15:10\n" for number in range(1, 3_501)]
    for number in (1, 1_750, 3_499):
        rows[number - 1] = HALF
    for number in (2, 1_749, 1_751, 3_500):
        rows[number - 1] = NO_PERSON
    reading = read(HEADER + "".join(rows))
    assert reading.counts == ("loaded", 3_500, 0, 7)
    assert reading.lines == [2, 3, 1_750, 1_751, 1_752, 3_500, 3_501]
    assert reading.accepted("row_number") == [*range(2, 1_748), *range(1_750, 3_497)]
    assert reading.accepted("user_id") == [f"C-{number}" for number in (*range(3, 1_749), *range(1_752, 3_499))]


@pytest.mark.parametrize("name", [b"\xc2", b"M\xe9l", b'"\xff"'])
def test_a_header_may_hold_bytes_that_are_no_text(read: Reader, name: bytes) -> None:
    """Their column is kept under a name that says so; DuckDB was given the bytes, and the run ended."""
    reading = read(HEADER.strip().encode() + b"," + name + b"\n" + ZOE.strip().encode() + b",red\n")
    assert reading.counts == ("loaded", 1, 0, 0)
    (extra,) = reading.all("extra")
    assert "\ufffd" in extra and '"red"' in extra
