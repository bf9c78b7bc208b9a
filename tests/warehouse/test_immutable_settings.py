"""A warehouse is used as it was begun: other ids, or made-up events among true ones, would be delivered for good."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import SettingsError
from pipeline.settings import EXAMPLES, Settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.immutable_settings import check_origin, ensure_origin, take_over


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with Warehouse(f"{tmp_path}/warehouse.duckdb", "").writing() as connection:
        yield connection


def settings(namespace: str = "example.com", exports: str = "/srv/out") -> Settings:
    return Settings(message_id_namespace=namespace, selligent_exports=exports)


def test_a_warehouse_remembers_how_it_was_begun(connection: duckdb.DuckDBPyConnection) -> None:
    ensure_origin(connection, settings())
    ensure_origin(connection, settings())
    check_origin(connection, settings(exports="/srv/elsewhere"))
    assert connection.execute("SELECT count(DISTINCT name), count(*) FROM raw.origin").fetchone() == (5, 5)


def test_another_namespace_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    ensure_origin(connection, settings())
    with pytest.raises(SettingsError, match=r"MESSAGE_ID_NAMESPACE: the warehouse was created with 'example.com'"):
        check_origin(connection, settings(namespace="example.org"))


def test_another_source_name_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    """The event tables would begin anew in another schema, and the old ones would never be brought up to date."""
    ensure_origin(connection, settings())
    renamed = Settings(message_id_namespace="example.com", selligent_exports="/srv/out", segment_source_name="Mail")
    with pytest.raises(SettingsError, match=r"^SEGMENT_SOURCE_NAME: .* 'selligent_marketing_cloud', and 'Mail' would"):
        check_origin(connection, renamed)


@pytest.mark.parametrize(("before", "after"), [(EXAMPLES, "/srv/out"), ("/srv/out", EXAMPLES)])
def test_examples_and_true_exports_do_not_mix(connection: duckdb.DuckDBPyConnection, before: str, after: str) -> None:
    ensure_origin(connection, settings(exports=before))
    with pytest.raises(SettingsError, match="example events must not be mixed with real ones"):
        check_origin(connection, settings(exports=after))


def test_another_brand_is_refused_until_it_takes_the_warehouse_over(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_origin(connection, settings())
    monkeypatch.setattr("pipeline.settings.settings.BRAND", "acme")
    with pytest.raises(
        SettingsError, match=r"^WAREHOUSE: belongs to \.env, and these are .* of the brand 'acme'; each"
    ):
        ensure_origin(connection, settings())
    with pytest.raises(SettingsError, match=r"^MESSAGE_ID_NAMESPACE: "):
        take_over(connection, settings(namespace="example.org"))
    take_over(connection, settings())
    check_origin(connection, settings())
    monkeypatch.setattr("pipeline.settings.settings.BRAND", "")
    with pytest.raises(SettingsError, match=r"^WAREHOUSE: belongs to the brand 'acme', and .* the settings of \.env; "):
        check_origin(connection, settings())


def test_a_warehouse_of_an_earlier_version_belongs_to_the_brand_that_uses_it_first(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_origin(connection, settings())
    connection.execute("DELETE FROM raw.origin WHERE name = 'brand'")
    monkeypatch.setattr("pipeline.settings.settings.BRAND", "acme")
    ensure_origin(connection, settings())
    assert connection.execute("SELECT value FROM raw.origin WHERE name = 'brand'").fetchall() == [("acme",)]
