"""What else can stand in the exports' folder: it is named with a reason, and the files beside it are loaded."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.exports.discovery import discover, known_files
from pipeline.exports.file_names import escaped, unescaped
from pipeline.exports.listing import ExportFile, described
from pipeline.exports.locations import ExportLocation, LocalCopy
from pipeline.filesystems.local_files import open_regular
from tests.exports.arrivals import HOUR, JEF, REFUSED, TUESDAY, WatchedLocation, names
from tests.support.export_folder import HEADER, LOADABLE, NOW, WRITTEN, ZOE, Desk, layout

NO_LAYOUT = "no layout matches its name; write one, or move the file elsewhere"
OUTSIDE = (
    "is a link to a target outside the exports folder and is not followed; move the target into the folder, or "
    "set SELLIGENT_FOLLOW_LINKS=true"
)
SECRET = "root:x:0:0"


@pytest.fixture
def desk(plain_desk: Desk) -> Desk:
    """Nothing here depends on how rows are stored."""
    return plain_desk


def reasons(desk: Desk) -> dict[str, str | None]:
    """What was made of each file beside the good one, which is loaded."""
    desk.put("opens_good.csv", HEADER + ZOE)
    found = {file.name: file.reason or file.status for file in desk.load().files}
    assert found.pop("opens_good.csv") == "loaded"
    assert desk.events("user_id") == ["C-1"]
    return found


# Links


def test_links_that_lead_nowhere_or_to_themselves_stop_nothing(desk: Desk) -> None:
    (desk.folder / "opens_1.csv").symlink_to("opens_1.csv")
    (desk.folder / "opens_2.csv").symlink_to("nothing.csv")
    (desk.folder / "opens_3.csv").symlink_to("opens_4.csv")
    (desk.folder / "opens_4.csv").symlink_to("opens_3.csv")
    (desk.folder / "opens_5.csv").symlink_to("opens_good.csv/beneath.csv")
    assert reasons(desk) == {
        "opens_1.csv": "is a link to itself",
        "opens_2.csv": "is a link whose target does not exist",
        "opens_3.csv": "is a link to itself",
        "opens_4.csv": "is a link to itself",
        "opens_5.csv": "is a link whose target does not exist (Not a directory)",
    }


def test_a_loop_of_folders_has_an_end(desk: Desk) -> None:
    desk.put("2024/opens_june.csv", HEADER + JEF)
    (desk.folder / "2024" / "up").symlink_to("..")
    (desk.folder / "again").symlink_to("2024")
    assert [file.name for file in desk.location.files()] == ["2024/opens_june.csv"]


def test_a_link_out_of_the_folder_is_not_read(desk: Desk, tmp_path: Path) -> None:
    """The first line of what it leads to was shown in the reason for its refusal."""
    (tmp_path / "passwd").write_text(f"{SECRET}\n")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "opens_kept.csv").write_text(HEADER + JEF)
    (desk.folder / "opens_passwd.csv").symlink_to(tmp_path / "passwd")
    (desk.folder / "kept").symlink_to("../kept")
    assert reasons(desk) == {"kept": OUTSIDE, "opens_passwd.csv": OUTSIDE}
    assert SECRET not in str(desk.files())


def test_a_link_that_leads_out_only_when_it_is_read_is_not_read(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(f"{SECRET}\n")
    desk.put("opens_a.csv", HEADER + JEF)
    desk.put("opens_good.csv", HEADER + ZOE)
    seen = discover(desk.location, desk.layouts, LOADABLE)
    (desk.folder / "opens_a.csv").unlink()
    (desk.folder / "opens_a.csv").symlink_to(tmp_path / "passwd")
    assert [(file.name, file.reason) for file in desk.load_seen(seen).files] == [
        ("opens_a.csv", OUTSIDE),
        ("opens_good.csv", None),
    ]


def test_links_out_of_the_folder_are_followed_where_that_is_wanted(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "kept" / "deep").mkdir(parents=True)
    (tmp_path / "kept" / "deep" / "opens_kept.csv").write_text(HEADER + JEF)
    (tmp_path / "kept" / "up").symlink_to(tmp_path)  # which holds the exports' folder
    (desk.folder / "kept").symlink_to(tmp_path / "kept")
    (desk.folder / "opens_link.csv").symlink_to(tmp_path / "kept" / "deep" / "opens_kept.csv")
    desk.put("opens_good.csv", HEADER + ZOE)
    found = ExportLocation(str(desk.folder), follow_links=True).files()
    assert [(file.name, file.fault) for file in found if file.name.endswith(".csv")] == [
        ("kept/deep/opens_kept.csv", None),
        ("opens_good.csv", None),
        ("opens_link.csv", None),
    ]


def test_the_exports_folder_may_be_a_link_itself(desk: Desk, tmp_path: Path) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    (tmp_path / "linked").symlink_to(desk.folder)
    desk.location = ExportLocation(str(tmp_path / "linked"))
    assert names(desk.load()) == [("opens.csv", "loaded")]


# What is not a file


@pytest.mark.timeout(60)
def test_what_is_no_file_is_never_opened(desk: Desk) -> None:
    os.mkfifo(desk.folder / "opens_pipe.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(desk.folder / "opens_socket.csv"))
        (desk.folder / "opens_folder.csv").mkdir()
        assert reasons(desk) == {
            "opens_pipe.csv": "is not a file but a named pipe",
            "opens_socket.csv": "is not a file but a socket",
        }


@pytest.mark.timeout(60)
def test_a_file_that_becomes_a_pipe_is_not_waited_for(desk: Desk) -> None:
    desk.put("opens_a.csv", HEADER + JEF)
    desk.put("opens_good.csv", HEADER + ZOE)
    seen = discover(desk.location, desk.layouts, LOADABLE)
    (desk.folder / "opens_a.csv").unlink()
    os.mkfifo(desk.folder / "opens_a.csv")
    assert [(file.name, file.reason) for file in desk.load_seen(seen).files] == [
        ("opens_a.csv", "can't be read (is not a file but a named pipe); the next run tries again"),
        ("opens_good.csv", None),
    ]


def test_a_device_is_no_file() -> None:
    with pytest.raises(OSError, match="is not a file but a device"):
        open_regular("/dev/zero")


@pytest.mark.parametrize(("seconds", "known"), [(2**62, False), (-(2**40), False), (0, True)])
def test_a_time_that_is_no_date_is_a_fault_of_its_file(seconds: int, known: bool) -> None:
    assert (described("opens.csv", {"size": 1, "mtime": seconds}).fault is None) is known


# What can't be read


@contextmanager
def as_another_user() -> Iterator[None]:
    """Rights count for everyone but root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class AsAnotherUser(ExportLocation):
    """Lists and reads without root's rights."""

    def files(self) -> list[ExportFile]:
        with as_another_user():
            return super().files()

    def _here(self, path: str, folder: Path) -> LocalCopy:
        with as_another_user():
            return super()._here(path, folder)


