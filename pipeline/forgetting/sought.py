"""What is looked for when people are forgotten: the values of the list, and what the tables made of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import duckdb

from pipeline.suppression import EMAIL, LISTED, USER_ID, normal, words
from pipeline.warehouse import literal, quoted

Connection = duckdb.DuckDBPyConnection

# kind, value, and whether it is `naming`: it tells the person wherever it stands.
SOUGHT = "temp.sought_values"
# Columns in which even a mere number tells a person.
PERSON_COLUMNS = {
    "user_id": USER_ID,
    "anonymous_id": EMAIL,
    "email": EMAIL,
    "context_traits_email": EMAIL,
}
# Columns that hold whole rows or sentences, and are looked through word by word.
_LONG_TEXTS = ("text", "reason", "rejected_because", "extra", "payload", "dead_because")
_REJECTED_TEXTS = ("text",)


def make_sought(connection: Connection) -> None:
    """The table of what is looked for, from the list: also the hash that can stand in for an address in the tables."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE sought_values AS SELECT kind, value, naming FROM {LISTED} "
        f"UNION ALL SELECT kind, sha256(value), true FROM {LISTED} WHERE kind = '{EMAIL}'"
    )


def as_bytes(connection: Connection) -> list[bytes]:
    """The values that can be looked for among the bytes of a file, in lower case; others occur there by chance."""
    rows = connection.execute(f"SELECT DISTINCT lower(value) FROM {SOUGHT} WHERE naming").fetchall()
    return [value.encode() for (value,) in rows]


def text_columns(connection: Connection, relation: str) -> list[str]:
    """Columns of a relation (SQL) that hold text or JSON."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return [row[0] for row in described if row[1] in ("VARCHAR", "JSON")]


def _finds(column: str) -> Iterator[str]:
    """SQL for the sought values that stand in `texts`, with how `often`."""
    for kind in (USER_ID, EMAIL):
        yield (
            f"SELECT value, text, often FROM texts JOIN {SOUGHT} AS sought ON sought.value = {normal(kind, 'text')} "
            f"AND (sought.naming OR sought.kind = {literal(PERSON_COLUMNS.get(column, ''))})"
        )
    searched = "true" if column in _LONG_TEXTS else "contains(text, '@')"
    # A rejected row has no columns to tell the person by.
    telling = "true" if column in _REJECTED_TEXTS else "sought.naming"
    yield (
        f"SELECT value, text, often FROM (SELECT text, often, unnest({words('text')}) AS word FROM texts "
        f"WHERE {searched}) JOIN {SOUGHT} AS sought ON sought.value = word AND {telling}"
    )


def values_in(connection: Connection, relation: str, column: str) -> list[str]:
    """The sought values that texts of a column are, or contain."""
    rows = connection.execute(_query("DISTINCT value", relation, column)).fetchall()
    return [value for (value,) in rows]


def count_in(connection: Connection, relation: str, columns: Sequence[str] | None = None) -> int:
    """How often sought values are found in the text columns of a relation (SQL)."""
    listed = text_columns(connection, relation) if columns is None else columns
    return sum(
        int(connection.execute(_query("coalesce(sum(often), 0)", relation, column)).fetchall()[0][0])
        for column in listed
    )


def _query(wanted: str, relation: str, column: str) -> str:
    return (
        f"WITH texts AS MATERIALIZED (SELECT CAST({quoted(column)} AS VARCHAR) AS text, count(*) AS often "
        f"FROM {relation} WHERE {quoted(column)} IS NOT NULL GROUP BY 1) "
        f"SELECT {wanted} FROM ({' UNION '.join(_finds(column))})"
    )


def longer_values(connection: Connection, values: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    """By sought value, the words of the tables that hold it and are longer: other people's, where nobody is left."""
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


def naming_words(text: str) -> str:
    """SQL for whether a text names somebody who is sought; for texts that are few or long."""
    return f"list_has_any({words(text)}, (SELECT coalesce(list(value), []) FROM {SOUGHT} WHERE naming))"


def names_anybody(text: str) -> str:
    """The same for a rejected row, in which nothing need be in its place: any value tells the person."""
    return f"list_has_any({words(text)}, (SELECT coalesce(list(value), []) FROM {SOUGHT}))"


def tables_of(connection: Connection) -> list[str]:
    """Every table of the warehouse, qualified."""
    rows = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() "
        f"WHERE database_name = {literal('lake')} AND NOT internal ORDER BY ALL"
    ).fetchall()
    return [f"{quoted(schema)}.{quoted(table)}" for schema, table in rows]
