"""Any text can be a name or a literal in SQL."""

import duckdb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.warehouse import literal, quoted

HOSTILE_NAMES = [
    "?!",
    "%#@",
    "秒速５センチメートル",
    "Université Français",
    "Странное Имя",
    "Test Name; DROP DATABASE public; SELECT 1 from DUAL;",
    "1test_name",
    "camelCase",
    "select",
    "current_time",
    "__ROOT__",
    'a"b""c',
    "it's",
    "new\nline\ttab\\backslash",
    "-- comment /* and */",
    "$1 ? :name {brace}",
    "lorem_ipsum_dolor_sit_amet_consectetur_adipiscing_elit_sed_do_eiusmod_tempor_incididunt_ut_labore_et_dolore",
]
DUCKDB = duckdb.connect()
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


def test_any_name_can_be_a_column_of_a_table() -> None:
    with duckdb.connect() as connection:
        listed = ", ".join(f"{number} AS {quoted(name)}" for number, name in enumerate(HOSTILE_NAMES))
        connection.execute(f"CREATE TABLE {quoted('a; table')} AS SELECT {listed}")
        found = connection.execute(f"FROM {quoted('a; table')}")
        assert [column[0] for column in found.description or []] == HOSTILE_NAMES


@settings(deadline=None)
@given(st.text(characters, min_size=1))
@example('"')
@example('";--')
def test_a_quoted_name_is_that_name(name: str) -> None:
    with DUCKDB.cursor() as connection:
        found = connection.execute(f"SELECT 7 AS {quoted(name)}")
        assert [column[0] for column in found.description or []] == [name]
        assert connection.execute(f"SELECT t.{quoted(name)} FROM (SELECT 7 AS {quoted(name)}) AS t").fetchall() == [
            (7,)
        ]


@settings(deadline=None)
@given(st.none() | st.text(characters))
@example("'; DROP TABLE raw.events; --")
@example("\\'")
@example("")
def test_a_literal_is_that_text(text: str | None) -> None:
    with DUCKDB.cursor() as connection:
        assert connection.execute(f"SELECT {literal(text)}").fetchall() == [(text,)]
