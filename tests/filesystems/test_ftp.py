"""Exports on FTP servers: found, copied whole or not at all, and over TLS only from servers that are who they say."""

import gzip
import hashlib
import os
import ssl
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from pipeline.errors import FileUnreadable, LocationError
from pipeline.exports.locations import ExportLocation
from pipeline.filesystems import ftp as filesystem
from pipeline.filesystems.ftp_listings import _listed
from pipeline.filesystems.remote_errors import RemoteFault
from pipeline.filesystems.remote_files import warning_of
from pipeline.layout_drafting.file_head import read_head
from tests.fakes.ftp import PASSWORD, Ftp, ftp_server

CONTENT = b"ID\n" + b"1\n" * 1_000_000


def put(ftp: Ftp, name: str, content: bytes = CONTENT, seconds: int = 1_718_087_400) -> None:
    path = ftp.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (seconds, seconds))


@pytest.fixture(params=["ftps", "ftp"])
def ftp(request: pytest.FixtureRequest, ftp_folder: Path) -> Iterator[Ftp]:
    """A server with TLS, and one without."""
    if request.param == "ftps":
        yield request.getfixturevalue("ftps")
        return
    with ftp_server(ftp_folder, tls=False) as server:
        yield server


@pytest.mark.parametrize("unknown", [set(), {"MLSD"}], ids=["MLSD", "LIST"])
def test_files_are_found_in_all_folders_and_copied_whole(ftp: Ftp, unknown: set[str]) -> None:
    ftp.behaviour.unknown |= unknown
    put(ftp, "out/2024/06/opens #1?.csv")
    put(ftp, "out/clicks.csv", b"ID\n")
    put(ftp, "out/empty.csv", b"")
    put(ftp, "elsewhere.csv")
    with ExportLocation(ftp.url("/out")) as location:
        files = location.files()
        assert [(file.name, file.size) for file in files] == [
            ("2024/06/opens #1?.csv", len(CONTENT)),
            ("clicks.csv", 3),
            ("empty.csv", 0),
        ]
        assert f"{files[0].modified_at:%Y-%m-%d %H:%M:%S %z}" == "2024-06-11 06:30:00 +0000"
        for file, content in zip(files, (CONTENT, b"ID\n", b""), strict=True):
            with location.local(file) as copy:
                assert copy.path.read_bytes() == content
                assert copy.sha256 == hashlib.sha256(content).hexdigest()
            assert not copy.path.exists()


def test_data_connections_resume_the_session_and_are_encrypted(ftps: Ftp, monkeypatch: pytest.MonkeyPatch) -> None:
    """As strict servers require; this one refuses transfers without PROT P."""
    resumed: list[bool | None] = []
    make = ssl.SSLSocket.do_handshake

    def handshake(self: ssl.SSLSocket, block: bool = False) -> None:
        make(self, block)
        resumed.append(self.session_reused)

    monkeypatch.setattr(ssl.SSLSocket, "do_handshake", handshake)
    put(ftps, "opens.csv")
    with ExportLocation(ftps.url()) as location:
        [file] = location.files()
        with location.local(file):
            pass
    assert resumed == [False, True, True]


def test_the_head_of_an_export_is_read_there(ftp: Ftp) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("opens.csv", CONTENT)
    contents = {"opens.csv": CONTENT, "opens.csv.gz": gzip.compress(CONTENT), "o.zip": packed.getvalue()}
    for name, content in contents.items():
        put(ftp, f"out/{name}", content)
        head = read_head(ftp.url(f"/out/{name}"), size=5)
        assert (head.name, head.content, head.is_whole) == (name, b"ID\n1\n", False)


def test_a_name_that_is_not_utf8_is_read_there(ftp: Ftp) -> None:
    put(ftp, "good_é.csv", b"ID\n")
    (ftp.folder / os.fsdecode(b"relev\xe9.csv")).write_bytes(CONTENT)
    with ExportLocation(ftp.url()) as location:
        files = location.files()
        assert [file.name for file in files] == ["good_é.csv", r"relev\xe9.csv"]
        with location.local(files[1]) as copy:
            assert copy.path.read_bytes() == CONTENT


# What is not trusted


