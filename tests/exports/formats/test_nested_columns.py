"""Columns of a layout that are JSON pointers into nested values of NDJSON and Parquet."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import yaml

from tests.docs.documents import LAYOUTS, blocks, section
from tests.support.export_folder import UNIDENTIFIED, Reader

COLUMNS = {
    "/contact/list": "list_id",
    "/contact/user": "selligent_user_id",
    "/campaign/id": "campaign_id",
    "/campaign/a~1b": "campaign_name",
    "/links/0": "link_id",
    "/at": "timestamp",
}
STREAM: dict[str, Any] = {
    "event": None,
    "event_column": "/event/code",
    "event_codes": {"open": "Email Opened", "sent": None},
    "columns": COLUMNS,
}
OBJECT = {
    "at": "2024-06-11T09:15:10",
    "event": {"code": "open"},
    "contact": {"list": 12, "user": 4001},
    "campaign": {"id": "771", "a/b": "Summer"},
    "links": ["l1", "l2"],
    "device": {"os": "iOS"},
}
READ = ("event", "list_id", "selligent_user_id", "campaign_id", "campaign_name", "link_id")
VALUES = ("Email Opened", "12", "4001", "771", "Summer", "l1")


def test_a_layout_of_pointers_only_reads_ndjson(read: Reader) -> None:
    reading = read(json.dumps(OBJECT) + "\n", "opens.ndjson", **STREAM, format="ndjson")
    assert reading.all(*READ) == [VALUES]
    assert json.loads(reading.rows[0]["extra"]) == OBJECT, "the objects stay as they were"


def test_the_documented_layout_reads_the_documented_line(read: Reader) -> None:
    text = section(LAYOUTS, "Nested values")
    [documented], [line] = blocks("yaml", text), re.findall(r"`({.*})`:", text)
    reading = read(line, "opens.ndjson", event=None, **yaml.safe_load(documented))
    assert reading.all("event", "list_id", "selligent_user_id") == [("Email Opened", "12", "4001")]


def test_pointers_and_keys_can_be_mixed_and_a_value_can_be_a_property_too(read: Reader) -> None:
    columns = {**COLUMNS, "AT": "timestamp"}
    del columns["/at"]
    further = {"format": "ndjson", "properties": {"/device/os": "os", "/campaign/id": "journey"}}
    reading = read(json.dumps(OBJECT) + "\n", "opens.ndjson", **STREAM | {"columns": columns}, **further)
    assert reading.all(*READ) == [VALUES]
    assert json.loads(reading.rows[0]["properties"]) == {"os": "iOS", "journey": "771"}
    assert "at" not in json.loads(reading.rows[0]["extra"])


def test_what_a_pointer_does_not_find_is_no_value(read: Reader) -> None:
    """The parent is missing, is a text, or the value is one of the layout's `null_values`."""
    objects = [
        {**OBJECT, "campaign": "771"},
        {name: value for name, value in OBJECT.items() if name != "campaign"},
        {**OBJECT, "campaign": {"id": "NULL", "A/B": "case matters"}},
        {**OBJECT, "contact": {"list": 12}},
        {**OBJECT, "event": {}},
    ]
    lines = "".join(json.dumps(one) + "\n" for one in objects)
    reading = read(lines, "opens.ndjson", **STREAM, format="ndjson", null_values=["", "NULL"])
    understood = [row for row in reading.rows if row["rejected_because"] is None]
    assert [(row["campaign_id"], row["campaign_name"]) for row in understood] == [(None, None)] * 3
    assert reading.reasons == [UNIDENTIFIED, "no event code in column /event/code"]
    assert json.loads(reading.rejected[0][2])["contact"] == {"list": 12}, "the rejected text is the whole object"


def test_nested_columns_of_parquet_have_pointers_too(read: Reader, tmp_path: Path) -> None:
    path = tmp_path / "opens.parquet"
    (tmp_path / "rows.ndjson").write_text(json.dumps(OBJECT) + "\n")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM '{tmp_path}/rows.ndjson') TO '{path}' (FORMAT parquet)")
    columns = {**COLUMNS, "at": "timestamp"}
    del columns["/at"]
    reading = read(path.read_bytes(), "opens.parquet", **STREAM | {"columns": columns}, format="parquet")
    assert reading.all(*READ) == [VALUES]
    assert reading.file.reason is None

    columns["/consent/given"] = "send_id"
    reading = read(path.read_bytes(), "opens.parquet", **STREAM | {"columns": columns}, format="parquet")
    assert reading.all(*READ) == [VALUES]
    assert reading.file.reason == "the file has no column '/consent/given'; its values are treated as empty"
