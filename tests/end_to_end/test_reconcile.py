"""The warehouse or the ledger is lost: the run says so before it sends, and `reconcile` lets it go on."""

import shutil

import pytest

from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.fakes.segment_server import SegmentServer

MONDAY = [f"user-{number:02},m1,c1,VIEW,,2024-06-10T08:00:{number:02}Z" for number in range(30)]
TUESDAY = ["ann,m2,c1,SENT,,2024-06-11T08:00:00Z"]


pytestmark = pytest.mark.stores("sqlite", "duckdb")  # files, which can be lost


def refused(project: Project, *arguments: str) -> str:
    done = project.command(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "WAREHOUSE and LEDGER do not belong together" in done.stderr
    assert "python -m pipeline reconcile" in done.stderr
    return done.stderr


def test_a_lost_warehouse_is_rebuilt_and_only_what_is_other_is_sent(
    delivering: Project, segment: SegmentServer
) -> None:
    project = delivering
    project.with_files({"log_20240611.csv": log(MONDAY), "log_20240612.csv": log(TUESDAY)}, LAYOUTS)
    project.run()
    assert len(segment.messages) == 31
    project.lose("warehouse")
    shutil.rmtree(project.folder / "warehouse", ignore_errors=True)
    # Monday's export was corrected meanwhile: its first and its last row are as they were.
    corrected = [*MONDAY[:15], MONDAY[15].replace("user-15", "user-99"), *MONDAY[16:]]
    project.with_files({"log_20240611.csv": log(corrected)}, {})

    assert "has 31 delivered events, and the warehouse contains none of them" in refused(project, "run")
    assert len(segment.requests) == 2
    done = project.command("reconcile")
    assert done.returncode == 0, done.stderr
    assert "Delivered events that this warehouse does not contain: 31. 31 of them" in " ".join(done.stdout.split())
    assert "there is nothing to do" in project.command("reconcile").stdout

    project.run(SEGMENT_WRITE_KEY="")
    assert len(segment.requests) == 2
    assert project.command("status").stdout.splitlines()[-1].split() == ["all", "31", "0", "31", "1", "30", "0", "0"]
    project.run()
    # Tuesday's batch is as it was. Of Monday's, which Segment gets again, it knows all but one by their ids.
    assert len(segment.messages) == 32
    assert {message["userId"] for message in segment.messages.values()} >= {"user-15", "user-99"}
    assert len(segment.requests) == 3
    assert project.command("status").stdout.splitlines()[-1].split() == ["all", "31", "0", "31", "31", "0", "0", "0"]


def test_a_lost_ledger_is_made_of_the_warehouse_and_nothing_is_sent_again(
    delivering: Project, segment: SegmentServer
) -> None:
    project = delivering
    project.with_files({"log_20240611.csv": log(MONDAY)}, LAYOUTS)
    project.run()
    before = project.command("status").stdout
    project.lose("ledger")
    refused(project, "run")
    refused(project, "replay")
    assert not project.materialize("delivery/email_opened", "2024-06-11")
    assert len(segment.requests) == 1

    refused(project, "status")
    assert "taken from the warehouse's copy of the ledger: 1." in " ".join(project.command("reconcile").stdout.split())
    project.run()
    assert len(segment.requests) == 1
    assert project.command("status").stdout == before