def test_a_server_whose_certificate_nobody_vouches_for_is_not_logged_in_to(
    ftp_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with ftp_server(ftp_folder) as server, pytest.raises(LocationError) as refused:
        ExportLocation(server.url())
    assert str(refused.value).startswith(
        "SELLIGENT_EXPORTS: ftps:// can't be reached (SSLCertVerificationError: the server's certificate is not trusted"
    )


def test_a_certificate_for_another_host_is_refused(ftps: Ftp, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with (
        ftp_server(tmp_path / "other", host="other.example.com") as server,
        pytest.raises(LocationError, match="SSLCertVerificationError"),
    ):
        ExportLocation(server.url())


def test_a_server_without_tls_gets_no_password(ftp_folder: Path) -> None:
    with ftp_server(ftp_folder, tls=False) as server:
        url = server.url().replace("ftp://", "ftps://")
        with pytest.raises(LocationError, match=r"can't be reached \(the server offers no TLS \(AUTH TLS and PROT P\)"):
            ExportLocation(url)


def test_implicit_tls_is_named() -> None:
    with pytest.raises(LocationError, match="port 990 is for implicit TLS, which is not supported"):
        ExportLocation("ftps://zoe:hunter2@127.0.0.1:990/out")


@pytest.mark.parametrize("password", ["wrong-hunter2", "p:w/"])
def test_a_wrong_password_is_reported_without_it(ftp: Ftp, password: str) -> None:
    with pytest.raises(LocationError, match="the login was refused") as refused:
        ExportLocation(ftp.url(password=password))
    assert password not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_without_tls_there_is_a_warning() -> None:
    warning = warning_of("ftp://zoe:hunter2@host/out")
    assert warning == "ftp:// is not encrypted: the password and the files can be read on their way; use ftps://"
    assert warning_of("ftps://host/out") is None


# What breaks


@pytest.mark.parametrize("reported", [True, False], ids=["reported", "silent"])
def test_a_file_that_breaks_off_is_not_read_and_comes_with_the_next_run(
    ftp: Ftp, monkeypatch: pytest.MonkeyPatch, reported: bool
) -> None:
    if not reported:
        monkeypatch.setattr(filesystem, "SILENT_SECONDS", 1)
    ftp.behaviour.reports_cuts = reported
    put(ftp, "opens.csv")
    put(ftp, "small.csv", b"ID\n")
    with ExportLocation(ftp.url()) as location:
        large, small = location.files()
        ftp.behaviour.cut_after = 300_000
        with (
            pytest.raises(FileUnreadable, match=r"^can't be read \(the connection broke off after [\d,]+ of 2,000,003"),
            location.local(large),
        ):
            pass
        with location.local(small) as copy:
            assert copy.path.read_bytes() == b"ID\n"
        ftp.behaviour.cut_after = None
        with location.local(large) as copy:
            assert copy.path.read_bytes() == CONTENT


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(ftp: Ftp) -> None:
    put(ftp, "opens.csv")
    with ExportLocation(ftp.url()) as location:
        [file] = location.files()
        ftp.hang_up()
        with location.local(file) as copy:
            assert copy.path.read_bytes() == CONTENT


def test_a_file_that_went_away_is_no_fault_of_the_server(ftp: Ftp) -> None:
    put(ftp, "opens.csv")
    with ExportLocation(ftp.url()) as location:
        [file] = location.files()
        (ftp.folder / "opens.csv").unlink()
        with pytest.raises(FileNotFoundError), location.local(file):
            pass


def test_a_server_that_is_gone_is_a_fault_of_the_location(ftp_folder: Path) -> None:
    with ftp_server(ftp_folder, tls=False) as server:
        put(server, "opens.csv")
        location = ExportLocation(server.url())
        [file] = location.files()
        server.hang_up()
    message = r"can't be read at opens.csv \(ConnectionRefusedError"
    with pytest.raises(LocationError, match=message) as refused, location.local(file):
        pass
    assert PASSWORD not in str(refused.value)


def test_a_folder_that_is_not_there_is_no_empty_one(ftp: Ftp) -> None:
    with ExportLocation(ftp.url("/nowhere")) as location, pytest.raises(LocationError, match="can't be listed"):
        location.files()


def test_an_empty_folder_has_no_files(ftp: Ftp) -> None:
    with ExportLocation(ftp.url()) as location:
        assert location.files() == []


def test_a_server_without_any_times_is_refused(ftp: Ftp) -> None:
    put(ftp, "opens.csv")
    ftp.behaviour.unknown |= {"MLSD", "MDTM"}
    with ExportLocation(ftp.url()) as location, pytest.raises(LocationError, match="neither MLSD nor MDTM"):
        location.files()


def test_a_loop_of_links_ends(ftp: Ftp) -> None:
    put(ftp, "out/opens.csv", b"ID\n")
    (ftp.folder / "out" / "again").symlink_to(".")
    with ExportLocation(ftp.url("/out")) as location:
        assert "opens.csv" in [file.name for file in location.files()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-rw-r--r--   1 zoe  staff   1234 Jun 11 09:15 opens of today.csv", ("opens of today.csv", "file", 1234)),
        ("-rw-r--r-- 1 zoe 1234 Jun 11  2024 a.csv", ("a.csv", "file", 1234)),
        ("drwxr-xr-x   2 1000     1000         4096 Jun 11 09:15 2024", ("2024", "directory", 4096)),
        ("lrwxrwxrwx 1 a b 5 Jun 11 09:15 a.csv -> b.csv", ("a.csv", "other", 5)),
        ("06-11-24  09:15AM       <DIR>          2024", ("2024", "directory", 0)),
        ("06-11-2024  21:15             1234 opens of today.csv", ("opens of today.csv", "file", 1234)),
    ],
)
def test_lines_of_usual_servers_are_understood(line: str, expected: tuple[str, str, int]) -> None:
    entry = _listed(line)
    assert entry is not None
    assert (entry["name"], entry["type"], entry["size"]) == expected


def test_other_lines_are_refused() -> None:
    assert _listed("total 4") is None
    with pytest.raises(RemoteFault, match="lists files in a way that is not known"):
        _listed("+i8388621.48594,m825718503,r,s280,\topens.csv")
