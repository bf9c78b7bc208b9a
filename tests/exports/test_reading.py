"""One file becomes rows: every value as text, every row with its number, every fault with its reason and line."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.catalog import LOOKUPS
from tests.exports.desk import CODED, HEADER, ZOE, Reader

AT = datetime(2024, 6, 11, 7, 15, 10, tzinfo=UTC)
# A row that is read and not understood: nobody is in it.
NOBODY = ",,Soldes,2024-06-11T09:15:10\n"
# A row that can't be read: it breaks off.
HALF = "C-2,jef@exam\n"
NAMES = ["CUSTOMER", "MAIL", "SUBJECT", "OPENED_AT"]
CODED_COLUMNS = {"CUSTOMER": "user_id", "MAIL": "email", "OPENED_AT": "timestamp"}

FEWER = "the row has fewer columns than the header"
MORE = "the row has more columns than the header"
NOT_DOUBLED = "the row has a quote that is not closed, or a quote inside a value that is not doubled"
NOBODY_TO_TELL = "nobody to tell it of: no user id and no email address"


# Rows and columns


def test_each_row_becomes_text_under_the_meaning_of_its_columns(read: Reader) -> None:
    reading = read(
        "CUSTOMER,MAIL,SUBJECT,OPENED_AT\n"
        "007,zoe@example.com,Soldes d'été: -30 %,2024-06-11T09:15:10\n"
        "1e5,,12345678901234567890,2024-06-11 09:15:10.5\n"
    )
    assert reading.counts == ("loaded", 2, 0, 0)
    assert reading.file.reason is None
    assert reading.all("row_number", "user_id", "email", "email_subject", "timestamp", "event", "occurred_at") == [
        (1, "007", "zoe@example.com", "Soldes d'été: -30 %", "2024-06-11T09:15:10", "Email Opened", AT),
        (
            2,
            "1e5",
            None,
            "12345678901234567890",
            "2024-06-11 09:15:10.5",
            "Email Opened",
            AT.replace(microsecond=500_000),
        ),
    ]


def test_a_row_tells_which_file_and_layout_it_came_from_and_when(read: Reader) -> None:
    reading = read(HEADER + ZOE)
    [row] = reading.rows
    assert (row["file"], row["layout"], row["export_date"]) == ("opens.csv", "opens", reading.file.export_date)
    assert row["exported_at"].date() == reading.file.export_date
    assert row["loaded_at"] == datetime(2024, 6, 20, 8, 0, tzinfo=UTC)


def test_header_names_match_without_regard_to_case_and_order(read: Reader) -> None:
    reading = read("opened_at,Mail,subject,Customer\n2024-06-11T09:15:10,zoe@example.com,Soldes,C-1\n")
    assert reading.all("user_id", "email", "email_subject", "occurred_at") == [
        ("C-1", "zoe@example.com", "Soldes", AT),
    ]


def test_columns_that_the_layout_does_not_name_are_kept_beside_the_row(read: Reader) -> None:
    reading = read(
        "CUSTOMER,Browser,MAIL,SUBJECT,OPENED_AT,IP\nC-1,Firefox,zoe@example.com,Soldes,2024-06-11T09:15:10,\n"
    )
    [extra] = reading.all("extra")
    assert json.loads(extra) == {"Browser": "Firefox", "IP": None}


def test_a_file_without_further_columns_keeps_nothing_beside_its_rows(read: Reader) -> None:
    assert read(HEADER + ZOE).all("extra") == [None]


def test_a_file_without_a_header_takes_its_names_from_the_layout(read: Reader) -> None:
    reading = read(
        "2024-06-11T09:15:10,C-1,Firefox\n2024-06-11T09:15:10,C-2,\n",
        header=["AT", "customer", "Browser"],
        columns={"CUSTOMER": "user_id", "AT": "timestamp"},
    )
    assert reading.counts == ("loaded", 2, 0, 0)
    assert [(row["user_id"], json.loads(row["extra"])) for row in reading.rows] == [
        ("C-1", {"Browser": "Firefox"}),
        ("C-2", {"Browser": None}),
    ]


def test_a_column_that_the_header_lacks_is_taken_as_empty_and_told(read: Reader) -> None:
    reading = read("CUSTOMER,OPENED_AT\nC-1,2024-06-11T09:15:10\n")
    assert reading.counts == ("loaded", 1, 0, 0)
    assert reading.file.reason == "the header has no column 'MAIL', 'SUBJECT'; taken as empty"
    assert reading.all("user_id", "email", "email_subject") == [("C-1", None, None)]


@pytest.mark.parametrize(
    ("header", "changes", "reason"),
    [
        (
            "CUSTOMER,MAIL,SUBJECT,DT\n",
            {},
            "line 1: the header has no column 'OPENED_AT'; it has CUSTOMER, MAIL, SUBJECT, DT",
        ),
        (
            "CUSTOMER,OPENED_AT\n",
            CODED | {"columns": CODED_COLUMNS},
            "line 1: the header has no column 'WHAT'; it has CUSTOMER, OPENED_AT",
        ),
        (
            "CUSTOMER,customer,OPENED_AT\n",
            {},
            "line 1: the column 'CUSTOMER' stands in the header twice",
        ),
        (
            "LIST,NAME\n",
            {"kind": "lists", "event": None, "columns": {"LIST_ID": "list_id", "NAME": "list_name"}},
            "line 1: the header has no column 'LIST_ID'; it has LIST, NAME",
        ),
    ],
)
def test_a_header_that_a_layout_can_do_nothing_with_refuses_the_file(
    read: Reader, header: str, changes: dict[str, Any], reason: str
) -> None:
    reading = read(header + "1,2\n", **changes)
    assert reading.counts == ("refused", 0, 0, 0)
    assert reading.file.reason == reason


def test_column_names_may_hold_any_character(read: Reader) -> None:
    reading = read(
        'CUSTOMER,OPENED_AT,~a/b,\'q\',"d""q",$.x[*],a b,été,\n'
        "C-1,2024-06-11T09:15:10,1,2,3,4,5,6,7\n"
        ",2024-06-11T09:15:10,1,2,3,4,5,6,7\n"
    )
    assert json.loads(reading.rows[0]["extra"]) == {
        "~a/b": "1",
        "'q'": "2",
        'd"q': "3",
        "$.x[*]": "4",
        "a b": "5",
        "été": "6",
        "": "7",
    }
    assert reading.rejected == [(3, NOBODY_TO_TELL, ",2024-06-11T09:15:10,1,2,3,4,5,6,7")]


def test_the_names_of_a_layout_may_hold_any_character(read: Reader) -> None:
    columns = {'say "who"': "user_id", "it's /when~": "timestamp"}
    reading = read('"say ""who""",it\'s /when~\nC-1,2024-06-11T09:15:10\n', columns=columns)
    assert reading.all("user_id", "occurred_at") == [("C-1", AT)]


