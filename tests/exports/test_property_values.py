"""Properties of a layout: the types of their values, and what their type can't read."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.export_folder import CODED, CODED_COLUMNS, Reader
from tests.support.random_files import IN_FILES

ALL_TYPES: dict[str, Any] = {
    "REASON": "bounceReason",
    "CODE": {"name": "bounce_code", "type": "integer"},
    "SCORE": {"name": "score", "type": "number"},
    "VIP": {"name": "is_vip", "type": "boolean"},
    "DUE": {"name": "due at", "type": "timestamp"},
}
HEADER = "CUSTOMER,OPENED_AT,REASON,CODE,SCORE,VIP,DUE\n"
LAYOUT: dict[str, Any] = {"columns": {"CUSTOMER": "user_id", "OPENED_AT": "timestamp"}, "properties": ALL_TYPES}
# Of random files: to load another file takes far longer than to read further values.
ROWS = 12
PERSON = "C-1,2024-06-11T09:15:10"


def properties(read: Reader, *cells: str, **changes: Any) -> tuple[dict[str, Any], list[str] | None]:
    """The properties of a row with these cells, and the names of those that can't be read."""
    reading = read(HEADER + ",".join([PERSON, *cells]) + "\n", **LAYOUT | changes)
    [(found, unreadable)] = reading.all("properties", "unreadable_properties")
    return json.loads(found), unreadable


def one(read: Reader, kind: str, text: str, **changes: Any) -> tuple[Any, bool]:
    """The value of one property, and whether its text can't be read."""
    layout = LAYOUT | {"properties": {"VALUE": {"name": "value", "type": kind}}} | changes
    quoted = '"' + text.replace('"', '""') + '"'
    reading = read(f"CUSTOMER,OPENED_AT,VALUE\n{PERSON},{quoted}\n", **layout)
    [(found, unreadable)] = reading.all("properties", "unreadable_properties")
    assert reading.counts == ("loaded", 1, 0, 0)
    return json.loads(found)["value"], unreadable == ["value"]


def test_values_have_the_types_of_their_properties(read: Reader) -> None:
    found, unreadable = properties(read, "mailbox full", "552", "0.5", "yes", "2024-06-12T08:00:00")
    assert found == {
        "bounceReason": "mailbox full",
        "bounce_code": 552,
        "score": 0.5,
        "is_vip": True,
        "due at": "2024-06-12T06:00:00.000000Z",
    }
    assert unreadable is None


def test_a_row_without_values_has_null_properties(read: Reader) -> None:
    found, unreadable = properties(read, "", "", " ", "", "")
    assert set(found.values()) == {None}
    assert unreadable is None


def test_values_that_their_type_cannot_read_are_null_and_named(read: Reader) -> None:
    found, unreadable = properties(read, "full", "5x", "1.2.3", "maybe", "tomorrow")
    assert found == {"bounceReason": "full", "bounce_code": None, "score": None, "is_vip": None, "due at": None}
    assert unreadable == ["bounce_code", "score", "is_vip", "due at"]


def test_the_text_of_a_property_is_kept_beside_the_row(read: Reader) -> None:
    reading = read(f"{HEADER}{PERSON},full,5x,,,\n", **LAYOUT)
    assert json.loads(reading.rows[0]["extra"]) == {
        "REASON": "full",
        "CODE": "5x",
        "SCORE": None,
        "VIP": None,
        "DUE": None,
    }


def test_a_layout_without_properties_has_none(read: Reader) -> None:
    reading = read(f"{HEADER}{PERSON},full,5x,,,\n", columns=LAYOUT["columns"])
    assert reading.all("properties", "unreadable_properties") == [(None, None)]


def test_a_column_that_the_file_lacks_is_a_warning(read: Reader) -> None:
    reading = read(f"CUSTOMER,OPENED_AT,code\n{PERSON},7\n", **LAYOUT)
    assert json.loads(reading.rows[0]["properties"])["bounce_code"] == 7
    assert reading.file.reason == (
        "the file has no column 'REASON', 'SCORE', 'VIP', 'DUE'; its values are treated as empty"
    )


def test_of_a_column_that_is_there_twice_none_is_taken(read: Reader) -> None:
    reading = read(f"CUSTOMER,OPENED_AT,CODE,Code\n{PERSON},7,8\n", **LAYOUT)
    assert json.loads(reading.rows[0]["properties"])["bounce_code"] is None
    assert json.loads(reading.rows[0]["extra"]) == {"CODE_3": "7", "Code_4": "8"}
    assert reading.counts == ("loaded", 1, 0, 0)


