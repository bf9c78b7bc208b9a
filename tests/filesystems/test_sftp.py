"""Exports on an SFTP server: found, copied, and never from an unknown server."""

import gc
import gzip
import hashlib
import os
import zipfile
from io import BytesIO
from pathlib import Path

import asyncssh
import pytest

from pipeline.errors import InspectionRefused, LocationError, SettingsError
from pipeline.exports.locations import ExportLocation
from pipeline.filesystems.remote_files import close, open_filesystem
from pipeline.layout_drafting.file_head import read_head
from tests.fakes.sftp import CLIENT_KEY, PASSWORD, Sftp, sftp_server

CONTENT = b"ID\n" + b"1\n" * 100_000


def put(sftp: Sftp, name: str, content: bytes = CONTENT, seconds: int = 1_718_087_400) -> None:
    path = sftp.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (seconds, seconds))


def test_files_are_found_in_all_folders_and_copied_whole(known_sftp: Sftp) -> None:
    put(known_sftp, "out/2024/06/opens.csv")
    put(known_sftp, "out/clicks.csv", b"ID\n")
    put(known_sftp, "elsewhere.csv")
    location = ExportLocation(known_sftp.url("/out"))
    files = location.files()
    assert [(file.name, file.size) for file in files] == [("2024/06/opens.csv", len(CONTENT)), ("clicks.csv", 3)]
    assert f"{files[0].modified_at:%Y-%m-%d %H:%M:%S %z}" == "2024-06-11 06:30:00 +0000"
    with location.local(files[0]) as copy:
        assert copy.path.read_bytes() == CONTENT
        assert copy.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert not copy.path.exists()


def test_a_file_that_went_away_is_no_fault_of_the_server(known_sftp: Sftp) -> None:
    put(known_sftp, "opens.csv")
    location = ExportLocation(known_sftp.url())
    [file] = location.files()
    (known_sftp.folder / "opens.csv").unlink()
    with pytest.raises(FileNotFoundError), location.local(file):
        pass


def test_a_key_of_the_user_logs_in_without_a_password(known_sftp: Sftp, home: Path) -> None:
    put(known_sftp, "opens.csv")
    with pytest.raises(LocationError, match="the login was refused"):
        ExportLocation(known_sftp.url(password=None))
    key = home / ".ssh" / "id_ed25519"
    CLIENT_KEY.write_private_key(str(key))
    key.chmod(0o600)
    assert len(ExportLocation(known_sftp.url(password=None)).files()) == 1


def test_the_head_of_an_export_is_read_there(known_sftp: Sftp) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("opens.csv", CONTENT)
    for name, content in {
        "opens.csv": CONTENT,
        "opens.csv.gz": gzip.compress(CONTENT),
        "o.zip": packed.getvalue(),
    }.items():
        put(known_sftp, f"out/{name}", content)
        head = read_head(known_sftp.url(f"/out/{name}"), size=5)
        assert (head.name, head.content, head.is_whole) == (name, b"ID\n1\n", False)


def test_a_server_that_nobody_knows_is_not_talked_to(sftp: Sftp, home: Path) -> None:
    with pytest.raises(LocationError, match=r"HostKeyNotVerifiable: the server's key is missing in ~/\.ssh") as refused:
        ExportLocation(sftp.url())
    assert PASSWORD not in str(refused.value)


