"""What the lookups give for a key: the newest file as a whole, and in it the last value of each column."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.newest_lookups import lookup_rows, newest_lookups
from tests.support.warehouses import plain_file_in

MONDAY = date(2026, 3, 2)
# The number of the file, from the oldest to the newest; Selligent user id, user id, address and trait of a row.
Row = tuple[int, str, str | None, str | None, str | None]
Given = Mapping[str, tuple[str | None, str | None, str | None]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with plain_file_in(tmp_path_factory.mktemp("lookups")).writing() as connection:
        yield connection


def given_by(database: duckdb.DuckDBPyConnection, rows: Sequence[Row], where: str = "true") -> Given:
    """User id, address and trait of each contact, from the rows of files; two files have each export date."""
    database.execute("DELETE FROM raw.lookups")
    for number, (file, contact, user_id, email, trait) in enumerate(rows):
        database.execute(
            "INSERT INTO raw.lookups (kind, export_date, file, row_number, list_id, selligent_user_id, user_id, email, "
            "traits, load_number) VALUES ('contacts', ?, ?, ?, '12', ?, ?, ?, ?, ?)",
            [MONDAY + timedelta(days=file // 2), f"{9 - file}.csv", number, contact, user_id, email,
             trait and json.dumps(trait), file],
        )  # fmt: skip
    newest = newest_lookups("contacts", f"({lookup_rows('contacts', where)})")
    query = f"SELECT selligent_user_id, user_id, email, traits ->> '$' FROM ({newest})"
    found = database.execute(query).fetchall()
    assert len(found) == len({row[0] for row in found}), "one row per contact"
    return {row[0]: tuple(row[1:]) for row in found}


def test_in_a_file_the_last_value_of_each_column_counts(database: duckdb.DuckDBPyConnection) -> None:
    rows: list[Row] = [
        (0, "7", "ann", "ann@example.com", "gold"),
        (0, "8", None, "bob@example.com", None),
        (0, " 7", "eve", "", "silver"),
        (0, "7", "\u200b", None, None),
        (0, "8", None, "bob@example.net", "gold"),
    ]
    assert given_by(database, rows) == {"7": ("eve", "ann@example.com", None), "8": (None, "bob@example.net", "gold")}


def test_a_newer_file_clears_what_it_lacks_of_its_keys(database: duckdb.DuckDBPyConnection) -> None:
    rows: list[Row] = [
        (0, "7", "ann", "ann@example.com", "gold"),
        (0, "8", "bob", "bob@example.com", "gold"),
        (1, "7", None, "ann@example.net", None),
        (1, "7", None, None, None),
    ]
    assert given_by(database, rows) == {
        "7": (None, "ann@example.net", None),
        "8": ("bob", "bob@example.com", "gold"),
    }
    assert given_by(database, rows, "lookups.load_number = 0")["7"] == ("ann", "ann@example.com", "gold")


def expected(rows: Sequence[Row]) -> Given:
    """The rule, row by row."""
    found: dict[str, tuple[str | None, str | None, str | None]] = {}
    for file in sorted({row[0] for row in rows}):
        of_file: dict[str, tuple[str | None, str | None, str | None]] = {}
        for _, contact, user_id, email, trait in (row for row in rows if row[0] == file):
            before = of_file.get(contact, (None, None, None))
            of_file[contact] = (user_id or before[0], email or before[1], trait)
        found |= of_file
    return found


_VALUE = st.sampled_from([None, "", "a", "b"])
_ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["7", "8"]), _VALUE, _VALUE, st.sampled_from([None, "x", "y"])),
    max_size=12,
)


@given(rows=_ROWS)
def test_any_rows_of_any_files_give_what_the_rule_says(
    database: duckdb.DuckDBPyConnection, rows: Sequence[Row]
) -> None:
    assert given_by(database, rows) == expected(rows)
