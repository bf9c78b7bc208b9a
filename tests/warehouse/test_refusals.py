"""One sentence when the warehouse can't be opened, without the password."""

import sqlite3
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SettingsError, WarehouseError
from pipeline.warehouse import Warehouse
from tests.support.warehouses import ducklake_in, plain_file_in

PASSWORD = "hunter2-and-more"


def refusal(warehouse: Warehouse, how: str = "writing") -> str:
    with pytest.raises(WarehouseError) as caught, getattr(warehouse, how)():
        pass
    sentence = str(caught.value)
    assert len(sentence.splitlines()) == 1
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    return sentence


@pytest.mark.parametrize("how", ["reading", "writing"])
@pytest.mark.parametrize(
    "place",
    [
        f"ducklake:postgres:host=127.0.0.1 port=1 dbname=lake user=someone password={PASSWORD}",
        f"ducklake:postgres:postgresql://someone:{PASSWORD}@127.0.0.1:1/lake",
        f"ducklake:postgres:nonsense {PASSWORD}",
    ],
)
def test_a_server_that_cannot_be_reached_is_reported_without_the_password(tmp_path: Path, place: str, how: str) -> None:
    expected = "WAREHOUSE: the PostgreSQL catalog can't be opened; check its host, database, user and password."
    assert refusal(Warehouse(place, f"{tmp_path}/"), how) == expected


def test_a_driver_that_is_not_installed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with (
        pytest.raises(SettingsError, match=r"^WAREHOUSE: ducklake:postgres: needs packages .*\[postgres\]"),
        Warehouse("ducklake:postgres:host=127.0.0.1 port=1", f"{tmp_path}/").writing(),
    ):
        pass


@pytest.mark.parametrize("how", ["reading", "writing"])
@pytest.mark.parametrize("kind", [ducklake_in, plain_file_in])
def test_a_file_of_another_kind_is_reported(tmp_path: Path, kind: Any, how: str) -> None:
    """In a folder whose name holds words that the drivers' messages hold."""
    warehouse = kind(tmp_path / "clockwork version 2")
    warehouse.catalog_file.parent.mkdir()
    warehouse.catalog_file.write_text("neither a database nor a catalog " * 1_000)
    sentence = refusal(warehouse, how)
    assert sentence.startswith(f"WAREHOUSE: {warehouse.catalog_file} can't be opened as a warehouse")


def test_a_ducklake_of_another_version_is_reported(ducklake: Warehouse) -> None:
    assert ducklake.catalog_file
    with sqlite3.connect(ducklake.catalog_file) as catalog:
        assert catalog.execute("UPDATE ducklake_metadata SET value = '99.0' WHERE key = 'version'").rowcount == 1
    assert refusal(ducklake) == (
        f"WAREHOUSE: {ducklake.catalog_file} was written by another version of DuckDB or DuckLake; use that version."
    )


def checksum_of(header: bytes) -> int:
    """As DuckDB's files have it at the start of each block."""
    sum_of_words = 5381
    for (word,) in struct.iter_unpack("<Q", header):
        sum_of_words ^= (word * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    return sum_of_words


def test_a_plain_file_of_another_version_is_reported(plain_file: Warehouse) -> None:
    assert plain_file.catalog_file
    content = bytearray(plain_file.catalog_file.read_bytes())
    assert content[:8] == checksum_of(content[8:4096]).to_bytes(8, "little")
    content[12:20] = (9_999).to_bytes(8, "little")
    content[:8] = checksum_of(content[8:4096]).to_bytes(8, "little")
    plain_file.catalog_file.write_bytes(content)
    assert refusal(plain_file) == (
        f"WAREHOUSE: {plain_file.catalog_file} was written by another version of DuckDB or DuckLake; use that version."
    )


def test_a_damaged_plain_file_is_not_reported_as_a_locked_one(plain_file: Warehouse) -> None:
    """The driver reports in which *block* the damage is; that is not a lock to wait for."""
    assert plain_file.catalog_file
    with plain_file.catalog_file.open("r+b") as file:
        file.seek(100)
        file.write(b"damage")
    sentence = refusal(plain_file)
    assert sentence.startswith(f"WAREHOUSE: {plain_file.catalog_file} can't be opened as a warehouse")
    assert "locked" not in sentence


@pytest.mark.parametrize("kind", [ducklake_in, plain_file_in])
def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path, kind: Any) -> None:
    (tmp_path / "data").write_text("a file")
    assert refusal(kind(tmp_path / "data")).startswith("WAREHOUSE")


def test_a_place_for_files_that_cannot_be_made_is_reported(ducklake: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file")
    assert refusal(Warehouse(ducklake.location, f"{tmp_path}/files/")).startswith("WAREHOUSE")


def test_a_server_without_a_ducklake_is_distinguished_from_one_that_does_not_answer(
    shared: Warehouse, tmp_path: Path
) -> None:
    silent = Warehouse("ducklake:postgres:host=127.0.0.1 port=1 dbname=lake", f"{tmp_path}/files/")
    assert silent.exists()
    assert "can't be opened" in refusal(silent)
    assert not shared.exists()
    assert refusal(shared, "reading").startswith("There is no warehouse yet")
