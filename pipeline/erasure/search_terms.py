"""The values to search for when people are erased: those of the list, and hashes that the tables made of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import duckdb

from pipeline.privacy.digests import EMAIL, LISTED, USER_ID, normal
from pipeline.privacy.text_matcher import has_words, phrases, words
from pipeline.warehouse import ALIAS, literal, one_column, one_value, quoted

Connection = duckdb.DuckDBPyConnection

# kind, value, its phrase in longer texts, and whether it is `naming`: it identifies the person wherever it is.
SEARCH_TERMS = "temp.search_terms"
# Columns in which even a mere number identifies a person.
PERSON_COLUMNS = {"user_id": USER_ID} | dict.fromkeys(("anonymous_id", "email", "context_traits_email"), EMAIL)
_REJECTED_TEXTS = ("text",)


def make_search_terms(connection: Connection) -> None:
    """Create the table of search terms from the list, with the hashes that can replace addresses in the tables."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE search_terms AS SELECT kind, value, phrase, naming FROM {LISTED} "
        f"UNION ALL SELECT kind, sha256(value), sha256(value), true FROM {LISTED} WHERE kind = '{EMAIL}'"
    )


def as_bytes(connection: Connection) -> list[bytes]:
    """The values to search for among the bytes of files, in lower case; others would occur there by chance."""
    values = one_column(connection, f"SELECT DISTINCT lower(value) FROM {SEARCH_TERMS} WHERE naming")
    return [value.encode() for value in values]


def text_columns(connection: Connection, relation: str) -> list[str]:
    """Columns of a relation (SQL) with text or JSON."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return [row[0] for row in described if row[1] in ("VARCHAR", "JSON")]


def _finds(connection: Connection, column: str) -> Iterator[str]:
    """SQL for the search terms in `texts`, with how `often`."""
    for kind in (USER_ID, EMAIL):
        yield (
            "SELECT value, phrase, text, often FROM texts "
            f"JOIN {SEARCH_TERMS} AS term ON term.value = {normal(kind, 'text')} "
            f"AND (term.naming OR term.kind = {literal(PERSON_COLUMNS.get(column, ''))})"
        )
    # A rejected row has no columns that identify the person.
    condition = "true" if column in _REJECTED_TEXTS else "term.naming"
    yield (
        "SELECT value, phrase, text, often FROM "
        f"(SELECT text, often, unnest({phrases(connection, 'text')}) AS word FROM texts WHERE {has_words('text')}) "
        f"JOIN {SEARCH_TERMS} AS term ON term.phrase = word AND {condition}"
    )


def texts_with(connection: Connection, relation: str, column: str) -> list[tuple[str, list[str]]]:
    """Texts of a column that are, or contain, search terms, with their phrases."""
    query = _query(connection, "text, list(DISTINCT coalesce(phrase, ''))", relation, column)
    return connection.execute(f"{query} GROUP BY text").fetchall()


def count_in(connection: Connection, relation: str, columns: Sequence[str] | None = None) -> int:
    """How often search terms are found in the text columns of a relation (SQL)."""
    listed = text_columns(connection, relation) if columns is None else columns
    return sum(
        int(one_value(connection, _query(connection, "coalesce(sum(often), 0)", relation, column))) for column in listed
    )


def _query(connection: Connection, wanted: str, relation: str, column: str) -> str:
    return (
        f"WITH texts AS MATERIALIZED (SELECT CAST({quoted(column)} AS VARCHAR) AS text, count(*) AS often "
        f"FROM {relation} WHERE {quoted(column)} IS NOT NULL GROUP BY 1) "
        f"SELECT {wanted} FROM ({' UNION '.join(_finds(connection, column))})"
    )


def count_in_parquet(connection: Connection, paths: Sequence[str]) -> int:
    """How often search terms are found in Parquet files, in rows and column statistics."""
    listed = ", ".join(literal(path) for path in paths)
    return count_in(connection, f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)") + (
        count_extremes(
            connection,
            "SELECT path_in_schema AS column_name, stats_min_value AS min_value, stats_max_value AS max_value "
            f"FROM parquet_metadata([{listed}])",
        )
    )


def count_extremes(connection: Connection, noted: str) -> int:
    """How many columns have a search term as minimum or maximum; `noted` is SQL for their names and both."""
    people = ", ".join(literal(name) for name in PERSON_COLUMNS)
    query = (
        f"SELECT count(*) FROM ({noted}) AS noted WHERE EXISTS (SELECT 1 FROM {SEARCH_TERMS} AS term "
        "WHERE lower(term.value) IN (lower(noted.min_value), lower(noted.max_value)) "
        f"AND (term.naming OR noted.column_name IN ({people})))"
    )
    return int(one_value(connection, query))


def longer_values(connection: Connection, values: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    """By search term, longer words of the tables that contain it: other people's, once the erased ones are gone."""
    found: dict[bytes, list[bytes]] = defaultdict(list)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE looked_for AS SELECT unnest(?::VARCHAR[]) AS value",
        [[value.decode() for value in values]],
    )
    for table in tables_of(connection):
        for column in text_columns(connection, table):
            text = f"lower(CAST({quoted(column)} AS VARCHAR))"
            rows = connection.execute(
                f"SELECT DISTINCT value, word FROM (SELECT value, unnest({words('text')}) AS word FROM "
                f"(SELECT DISTINCT {text} AS text FROM {table}) JOIN temp.looked_for ON contains(text, value)) "
                "WHERE contains(word, value) AND word <> value"
            ).fetchall()
            for value, word in rows:
                found[value.encode()].append(word.encode())
    return {value: sorted(set(others), key=len, reverse=True) for value, others in found.items()}


def naming(connection: Connection, table: str, rows: str, text: str, *, any_value: bool = False) -> str:
    """SQL for whether a text of these rows (SQL) names a person to erase. `table` of the connection is its lookup, as
    a list of a million people can't be scanned for each row. `any_value`: each value identifies the person, for
    rejected rows, which can have it in any column.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT DISTINCT text "
        f"FROM (SELECT text, unnest({phrases(connection, 'text')}) AS word FROM (SELECT {text} AS text FROM {rows})) "
        f"JOIN {SEARCH_TERMS} AS term ON term.phrase = word AND {'true' if any_value else 'term.naming'}"
    )
    return f"coalesce({text} IN (SELECT text FROM temp.{table}), false)"


def tables_of(connection: Connection) -> list[str]:
    """Every table of the warehouse, qualified."""
    rows = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? AND NOT internal ORDER BY ALL",
        [ALIAS],
    ).fetchall()
    return [f"{quoted(schema)}.{quoted(table)}" for schema, table in rows]
