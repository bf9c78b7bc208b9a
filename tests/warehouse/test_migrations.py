"""A warehouse of an earlier version is brought up to date by a writer; one of a later version is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import SettingsError, WarehouseError
from pipeline.warehouse import Warehouse
from pipeline.warehouse.schema.migrations import NEWEST
from tests.support.warehouses import ducklake_in, plain_file_in

VERSION = "SELECT value FROM raw.origin WHERE name = 'schema_version'"
COLUMNS = "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE database_name = 'lake' ORDER BY ALL"


@pytest.fixture(params=[ducklake_in, plain_file_in], ids=["ducklake", "file"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    make: Callable[[Path], Warehouse] = request.param
    return make(tmp_path)


def columns(warehouse: Warehouse) -> list[tuple[str, str, str]]:
    with warehouse.reading() as connection:
        return connection.execute(COLUMNS).fetchall()


def test_a_new_warehouse_has_the_newest_number(warehouse: Warehouse) -> None:
    for _ in range(2):
        with warehouse.writing() as connection:
            assert connection.execute(VERSION).fetchall() == [(str(NEWEST),)]


def test_a_warehouse_without_a_number_is_brought_up_to_date(warehouse: Warehouse) -> None:
    with warehouse.writing() as connection:
        newest = connection.execute(COLUMNS).fetchall()
        connection.execute("DELETE FROM raw.origin WHERE name = 'schema_version'")
        connection.execute("INSERT INTO raw.export_files (name, rows) VALUES ('opens.csv', 3)")
        for column in ("records", "suspect_rows", "suspect_line"):
            connection.execute(f"ALTER TABLE raw.export_files DROP COLUMN {column}")
        connection.execute("DROP TABLE delivery.withheld_dates")
    with pytest.raises(WarehouseError, match="an earlier version of this program created it"), warehouse.reading():
        pass
    warehouse.bring_up_to_date()
    assert columns(warehouse) == newest
    with warehouse.reading() as connection:
        assert connection.execute(VERSION).fetchall() == [(str(NEWEST),)]
        assert connection.execute("SELECT name, rows, records FROM raw.export_files").fetchall() == [
            ("opens.csv", 3, None)
        ]


def test_an_outbox_with_messages_is_written_anew_without_them(warehouse: Warehouse) -> None:
    """Its rows and partitions stay; the messages are in no file of the new table."""
    with warehouse.writing() as connection:
        newest = connection.execute(COLUMNS).fetchall()
        connection.execute("ALTER TABLE delivery.outbox ADD COLUMN payload VARCHAR")
        connection.execute(
            "INSERT INTO delivery.outbox BY NAME SELECT i::VARCHAR AS id, 'email_opened' AS event, "
            "DATE '2024-06-11' AS export_date, 'b' AS batch_id, 1 AS sequence, 'ann@example.org' AS payload "
            "FROM range(5000) AS numbers(i)"
        )
        connection.execute("UPDATE raw.origin SET value = '1' WHERE name = 'schema_version'")
    warehouse.bring_up_to_date()
    assert columns(warehouse) == newest
    with warehouse.writing() as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT id) FROM delivery.outbox").fetchall() == [
            (5000, 5000)
        ]
        assert connection.execute("SELECT DISTINCT event, status FROM delivery.events").fetchall() == [
            ("email_opened", "waiting")
        ]
        if warehouse.is_ducklake:
            files = connection.execute(
                "SELECT data_file FROM ducklake_list_files('lake', 'outbox', schema => 'delivery')"
            )
            paths = [path for (path,) in files.fetchall()]
            assert all("event=email_opened" in path for path in paths)
            found = connection.execute("SELECT DISTINCT name FROM parquet_schema(?)", [paths]).fetchall()
            assert ("id",) in found
            assert ("payload",) not in found


def test_event_tables_of_an_earlier_version_get_the_columns_of_new_meanings(warehouse: Warehouse) -> None:
    with warehouse.writing() as connection:
        for statement in (
            "CREATE SCHEMA staging",
            "CREATE TABLE staging.events (id UUID)",
            'CREATE SCHEMA "the \'source"',
            *(f'CREATE TABLE "the \'source".{table} (id VARCHAR)' for table in ("tracks", "email_link_clicked")),
            "INSERT INTO \"the 'source\".tracks VALUES ('a')",
            "ALTER TABLE raw.events DROP COLUMN properties",
            "DROP TABLE raw.properties",
            "UPDATE raw.origin SET value = '2' WHERE name = 'schema_version'",
        ):
            connection.execute(statement)
    warehouse.bring_up_to_date()
    found = columns(warehouse)
    assert [column for schema, table, column in found if schema == "the 'source" and table == "tracks"] == [
        *("context_ip", "context_user_agent", "id"),
    ]
    assert ("the 'source", "email_link_clicked", "link_url") in found
    assert ("raw", "events", "properties") in found
    assert ("raw", "properties", "column_name") in found
    assert [column for schema, table, column in found if (schema, table) == ("staging", "events")] == [
        *("id", "ip", "link_url", "properties", "user_agent"),
    ]
    with warehouse.reading() as connection:
        assert connection.execute('SELECT id, context_ip FROM "the \'source".tracks').fetchall() == [("a", None)]


def test_what_was_cut_before_events_could_be_held_is_not_held(warehouse: Warehouse) -> None:
    with warehouse.writing() as connection:
        newest = connection.execute(COLUMNS).fetchall()
        connection.execute("DROP VIEW delivery.events")
        connection.execute("ALTER TABLE delivery.outbox DROP COLUMN held")
        connection.execute("CREATE VIEW delivery.events AS SELECT id, 'waiting' AS status FROM delivery.outbox")
        connection.execute("INSERT INTO delivery.outbox (id, batch_id) VALUES ('a', 'b')")
        connection.execute("UPDATE raw.origin SET value = '3' WHERE name = 'schema_version'")
    warehouse.bring_up_to_date()
    assert columns(warehouse) == newest
    with warehouse.writing() as connection:
        connection.execute("INSERT INTO delivery.outbox (id, batch_id, held) VALUES ('c', 'd', true)")
        rows = connection.execute("SELECT id, status, held FROM delivery.events JOIN delivery.outbox USING (id)")
        assert sorted(rows.fetchall()) == [("a", "waiting", None), ("c", "held", True)]


def test_lookups_and_rejected_rows_get_the_layout_that_loaded_their_file(warehouse: Warehouse) -> None:
    """That of the loaded bytes, whatever was refused later; where no bytes are loaded, that of the newest load."""
    with warehouse.writing() as connection:
        newest = connection.execute(COLUMNS).fetchall()
        for table in ("lookups", "rejected_rows"):
            connection.execute(f"ALTER TABLE raw.{table} DROP COLUMN layout")
            connection.execute(
                f"INSERT INTO raw.{table} (export_date, file) VALUES ('2024-06-11', 'a.csv'), ('2024-06-12', 'a.csv'), "
                "('2024-06-12', 'b.csv'), ('2024-06-13', 'gone.csv')"
            )
        connection.execute(
            "INSERT INTO raw.export_files (export_date, name, layout, status, load_number) VALUES "
            "('2024-06-11', 'a.csv', 'former', 'replaced', 4), ('2024-06-11', 'a.csv', 'people', 'loaded', NULL), "
            "('2024-06-11', 'a.csv', 'wrong', 'refused', 5), ('2024-06-12', 'a.csv', 'contacts', 'loaded', 2), "
            "('2024-06-12', 'b.csv', 'earlier', 'replaced', 1), ('2024-06-12', 'b.csv', 'later', 'replaced', 2), "
            "('2024-06-12', 'b.csv', NULL, 'unmatched', 3)"
        )
        connection.execute("UPDATE raw.origin SET value = '7' WHERE name = 'schema_version'")
    warehouse.bring_up_to_date()
    assert columns(warehouse) == newest
    with warehouse.reading() as connection:
        for table in ("lookups", "rejected_rows"):
            found = connection.execute(f"SELECT export_date::VARCHAR, file, layout FROM raw.{table} ORDER BY ALL")
            assert found.fetchall() == [
                ("2024-06-11", "a.csv", "people"),
                ("2024-06-12", "a.csv", "contacts"),
                ("2024-06-12", "b.csv", "later"),
                ("2024-06-13", "gone.csv", None),
            ]


def test_there_is_nothing_to_bring_up_to_date_where_there_is_no_warehouse(warehouse: Warehouse) -> None:
    warehouse.bring_up_to_date()
    assert not warehouse.exists()


def test_a_warehouse_of_a_later_version_is_refused(warehouse: Warehouse) -> None:
    with warehouse.writing() as connection:
        connection.execute("UPDATE raw.origin SET value = '99' WHERE name = 'schema_version'")
    words = rf"WAREHOUSE: a newer version .* number 99, .* up to {NEWEST}\); update the program"
    for opened in (warehouse.reading, warehouse.writing):
        with pytest.raises(SettingsError, match=words), opened():
            pass
    with pytest.raises(SettingsError, match=words):
        warehouse.bring_up_to_date()
