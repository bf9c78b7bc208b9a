"""What is nothing at the ends of a value is the same in Python, in DuckDB and in dbt, and is never changed."""

import json
import sys
import unicodedata
from collections.abc import Callable

import duckdb
import pytest
import yaml
from jinja2 import Environment

from pipeline.models.dbt import DBT_DIR, variables
from pipeline.settings import Settings
from pipeline.warehouse.trimming import identifier_sql, trimmed, trimmed_sql, visible_sql

CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
# How many there are: ids are made of trimmed values, so that one more or less would make other ids.
NUMBER = 4262


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def nothing(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The characters that DuckDB trims."""
    rows = connection.execute(
        f"SELECT code FROM range({sys.maxunicode + 1}) AS codes(code) "
        f"WHERE code NOT BETWEEN 55296 AND 57343 AND {trimmed_sql('chr(CAST(code AS INTEGER))')} = ''"
    ).fetchall()
    return {chr(code) for (code,) in rows}


def test_python_and_duckdb_trim_the_same_of_all_characters(connection: duckdb.DuckDBPyConnection) -> None:
    found = nothing(connection)
    assert found == {character for character in CHARACTERS if trimmed(character) == ""}
    assert len(found) == NUMBER


def test_dbt_trims_the_same() -> None:
    """As SQL: the macros give the text that Python gives, with the var as dbt reads it."""
    values = yaml.safe_load(json.dumps(variables(Settings())))
    macros = Environment().from_string((DBT_DIR / "macros" / "engine.sql").read_text("utf-8"))
    module = macros.make_module({"var": values.__getitem__})
    for macro, in_python in (("trimmed", trimmed_sql), ("identifier", identifier_sql), ("visible", visible_sql)):
        assert getattr(module, macro)("a.b").lower() == in_python("a.b").lower()


def test_white_space_and_controls_are_trimmed_and_what_can_be_seen_is_not(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found = nothing(connection)
    blanks = {c for c in CHARACTERS if c.isspace() or unicodedata.category(c) in ("Cc", "Zs", "Zl", "Zp")}
    assert blanks <= found
    assert {*"\0\t\x1b\x7f\x85\xa0\xad\u200b\u200c\u200d\u200e\u200f\u202e\u2060\u2066\u3164\ufeff"} <= found
    fillers = {*"\u115f\u1160\u3164\uffa0\u2800"}
    assert {c for c in found if unicodedata.category(c)[0] in "LNPS"} == fillers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C-1", "C-1"),
        ("77        ", "77"),
        ("\ufeffC-2", "C-2"),
        ("\t\u200b C-3\r\n", "C-3"),
        ("anne marie", "anne marie"),
        ("a\u200b\0b", "a\u200b\0b"),
        (" " * 100_000 + "x" + "\0" * 100_000, "x"),
        ("(" + " " * 100_000 + ")", "(" + " " * 100_000 + ")"),
        ("\0", ""),
        ("", ""),
        ("NaN", "NaN"),
        ("０", "０"),
        ("é", "é"),
        ("\n\nC\n4\n\n", "C\n4"),
    ],
)
def test_values_are_trimmed_at_both_ends_and_left_alone_between(
    connection: duckdb.DuckDBPyConnection, text: str, expected: str
) -> None:
    assert trimmed(text) == expected
    found = connection.execute(
        f"SELECT {trimmed_sql('text')}, {identifier_sql('text')}, {visible_sql('text')} FROM (SELECT ? AS text)", [text]
    ).fetchone()
    assert found == (expected, expected or None, text if expected else None)


def test_each_invisible_character_is_trimmed_at_either_end_of_a_text(connection: duckdb.DuckDBPyConnection) -> None:
    """Texts that begin or end with visible ASCII take another path through the SQL."""
    connection.execute("CREATE TABLE codes AS SELECT CAST(unnest(?) AS INTEGER) AS code", [[*map(ord, CHARACTERS)]])
    for before, after in (("a", ""), ("", "a"), ("é", ""), ("", "é"), ("a", "~")):
        text = f"('{before}' || chr(code) || '{after}')"
        found = connection.execute(f"SELECT code FROM codes WHERE {trimmed_sql(text)} <> {text}").fetchall()
        inside = bool(before and after)
        assert {chr(code) for (code,) in found} == (set() if inside else nothing(connection))


@pytest.mark.parametrize("expression", [trimmed_sql, identifier_sql, visible_sql])
def test_a_value_may_be_any_expression(connection: duckdb.DuckDBPyConnection, expression: Callable[[str], str]) -> None:
    """`->>` binds less tightly than a comparison."""
    query = f"""SELECT {expression("document ->> '$.id'")} FROM (SELECT '{{"id": "C-1"}}'::JSON AS document)"""
    assert connection.execute(query).fetchall() == [("C-1",)]