def test_a_server_that_has_another_key_than_it_had_is_not_talked_to(sftp: Sftp, home: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{sftp.port} {other}")
    with pytest.raises(LocationError, match="HostKeyNotVerifiable"):
        ExportLocation(sftp.url())


@pytest.mark.parametrize("path", ["/nowhere", "/opens.csv/out"])
def test_a_folder_that_is_not_there_is_told(known_sftp: Sftp, path: str) -> None:
    """And not taken for an empty one, in which nothing is ever new."""
    put(known_sftp, "opens.csv")
    with pytest.raises(LocationError, match=r"^SELLIGENT_EXPORTS: sftp:// can't be listed \("):
        ExportLocation(known_sftp.url(path)).files()


def test_an_empty_folder_has_no_files(known_sftp: Sftp) -> None:
    assert ExportLocation(known_sftp.url()).files() == []


@pytest.mark.parametrize("password", ["wrong", "", "p:w"])
def test_a_wrong_password_is_told_without_it(known_sftp: Sftp, password: str) -> None:
    with pytest.raises(LocationError, match="the login was refused") as refused:
        ExportLocation(known_sftp.url(password=password))
    assert not password or password not in str(refused.value)


def test_a_server_that_nobody_knows_is_not_talked_to_whatever_the_users_configuration_says(
    sftp: Sftp, home: Path
) -> None:
    (home / ".ssh" / "config").write_text("Host *\n    UserKnownHostsFile none\n")
    with pytest.raises(LocationError, match="HostKeyNotVerifiable"):
        ExportLocation(sftp.url())


def test_no_connection_is_left(known_sftp: Sftp) -> None:
    put(known_sftp, "opens.csv", b"ID\n1\n")
    gc.disable()
    try:
        for _ in range(3):
            with ExportLocation(known_sftp.url()) as location:
                [file] = location.files()
                with location.local(file):
                    assert known_sftp.connections.become(1)
            read_head(known_sftp.url("/opens.csv"))
            assert known_sftp.connections.become(0)
    finally:
        gc.enable()


def test_a_server_that_is_slow_to_hear_of_it_is_left_too(known_sftp: Sftp) -> None:
    filesystem, path = open_filesystem(known_sftp.url(), "SELLIGENT_EXPORTS")
    assert filesystem.ls(path) == []
    with known_sftp.busy():
        close(filesystem)
    assert known_sftp.connections.become(0)


def test_links_inside_of_the_folder_lead_to_files(known_sftp: Sftp) -> None:
    put(known_sftp, "out/kept/opens_2.csv")
    (known_sftp.folder / "out" / "opens.csv").symlink_to("kept/opens_2.csv")
    (known_sftp.folder / "out" / "folder").symlink_to("kept")
    files = ExportLocation(known_sftp.url("/out")).files()
    assert [(file.name, file.size, file.fault) for file in files] == [
        ("kept/opens_2.csv", len(CONTENT), None),
        ("opens.csv", len(CONTENT), None),
    ]


def test_what_can_not_be_read_there_is_named_and_the_rest_is_found(known_sftp: Sftp) -> None:
    put(known_sftp, "out/good.csv")
    put(known_sftp, "kept/opens_2.csv")
    out = known_sftp.folder / "out"
    (out / "outside.csv").symlink_to("../kept/opens_2.csv")
    (out / "folder").symlink_to("../kept")
    (out / "nowhere.csv").symlink_to("nothing.csv")
    (out / "itself.csv").symlink_to("itself.csv")
    os.mkfifo(out / "pipe.csv")
    faults = {file.name: file.fault or "" for file in ExportLocation(known_sftp.url("/out")).files()}
    assert faults.pop("good.csv") == ""
    assert {name: fault.partition(" and ")[0].partition(" (")[0] for name, fault in faults.items()} == {
        "outside.csv": "is a link to a target outside the exports folder",
        "folder": "is a link to a target outside the exports folder",
        "nowhere.csv": "is a link whose target does not exist",
        "itself.csv": "is a link that can't be followed",
        "pipe.csv": "is not a file",
    }


def test_links_out_of_the_folder_are_followed_where_that_is_wanted(known_sftp: Sftp) -> None:
    put(known_sftp, "out/good.csv")
    put(known_sftp, "kept/opens_2.csv")
    (known_sftp.folder / "kept" / "back").symlink_to("../out")
    (known_sftp.folder / "out" / "outside.csv").symlink_to("../kept/opens_2.csv")
    (known_sftp.folder / "out" / "folder").symlink_to("../kept")
    files = ExportLocation(known_sftp.url("/out"), follow_links=True).files()
    assert [(file.name, file.fault) for file in files] == [
        ("folder/opens_2.csv", None),
        ("good.csv", None),
        ("outside.csv", None),
    ]


def test_a_name_that_is_not_utf8_is_read_there(known_sftp: Sftp) -> None:
    put(known_sftp, "out/good.csv", b"ID\n")
    (known_sftp.folder / "out" / os.fsdecode(b"relev\xe9.csv")).write_bytes(CONTENT)
    location = ExportLocation(known_sftp.url("/out"))
    files = location.files()
    assert [file.name for file in files] == ["good.csv", r"relev\xe9.csv"]
    with location.local(files[1]) as copy:
        assert copy.path.read_bytes() == CONTENT


def test_a_folder_is_no_export(known_sftp: Sftp) -> None:
    put(known_sftp, "out/opens.csv")
    with pytest.raises(InspectionRefused, match=r"^out: "):
        read_head(known_sftp.url("/out"))


@pytest.mark.parametrize("path", ["", "/"])
def test_no_message_has_the_login(known_sftp: Sftp, path: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_head(known_sftp.url(path))
    assert "hunter2" not in str(refused.value)


def test_a_server_that_was_restarted_is_found_again(home: Path, tmp_path: Path) -> None:
    """By the same process, which may be a sensor's."""
    folder = tmp_path / "sftp"
    folder.mkdir()
    with sftp_server(folder) as before:
        (home / ".ssh" / "known_hosts").write_text(before.host_key)
        put(before, "opens.csv")
        assert len(ExportLocation(before.url()).files()) == 1
    with pytest.raises(LocationError, match="can't be reached"):
        ExportLocation(before.url())
    with sftp_server(folder, before.port) as after:
        put(after, "clicks.csv")
        assert len(ExportLocation(after.url()).files()) == 2
