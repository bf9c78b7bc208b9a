"""The servers as fixtures; each starts when a test first asks for it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.postgres import Postgres, binaries, postgres_server
from tests.fakes.s3 import S3, s3_server
from tests.fakes.sftp import Sftp, sftp_server
from tests.support.needed import is_lacking

if TYPE_CHECKING:
    from tests.fakes.ftp import Ftp


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if not binaries():
        is_lacking("PostgreSQL is not installed: nothing was kept in it (Debian: `apt-get install postgresql`)")
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3_environment(s3: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server, in the environment of this process."""
    s3.in_environment(monkeypatch)
    return s3


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[Sftp]:
    folder = tmp_path / "sftp"
    folder.mkdir()
    with sftp_server(folder) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, without any known server."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delitem(os.environ, "SSH_AUTH_SOCK", raising=False)
    return folder


@pytest.fixture
def known_sftp(sftp: Sftp, home: Path) -> Sftp:
    """A server that is known."""
    (home / ".ssh" / "known_hosts").write_text(sftp.host_key)
    return sftp


@pytest.fixture
def ftp_folder(tmp_path: Path) -> Path:
    (tmp_path / "ftp").mkdir()
    return tmp_path / "ftp"


@pytest.fixture
def ftps(ftp_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Ftp"]:
    """A server whose authority is trusted."""
    from tests.fakes.ftp import AUTHORITY, ftp_server

    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with ftp_server(ftp_folder) as server:
        yield server
