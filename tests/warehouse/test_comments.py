"""Whoever looks at a table, in whatever tool, finds what it is beside it."""

from pathlib import Path

import pytest
import yaml

from pipeline.settings import PROJECT_ROOT
from pipeline.warehouse import Warehouse

SOURCES = PROJECT_ROOT / "dbt_project" / "models" / "staging" / "sources.yml"
Words = dict[tuple[str, str, str], str | None]


@pytest.fixture(scope="module", params=["ducklake:sqlite:{}/warehouse.sqlite", "{}/warehouse.duckdb"])
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("commented")
    warehouse = Warehouse(request.param.format(folder), f"{folder}/files/")
    with warehouse.writing():
        return warehouse


def comments_of(warehouse: Warehouse) -> Words:
    """By schema, table and column; of the table itself without a column."""
    with warehouse.reading() as connection:
        rows = connection.execute(
            "SELECT schema_name, table_name, column_name, comment FROM duckdb_columns() WHERE database_name = 'lake' "
            "UNION ALL SELECT schema_name, table_name, '', comment FROM duckdb_tables() WHERE database_name = 'lake' "
            "UNION ALL SELECT schema_name, view_name, '', comment FROM duckdb_views() "
            "WHERE database_name = 'lake' AND NOT internal"
        ).fetchall()
    return {(schema, table, column): comment for schema, table, column, comment in rows}


def uncommented(comments: Words) -> list[tuple[str, str, str]]:
    """A DuckLake takes no comments on columns of views, so the view's own comment contains them."""
    views = {view: comments.get((*view, "")) or "" for view in (("delivery", "events"), ("staging", "event_details"))}
    return [
        (schema, table, column)
        for (schema, table, column), comment in comments.items()
        if not comment and f"{column}: " not in views.get((schema, table), "")
    ]


def test_every_table_and_column_that_a_new_warehouse_has_says_what_it_is(warehouse: Warehouse) -> None:
    comments = comments_of(warehouse)
    assert len(comments) > 90
    assert uncommented(comments) == []


def test_the_database_says_of_raw_what_the_documentation_says(warehouse: Warehouse) -> None:
    comments = comments_of(warehouse)
    sources = yaml.safe_load(SOURCES.read_text("utf-8"))["sources"]
    described = [(source["name"], table) for source in sources for table in source["tables"]]
    assert {table["name"] for schema, table in described if schema == "delivery"} == {
        table for schema, table, _ in comments if schema == "delivery"
    }
    for schema, table in described:
        if (schema, table["name"]) == ("delivery", "events"):  # a view, whose comment has those of its columns
            columns = "; ".join(f"{column['name']}: {column['description']}" for column in table["columns"])
            assert comments[schema, "events", ""] == f"{table['description']} {columns}"
            assert [column["name"] for column in table["columns"]] == [
                column for *of, column in comments if of == ["delivery", "events"] and column
            ]
            continue
        assert comments[schema, table["name"], ""] == table["description"]
        for column in table["columns"]:
            assert comments[schema, table["name"], column["name"]] == column["description"]


def test_a_warehouse_that_was_made_without_comments_gets_them_from_its_next_writer(tmp_path: Path) -> None:
    warehouse = Warehouse(f"ducklake:sqlite:{tmp_path}/warehouse.sqlite", f"{tmp_path}/files/")
    with warehouse.writing() as connection:
        connection.execute("INSERT INTO raw.export_files (name) VALUES ('kept')")
        connection.execute("COMMENT ON TABLE raw.lookups IS NULL")
        connection.execute("DELETE FROM raw.origin WHERE name = 'schema_version'")  # as an earlier version made it
    with warehouse.writing() as connection:
        assert connection.execute("SELECT name FROM raw.export_files").fetchall() == [("kept",)]
    assert uncommented(comments_of(warehouse)) == []
