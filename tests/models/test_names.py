"""Names in rows of events are given to other events with the same id, whatever the order of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dbt_models import ModelledWarehouse
from tests.support.warehouses import ducklake_in, plain_file_in

DAYS = [date(2026, 3, number) for number in (2, 3, 4)]
MONDAY, TUESDAY, WEDNESDAY = DAYS

Row = Mapping[str, Any]


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps its files; the project is parsed once."""
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture
def tables(tmp_path: Path, parsed: Path) -> ModelledWarehouse:
    return ModelledWarehouse(plain_file_in(tmp_path), parsed)


@pytest.fixture
def lake(tmp_path: Path, parsed: Path) -> ModelledWarehouse:
    """The same in a DuckLake, which takes three times as long."""
    return ModelledWarehouse(ducklake_in(tmp_path), parsed)


def opened(who: str, minute: int = 0, **columns: str | None) -> Row:
    """An open in the row of an export; its id depends on the person, the time and the ids in `columns`."""
    return {"occurred_at": datetime(2026, 3, 1, 9, minute, tzinfo=UTC), "user_id": who, **columns}


def names(tables: ModelledWarehouse, column: str = "campaign_name") -> dict[str, str | None]:
    """The name that each person's event has."""
    return dict(tables.query(f"SELECT user_id, {column} FROM staging.events"))


def writes(tables: ModelledWarehouse) -> dict[str, int]:
    """The number of the write that last wrote each person's event."""
    return dict(tables.query("SELECT user_id, revision FROM staging.events"))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("campaign_id", "campaign_name"),
        ("email_id", "email_subject"),
        ("link_id", "link_name"),
        ("list_id", "list_name"),
    ],
)
def test_a_row_names_the_events_of_other_rows_and_dates(tables: ModelledWarehouse, key: str, name: str) -> None:
    tables.load_events(MONDAY, [opened("ann", **{key: "7"}), opened("bob", **{key: "8"})])
    tables.build(MONDAY)
    assert names(tables, name) == {"ann": None, "bob": None}

    tables.load_events(TUESDAY, [opened("eve", **{key: " 7", name: "Spring"}), opened("zoe", **{key: "7"})])
    tables.build(TUESDAY)
    assert names(tables, name) == {"ann": "Spring", "bob": None, "eve": "Spring", "zoe": "Spring"}
    # Ann's was written again, and Bob's was not.
    assert writes(tables) == {"ann": 2, "bob": 1, "eve": 2, "zoe": 2}


def test_the_own_name_comes_before_that_of_a_lookup_and_this_before_that_of_another_row(
    tables: ModelledWarehouse,
) -> None:
    tables.load_events(
        MONDAY,
        [
            opened("ann", campaign_id="c1", campaign_name="Of the row"),
            opened("bob", campaign_id="c1"),
            opened("eve", campaign_id="c2"),
        ],
    )
    tables.load_lookup(
        MONDAY,
        "campaigns",
        [
            {"campaign_id": "c1", "campaign_name": "Of the lookup"},
            {"campaign_id": "c2", "campaign_name": "\u200b"},  # nothing that a person can see
        ],
    )
    tables.build(MONDAY)
    assert names(tables) == {"ann": "Of the row", "bob": "Of the lookup", "eve": None}

    tables.load_events(TUESDAY, [opened("zoe", campaign_id=key, campaign_name="Later") for key in ("c1", "c2")])
    tables.build(TUESDAY)
    found = names(tables)
    assert (found["ann"], found["bob"], found["eve"]) == ("Of the row", "Of the lookup", "Later")


def test_a_lookup_replaces_the_name_of_another_row_and_gives_it_back(tables: ModelledWarehouse) -> None:
    tables.load_events(
        MONDAY, [opened("ann", campaign_id="c1", campaign_name="Of the row"), opened("bob", campaign_id="c1")]
    )
    tables.build(MONDAY)
    tables.load_lookup(TUESDAY, "campaigns", [{"campaign_id": "c1", "campaign_name": "Of the lookup"}])
    tables.build(TUESDAY)
    assert names(tables) == {"ann": "Of the row", "bob": "Of the lookup"}

    tables.load_lookup(TUESDAY, "campaigns", [{"campaign_id": "c2", "campaign_name": "Another"}])
    tables.build(TUESDAY)
    assert names(tables) == {"ann": "Of the row", "bob": "Of the row"}
    before = writes(tables)
    tables.build(TUESDAY)
    assert writes(tables) == before


