"""Parquet files: columns by name, values as text, and what is refused."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.exports.counted_files import zipped
from tests.support.export_folder import AT, CODED, CODED_COLUMNS, UNIDENTIFIED, Reader

PARQUET: dict[str, Any] = {"format": "parquet"}
NAME = "opens.parquet"
COLUMNS = ["CUSTOMER", "MAIL", "SUBJECT", "OPENED_AT"]
ZOE = "'C-1' AS CUSTOMER, 'zoe@example.com' AS MAIL, 'Soldes' AS SUBJECT, TIMESTAMP '2024-06-11 09:15:10' AS OPENED_AT"
Written = Callable[..., bytes]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes the rows of a query to a Parquet file, and returns its bytes."""

    def of(query: str, options: str = "") -> bytes:
        path = tmp_path / "written.parquet"
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'America/New_York'")
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet{options})")
        return path.read_bytes()

    return of


def rows(*values: str) -> str:
    """A query for rows of the four columns of a layout of opens."""
    return f"SELECT * FROM (VALUES {', '.join(values)}) AS opens({', '.join(COLUMNS)})"


def test_a_row_of_a_parquet_file_becomes_an_event(read: Reader, written: Written) -> None:
    reading = read(written(f"SELECT {ZOE}"), NAME, **PARQUET)
    assert reading.counts == ("loaded", 1, 0, 0)
    assert reading.all("row_number", "user_id", "email", "email_subject", "occurred_at", "extra") == [
        (1, "C-1", "zoe@example.com", "Soldes", AT, None)
    ]
    assert reading.file.records == 1


def test_columns_match_by_name_in_any_order_and_case(read: Reader, written: Written) -> None:
    query = "SELECT TIMESTAMP '2024-06-11 09:15:10' AS opened_at, 'C-1' AS \" Customer \", 'a/b~c' AS \"it's / ~ odd\""
    reading = read(written(query), NAME, **PARQUET)
    assert reading.all("user_id", "email", "occurred_at") == [("C-1", None, AT)]
    assert json.loads(reading.rows[0]["extra"]) == {"it's / ~ odd": "a/b~c"}
    assert reading.file.reason == (
        "the file has no column 'MAIL', 'SUBJECT'; its values are treated as empty; no person is identified by 'MAIL'"
    )


VALUES = {
    "TRUE": "true",
    "-12::TINYINT": "-12",
    "9007199254740993::BIGINT": "9007199254740993",
    "18446744073709551615::UBIGINT": "18446744073709551615",
    "12.50::DECIMAL(9,2)": "12.50",
    "1.5::DOUBLE": "1.5",
    "'Zoé ☃'": "Zoé ☃",
    "encode('Zoé')": "Zoé",
    "'\\xFF\\x00'::BLOB": "\\xFF\\x00",
    "DATE '2024-06-11'": "2024-06-11",
    "TIME '09:15:10'": "09:15:10",
    "TIMESTAMP '2024-06-11 09:15:10.5'": "2024-06-11 09:15:10.5",
    "TIMESTAMPTZ '2024-06-11 09:15:10+02'": "2024-06-11 07:15:10+00",
    "INTERVAL 36 HOUR": "36:00:00",
    "'1b4e28ba-2fa1-41d2-883f-0016d3cca427'::UUID": "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
    "'a'::ENUM('a', 'b')": "a",
    "[1, NULL, 2]": "[1,null,2]",
    "{'os': 'iOS', 'at': TIMESTAMP '2024-06-11 09:15:10'}": '{"os":"iOS","at":"2024-06-11 09:15:10"}',
    "MAP {'k': [1]}": '{"k":[1]}',
    "'{\"a\": 1}'::JSON": '{"a": 1}',
    "NULL::VARCHAR": None,
    "''": None,
}


def test_values_of_all_types_become_text(read: Reader, written: Written) -> None:
    listed = ", ".join(f"{value} AS v{number}" for number, value in enumerate(VALUES))
    reading = read(written(f"SELECT {ZOE}, {listed}"), NAME, **PARQUET)
    extra = json.loads(reading.rows[0]["extra"])
    assert list(extra.values()) == list(VALUES.values())