@pytest.fixture
def closed(desk: Desk, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose files are read as by a user who is not root, and are open to that user."""
    for folder in (desk.folder, tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/") and folder != Path("/tmp"):
            folder.chmod(0o755)
    desk.location = AsAnotherUser(str(desk.folder))
    before = os.umask(0o022)
    yield desk
    os.umask(before)


def test_a_file_that_can_not_be_read_is_tried_again_and_the_others_are_loaded(closed: Desk) -> None:
    closed.put("opens_a.csv", HEADER + ZOE)
    closed.put("opens_bad.csv", HEADER + JEF)
    closed.put("opens_c.csv", HEADER + ZOE.replace("Soldes", "Sale"))
    (closed.folder / "opens_bad.csv").chmod(0)
    reason = "can't be read (Permission denied); the next run tries again"
    for hours in range(3):
        loaded = closed.load(at=NOW + hours * HOUR)
        assert ("opens_bad.csv", "refused", reason) in [(file.name, file.status, file.reason) for file in loaded.files]
    assert closed.files("name", "status") == [
        ("opens_a.csv", "loaded"),
        ("opens_bad.csv", "refused"),
        ("opens_c.csv", "loaded"),
    ]
    assert discover(closed.location, closed.layouts, LOADABLE).new_dates(known_files(closed.connection)) == {TUESDAY}
    (closed.folder / "opens_bad.csv").chmod(0o644)
    assert names(closed.load(at=NOW + 4 * HOUR)) == [("opens_bad.csv", "loaded")]
    assert closed.events("user_id") == ["C-1", "C-2", "C-1"]


def test_a_folder_that_can_not_be_listed_is_named(closed: Desk) -> None:
    closed.put("2024/opens_june.csv", HEADER + JEF)
    (closed.folder / "2024").chmod(0)
    fault = "is a folder that can't be listed (Permission denied); nothing in it is read, and the next run tries again"
    assert reasons(closed) == {"2024": fault}
    (closed.folder / "2024").chmod(0o755)
    assert names(closed.load(at=NOW + HOUR)) == [("2024/opens_june.csv", "loaded")]


# Names


@pytest.mark.parametrize(
    "name",
    [b"relev\xe9.csv", b"\xff\xfe", "relevé.csv".encode(), b"relev\\xe9.csv", b"a\\\xe9\\x5c\\x41.csv", b"\\x\xe9.csv"],
)
def test_a_name_can_be_told_from_what_is_stored(name: bytes) -> None:
    stored = escaped(os.fsdecode(name))
    stored.encode()
    assert os.fsencode(unescaped(stored)) == name


def test_two_names_never_become_one() -> None:
    assert escaped(os.fsdecode(b"relev\xe9.csv")) == r"relev\xe9.csv"
    assert escaped(r"relev\xe9.csv") == r"relev\x5cxe9.csv"


def test_a_name_that_is_not_utf8_and_has_no_layout_is_left_alone(desk: Desk) -> None:
    (desk.folder / os.fsdecode(b"relev\xe9_20240611.csv")).write_text(HEADER + JEF)
    assert reasons(desk) == {r"relev\xe9_20240611.csv": NO_LAYOUT}
    assert desk.load(at=NOW + HOUR).files == []


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_name_that_is_not_utf8_can_have_a_layout(desk: Desk, encoding: str) -> None:
    desk.layouts = (layout(), layout(name="releve", encoding=encoding, files="relev.(_part(?P<part>.))?.csv"))
    path = desk.folder / os.fsdecode(b"relev\xe9.csv")
    path.write_text(HEADER + JEF)
    os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    desk.put("opens_good.csv", HEADER + ZOE)
    assert names(desk.load()) == [("opens_good.csv", "loaded"), (r"relev\xe9.csv", "loaded")]
    assert desk.events("file", "export", "user_id") == [
        ("opens_good.csv", "opens_good.csv", "C-1"),
        (r"relev\xe9.csv", r"./relev\xe9.csv", "C-2"),
    ]
    assert desk.load(at=NOW + HOUR).unchanged == 2
    desk.remove(path.name)
    path.write_text(REFUSED)
    assert names(desk.load(at=NOW + HOUR))[0][0] == r"relev\xe9.csv"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "opens_'.csv",
            'opens_".csv',
            "opens_\n.csv",
            "opens_%s.csv",
            "opens_{}.csv",
            "opens_\\.csv",
            "opens_[b].csv",
        ),
        *("opens_$HOME.csv", "opens_\x1b[31m.csv", "opens_\u202e.csv", "opens_;--.csv", f"opens_{'x' * 240}.csv"),
    ],
)
def test_whatever_a_name_holds_its_rows_are_loaded(desk: Desk, name: str) -> None:
    desk.layouts = (layout(files="(?s)opens.*"),)
    desk.put(name, HEADER + ZOE)
    assert names(desk.load()) == [(name, "loaded")]
    assert desk.events("file", "user_id") == [(name, "C-1")]
    assert desk.load(at=NOW + HOUR).unchanged == 1


def test_a_name_that_looks_like_an_option_is_one_file(desk: Desk) -> None:
    desk.layouts = (layout(files="-.*"),)
    desk.put("--help", HEADER + ZOE)
    assert names(desk.load()) == [("--help", "loaded")]


@pytest.mark.timeout(60)
def test_a_pipe_is_not_waited_for_by_inspect(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "opens.csv")
    command = [sys.executable, "-m", "pipeline", "inspect", str(tmp_path / "opens.csv")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (2, "opens.csv: is not a file but a named pipe\n")


# Many of a kind


def test_many_bad_files_of_a_date_are_read_once_each_and_so_are_the_good_ones(
    desk: Desk, watched: WatchedLocation
) -> None:
    """Fifteen bad ones were read eleven times, since each began the date anew."""
    for number in range(15):
        desk.put(f"opens_{number:02}_bad.csv", REFUSED)
        desk.put(f"opens_{number:02}_good.csv", HEADER + ZOE.replace("Soldes", f"Sale {number}"))
    loaded = desk.load()
    assert (loaded.count("loaded"), loaded.count("refused"), loaded.unchanged) == (15, 15, 0)
    assert len(desk.events("user_id")) == 15
    assert {watched.fetched.count(f"opens_{number:02}_bad.csv") for number in range(15)} == {1}
    assert {watched.fetched.count(f"opens_{number:02}_good.csv") for number in range(15)} == {1}


def test_files_that_are_refused_for_their_number_of_rows_have_no_file_read_twice(
    desk: Desk, watched: WatchedLocation
) -> None:
    """Their rows are in the tables by then, so the date is written again."""
    desk.layouts = (layout(files=r"opens_\d+(_good)?(_(?P<rows>\d)rows)?\.csv"),)
    for number in range(6):
        desk.put(f"opens_{number}_3rows.csv", HEADER + ZOE.replace("Soldes", f"Bad {number}"))
        desk.put(f"opens_{number}_good.csv", HEADER + ZOE.replace("Soldes", f"Sale {number}"))
    loaded = desk.load()
    assert (loaded.count("loaded"), loaded.count("refused"), loaded.unchanged) == (6, 6, 0)
    assert sorted(desk.events("email_subject")) == [f"Sale {number}" for number in range(6)]
    assert max(watched.fetched.count(name) for name in watched.fetched) == 1


@pytest.mark.timeout(60)
def test_a_pattern_that_tries_every_way_leaves_names_alone_and_ends(desk: Desk) -> None:
    desk.layouts = (layout(files=r"(a|aa)+_(?P<date>\d{8})\.csv"),)
    for number in range(60):
        desk.put("a" * 200 + f"{number}.csv", HEADER + JEF)
    desk.put("aaa_20240611.csv", HEADER + ZOE)
    loaded = desk.load()
    assert [(file.status) for file in loaded.files if file.name == "aaa_20240611.csv"] == ["loaded"]
    assert {file.reason for file in loaded.files if file.status == "unmatched"} == {
        "the pattern of the layout opens takes too long for its name; write it without a repetition inside a "
        "repetition, such as (a|aa)+"
    }
