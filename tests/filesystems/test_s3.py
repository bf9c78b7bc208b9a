"""Exports and the warehouse's files in S3."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.errors import LocationError, SettingsError, WarehouseError
from pipeline.exports.locations import ExportLocation
from pipeline.upkeep.maintenance import tidy
from pipeline.warehouse import Warehouse
from pipeline.warehouse.s3 import S3Server
from tests.fakes.s3 import S3, SECRET_KEY


def test_a_new_object_is_seen_by_the_next_look_of_the_same_process(s3_environment: S3) -> None:
    s3 = s3_environment
    bucket = s3.bucket("exports")
    s3.client.put_object(Bucket=bucket, Key="out/opens.csv", Body=b"ID\n1\n")
    s3.client.put_object(Bucket=bucket, Key="other/opens.csv", Body=b"ID\n")
    url = f"s3://{bucket}/out/"
    assert [file.name for file in ExportLocation(url).files()] == ["opens.csv"]
    s3.client.put_object(Bucket=bucket, Key="out/2024/clicks.csv", Body=b"ID\n1\n2\n")
    location = ExportLocation(url)
    [clicks, opens] = location.files()
    assert (clicks.name, clicks.size, opens.name) == ("2024/clicks.csv", 7, "opens.csv")
    assert clicks.modified_at.tzinfo is not None
    with location.local(clicks) as copy:
        assert copy.path.read_bytes() == b"ID\n1\n2\n"


@pytest.mark.usefixtures("s3_environment")
def test_a_bucket_of_exports_that_is_not_there_is_told() -> None:
    with pytest.raises(LocationError, match=r"^SELLIGENT_EXPORTS: s3:// can't be listed \(FileNotFoundError"):
        ExportLocation("s3://there-is-none/out").files()


def test_a_prefix_that_nothing_begins_with_is_empty(s3_environment: S3) -> None:
    """As where loaded files are moved away."""
    bucket = s3_environment.bucket("exports-empty")
    assert ExportLocation(f"s3://{bucket}/out").files() == []
    s3_environment.client.put_object(Bucket=bucket, Key="out/", Body=b"")  # as the console makes a folder
    assert ExportLocation(f"s3://{bucket}/out").files() == []
    assert ExportLocation(f"s3://{bucket}").files() == []


def test_an_object_that_went_away_is_no_fault_of_the_server(s3_environment: S3) -> None:
    bucket = s3_environment.bucket("exports-going")
    s3_environment.client.put_object(Bucket=bucket, Key="opens.csv", Body=b"ID\n")
    location = ExportLocation(f"s3://{bucket}")
    [file] = location.files()
    s3_environment.client.delete_object(Bucket=bucket, Key="opens.csv")
    with pytest.raises(FileNotFoundError), location.local(file):
        pass


# The warehouse's files


def test_tables_are_written_read_and_tidied_there(s3_environment: S3, tmp_path: Path) -> None:
    bucket = s3_environment.bucket("lake")
    warehouse = Warehouse(f"ducklake:sqlite:{tmp_path}/warehouse.sqlite", f"s3://{bucket}/some/prefix/")
    with warehouse.writing() as connection:
        for number in range(3):
            connection.execute(f"CREATE TABLE raw.t{number} AS SELECT range AS a FROM range(10000)")
        connection.execute("DELETE FROM raw.t0 WHERE a % 2 = 0")
        assert warehouse.is_alone(connection)
    with warehouse.reading() as connection:
        assert connection.execute("SELECT count(*), sum(a) FROM raw.t0").fetchone() == (5000, 25_000_000)
    keys = s3_environment.keys(bucket)
    assert all(key.startswith("some/prefix/") for key in keys)
    assert sum(key.endswith(".warehouse") for key in keys) == 1

    done = tidy(warehouse, 30, datetime.now(UTC))
    assert (done.merged, done.after.tables["raw.t0"].files) == (1, 1)
    in_a_month = tidy(warehouse, 30, datetime.now(UTC) + timedelta(days=32))
    assert in_a_month.expired > 0
    assert in_a_month.removed > 0
    assert len(s3_environment.keys(bucket)) < len(keys)
    with warehouse.reading() as connection:
        assert connection.execute("SELECT count(*), sum(a) FROM raw.t0").fetchone() == (5000, 25_000_000)


def test_what_a_killed_process_left_is_removed_there_and_nothing_else(s3_environment: S3, tmp_path: Path) -> None:
    bucket = s3_environment.bucket("orphans")
    outer = Warehouse(f"ducklake:sqlite:{tmp_path}/outer.sqlite", f"s3://{bucket}/")
    inner = Warehouse(f"ducklake:sqlite:{tmp_path}/inner.sqlite", f"s3://{bucket}/test/")
    for warehouse in (outer, inner):
        with warehouse.writing() as connection:
            connection.execute("CREATE TABLE raw.t AS SELECT range AS a FROM range(10000)")
    known = s3_environment.keys(bucket)
    left = {"raw/t/ducklake-0.parquet", "raw/t/other.parquet", "other.parquet"}
    for key in left:
        s3_environment.client.put_object(Bucket=bucket, Key=key, Body=b"PAR1")
    done = tidy(outer, 30, datetime.now(UTC) + timedelta(days=2))
    assert (done.orphans, done.orphans_of_others) == (1, 3)
    assert s3_environment.keys(bucket) == known | left - {"raw/t/ducklake-0.parquet"}


def test_two_warehouses_in_one_place_are_noticed(s3_environment: S3, tmp_path: Path) -> None:
    bucket = s3_environment.bucket("shared-lake")
    for name in ("one", "other"):
        warehouse = Warehouse(f"ducklake:sqlite:{tmp_path}/{name}.sqlite", f"s3://{bucket}/")
        with warehouse.writing() as connection:
            assert warehouse.is_alone(connection) == (name == "one")


def test_a_bucket_that_is_not_there_is_told_at_once(s3_environment: S3, tmp_path: Path) -> None:
    warehouse = Warehouse(f"ducklake:sqlite:{tmp_path}/warehouse.sqlite", "s3://no-such-lake/")
    expected = r"^WAREHOUSE_FILES: s3://no-such-lake/ can't be used: .*region"
    for _ in range(2):
        with pytest.raises(WarehouseError, match=expected) as caught, warehouse.writing():
            pass
        assert SECRET_KEY not in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_credentials_that_are_not_there_are_told(
    s3_environment: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    warehouse = Warehouse(f"ducklake:sqlite:{tmp_path}/warehouse.sqlite", f"s3://{s3_environment.bucket('lake')}/")
    with pytest.raises(WarehouseError, match=r"^WAREHOUSE_FILES: there are no credentials for S3"), warehouse.writing():
        pass


def test_the_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb_extension_aws", None)
    with pytest.raises(SettingsError, match=r"^WAREHOUSE_FILES: s3:// needs packages that are not installed: .*\[s3\]"):
        Warehouse(f"ducklake:sqlite:{tmp_path}/warehouse.sqlite", "s3://lake/").attach_statements(read_only=True)


@pytest.mark.parametrize(
    ("environment", "server"),
    [
        ({}, S3Server("s3.amazonaws.com", True, "vhost")),
        ({"AWS_ENDPOINT_URL": ""}, S3Server("s3.amazonaws.com", True, "vhost")),
        ({"AWS_ENDPOINT_URL": "https://s3.example.com"}, S3Server("s3.example.com", True, "path")),
        (
            {"AWS_ENDPOINT_URL": "https://example.com", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000/"},
            S3Server("127.0.0.1:9000", False, "path"),
        ),
    ],
)
def test_another_server_is_named_as_to_the_tools_of_aws(environment: dict[str, str], server: S3Server) -> None:
    assert S3Server.of(environment) == server
