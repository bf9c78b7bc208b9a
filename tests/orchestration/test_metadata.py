"""What Dagster shows of a table: rows without anything personal, columns with what is known of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.orchestration.metadata import columns_of, preview
from pipeline.warehouse import Warehouse


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def shown(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    return str(preview(connection, query, []).value).splitlines()


def test_people_are_masked_wherever_they_stand(connection: duckdb.DuckDBPyConnection) -> None:
    query = """
        SELECT 'C-10077' AS user_id, 'zoe@example.com' AS email, 'zoe@example.com' AS anonymous_id,
            '8231' AS selligent_user_id, 'Zoe, look' AS email_subject, '{"phone": "0470"}' AS extra,
            'of ann@example.com.csv' AS file
    """
    assert shown(connection, query) == [
        "| user_id | email | anonymous_id | selligent_user_id | email_subject | extra | file |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        r"| C\*\*\* | z\*\*\*@example.com | z\*\*\*@example.com | 8\*\*\* | … | … | of a\*\*\*@example.com.csv |",
    ]


def test_columns_that_can_contain_anything_are_not_shown(connection: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT '1.2.3.4' AS context_ip, 'https://example.com/?u=zoe' AS link_url, 'Zoe' AS nickname, 7 AS points"
    assert str(preview(connection, query, [], {"nickname", "points"}).value).splitlines()[-1] == (
        r"| 1\*\*\* | … | … | … |"
    )


def test_columns_without_a_value_are_left_out_and_cells_keep_to_themselves(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    query = r"""
        SELECT TIMESTAMPTZ '2024-06-11 09:00:00.5Z' AS timestamp, NULL AS link_id, 'a|b' || chr(10) || '<c>' AS name
        UNION ALL SELECT TIMESTAMPTZ '2024-06-11 09:00:01Z', NULL, NULL
    """
    assert shown(connection, query) == [
        "| timestamp | name |",
        "| --- | --- |",
        "| 2024-06-11 09:00:00 | a\\|b\\\\n&lt;c> |",
        "| 2024-06-11 09:00:01 |  |",
    ]


def test_five_rows_are_enough_and_none_are_told(connection: duckdb.DuckDBPyConnection) -> None:
    assert len(shown(connection, "SELECT 1 AS one FROM range(100)")) == 2 + 5
    assert shown(connection, "SELECT 1 AS one WHERE false") == ["No rows."]


def test_columns_have_their_types_and_their_comments(tmp_path: Path) -> None:
    warehouse = Warehouse(f"ducklake:sqlite:{tmp_path}/warehouse.sqlite", f"{tmp_path}/files/")
    with warehouse.writing() as connection:
        connection.execute("COMMENT ON COLUMN raw.origin.name IS 'Which setting.'")
        connection.execute("COMMENT ON COLUMN raw.origin.value IS NULL")
        found: Any = columns_of(connection, ["raw"])
    columns = [(column.name, column.type, column.description) for column in found["raw", "origin"]]
    assert columns == [("name", "VARCHAR", "Which setting."), ("value", "VARCHAR", None)]
    assert ("delivery", "outbox") not in found
