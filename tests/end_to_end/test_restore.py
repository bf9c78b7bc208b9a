"""A restore neither loses an event nor sends one twice by itself, whatever was lost."""

import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.docs.documents import OPERATIONS, blocks, section
from tests.end_to_end.project import Prepare, Project, copied_to
from tests.end_to_end.tiny_exports import ANN, BOB, EVE, LAYOUTS, ZOE, log
from tests.fakes.segment_faults import Slow
from tests.fakes.segment_server import SegmentServer

pytestmark = pytest.mark.stores("sqlite", "duckdb")  # files, which can be lost


def done(project: Project, *arguments: str) -> str:
    """A command that must go well; what it printed, on one line."""
    result = project.command(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return " ".join(result.stdout.split())


def user_ids(segment: SegmentServer) -> set[str]:
    return {str(message["userId"]) for message in segment.messages.values()}


@pytest.fixture(scope="module")
def delivered_since_the_backup(prepare: Prepare) -> Path:
    """A project that delivered Ann's open, was backed up, and delivered Bob's and Eve's, of other dates."""

    def steps(project: Project) -> None:
        with SegmentServer() as before:
            project.with_files({"log_20240611.csv": log([ANN])}, LAYOUTS).delivering_to(before.url).run()
            done(project, "backup", f"{project.folder}/backups")
            project.with_files({"log_20240612.csv": log([BOB]), "log_20240613.csv": log([EVE])}, {}).run()
            assert len(before.received_ids) == 3

    return prepare(steps)


@pytest.fixture
def backed_up(
    delivered_since_the_backup: Path, place: Path, tmp_path: Path, segment: SegmentServer
) -> Iterator[Project]:
    """The same; `segment` gets what is sent from now on."""
    with copied_to(place, delivered_since_the_backup, tmp_path / "project") as project:
        yield project.delivering_to(segment.url)


def test_a_ledger_that_survived_recognizes_what_was_sent_after_the_backup(
    backed_up: Project, segment: SegmentServer
) -> None:
    backed_up.lose("warehouse")
    printed = done(backed_up, "restore", f"{backed_up.folder}/backups")
    assert (
        "The ledger is still there, with what was delivered after the backup; nothing of it is sent again." in printed
    )
    assert "2 delivered events are not in the backup." in printed

    # The export of the 12th was corrected meanwhile, so that the batch is another than the one that was sent.
    backed_up.with_files(
        {"log_20240612.csv": log([BOB, BOB.replace("bob", "zed")]), "log_20240614.csv": log([ZOE])}, {}
    ).run()
    assert user_ids(segment) == {"zoe"}
    assert done(backed_up, "status").endswith("all 5 0 5 3 0 0 2")
    assert "There is nothing new." in backed_up.run()

    listed = done(backed_up, "status", "--problems")
    assert "2 email_opened events of 2024-06-12" in listed
    assert "replay --held --reason restored --date 2024-06-12" in listed
    assert "No held event matches." in done(backed_up, "replay", "--held")
    assert "2 held events released" in done(backed_up, "replay", "--held", "--reason", "restored")
    backed_up.run()
    assert user_ids(segment) == {"bob", "zed", "zoe"}
    assert not segment.duplicates
    assert done(backed_up, "status").endswith("all 5 0 5 5 0 0 0")


def test_after_the_loss_of_both_what_may_have_been_sent_is_held_until_it_is_decided(
    backed_up: Project, segment: SegmentServer
) -> None:
    backed_up.lose("warehouse", "ledger")
    printed = done(backed_up, "restore", f"{backed_up.folder}/backups")
    assert "The ledger with the deliveries after the backup is lost." in printed
    backed_up.with_files({"log_20240614.csv": log([ZOE])}, {}).run()
    assert user_ids(segment) == {"zoe"}
    assert done(backed_up, "status").endswith("all 4 0 4 2 0 0 2")

    # Everything until now was sent: by the former ledger, or since.
    until = datetime.now(UTC).isoformat()
    again = done(backed_up, "restore", f"{backed_up.folder}/backups", "--delivered-until", until)
    assert "is lost" not in again
    backed_up.run()
    assert user_ids(segment) == {"zoe"}
    assert not segment.duplicates
    assert done(backed_up, "status").endswith("all 4 0 4 4 0 0 0")


def test_what_was_exported_after_the_stated_time_is_sent(backed_up: Project, segment: SegmentServer) -> None:
    backed_up.lose("warehouse", "ledger")
    bobs, eves = (backed_up.exports / f"log_202406{day}.csv" for day in (12, 13))
    until = datetime.fromtimestamp(bobs.stat().st_mtime + 1, UTC)
    eves.touch()  # its export came after the last delivery
    done(backed_up, "restore", f"{backed_up.folder}/backups", "--delivered-until", until.isoformat())
    backed_up.run()
    assert user_ids(segment) == {"eve"}
    assert done(backed_up, "status").endswith("all 3 0 3 3 0 0 0")


def test_a_backup_during_a_delivery_lets_the_run_go_on(project: Project, segment: SegmentServer) -> None:
    opens = [f"user-{number},m1,c1,VIEW,,2024-06-10T08:00:{number:02}Z" for number in range(30)]
    project.with_files({"log_20240611.csv": log(opens)}, LAYOUTS).delivering_to(segment.url)
    segment.misbehave_when(lambda _number, _messages: True, Slow(60))
    run = project.start("run")
    segment.wait_for_requests(1, timeout=300)
    [block] = blocks("sh", section(OPERATIONS, "Backups"))
    typed = [shlex.split(line) for line in block.replace("/backups", f"{project.folder}/backups").splitlines()]
    (to_back_up, to_restore) = (words[words.index("pipeline") + 1 :] for words in typed)
    printed = done(project, *to_back_up)
    assert "1 batch of the ledger" in printed
    assert run.poll() is None
    run.kill()
    run.wait()
    segment.behave()
    sent = set(segment.received_ids)

    project.lose("warehouse", "ledger")
    shutil.rmtree(project.folder / "warehouse", ignore_errors=True)
    printed = done(project, *to_restore)
    assert ("Copied back from the backup" in printed) == project.warehouse.is_ducklake  # Parquet files
    assert "30 email_opened events of 2024-06-11" in printed
    project.run()
    assert segment.received_ids == sent
    done(project, "replay", "--held", "--reason", "restored")
    project.run()
    assert segment.received_ids == project.ids()
    assert len(project.ids()) == 30
