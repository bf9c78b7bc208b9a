"""The password of a catalog's server: known to DuckDB, and repeated nowhere."""

import traceback
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import WarehouseError
from pipeline.warehouse import Warehouse
from pipeline.warehouse.postgres import PostgresServer, parameters_of
from tests.fakes.door import door
from tests.fakes.postgres import PASSWORD, Postgres

LOGIN = {"host": "db", "user": "zoe", "password": "a b'c\\d%"}


@pytest.mark.parametrize(
    ("dsn", "parameters"),
    [
        (r"host=db user=zoe password='a b\'c\\d%'", LOGIN),
        (r" host = db user='zoe' password=a\ b\'c\\d%  ", LOGIN),
        ("postgresql://zoe:a%20b%27c%5Cd%25@db", LOGIN),
        ("postgres://db?user=zoe&password=a%20b'c%5cd%25", LOGIN),
        ("postgresql://[::1]:5433/lake", {"host": "::1", "port": "5433", "dbname": "lake"}),
        ("postgresql://one:1,two:2/lake", {"host": "one,two", "port": "1,2", "dbname": "lake"}),
        ("postgresql:///lake?host=/run/pg", {"host": "/run/pg", "dbname": "lake"}),
        ("password=''", {"password": ""}),
        ("nonsense", {}),
        ("host=db nonsense", {}),
        ("host='db", {}),
    ],
)
def test_a_connection_string_is_read_as_libpq_reads_it(dsn: str, parameters: dict[str, str]) -> None:
    assert parameters_of(dsn) == parameters


@pytest.mark.parametrize(
    ("dsn", "address", "password"),
    [
        ("host=db password=word", "host=db", "word"),
        (r"user='o\'hara' password='a b'", r"user=o\'hara", "a b"),
        ("host=db", "host=db", "of the environment"),
        ("nonsense", "nonsense", "of the environment"),
    ],
)
def test_a_password_is_apart_from_the_address(dsn: str, address: str, password: str) -> None:
    server = PostgresServer.of(dsn, {"PGPASSWORD": "of the environment"})
    assert (server.address, server.password) == (address, password)
    assert password not in repr(server)


@pytest.mark.parametrize("as_url", [False, True])
def test_a_catalog_is_opened_by_either_form(postgres: Postgres, tmp_path: Path, as_url: bool) -> None:
    database = postgres.create(f"lake-{tmp_path.name}".replace("_", "-"))
    dsn = postgres.url(database) if as_url else postgres.dsn(database)
    warehouse = Warehouse(f"ducklake:postgres:{dsn}", f"{tmp_path}/files/")
    assert PASSWORD not in repr(warehouse)
    with warehouse.writing() as connection:
        assert connection.execute("SELECT count(*) FROM raw.events").fetchone() == (0,)


def test_a_password_file_is_used_where_no_password_is_given(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres.create(f"lake-{tmp_path.name}".replace("_", "-"))
    passwords = tmp_path / "pgpass"
    passwords.touch(mode=0o600)
    passwords.write_text(f"127.0.0.1:{postgres.port}:*:*:{PASSWORD}\n")
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    dsn = postgres.dsn(database).replace(f"password={PASSWORD}", "")
    with Warehouse(f"ducklake:postgres:{dsn}", f"{tmp_path}/files/").writing() as connection:
        assert connection.execute("SELECT count(*) FROM raw.events").fetchone() == (0,)


def test_a_server_that_goes_away_in_the_middle_is_reported_without_the_password(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = postgres.create(f"lake-{tmp_path.name}".replace("_", "-"))
    with door(postgres.port) as way:
        through = replace(postgres, port=way.port)
        warehouse = Warehouse(f"ducklake:postgres:{through.dsn(database)}", f"{tmp_path}/files/")
        with warehouse.writing() as connection:
            way.shut()
            for _ in range(2):  # the connection that it had, and a new one
                with pytest.raises(duckdb.Error) as caught:
                    connection.execute("INSERT INTO raw.origin VALUES ('a', 'b')")
                assert PASSWORD not in "".join(traceback.format_exception(caught.value))
        with pytest.raises(WarehouseError), warehouse.writing():
            pass
