"""A ledger of an earlier version is brought up to date; one of a later version is refused."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.errors import SettingsError
from pipeline.ledger import Batch, DeadEvent, Ledger
from pipeline.ledger.migrations import NEWEST
from pipeline.ledger.schema import metadata
from tests.support.modelled_tables import DATES, DAY, NOW, id_of

BATCH = Batch("a", "email_opened", DAY, 1, 3)


def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.sqlite"


def tables(tmp_path: Path) -> dict[str, tuple[set[str], set[str]]]:
    """The columns and the indexes of each table."""
    looked_at = sa.inspect(sa.create_engine(url(tmp_path)))
    return {
        name: (
            {column["name"] for column in looked_at.get_columns(name)},
            {str(index["name"]) for index in looked_at.get_indexes(name)},
        )
        for name in looked_at.get_table_names()
    }


def newest() -> dict[str, tuple[set[str], set[str]]]:
    return {
        table.name: (set(table.columns.keys()), {str(index.name) for index in table.indexes})
        for table in metadata.sorted_tables
    }


def number(tmp_path: Path) -> list[tuple[str]]:
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        return connection.execute("SELECT value FROM origin WHERE name = 'schema_version'").fetchall()


def test_a_new_ledger_has_the_newest_tables(tmp_path: Path) -> None:
    for _ in range(2):
        Ledger(url(tmp_path))
    assert tables(tmp_path) == newest()
    assert number(tmp_path) == [(str(NEWEST),)]


def test_a_ledger_without_a_number_is_brought_up_to_date(tmp_path: Path) -> None:
    """One has a column that each row had to have, and that nothing fills any longer; others are missing."""
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.executescript(
            """
            CREATE TABLE batches (
                batch_id VARCHAR(64) NOT NULL PRIMARY KEY, event VARCHAR(64) NOT NULL, export_date DATE NOT NULL,
                sequence INTEGER NOT NULL, events INTEGER NOT NULL, bytes INTEGER NOT NULL,
                status VARCHAR(16) NOT NULL, attempts INTEGER NOT NULL, delivered_at DATETIME, reason TEXT
            );
            CREATE INDEX batches_by_bytes ON batches (bytes);
            CREATE TABLE dead_events (
                id VARCHAR(64) NOT NULL PRIMARY KEY, event VARCHAR(64) NOT NULL, export_date DATE NOT NULL,
                reason TEXT NOT NULL, died_at DATETIME NOT NULL
            );
            INSERT INTO batches VALUES ('b', 'email_opened', '2026-03-02', 2, 5, 700, 'delivered', 1, NULL, NULL);
            """
        )
    ledger = Ledger(url(tmp_path))
    assert tables(tmp_path) == newest()
    assert number(tmp_path) == [(str(NEWEST),)]
    ledger.register([BATCH], [DeadEvent(id_of(1), "email_opened", DAY, None, "too large")], NOW)
    standing = ledger.standing_of("email_opened", DATES)
    assert (standing.delivered, standing.waiting, standing.dead) == (5, 3, 1)


def test_a_ledger_of_a_later_version_is_refused(tmp_path: Path) -> None:
    Ledger(url(tmp_path)).register([BATCH], [], NOW)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("UPDATE origin SET value = '99' WHERE name = 'schema_version'")
    before = (tmp_path / "ledger.sqlite").read_bytes()
    with pytest.raises(SettingsError, match=rf"LEDGER: a newer version .* version 99; .* up to {NEWEST}\); update"):
        Ledger(url(tmp_path))
    assert (tmp_path / "ledger.sqlite").read_bytes() == before
