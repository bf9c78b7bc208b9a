"""A folder, or anything that fsspec reaches; every fault is reported in a sentence without secrets."""

import hashlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.errors import LocationError, SettingsError
from pipeline.exports.listing import ExportFile
from pipeline.exports.locations import ExportLocation
from tests.support.export_folder import HEADER, WRITTEN, ZOE, Desk

CONTENT = (HEADER + ZOE).encode()


@pytest.fixture
def elsewhere() -> Iterator[MemoryFileSystem]:
    """A file system that is not this machine's."""
    memory = MemoryFileSystem()
    memory.store.clear()
    yield memory
    memory.store.clear()


class Refusing(MemoryFileSystem):
    """Says the password when it fails, as some do."""

    protocol = "refusing"

    def find(self, path: str, **options: Any) -> None:
        raise OSError("login failed for zoe:hunter2")


class Unreachable(MemoryFileSystem):
    """Connects as soon as it is made, as SFTP does."""

    protocol = "unreachable"

    def __init__(self, **options: Any) -> None:
        raise OSError("no route to zoe:hunter2@example.com")


def test_files_are_listed_by_name_with_size_and_time(desk: Desk) -> None:
    desk.put("b.csv", CONTENT)
    desk.put("a.csv", b"")
    desk.put("2024/06/c.csv", CONTENT)
    assert desk.location.files() == [
        ExportFile("2024/06/c.csv", len(CONTENT), WRITTEN),
        ExportFile("a.csv", 0, WRITTEN),
        ExportFile("b.csv", len(CONTENT), WRITTEN),
    ]


def test_hidden_files_are_not_seen(desk: Desk) -> None:
    desk.put(".opens.csv.part", CONTENT)
    desk.put("2024/.opens.csv", CONTENT)
    assert desk.location.files() == []


def test_a_link_inside_of_the_folder_is_the_file_that_it_leads_to(desk: Desk) -> None:
    """Its size and its time are that file's."""
    desk.put("2024/kept.txt", CONTENT)
    (desk.folder / "opens.csv").symlink_to("2024/kept.txt")
    (desk.folder / "years").symlink_to("2024")
    assert desk.location.files() == [
        ExportFile("2024/kept.txt", len(CONTENT), WRITTEN),
        ExportFile("opens.csv", len(CONTENT), WRITTEN),
    ]


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    assert ExportLocation(str(tmp_path)).files() == []


def test_a_file_of_this_machine_is_read_where_it_lies(desk: Desk) -> None:
    desk.put("opens.csv", CONTENT)
    [file] = desk.location.files()
    with desk.location.local(file) as copy:
        assert copy.path == desk.folder / "opens.csv"
        assert copy.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert copy.path.exists()


def test_a_file_from_elsewhere_is_copied_for_as_long_as_it_is_needed(elsewhere: MemoryFileSystem) -> None:
    elsewhere.pipe("/out/2024/opens.csv", CONTENT)
    location = ExportLocation("memory://out")
    [file] = location.files()
    assert (file.name, file.size) == ("2024/opens.csv", len(CONTENT))
    assert file.modified_at == elsewhere.modified("/out/2024/opens.csv").astimezone(UTC)
    with location.local(file) as copy:
        assert copy.path.read_bytes() == CONTENT
        assert copy.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert not copy.path.exists()


@pytest.mark.parametrize(
    "described",
    [
        {"mtime": 1_718_087_400.0},
        {"LastModified": datetime(2024, 6, 11, 6, 30, tzinfo=UTC)},
        {"last_modified": datetime(2024, 6, 11, 6, 30, tzinfo=UTC).astimezone()},
        {"LastModified": datetime(2024, 6, 11, 6, 30)},  # noqa: DTZ001
    ],
    ids=["seconds", "with offset", "in another zone", "without offset"],
)
def test_the_time_of_a_file_is_utc_however_a_file_system_tells_it(
    elsewhere: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, described: dict[str, Any]
) -> None:
    def find(*_: Any, **__: Any) -> dict[str, dict[str, Any]]:
        return {"/out/opens.csv": {"size": 7} | described}

    monkeypatch.setattr(MemoryFileSystem, "find", find)
    assert ExportLocation("memory://out").files() == [ExportFile("opens.csv", 7, WRITTEN)]


@pytest.mark.parametrize(
    ("name", "base_name"),
    [
        ("opens.csv", "opens.csv"),
        ("2024/06/opens.csv", "opens.csv"),
        ("2024/opens.csv.gz", "opens.csv"),
        ("opens.gz.csv", "opens.gz.csv"),
    ],
)
def test_layouts_see_neither_folders_nor_packing(name: str, base_name: str) -> None:
    assert ExportFile(name, 1, WRITTEN).base_name == base_name


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        ExportLocation(f"{tmp_path}/nowhere").files()
    assert str(refused.value) == f"SELLIGENT_EXPORTS: there is no folder {tmp_path}/nowhere"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "opens.csv").write_bytes(CONTENT)
    with pytest.raises(SettingsError, match="there is no folder"):
        ExportLocation(f"{tmp_path}/opens.csv").files()


def test_a_location_that_cannot_be_listed_is_reported_without_its_message() -> None:
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    with pytest.raises(LocationError) as refused:
        ExportLocation("refusing://out").files()
    assert str(refused.value) == (
        "SELLIGENT_EXPORTS: refusing:// can't be listed (OSError; check the URL, host, path and credentials)"
    )


@pytest.mark.parametrize("scheme", ["sftp", "ssh", "s3", "abfs"])
def test_a_package_that_is_missing_is_named_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    for module in ("pipeline.filesystems.sftp", "sshfs", "s3fs", "adlfs"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(import_module("fsspec.registry")._registry, scheme, raising=False)  # imported once, kept
    with pytest.raises(SettingsError, match=rf"^SELLIGENT_EXPORTS: {scheme}:// needs packages") as refused:
        ExportLocation(f"{scheme}://zoe:hunter2@example.com/out")
    extra = {"ssh": "sftp", "abfs": "azure"}.get(scheme, scheme)
    assert f"`.venv/bin/python -m pip install -c constraints.txt -e '.[{extra}]'`" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["carrier-pigeon://zoe:hunter2@example.com/out", "unreachable://zoe:hunter2@example.com"]
)
def test_a_place_that_cannot_be_reached_is_one_sentence_without_secrets(url: str) -> None:
    """Of a file system that is unknown, not installed, or that connects as soon as it is made."""
    fsspec.register_implementation("unreachable", Unreachable, clobber=True)
    with pytest.raises(LocationError, match=r"^SELLIGENT_EXPORTS: ") as refused:
        ExportLocation(url).files()
    assert "hunter2" not in str(refused.value)