def test_text_that_looks_like_sql_is_text(read: Reader) -> None:
    subject = "'; DROP TABLE raw.events; --"
    assert read(HEADER + f"C-1,,{subject},2024-06-11T09:15:10\n").all("email_subject") == [subject]


def test_a_lake_holds_what_a_plain_file_holds(read: Reader, read_into_lake: Reader) -> None:
    content = (
        "CUSTOMER,WHAT,OPENED_AT,Browser\n"
        '007,OPEN,2024-10-27T02:30:00.123456789,"a ""b"", c"\n'
        "C-2,SENT,,\n"
        "C-3,FWD,2024-06-11T09:15:10,\n"
        "C-4,CLICK\n"
        ",CLICK,2024-06-11T09:15:10+02,été ☀\n"
    )
    readings = [reader(content, **CODED, columns=CODED_COLUMNS) for reader in (read, read_into_lake)]
    assert [reading.counts for reading in readings] == [("loaded", 5, 1, 3)] * 2
    assert readings[0].rejected == readings[1].rejected
    dated = ("export_date", "exported_at")
    plain, lake = ([{k: v for k, v in row.items() if k not in dated} for row in reading.rows] for reading in readings)
    assert plain == lake
    assert plain[0]["extra"] == '{"Browser":"a \\"b\\", c"}'


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
    reading = read((HEADER + ZOE + NOBODY + ZOE).replace("\n", line_end))
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
    reading = read((HEADER + ZOE).encode() + b"C-2,,\xe9t\xe9,2024-06-11T09:15:10\n" + (NOBODY + ZOE).encode())
    assert reading.counts == ("loaded", 4, 0, 2)
    assert [(line, reason) for line, reason, _ in reading.rejected] == [
        (3, "the row is not valid utf-8"),
        (4, NOBODY_TO_TELL),
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


# Null values


def test_null_values_stand_for_nothing_also_inside_quotes(read: Reader) -> None:
    reading = read(
        HEADER + 'C-1,NULL,"NULL",2024-06-11T09:15:10\nC-2,"",null,2024-06-11T09:15:10\n', null_values=["", "NULL"]
    )
    assert reading.all("user_id", "email", "email_subject") == [("C-1", None, None), ("C-2", None, "null")]


def test_only_the_null_values_of_the_layout_are_null(read: Reader) -> None:
    reading = read(HEADER + "C-1,,NULL,2024-06-11T09:15:10\n", null_values=["NULL"])
    assert reading.all("email", "email_subject") == [("", None)]


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_a_layout_without_null_values_keeps_every_value(read: Reader, format: str) -> None:
    content = {
        "csv": HEADER + "C-1,,NULL,2024-06-11T09:15:10\n",
        "ndjson": '{"CUSTOMER": "C-1", "MAIL": "", "SUBJECT": "NULL", "OPENED_AT": "2024-06-11T09:15:10"}\n',
    }
    reading = read(content[format], format=format, null_values=[])
    assert reading.counts == ("loaded", 1, 0, 0)
    assert reading.all("email", "email_subject") == [("", "NULL")]


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
            "the date-time '11/06/2024' in column OPENED_AT is not readable as ISO 8601, like 2024-06-11T09:15:10",
        ),
        (
            "C-2,,Soldes,2024-02-31T09:15:10\n",
            "the date-time '2024-02-31T09:15:10' in column OPENED_AT is not readable as ISO 8601, "
            "like 2024-06-11T09:15:10",
        ),
        (NOBODY, NOBODY_TO_TELL),
    ],
)
def test_a_row_that_is_not_understood_is_put_aside_with_a_reason(read: Reader, row: str, reason: str) -> None:
    reading = read(HEADER + ZOE + row + ZOE)
    assert reading.counts == ("loaded", 3, 0, 1)
    assert reading.rejected == [(3, reason, row.rstrip("\n"))]
    assert reading.accepted("row_number") == [1, 3]