def test_a_value_of_any_type_can_have_a_meaning(read: Reader, written: Written) -> None:
    query = "SELECT 7743 AS CUSTOMER, {'nl': 'Koopjes'} AS SUBJECT, TIMESTAMP_NS '2024-06-11 09:15:10' AS OPENED_AT"
    assert read(written(query), NAME, **PARQUET).all("user_id", "email_subject", "occurred_at") == [
        ("7743", '{"nl":"Koopjes"}', AT)
    ]


@pytest.mark.parametrize("zone", ["Europe/Brussels", "Asia/Tokyo", None])
def test_a_timestamp_with_its_zone_is_the_same_moment_under_any_layout(
    read: Reader, written: Written, zone: str | None
) -> None:
    query = "SELECT 'C-1' AS CUSTOMER, TIMESTAMPTZ '2024-06-11 09:15:10.25+02' AS OPENED_AT"
    reading = read(written(query), NAME, **PARQUET, timezone=zone)
    assert reading.all("timestamp", "occurred_at") == [("2024-06-11 07:15:10.25+00", AT.replace(microsecond=250_000))]


def test_a_timestamp_without_zone_is_local_time_of_the_layout(read: Reader, written: Written) -> None:
    content = written(f"SELECT {ZOE}")
    assert read(content, NAME, **PARQUET, timezone="Asia/Tokyo").all("occurred_at") == [
        datetime(2024, 6, 11, 0, 15, 10, tzinfo=UTC)
    ]
    reading = read(content, NAME, **PARQUET, timezone=None)
    assert reading.reasons == ["the date-time '2024-06-11 09:15:10' has no offset, and layout opens names no timezone"]


def test_dates_in_text_are_read_by_the_formats_of_the_layout(read: Reader, written: Written) -> None:
    query = "SELECT 'C-1' AS CUSTOMER, '11-06-2024 09:15:10' AS OPENED_AT"
    reading = read(written(query), NAME, **PARQUET, datetime_formats=["%d-%m-%Y %H:%M:%S"])
    assert reading.all("occurred_at") == [AT]


def test_null_values_are_compared_with_the_text(read: Reader, written: Written) -> None:
    query = "SELECT 'C-1' AS CUSTOMER, 'NULL' AS MAIL, 0 AS SUBJECT, '2024-06-11T09:15:10' AS OPENED_AT, '' AS more"
    reading = read(written(query), NAME, **PARQUET, null_values=["NULL", "0"])
    assert reading.all("email", "email_subject") == [(None, None)]
    assert json.loads(reading.rows[0]["extra"]) == {"more": ""}


def test_rejected_rows_have_their_position_and_their_values(read: Reader, written: Written) -> None:
    query = rows("('C-1', NULL, 'a', '2024-06-11T09:15:10')", "(NULL, '', 'b', 'x')", "('C-2', NULL, 'c', 'never')")
    reading = read(written(query), NAME, **PARQUET)
    assert reading.counts == ("loaded", 3, 0, 2)
    assert reading.lines == [2, 3]
    assert reading.reasons[1].startswith("the date-time 'never' in column OPENED_AT cannot be read as")
    assert json.loads(reading.rejected[1][2]) == {"CUSTOMER": "C-2", "SUBJECT": "c", "OPENED_AT": "never"}


def test_rows_without_a_person_are_rejected(read: Reader, written: Written) -> None:
    reading = read(written(rows("(NULL, NULL, 'a', '2024-06-11T09:15:10')")), NAME, **PARQUET)
    assert reading.reasons == [UNIDENTIFIED]


