"""What layouts declare is registered once, has a column from then on, and keeps its name and its type."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.errors import LayoutError
from pipeline.exports.property_registry import check_properties, register_properties
from pipeline.warehouse import transaction
from pipeline.warehouse.declared_properties import declared_properties
from tests.support.export_folder import CODED, CODED_COLUMNS, layout
from tests.support.warehouses import ducklake_in, plain_file_in

SCHEMA = "source"
CODE: dict[str, Any] = {"CODE": {"name": "bounceCode", "type": "integer"}}


@pytest.fixture(params=[ducklake_in, plain_file_in], ids=["ducklake", "file"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with request.param(tmp_path).writing() as connection:
        yield connection


def registered(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT * FROM raw.properties ORDER BY ALL").fetchall()


def columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    described = connection.execute(f"DESCRIBE {SCHEMA}.{table}").fetchall()
    return [(name, kind) for name, kind, *_ in described]


def test_a_property_belongs_to_every_event_of_its_layout(connection: duckdb.DuckDBPyConnection) -> None:
    coded = layout(**CODED, columns=CODED_COLUMNS, properties=CODE | {"WHY": "reason"})
    register_properties(connection, [coded, layout(name="plain")], SCHEMA)
    assert registered(connection) == [
        ("Email Link Clicked", "bounceCode", "bounce_code", "integer"),
        ("Email Link Clicked", "reason", "reason", "text"),
        ("Email Opened", "bounceCode", "bounce_code", "integer"),
        ("Email Opened", "reason", "reason", "text"),
    ]
    assert [one.column for one in declared_properties(connection)["Email Opened"]] == ["bounce_code", "reason"]


def test_a_table_that_exists_gets_the_column_and_keeps_its_rows(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"CREATE SCHEMA {SCHEMA}")
    connection.execute(f"CREATE TABLE {SCHEMA}.email_opened AS SELECT 'a' AS id")
    types = {"W": "text", "I": "integer", "N": "number", "B": "boolean", "T": "timestamp"}
    properties = {source: {"name": f"Is {source}", "type": kind} for source, kind in types.items()}
    for _ in range(2):
        register_properties(connection, [layout(properties=properties)], SCHEMA)
    assert columns(connection, "email_opened") == [
        ("id", "VARCHAR"),
        ("is_b", "BOOLEAN"),
        ("is_i", "BIGINT"),
        ("is_n", "DOUBLE"),
        ("is_t", "TIMESTAMP WITH TIME ZONE"),
        ("is_w", "VARCHAR"),
    ]
    assert connection.execute(f"SELECT * FROM {SCHEMA}.email_opened").fetchall() == [("a", *[None] * 5)]
    assert len(registered(connection)) == 5


def test_a_property_that_no_layout_declares_any_longer_stays(connection: duckdb.DuckDBPyConnection) -> None:
    register_properties(connection, [layout(properties=CODE)], SCHEMA)
    register_properties(connection, [layout(properties={"X": "other"}), layout(name="plain")], SCHEMA)
    assert [row[1] for row in registered(connection)] == ["bounceCode", "other"]


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (
            {"name": "bounceCode", "type": "number"},
            "layout opens: properties: 'CODE': 'bounceCode' is number, and the event tables have it as integer; a "
            "column keeps its type, so write {name: bounceCode, type: integer}, or choose another name",
        ),
        (
            {"name": "bounce code", "type": "integer"},
            "layout opens: properties: 'CODE': 'bounce code' is the column 'bounce_code', which the event tables have "
            "for 'bounceCode'; write 'bounceCode', or choose a name with another snake case",
        ),
    ],
    ids=["type", "name"],
)
def test_another_type_or_name_for_a_column_is_refused(
    connection: duckdb.DuckDBPyConnection, declared: dict[str, str], sentence: str
) -> None:
    register_properties(connection, [layout(properties=CODE)], SCHEMA)
    # Of any event: a column has one type in all tables.
    changed = layout(event="Email Bounced", properties={"CODE": declared})
    for refuses in (check_properties, lambda *given: register_properties(*given, SCHEMA)):
        with pytest.raises(LayoutError) as refused:
            refuses(connection, [changed])
        assert str(refused.value) == sentence
    assert len(registered(connection)) == 1


def test_without_properties_nothing_is_written(connection: duckdb.DuckDBPyConnection) -> None:
    with transaction(connection):
        connection.execute("DROP TABLE raw.properties")
        register_properties(connection, [layout()], SCHEMA)  # it doesn't even look
