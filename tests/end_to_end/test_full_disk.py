"""Runs on a disk that takes no more: a sentence that names what could not be written, and the next run goes on."""

import re
import resource
import subprocess
import sys

import pytest

from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import BOB, LAYOUTS, log
from tests.fakes.segment_server import SegmentServer

ROWS = [f"u{n},m1,c1,{what},,2024-06-10T08:00:{n:02d}Z" for n in range(60) for what in ("SENT", "VIEW")]
SENTENCE = re.compile(r"/[^\n]*: (the limit for the size of a file is reached|the disk is full)[^\n]*run again\n\Z")


def limited(project: Project, size: int) -> "subprocess.CompletedProcess[str]":
    """A run in whose processes no file becomes larger: as on a full disk, the system refuses to write."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "run"],
        env=project.environment,
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


@pytest.mark.parametrize("size", [30_000, 400_000, 900_000])
def test_what_could_not_be_written_is_named_and_the_next_run_goes_on(
    unparsed: Project, segment: SegmentServer, size: int
) -> None:
    """The ledger is larger than the first, what dbt has parsed than the second, Dagster's event log than the third."""
    delivering = unparsed.delivering_to(segment.url).with_files({"log_20240611.csv": log(ROWS)}, LAYOUTS)
    done = limited(delivering, size)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert SENTENCE.search(done.stderr), done.stderr
    delivering.run()
    assert len(delivering.ids()) == 120
    assert segment.received_ids == delivering.ids()


def test_a_log_of_dbt_that_takes_no_line_prints_nothing_and_ends_no_run(once: Project) -> None:
    noted = once.data / "dbt" / "dbt.log"
    noted.unlink()
    noted.symlink_to("/dev/full")
    once.with_files({"log_20240612.csv": log([BOB.replace("bob", "kim")])}, {})
    done = once.command("run")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert noted.is_symlink(), "dbt has written to it"
    assert len(once.ids()) == 5