def test_a_person_needs_more_than_blanks(read: Reader) -> None:
    reading = read(HEADER + "  , ,Soldes,2024-06-11T09:15:10\n")
    assert reading.reasons == [NOBODY_TO_TELL]


def test_formats_of_date_times_are_named_where_none_fits(read: Reader) -> None:
    formats = ["%d-%m-%Y %H:%M:%S", "%d-%m-%Y"]
    reading = read(HEADER + "C-1,,,11-06-2024\nC-2,,,2024-06-11\n", datetime_formats=formats)
    assert reading.reasons == [
        "the date-time '2024-06-11' in column OPENED_AT is not readable as %d-%m-%Y %H:%M:%S, %d-%m-%Y"
    ]


def test_a_local_time_needs_a_zone(read: Reader) -> None:
    reading = read(HEADER + "C-1,,,2024-06-11T09:15:10\nC-2,,,2024-06-11T09:15:10+02:00\n", timezone=None)
    assert reading.reasons == ["the date-time '2024-06-11T09:15:10' has no offset, and layout opens names no timezone"]
    assert reading.accepted("user_id", "occurred_at") == [("C-2", AT)]


def test_an_hour_that_comes_twice_or_never_is_put_aside_where_the_layout_says_so(read: Reader) -> None:
    rows = "C-1,,,2024-10-27T02:30:00\nC-2,,,2024-03-31T02:30:00\nC-3,,,2024-03-31T03:30:00\n"
    reading = read(HEADER + rows, ambiguous_hour="reject")
    assert reading.reasons == [
        "the local time '2024-10-27T02:30:00' is ambiguous (clocks change), and ambiguous_hour says reject",
        "the local time '2024-03-31T02:30:00' is nonexistent (clocks change), and ambiguous_hour says reject",
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


# Codes


def test_codes_become_events_are_skipped_or_are_put_aside(read: Reader) -> None:
    reading = read(
        "CUSTOMER,WHAT,OPENED_AT\n"
        "C-1,OPEN,2024-06-11T09:15:10\n"
        "C-1,CLICK,2024-06-11T09:15:10\n"
        "C-1,SENT,2024-06-11T09:15:10\n"
        "C-1,FWD,2024-06-11T09:15:10\n"
        "C-1,open,2024-06-11T09:15:10\n"
        "C-1,,2024-06-11T09:15:10\n",
        **CODED,
        columns=CODED_COLUMNS,
    )
    assert reading.counts == ("loaded", 6, 1, 3)
    assert reading.all("event_code", "event") == [
        ("OPEN", "Email Opened"),
        ("CLICK", "Email Link Clicked"),
        ("SENT", None),
        ("FWD", None),
        ("open", None),
        (None, None),
    ]
    assert reading.rejected == [
        (
            5,
            "unknown event code 'FWD' in column WHAT; list it in event_codes of layout opens",
            "C-1,FWD,2024-06-11T09:15:10",
        ),
        (
            6,
            "unknown event code 'open' in column WHAT; list it in event_codes of layout opens",
            "C-1,open,2024-06-11T09:15:10",
        ),
        (7, "no event code in column WHAT", "C-1,,2024-06-11T09:15:10"),
    ]


def test_a_code_that_is_not_listed_means_the_default_where_there_is_one(read: Reader) -> None:
    changes = CODED | {"event_codes_default": "Email Bounced", "columns": CODED_COLUMNS}
    reading = read(
        "CUSTOMER,WHAT,OPENED_AT\n" + "".join(f"C-1,{code},2024-06-11T09:15:10\n" for code in ["OPEN", "SENT", "FWD"]),
        **changes,
    )
    assert reading.counts == ("loaded", 3, 1, 0)
    assert reading.all("event") == ["Email Opened", None, "Email Bounced"]


def test_a_default_needs_no_listed_code(read: Reader) -> None:
    changes = CODED | {"event_codes": {}, "event_codes_default": "Email Bounced", "columns": CODED_COLUMNS}
    assert read("CUSTOMER,WHAT,OPENED_AT\nC-1,9,2024-06-11T09:15:10\n", **changes).all("event") == ["Email Bounced"]


def test_a_row_that_is_skipped_is_not_judged(read: Reader) -> None:
    reading = read("CUSTOMER,WHAT,OPENED_AT\n,SENT,nonsense\n", **CODED, columns=CODED_COLUMNS)
    assert reading.counts == ("loaded", 1, 1, 0)


def test_the_code_is_judged_before_the_date_time_and_the_date_time_before_the_person(read: Reader) -> None:
    reading = read("CUSTOMER,WHAT,OPENED_AT\n,FWD,nonsense\n,OPEN,nonsense\n", **CODED, columns=CODED_COLUMNS)
    assert [reason.split("'")[0] for reason in reading.reasons] == ["unknown event code ", "the date-time "]


def test_a_code_column_may_have_a_meaning_too(read: Reader) -> None:
    columns = {"CUSTOMER": "user_id", "WHAT": "link_name", "AT": "timestamp"}
    reading = read("CUSTOMER,What,AT\nC-1,CLICK,2024-06-11T09:15:10\n", **CODED, columns=columns)
    assert reading.all("event", "event_code", "link_name", "extra") == [
        ("Email Link Clicked", "CLICK", "CLICK", None),
    ]


# Lines


def test_lines_are_counted_from_the_first_line_of_the_file(read: Reader) -> None:
    assert read(HEADER + NOBODY + ZOE + NOBODY).lines == [2, 4]
    assert read(NOBODY + ZOE + NOBODY, header=NAMES).lines == [1, 3]


def test_rows_that_could_not_be_read_before_a_row_do_not_move_its_line(read: Reader) -> None:
    reading = read(HEADER + HALF + NOBODY + ZOE + HALF + HALF + NOBODY + ZOE + NOBODY + HALF)
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
        rows[number - 1] = NOBODY
    reading = read(HEADER + "".join(rows))
    assert reading.counts == ("loaded", 3_500, 0, 7)
    assert reading.lines == [2, 3, 1_750, 1_751, 1_752, 3_500, 3_501]
    assert reading.accepted("row_number") == [*range(2, 1_748), *range(1_750, 3_497)]
    assert reading.accepted("user_id") == [f"C-{number}" for number in (*range(3, 1_749), *range(1_752, 3_499))]


# NDJSON


JSON_COLUMNS = {"who": "user_id", "mail": "email", "about": "email_subject", "when": "timestamp"}
NDJSON: dict[str, Any] = {"format": "ndjson", "columns": JSON_COLUMNS}
JSON_ROW = '{"who": "C-1", "about": "Soldes", "when": "2024-06-11T09:15:10"}\n'


def test_a_json_object_a_line_becomes_a_row(read: Reader) -> None:
    reading = read(
        JSON_ROW
        + '{"when": "2024-06-11T09:15:10", "mail": "zoe@example.com", "who": 7743, "about": null}\n'
        + '{"who": true, "about": {"nl": "Koopjes"}, "when": "2024-06-11T09:15:10"}\n',
        **NDJSON,
    )
    assert reading.counts == ("loaded", 3, 0, 0)
    assert reading.all("row_number", "user_id", "email", "email_subject", "occurred_at") == [
        (1, "C-1", None, "Soldes", AT),
        (2, "7743", "zoe@example.com", None, AT),
        (3, "true", None, '{"nl":"Koopjes"}', AT),
    ]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_json_lines_are_unpacked_and_their_byte_order_mark_left_out(read: Reader, packed: bool) -> None:
    content = JSON_ROW.encode("utf-8-sig")
    assert read(gzip.compress(content) if packed else content, **NDJSON).all("user_id") == ["C-1"]


def test_long_numbers_keep_their_digits(read: Reader) -> None:
    reading = read('{"who": 12345678901234567890123, "when": "2024-06-11T09:15:10"}\n', **NDJSON)
    assert reading.all("user_id") == ["12345678901234567890123"]


def test_a_line_that_is_no_json_object_is_put_aside_with_its_text(read: Reader) -> None:
    reading = read(
        JSON_ROW + '{"who": "C-1", "ab\n' + '["C-1"]\n' + "null\n" + '"C-1"\n' + "  \n" + JSON_ROW + JSON_ROW.strip(),
        **NDJSON,
    )
    assert reading.counts == ("loaded", 8, 0, 5)
    assert reading.rejected == [
        (2, "the line is no JSON object", '{"who": "C-1", "ab'),
        (3, "the line is no JSON object", '["C-1"]'),
        (4, "the line is no JSON object", "null"),
        (5, "the line is no JSON object", '"C-1"'),
        (6, "the line is no JSON object", "  "),
    ]
    assert reading.accepted("row_number") == [1, 7, 8]


def test_a_line_nested_without_end_is_put_aside_like_any_other(read: Reader) -> None:
    reading = read("[" * 100_000 + "\n" + JSON_ROW, **NDJSON)
    assert reading.counts == ("loaded", 2, 0, 1)
    assert reading.accepted("user_id") == ["C-1"]


def test_blank_json_lines_are_no_rows_but_lines(read: Reader) -> None:
    reading = read("\n" + JSON_ROW + "\n\n" + '{"about": "nobody", "when": "2024-06-11T09:15:10"}\n', **NDJSON)
    assert reading.counts == ("loaded", 2, 0, 1)
    assert reading.lines == [5]


def test_bytes_that_are_no_utf_8_cost_their_json_line(read: Reader) -> None:
    reading = read(JSON_ROW.encode() + b'{"who": "\xe9"}\n' + b"{}\n", **NDJSON)
    assert [(line, reason) for line, reason, _ in reading.rejected] == [
        (2, "the row is not valid utf-8"),
        (3, "no date-time in column when"),
    ]


def test_keys_that_the_layout_does_not_name_are_kept_with_their_types(read: Reader) -> None:
    further = {"device": {"os": None, "sizes": [1, 2.5, None]}, "count": 3, "true": True, "none": None, "WHO_ELSE": ""}
    line = json.dumps({"who": "C-1", "when": "2024-06-11T09:15:10"} | further)
    [extra] = read(line + "\n", **NDJSON).all("extra")
    assert json.loads(extra) == further


def test_an_object_with_nothing_else_keeps_nothing_beside_the_row(read: Reader) -> None:
    assert read(JSON_ROW, **NDJSON).all("extra") == [None]


def test_a_key_inside_another_object_is_none_of_the_row(read: Reader) -> None:
    line = '{"who": "C-1", "person": {"who": "C-2", "when": "never"}, "when": "2024-06-11T09:15:10"}\n'
    reading = read(line, **NDJSON)
    assert reading.all("user_id", "occurred_at") == [("C-1", AT)]
    assert json.loads(reading.rows[0]["extra"]) == {"person": {"who": "C-2", "when": "never"}}


def test_keys_match_without_regard_to_case(read: Reader) -> None:
    reading = read('{"WHO": "C-1", "When": "2024-06-11T09:15:10"}\n', **NDJSON)
    assert reading.all("user_id", "occurred_at", "extra") == [("C-1", AT, None)]


def test_each_line_may_spell_its_keys_in_its_own_way(read: Reader) -> None:
    spellings = ("who", "WHO", "Who")
    lines = "".join(f'{{"{who}": "C-1", "when": "2024-06-11T09:15:10"}}\n' for who in spellings)
    reading = read(lines, **NDJSON)
    assert reading.all("user_id", "extra") == [("C-1", None)] * 3


def test_null_values_stand_for_nothing_in_json_too(read: Reader) -> None:
    line = '{"who": "C-1", "mail": "NULL", "about": "", "when": "2024-06-11T09:15:10"}\n'
    assert read(line, **NDJSON, null_values=["NULL", ""]).all("email", "email_subject") == [(None, None)]


def test_json_rows_have_codes_as_others_do(read: Reader) -> None:
    columns = {"who": "user_id", "when": "timestamp"}
    reading = read(
        "".join(
            f'{{"what": {code}, "who": "C-1", "when": "2024-06-11T09:15:10"}}\n' for code in ['"OPEN"', '"SENT"', 30]
        )
        + '{"who": "C-1", "when": "2024-06-11T09:15:10"}\n',
        format="ndjson",
        event=None,
        event_column="what",
        event_codes={"OPEN": "Email Opened", "SENT": None},
        columns=columns,
    )
    assert reading.counts == ("loaded", 4, 1, 2)
    assert reading.reasons == [
        "unknown event code '30' in column what; list it in event_codes of layout opens",
        "no event code in column what",
    ]


def test_the_text_of_a_rejected_json_row_says_all_that_the_row_said(read: Reader) -> None:
    document = {"what": "FWD", "who": "C-1", "when": "2024-06-11T09:15:10", "device": {"os": "iOS"}}
    reading = read(
        json.dumps(document) + "\n",
        format="ndjson",
        event=None,
        event_column="what",
        event_codes={"OPEN": "Email Opened"},
        columns={"who": "user_id", "when": "timestamp"},
    )
    [(_, _, text)] = reading.rejected
    assert json.loads(text) == document


def test_keys_that_break_loaders_break_nothing_here(read: Reader) -> None:
    further: dict[str, Any] = {
        "name": "dummy",
        "?!": 1,
        "%#@": 2,
        "秒速５センチメートル": 3,
        "Test Name; DROP DATABASE public; SELECT 1 from DUAL;": 4,
        "1test_name": 5,
        "2": 6,
        "": 7,
        "x" * 230: 8,
        "select": 9,
        "__ROOT__": 10,
        "row_number": 11,
        "document": 12,
        "line": 13,
        "extra": 14,
        "$": 15,
        "$.a": 16,
        "a/b~c": 17,
        "it's": 18,
        'say "hi"': 19,
        "back\\slash": 20,
        "nul\x00": 21,
        "*": 22,
    }
    reading = read(json.dumps({"who": "C-1", "when": "2024-06-11T09:15:10"} | further) + "\n", **NDJSON)
    assert reading.counts == ("loaded", 1, 0, 0)
    assert json.loads(reading.rows[0]["extra"]) == further


# Lookups


LOOKED_UP = (
    "email_id",
    "email_subject",
    "campaign_id",
    "campaign_name",
    "link_id",
    "link_name",
    "list_id",
    "list_name",
    "selligent_user_id",
    "user_id",
    "email",
)


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        (
            "emails",
            "email_id,email_subject\n7743,Soldes d'été\n",
            {"email_id": "7743", "email_subject": "Soldes d'été"},
        ),
        ("campaigns", "campaign_name,campaign_id\nWeekly,05\n", {"campaign_id": "05", "campaign_name": "Weekly"}),
        ("links", 'LINK_ID,LINK_NAME\n2071,"a ""b"""\n', {"link_id": "2071", "link_name": 'a "b"'}),
        ("lists", "list_id,list_name,NOTE\n12,,new\n", {"list_id": "12"}),
        (
            "contacts",
            "list_id,selligent_user_id,user_id,email\n12,884301,C-1,zoe@example.com\n",
            {"list_id": "12", "selligent_user_id": "884301", "user_id": "C-1", "email": "zoe@example.com"},
        ),
    ],
)
def test_a_lookup_gives_names_to_ids(read: Reader, kind: str, content: str, said: dict[str, str]) -> None:
    lookup = LOOKUPS[kind]
    reading = read(content, kind=kind, event=None, columns={name: name for name in (*lookup.key, *lookup.values)})
    assert reading.counts == ("loaded", 1, 0, 0)
    [found] = reading.lookups
    assert {name: found[name] for name in LOOKED_UP} == dict.fromkeys(LOOKED_UP) | said
    assert (found["kind"], found["row_number"], found["file"]) == (kind, 1, "opens.csv")
    assert reading.rows == []