def test_codes_of_numbers_and_text_are_compared_as_text(read: Reader, written: Written) -> None:
    query = (
        "SELECT 'C-1' AS CUSTOMER, NULL::VARCHAR AS MAIL, '2024-06-11T09:15:10' AS OPENED_AT, unnest([1, 2, 3]) AS WHAT"
    )
    codes = CODED | {"event_codes": {"1": "Email Opened", "2": None}}
    reading = read(written(query), NAME, **PARQUET, **codes, columns=CODED_COLUMNS)
    assert reading.counts == ("loaded", 3, 1, 1)
    assert reading.reasons == ["unknown event code '3' in column WHAT; list it in event_codes of layout opens"]


def test_a_lookup_can_be_a_parquet_file(read: Reader, written: Written) -> None:
    lists: dict[str, Any] = {
        "kind": "lists",
        "timezone": None,
        "event": None,
        "columns": {"id": "list_id", "name": "list_name"},
    }
    query = "SELECT * FROM (VALUES (12, 'Nieuwsbrief'), (NULL, 'nobody''s')) AS lists(id, name)"
    reading = read(written(query), "lists.parquet", **PARQUET, **lists, files="lists.*")
    assert [(row["list_id"], row["list_name"]) for row in reading.lookups] == [("12", "Nieuwsbrief")]
    assert reading.rejected == [(2, "no list_id", '{"id":null,"name":"nobody\'s"}')]


def test_a_file_of_many_row_groups_keeps_its_order(read: Reader, written: Written) -> None:
    query = "SELECT 'C-' || i AS CUSTOMER, * FROM range(30000) AS r(i), (SELECT TIMESTAMP '2024-06-11' AS OPENED_AT)"
    reading = read(written(query, ", ROW_GROUP_SIZE 2048, COMPRESSION zstd"), NAME, **PARQUET)
    assert reading.counts == ("loaded", 30_000, 0, 0)
    assert reading.all("user_id") == [f"C-{number}" for number in range(30_000)]


def test_a_file_without_rows_is_loaded(read: Reader, written: Written) -> None:
    assert read(written(f"SELECT {ZOE} LIMIT 0"), NAME, **PARQUET).counts == ("loaded", 0, 0, 0)


def test_a_packed_file_is_unpacked(read: Reader, written: Written) -> None:
    content = written(f"SELECT {ZOE}")
    assert read(gzip.compress(content), "opens.parquet.gz", **PARQUET).all("occurred_at") == [AT]
    assert read(zipped({"a.parquet": content}), "opens.zip", **PARQUET).all("occurred_at") == [AT]


def test_the_files_of_an_archive_are_one_table_with_positions_of_their_own(read: Reader, written: Written) -> None:
    first = written(rows("('C-1', NULL, 'a', '2024-06-11T09:15:10')", "('C-2', NULL, 'a', 'never')"))
    second = written("SELECT 'never' AS opened_at, 'C-3' AS customer, 1 AS device")
    reading = read(zipped({"1.parquet": first, "2.parquet": second}), "opens.zip", **PARQUET)
    assert reading.all("row_number", "user_id") == [(1, "C-1"), (2, "C-2"), (3, "C-3")]
    assert [(line, reason[:16]) for line, reason, _ in sorted(reading.rejected)] == [
        (1, "in 2.parquet: th"),
        (2, "in 1.parquet: th"),
    ]
    assert [row["extra"] and json.loads(row["extra"]) for row in reading.rows][2] == {"device": "1"}


# What is refused


def test_a_file_without_a_required_column_is_refused_with_its_columns(read: Reader, written: Written) -> None:
    reading = read(written("SELECT 'C-1' AS CUSTOMER, 1 AS opens"), NAME, **PARQUET)
    assert reading.file.status == "refused"
    assert reading.file.reason == "the file has no column 'OPENED_AT'; it has 'CUSTOMER', 'opens'"


def test_daily_aggregates_are_refused_as_such(read: Reader, written: Written) -> None:
    reading = read(written("SELECT 1 AS opens, 2 AS clicks, 3 AS bounces"), NAME, **PARQUET)
    assert reading.file.reason is not None
    assert "are counts, so it may be an aggregate, not an export of events" in reading.file.reason