def test_an_empty_cell_of_a_lookup_clears_the_name_of_an_earlier_file_and_not_that_of_an_earlier_row(
    tables: ModelledWarehouse,
) -> None:
    named, unnamed = {"campaign_id": "c1", "campaign_name": "Spring"}, {"campaign_id": "c1", "campaign_name": " "}
    tables.load_events(MONDAY, [opened("ann", campaign_id="c1")])
    tables.build(MONDAY)
    tables.load_lookup(TUESDAY, "campaigns", [named, unnamed])
    tables.build(TUESDAY)
    assert names(tables) == {"ann": "Spring"}

    tables.load_lookup(WEDNESDAY, "campaigns", [unnamed])
    tables.build(WEDNESDAY)
    assert names(tables) == {"ann": None}
    # The corrected file gives what the events had before: only a comparison with the events finds the change.
    tables.load_lookup(WEDNESDAY, "campaigns", [named, unnamed, unnamed])
    tables.build(WEDNESDAY)
    assert names(tables) == {"ann": "Spring"}
    before = writes(tables)
    tables.build(WEDNESDAY)
    assert writes(tables) == before


def test_the_name_of_the_newest_export_date_counts(tables: ModelledWarehouse) -> None:
    """Tuesday comes last, so its name is older than the one that the events have."""
    tables.load_events(MONDAY, [opened("ann", campaign_id="c1"), opened("bob", 1, campaign_id="c1", campaign_name="1")])
    tables.load_events(WEDNESDAY, [opened("eve", 2, campaign_id="c1", campaign_name="Newest")])
    tables.build(MONDAY)
    tables.build(WEDNESDAY)
    assert names(tables)["ann"] == "Newest"
    tables.load_events(TUESDAY, [opened("zoe", 3, campaign_id="c1", campaign_name="Older")])
    tables.build(TUESDAY)
    assert names(tables) == {"ann": "Newest", "bob": "1", "eve": "Newest", "zoe": "Older"}


def test_on_one_date_the_newest_export_counts_and_then_the_alphabet(tables: ModelledWarehouse) -> None:
    early, late = f"{MONDAY} 05:00:00+00", f"{MONDAY} 06:00:00+00"
    tables.load_events(
        MONDAY,
        [
            opened("ann", campaign_id="c1"),
            opened("bob", 1, campaign_id="c1", campaign_name="Zebra", exported_at=early),
            opened("bob", 2, campaign_id="c1", campaign_name="Bear", exported_at=late),
            opened("bob", 3, campaign_id="c1", campaign_name="Ape", exported_at=late),
        ],
    )
    tables.build(MONDAY)
    assert names(tables)["ann"] == "Bear"


def test_a_correction_takes_its_name_away(tables: ModelledWarehouse) -> None:
    tables.load_events(MONDAY, [opened("ann", campaign_id="c1")])
    tables.load_events(TUESDAY, [opened("bob", campaign_id="c1", campaign_name="Wrong")])
    tables.build(MONDAY)
    tables.build(TUESDAY)
    assert names(tables) == {"ann": "Wrong", "bob": "Wrong"}
    tables.load_events(TUESDAY, [opened("bob", campaign_id="c1")])
    tables.build(TUESDAY)
    assert names(tables) == {"ann": None, "bob": None}


def test_a_run_that_fails_leaves_the_names_as_the_events_have_them(lake: ModelledWarehouse) -> None:
    """Otherwise the next run would find no change, and Ann's event would never get its name."""
    lake.load_events(MONDAY, [opened("ann", campaign_id="c1")])
    lake.build(MONDAY)
    lake.load_events(TUESDAY, [opened("bob", campaign_id="c1", campaign_name="Spring")])
    with lake.warehouse.writing() as connection:
        connection.execute("ALTER TABLE staging.events ADD COLUMN unknown VARCHAR")
    with pytest.raises(AssertionError, match="unknown"):
        lake.build(TUESDAY)
    assert lake.query("SELECT count(found_name) FROM staging.names") == [(0,)]
    with lake.warehouse.writing() as connection:
        connection.execute("ALTER TABLE staging.events DROP COLUMN unknown")
    lake.build(TUESDAY)
    assert names(lake) == {"ann": "Spring", "bob": "Spring"}


def test_a_warehouse_of_an_earlier_version_gets_the_names_of_all_its_dates(tables: ModelledWarehouse) -> None:
    tables.load_events(MONDAY, [opened("ann", campaign_id="c1"), opened("bob", campaign_id="c2")])
    tables.load_events(TUESDAY, [opened("eve", campaign_id="c1", campaign_name="Spring")])
    tables.build(MONDAY)
    tables.build(TUESDAY)
    with tables.warehouse.writing() as connection:
        connection.execute("DROP TABLE staging.names")
        connection.execute("UPDATE staging.events SET campaign_name = NULL WHERE user_id = 'ann'")
    tables.load_events(WEDNESDAY, [opened("zoe", campaign_id="c2", campaign_name="Summer")])
    tables.build(WEDNESDAY)
    assert names(tables) == {"ann": "Spring", "bob": "Summer", "eve": "Spring", "zoe": "Summer"}


