"""One file becomes rows: every value as text, every row with its number and where it came from."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.export_folder import AT, CODED, CODED_COLUMNS, HEADER, UNIDENTIFIED, ZOE, Reader

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
    assert reading.file.reason == (
        "the file has no column 'MAIL', 'SUBJECT'; its values are treated as empty; no person is identified by 'MAIL'"
    )
    assert reading.all("user_id", "email", "email_subject") == [("C-1", None, None)]


@pytest.mark.parametrize(
    ("header", "changes", "reason"),
    [
        (
            "CUSTOMER,MAIL,SUBJECT,DT\n",
            {},
            "line 1: the header has no column 'OPENED_AT'; it has 'CUSTOMER', 'MAIL', 'SUBJECT', 'DT'",
        ),
        (
            "CUSTOMER,OPENED_AT\n",
            CODED | {"columns": CODED_COLUMNS},
            "line 1: the header has no column 'WHAT'; it has 'CUSTOMER', 'OPENED_AT'",
        ),
        (
            "CUSTOMER,customer,OPENED_AT\n",
            {},
            "line 1: the column 'CUSTOMER' is in the header more than once, so it is not clear which one is meant; "
            "list the names under header:",
        ),
        (
            "LIST,NAME\n",
            {"kind": "lists", "event": None, "columns": {"LIST_ID": "list_id", "NAME": "list_name"}},
            "line 1: the header has no column 'LIST_ID'; it has 'LIST', 'NAME'",
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
    assert reading.rejected == [(3, UNIDENTIFIED, ",2024-06-11T09:15:10,1,2,3,4,5,6,7")]


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


# Names of files


@pytest.mark.parametrize(
    "name", ["opens of zoë's.csv", 'opens "1".csv', "opens%20;--.csv", "2024/06/opens.csv", "opens{a,b}.csv"]
)
def test_a_file_may_be_called_anything(read: Reader, name: str) -> None:
    reading = read(HEADER + ZOE, name=name, files=".*")
    assert reading.counts == ("loaded", 1, 0, 0)
    assert reading.all("file") == [name]