CONTACTS: dict[str, Any] = {
    "kind": "contacts",
    "event": None,
    "columns": {"LIST": "list_id", "USER": "selligent_user_id", "KEY": "user_id", "MAIL": "email"},
}


def test_contacts_say_who_a_lists_user_is(read: Reader) -> None:
    reading = read(
        "LIST,USER,KEY,MAIL,NAME\n12,884301,C-1,zoe@example.com,Zoë\n12,884302,,jef@example.com,Jef\n", **CONTACTS
    )
    assert [(row["list_id"], row["selligent_user_id"], row["user_id"], row["email"]) for row in reading.lookups] == [
        ("12", "884301", "C-1", "zoe@example.com"),
        ("12", "884302", None, "jef@example.com"),
    ]


def test_a_lookup_row_without_its_key_is_put_aside_with_its_line(read: Reader) -> None:
    reading = read("LIST,USER,KEY,MAIL\n12,884301\n,884302,C-2,jef@example.com\n12,,C-3,\n12,884304,C-4,\n", **CONTACTS)
    assert reading.counts == ("loaded", 4, 0, 3)
    assert [row["user_id"] for row in reading.lookups] == ["C-4"]
    assert [(line, reason) for line, reason, _ in reading.rejected] == [
        (2, FEWER),
        (3, "no list_id or no selligent_user_id"),
        (4, "no list_id or no selligent_user_id"),
    ]
    assert "jef@example.com" in reading.rejected[1][2]


def test_a_lookup_may_come_as_json_or_without_a_header(read: Reader) -> None:
    lists: dict[str, Any] = {"kind": "lists", "event": None, "columns": {"ID": "list_id", "NAME": "list_name"}}
    as_json = read('{"id": 12, "Name": "Nieuwsbrief"}\n{"Name": "nobody\'s"}\n', format="ndjson", **lists)
    bare = read("Nieuwsbrief;12\n", header=["NAME", "ID"], delimiter=";", **lists)
    for reading in (as_json, bare):
        assert [(row["list_id"], row["list_name"]) for row in reading.lookups] == [("12", "Nieuwsbrief")]
    assert as_json.rejected == [(2, "no list_id", '{"Name": "nobody\'s"}')]


# Names of files


@pytest.mark.parametrize(
    "name", ["opens of zoë's.csv", 'opens "1".csv', "opens%20;--.csv", "2024/06/opens.csv", "opens{a,b}.csv"]
)
def test_a_file_may_be_called_anything(read: Reader, name: str) -> None:
    reading = read(HEADER + ZOE, name=name, files=".*")
    assert reading.counts == ("loaded", 1, 0, 0)
    assert reading.all("file") == [name]