def test_the_same_date_again_writes_no_names(lake: ModelledWarehouse) -> None:
    lake.load_events(MONDAY, [opened("ann", campaign_id="c1", campaign_name="Spring"), opened("bob")])
    lake.build(MONDAY)
    stored = "SELECT rowid, snapshot_id, found_name FROM staging.names"
    before = lake.query(stored)
    assert [row[2] for row in before] == ["Spring"]
    lake.build(MONDAY)
    assert lake.query(stored) == before


def test_any_order_of_dates_gives_the_same_events_in_a_ducklake(lake: ModelledWarehouse) -> None:
    lake.load_events(MONDAY, [opened("ann", campaign_id="c1")])
    lake.load_events(TUESDAY, [opened("bob", campaign_id="c1", campaign_name="Spring")])
    lake.load_events(WEDNESDAY, [opened("eve", campaign_id="c1", campaign_name="Summer"), opened("zoe")])
    for day in (WEDNESDAY, MONDAY, TUESDAY):
        lake.build(day)
    assert names(lake) == {"ann": "Summer", "bob": "Spring", "eve": "Summer", "zoe": None}
    kept = lake.query("SELECT * FROM staging.names ORDER BY ALL")
    lake.rebuild()
    assert names(lake) == {"ann": "Summer", "bob": "Spring", "eve": "Summer", "zoe": None}
    assert lake.query("SELECT * FROM staging.names ORDER BY ALL") == kept


_MAYBE = st.sampled_from([None, "Spring", "Summer"])
# Few people, times and ids: rows of several dates are often the same event, with or without its name.
_ROWS = st.lists(
    st.builds(
        lambda who, minute, campaign, name: opened(who, minute, campaign_id=campaign, campaign_name=name),
        st.sampled_from(["ann", "bob"]),
        st.integers(0, 2),
        st.sampled_from(["c1", "c2"]),
        _MAYBE,
    ),
    max_size=4,
    unique_by=lambda row: (row["user_id"], row["occurred_at"], row["campaign_id"]),
)


@dataclass(frozen=True)
class Load:
    """What an export date has from now on."""

    day: date
    rows: Sequence[Row]
    lookup: Sequence[tuple[str, str | None]] | None  # campaign and name of each row


_LOADS = st.lists(
    st.builds(
        Load,
        st.sampled_from(DAYS),
        _ROWS,
        st.none() | st.lists(st.tuples(st.sampled_from(["c1", "c2"]), st.sampled_from(["Looked up", "Later", None]))),
    ),
    min_size=2,
    max_size=4,
)


def expected(loads: Sequence[Load]) -> list[tuple[str, datetime, str, str | None]]:
    """Person, time, campaign and name of each event, from the rows and lookups that are left in the end."""
    rows: dict[date, Sequence[Row]] = {}
    lookups: dict[date, Mapping[str, str | None]] = {}
    for load in loads:
        rows[load.day] = load.rows
        if load.lookup is not None:
            unnamed = dict.fromkeys((campaign for campaign, _ in load.lookup), None)
            lookups[load.day] = unnamed | {campaign: name for campaign, name in load.lookup if name}
    looked_up = {key: name for day in sorted(lookups) for key, name in lookups[day].items()}
    found: dict[str, str] = {}
    for day in sorted(rows):
        pairs = [(row["campaign_name"], row["campaign_id"]) for row in rows[day] if row["campaign_name"]]
        found |= {campaign: name for name, campaign in sorted(pairs)}
    first = {_key(row): row for day in sorted(rows, reverse=True) for row in rows[day]}
    return sorted(
        (*key, row["campaign_name"] or looked_up.get(row["campaign_id"]) or found.get(row["campaign_id"]))
        for key, row in first.items()
    )


def _key(row: Row) -> tuple[str, datetime, str]:
    return row["user_id"], row["occurred_at"], row["campaign_id"]


@settings(max_examples=12)
@given(loads=_LOADS)
def test_any_order_of_loads_and_a_rebuild_give_the_same_events(
    tmp_path_factory: pytest.TempPathFactory, parsed: Path, loads: Sequence[Load]
) -> None:
    tables = ModelledWarehouse(plain_file_in(tmp_path_factory.mktemp("tables")), parsed)
    for load in loads:
        tables.load_events(load.day, load.rows)
        if load.lookup is not None:
            rows = [{"campaign_id": key, "campaign_name": name} for key, name in load.lookup]
            tables.load_lookup(load.day, "campaigns", rows)
        tables.build(load.day)
    of_events = "SELECT user_id, timestamp, campaign_id, campaign_name FROM staging.events ORDER BY ALL"
    of_names = "SELECT * FROM staging.names ORDER BY ALL"
    events, kept = tables.query(of_events), tables.query(of_names)
    assert events == expected(loads)
    tables.rebuild()
    assert (tables.query(of_events), tables.query(of_names)) == (events, kept)
