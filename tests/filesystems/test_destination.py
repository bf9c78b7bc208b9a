"""Files that others read: in a folder, on SFTP and FTP servers, in S3; each is replaced as a whole."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import LocationError
from pipeline.filesystems.destination import Destination
from tests.fakes.ftp import PASSWORD as FTP_PASSWORD
from tests.fakes.ftp import Ftp
from tests.fakes.s3 import S3
from tests.fakes.sftp import PASSWORD, Sftp, sftp_server

PAGE, SETTING = "index.html", "REPORT"


def destination(url: str) -> Destination:
    return Destination(url, SETTING)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# A folder


def test_a_local_page_is_replaced_and_can_be_read_by_those_who_can_read_its_folder(tmp_path: Path) -> None:
    private, public = tmp_path / "private" / "report", tmp_path / "public"
    public.mkdir()
    public.chmod(0o755)  # whatever the umask of the tests is
    with umask(0o077):  # that of the program
        for folder, mode in ((private, 0o600), (public, 0o644)):
            for content in (b"former", b"new"):
                destination(str(folder)).write(PAGE, content)
            assert (folder / PAGE).read_bytes() == b"new"
            assert (folder / PAGE).stat().st_mode & 0o777 == mode
            assert [path.name for path in folder.iterdir()] == [PAGE]
    assert private.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_process_left_is_neither_followed_nor_kept(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"not the page")
    (tmp_path / ".index.html.unfinished").symlink_to(other)
    destination(str(tmp_path)).write(PAGE, b"new")
    assert other.read_bytes() == b"not the page"
    assert {path.name for path in tmp_path.iterdir()} == {PAGE, "other"}


# SFTP


@pytest.mark.parametrize("renames_over_files", [True, False], ids=["OpenSSH", "other servers"])
def test_a_page_on_an_sftp_server_is_replaced(known_sftp: Sftp, *, renames_over_files: bool) -> None:
    known_sftp.behaviour.renames_over_files = renames_over_files
    reports = destination(known_sftp.url("/www/reports"))
    for content in (b"former", b"new"):
        reports.write(PAGE, content)
        assert (known_sftp.folder / "www" / "reports" / PAGE).read_bytes() == content
    assert [path.name for path in (known_sftp.folder / "www" / "reports").iterdir()] == [PAGE]
    assert reports.shown(PAGE) == f"sftp://127.0.0.1:{known_sftp.port}/www/reports/index.html"
    assert known_sftp.connections.become(0)


def test_a_page_that_breaks_off_leaves_the_former_one(known_sftp: Sftp) -> None:
    reports = destination(known_sftp.url("/"))
    reports.write(PAGE, b"former")
    known_sftp.behaviour.has_room = False
    with pytest.raises(LocationError, match=r"^REPORT: sftp://127.0.0.1:\d+/index.html can't be written \(") as caught:
        reports.write(PAGE, b"new" * 100)
    assert PASSWORD not in str(caught.value)
    assert (known_sftp.folder / PAGE).read_bytes() == b"former"


def test_a_server_that_is_gone_or_unknown_is_named_without_the_password(sftp: Sftp, home: Path, tmp_path: Path) -> None:
    with pytest.raises(LocationError, match=r"^REPORT: .* can't be written \(HostKeyNotVerifiable") as unknown:
        destination(sftp.url()).write(PAGE, b"new")
    (tmp_path / "former").mkdir()
    with sftp_server(tmp_path / "former") as former:
        url = former.url()
    with pytest.raises(LocationError, match=r"^REPORT: .* can't be written \(ConnectionRefusedError") as gone:
        destination(url).write(PAGE, b"new")
    assert PASSWORD not in f"{unknown.value} {gone.value}"


@pytest.mark.parametrize("has_room", [True, False])
def test_a_trial_leaves_nothing_on_an_sftp_server(known_sftp: Sftp, *, has_room: bool) -> None:
    reports = destination(known_sftp.url("/reports"))
    assert not reports.exists()
    (known_sftp.folder / "reports").mkdir()
    assert reports.exists()
    known_sftp.behaviour.has_room = has_room
    reports.try_out()  # an empty file always has room
    assert list((known_sftp.folder / "reports").iterdir()) == []
    (known_sftp.folder / "reports").chmod(0o500)
    if os.geteuid():  # root may write everywhere
        with pytest.raises(LocationError, match=r"^REPORT: sftp://.*/reports/ can't be written \(.*no access"):
            reports.try_out()


# FTP


@pytest.mark.parametrize("renames_over_files", [True, False])
def test_a_page_on_an_ftp_server_is_replaced(ftps: Ftp, *, renames_over_files: bool) -> None:
    ftps.behaviour.renames_over_files = renames_over_files
    reports = destination(ftps.url("/www/Bérichte ☃"))
    assert not reports.exists()
    for content in (b"former", b"new"):
        reports.write(PAGE, content)
        assert (ftps.folder / "www" / "Bérichte ☃" / PAGE).read_bytes() == content
    assert reports.exists()
    reports.try_out()
    assert [path.name for path in (ftps.folder / "www" / "Bérichte ☃").iterdir()] == [PAGE]


def test_an_ftp_server_that_takes_no_files_is_named_without_the_password(ftps: Ftp) -> None:
    ftps.behaviour.unknown.add("STOR")
    with pytest.raises(LocationError, match=r"^REPORT: ftps://.* can't be written \(error_perm: .*no access") as caught:
        destination(ftps.url("/")).write(PAGE, b"new")
    assert FTP_PASSWORD not in str(caught.value)


# S3


def test_a_page_in_s3_is_one_object_that_a_browser_shows(s3_environment: S3) -> None:
    bucket = s3_environment.bucket("reports")
    for url, key in ((f"s3://{bucket}", PAGE), (f"s3://{bucket}/some/prefix/", f"some/prefix/{PAGE}")):
        for content in (b"former", b"new"):
            destination(url).write(PAGE, content)
        stored = s3_environment.client.get_object(Bucket=bucket, Key=key)
        assert (stored["Body"].read(), stored["ContentType"]) == (b"new", "text/html; charset=utf-8")
        assert destination(url).exists()
        destination(url).try_out()
    assert s3_environment.keys(bucket) == {PAGE, f"some/prefix/{PAGE}"}


@pytest.mark.usefixtures("s3_environment")
def test_a_bucket_that_does_not_exist_is_named() -> None:
    for use in (
        lambda: destination("s3://there-is-none/x").write(PAGE, b""),
        destination("s3://there-is-none").try_out,
    ):
        with pytest.raises(LocationError, match=r"^REPORT: s3://there-is-none/.* can't be written \(FileNotFoundError"):
            use()


def test_packages_that_are_missing_are_named_before_anything_connects() -> None:
    destination("sftp://nowhere.invalid/x").require_packages()
    destination("/a/folder").require_packages()
    program = (
        "import sys; sys.modules['sshfs'] = None\n"
        "from pipeline.filesystems.destination import Destination\n"
        "from pipeline.errors import SettingsError\n"
        "try: Destination('sftp://nowhere.invalid/x', 'REPORT').require_packages()\n"
        "except SettingsError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("REPORT: sftp:// needs packages that are not installed: `")
    assert ".[sftp]" in done.stdout
