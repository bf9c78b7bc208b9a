"""The origin of columns is written down in pipeline/models/lineage.py; here it is derived from the SQL that dbt ran."""

import dagster as dg
from sqlglot import exp
from sqlglot.lineage import lineage

from pipeline.models.lineage import LINEAGE
from tests.end_to_end.project import Project

Schema = dict[str, dict[str, dict[str, dict[str, str]]]]


def test_columns_come_from_where_the_graph_says(once: Project) -> None:
    tables: Schema = {"lake": {}}
    for schema, table, column, kind in once.query(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = 'lake'"
    ):
        tables["lake"].setdefault(str(schema), {}).setdefault(str(table), {})[str(column)] = str(kind)
    wrong = {
        f"{key.to_user_string()}.{column}": (derived, written)
        for key in LINEAGE
        for column, derived, written in compared(once, key, tables)
        if derived != written
    }
    assert wrong == {}


def compared(
    project: Project, key: dg.AssetKey, tables: Schema
) -> list[tuple[str, set[tuple[str, str]], set[tuple[str, str]]]]:
    """Of each column of a table: what its SQL reads, and what is written down."""
    staged = key.path[0] == "staging"
    name = f"staging/stg_{key.path[-1]}.sql" if staged else f"segment/{key.path[-1]}.sql"
    sql = (project.data / "dbt" / "compiled" / "selligent_to_segment" / "models" / name).read_text("utf-8")
    schema = "staging" if staged else "selligent_marketing_cloud"
    return [
        (
            column,
            {
                (node.source.name, node.name.split(".")[-1].strip('"'))
                for node in lineage(column, sql, schema=tables, dialect="duckdb").walk()
                # Names in rows of events come from the same column of these rows, through a temporary table.
                if isinstance(node.source, exp.Table) and node.source.name != "shared_names"
            }
            # By it, the last of several rows of a key is found, as by an ORDER BY; its values are in no column.
            - {("lookups", "row_number")},
            {(dep.asset_key.path[-1], dep.column_name) for dep in LINEAGE[key].deps_by_column.get(column, ())},
        )
        for column in tables["lake"][schema][key.path[-1]]
    ]