def test_a_column_with_a_meaning_or_the_code_can_be_a_property_too(read: Reader) -> None:
    reading = read(
        "CUSTOMER,OPENED_AT,MAIL,WHAT\nC-1,2024-06-11T09:15:10,a@example.com,OPEN\n",
        **CODED | {"columns": CODED_COLUMNS, "properties": {"WHAT": "interaction", "CUSTOMER": "loyalty_card"}},
    )
    assert json.loads(reading.rows[0]["properties"]) == {"interaction": "OPEN", "loyalty_card": "C-1"}
    assert reading.all("user_id", "event") == [("C-1", "Email Opened")]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "007", 7),
        ("integer", "+7", 7),
        ("integer", "-12.00", -12),
        ("integer", " 7 ", 7),
        ("integer", "9007199254740991", 2**53 - 1),
        ("number", "1e3", 1000.0),
        ("number", ".5", 0.5),
        ("number", "5.", 5.0),
        ("boolean", "TRUE", True),
        ("boolean", "No", False),
        ("boolean", "0", False),
        ("text", " padded ", " padded "),
        ("text", 'a "quoted" \\ text', 'a "quoted" \\ text'),
        ("timestamp", "2024-06-12T08:00:00.5Z", "2024-06-12T08:00:00.500000Z"),
        ("timestamp", "2024-06-12 08:00:00+02:00", "2024-06-12T06:00:00.000000Z"),
    ],
)
def test_usual_texts_are_read(read: Reader, kind: str, text: str, value: object) -> None:
    assert one(read, kind, text) == (value, False)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", "1,234"),
        ("integer", "0x1F"),
        ("integer", "9007199254740993"),
        ("integer", "99999999999999999999999"),
        ("number", "1,5"),
        ("number", "1e999"),
        ("number", "NaN"),
        ("number", "Infinity"),
        ("number", "."),
        ("boolean", "2"),
        ("boolean", "wahr"),
        ("timestamp", "2024-13-01T00:00:00"),
        ("timestamp", "0001-01-01T00:00:00"),
        ("timestamp", "1718175600"),
    ],
)
def test_texts_of_other_types_are_not_guessed_at(read: Reader, kind: str, text: str) -> None:
    assert one(read, kind, text) == (None, True)


def test_a_timestamp_follows_the_rule_for_the_hour_that_clocks_repeat(read: Reader) -> None:
    ambiguous = "2024-10-27T02:30:00"
    assert one(read, "timestamp", ambiguous)[0] == "2024-10-27T00:30:00.000000Z"
    assert one(read, "timestamp", ambiguous, ambiguous_hour="later")[0] == "2024-10-27T01:30:00.000000Z"
    assert one(read, "timestamp", ambiguous, ambiguous_hour="reject") == (None, True)


def test_a_timestamp_is_read_by_the_formats_of_the_layout(read: Reader) -> None:
    layout = LAYOUT | {"properties": {"VALUE": {"name": "value", "type": "timestamp"}}}
    reading = read(
        "CUSTOMER,OPENED_AT,VALUE\nC-1,11-06-2024 09:15,12-06-2024 08:00\n",
        **layout | {"datetime_formats": ["%d-%m-%Y %H:%M"]},
    )
    assert json.loads(reading.rows[0]["properties"]) == {"value": "2024-06-12T06:00:00.000000Z"}


def many(read: Reader, kind: str, texts: list[str]) -> list[tuple[Any, bool]]:
    """The values of one property in the rows of one file, and whether their text can't be read."""
    layout = LAYOUT | {"properties": {"VALUE": {"name": "value", "type": kind}}}
    cells = [text.replace('"', '""') for text in texts]
    reading = read("CUSTOMER,OPENED_AT,VALUE\n" + "".join(f'{PERSON},"{cell}"\n' for cell in cells), **layout)
    assert reading.counts == ("loaded", len(texts), 0, 0)
    found = reading.all("properties", "unreadable_properties")
    return [(json.loads(properties)["value"], unreadable == ["value"]) for properties, unreadable in found]


@IN_FILES
@given(st.lists(st.integers(-(2**54), 2**54), min_size=ROWS))
def test_integers_are_read_as_python_does_while_json_can_hold_them(read: Reader, numbers: list[int]) -> None:
    expected = [(number, False) if abs(number) < 2**53 else (None, True) for number in numbers]
    assert many(read, "integer", list(map(str, numbers))) == expected


@IN_FILES
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=ROWS))
def test_numbers_are_read_as_python_does(read: Reader, numbers: list[float]) -> None:
    found = many(read, "number", list(map(repr, numbers)))
    assert [(repr(float(value)), unreadable) for value, unreadable in found] == [(repr(one), False) for one in numbers]