def test_a_column_that_occurs_twice_is_refused_if_the_layout_uses_it(read: Reader, written: Written) -> None:
    content = written(f"SELECT {ZOE}, 1 AS MAIX, {{'CUSTOMER': 1}} AS device").replace(b"MAIX", b"mail")
    reading = read(content, NAME, **PARQUET)
    assert reading.file.reason == (
        "the column 'MAIL' is in the file more than once, so it is not clear which one is meant; rename one of them"
    )


def test_more_columns_than_can_be_read_are_refused(read: Reader, written: Written) -> None:
    columns = ", ".join(f"1 AS c{number}" for number in range(601))
    reading = read(written(f"SELECT {columns}"), NAME, **PARQUET)
    assert reading.file.reason == "it has 601 columns, and at most 600 are read"


@pytest.mark.parametrize("content", [b"", b"CUSTOMER,OPENED_AT\nC-1,2024-06-11T09:15:10\n", b"{}\n"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_other_files_are_refused_under_a_layout_of_parquet(read: Reader, content: bytes, packed: bool) -> None:
    reading = read(gzip.compress(content) if packed else content, NAME, **PARQUET)
    assert reading.file.status == "refused"
    assert reading.file.reason == "is not a Parquet file, although its layout has format: parquet"


@pytest.mark.parametrize("format", ["csv", "ndjson"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "zip"])
def test_parquet_files_are_refused_under_other_layouts(
    read: Reader, written: Written, format: str, packed: bool
) -> None:
    content = written(f"SELECT {ZOE}")
    reading = read(zipped({"a.parquet": content}) if packed else content, NAME, format=format)
    assert reading.file.status == "refused"
    assert reading.file.reason == "is a Parquet file; its layout needs format: parquet"


def test_an_encrypted_file_is_refused_as_such(read: Reader) -> None:
    reading = read(b"PARE" + bytes(100) + b"PARE", NAME, **PARQUET)
    assert reading.file.reason == "is an encrypted Parquet file; have the export written without encryption"


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
def test_a_file_that_is_cut_off_is_refused(read: Reader, written: Written, share: float) -> None:
    content = written(f"SELECT {ZOE} FROM range(1000)")
    reading = read(content[: int(len(content) * share)], NAME, **PARQUET)
    assert reading.file.status == "refused"
    assert reading.file.reason is not None
    assert reading.file.reason.startswith("can't be read as parquet, so it is cut off or damaged: ")
    assert "/" not in reading.file.reason.replace("n/a", "")  # no path of this machine


def test_a_damaged_file_is_refused_and_the_next_one_is_loaded(read: Reader, written: Written) -> None:
    content = written("SELECT uuid() AS CUSTOMER, TIMESTAMP '2024-06-11' AS OPENED_AT FROM range(5000)")
    damaged = [content[:at] + bytes(200) + content[at + 200 :] for at in range(100, len(content) - 200, 9001)]
    for each in damaged:
        reading = read(each, NAME, **PARQUET)
        assert reading.counts in (("refused", 0, 0, 0), ("loaded", 5000, 0, 0))
    assert read(content, NAME, **PARQUET).counts == ("loaded", 5000, 0, 0)


def test_texts_that_are_no_utf_8_are_refused(read: Reader, written: Written) -> None:
    content = written(f"SELECT {ZOE}").replace(b"Soldes", b"S\xff\xffdes")
    assert read(content, NAME, **PARQUET).file.status == "refused"


def test_a_name_that_promises_other_rows_than_the_file_has_refuses_it(read: Reader, written: Written) -> None:
    content = written(f"SELECT {ZOE} FROM range(3)")
    files = r"opens_(?P<rows>\d+)\.parquet"
    assert read(content, "opens_3.parquet", **PARQUET, files=files).counts == ("loaded", 3, 0, 0)
    reading = read(content, "opens_4.parquet", **PARQUET, files=files)
    assert reading.file.reason is not None
    assert reading.file.reason.startswith("4 rows are announced by its name or its ready marker, but it has 3")