@IN_FILES
@given(st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)), min_size=ROWS))  # noqa: DTZ001 - of a local clock
def test_timestamps_are_the_instants_that_python_computes(read: Reader, moments: list[datetime]) -> None:
    zone = ZoneInfo("Europe/Brussels")
    found = many(read, "timestamp", [moment.isoformat(timespec="microseconds") for moment in moments])
    for moment, (value, unreadable) in zip(moments, found, strict=True):
        assert not unreadable
        # A time in the hour that clocks repeat is its first occurrence: the text says no more. By Python, a time in the
        # hour that does not exist is read by the offset before it, and so it is here.
        expected = moment.replace(tzinfo=zone, fold=0).astimezone(UTC)
        assert datetime.fromisoformat(value) == expected


@IN_FILES
@given(
    st.sampled_from(["text", "integer", "number", "boolean", "timestamp"]),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=30), min_size=ROWS),
)
def test_no_text_rejects_a_row_or_breaks_the_json(read: Reader, kind: str, texts: list[str]) -> None:
    for text, (value, unreadable) in zip(texts, many(read, kind, texts), strict=True):
        assert value is None or not unreadable
        assert kind != "text" or value in (None, text)


def ndjson(**values: object) -> str:
    return json.dumps({"CUSTOMER": "C-1", "OPENED_AT": "2024-06-11T09:15:10", **values}) + "\n"


def test_nested_values_of_ndjson_are_found_by_json_pointer(read: Reader) -> None:
    layout = LAYOUT | {
        "format": "ndjson",
        "properties": {
            "/device/os": "device_os",
            "/device/a~1b": "odd",
            "/links/1": "second_link",
            "/n": {"name": "n", "type": "integer"},
            "vip": {"name": "vip", "type": "boolean"},
            "tags": "tags",
        },
    }
    row = ndjson(device={"os": "iOS", "a/b": "x"}, links=["a", "b"], n=12, VIP=True, tags=["p", "q"])
    reading = read(row, "opens.ndjson", **layout)
    assert json.loads(reading.rows[0]["properties"]) == {
        "device_os": "iOS",
        "odd": "x",
        "second_link": "b",
        "n": 12,
        "vip": True,
        "tags": '["p","q"]',
    }
    assert json.loads(reading.rows[0]["extra"])["device"] == {"os": "iOS", "a/b": "x"}
    assert reading.file.reason is None


def test_a_value_that_is_missing_in_an_object_is_null(read: Reader) -> None:
    layout = LAYOUT | {
        "format": "ndjson",
        "properties": {"/device/os": "os", "VIP": {"name": "vip", "type": "boolean"}},
    }
    reading = read(ndjson(device="phone") + ndjson(vip="perhaps"), "opens.ndjson", **layout)
    assert [json.loads(found) for found in reading.all("properties")] == [{"os": None, "vip": None}] * 2
    assert reading.all("unreadable_properties") == [None, ["vip"]]


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[[str], bytes]:
    """The bytes of a Parquet file with one row of these columns."""

    def written(columns: str) -> bytes:
        path = tmp_path / "written.parquet"
        with duckdb.connect() as connection:
            row = f"SELECT 'C-1' AS CUSTOMER, TIMESTAMP '2024-06-11 09:15:10' AS OPENED_AT, {columns}"
            connection.execute(f"COPY ({row}) TO '{path}' (FORMAT parquet)")
        return path.read_bytes()

    return written


def test_columns_and_nested_values_of_parquet(read: Reader, parquet: Callable[[str], bytes]) -> None:
    content = parquet(
        "552::INTEGER AS CODE, 0.25::DOUBLE AS SCORE, true AS VIP, TIMESTAMPTZ '2024-06-12 06:00:00+00' AS DUE, "
        "'full' AS REASON, {'os': 'iOS', 'sizes': [1, 2]} AS device"
    )
    layout = LAYOUT | {
        "format": "parquet",
        "properties": ALL_TYPES | {"/device/os": "os", "/Device/sizes/1": {"name": "size", "type": "integer"}},
    }
    reading = read(content, "opens.parquet", **layout)
    assert json.loads(reading.rows[0]["properties"]) == {
        "bounceReason": "full",
        "bounce_code": 552,
        "score": 0.25,
        "is_vip": True,
        "due at": "2024-06-12T06:00:00.000000Z",
        "os": "iOS",
        "size": 2,
    }


def test_a_pointer_into_no_nested_column_of_parquet_is_a_warning(read: Reader, parquet: Callable[[str], bytes]) -> None:
    layout = LAYOUT | {"format": "parquet", "properties": {"/device/os": "os"}}
    reading = read(parquet("'x' AS device"), "opens.parquet", **layout)
    assert json.loads(reading.rows[0]["properties"]) == {"os": None}
    assert reading.file.reason == "the file has no column '/device/os'; its values are treated as empty"
