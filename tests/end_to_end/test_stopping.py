"""Runs that wait, are stopped or are killed: each ends, holds nothing afterwards, and the next one goes on."""

import signal
import subprocess
import sys
import threading

import pytest

from benchmarks.two_runs import pair
from pipeline.warehouse.locks import FileLocks, Turn
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.fakes.segment_faults import Answer
from tests.fakes.segment_server import SegmentServer


def _begun(project: Project, until: str) -> "subprocess.Popen[str]":
    """A run that has printed this much."""
    run = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run"],
        env=project.environment,
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    lines = []
    for line in run.stderr:
        lines.append(line)
        if until in line:
            return run
    raise AssertionError("".join(lines))


@pytest.mark.stores("sqlite")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_waits_obeys_signals_and_the_next_goes_on(
    project: Project, number: signal.Signals, status: int
) -> None:
    project.with_files({"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}, LAYOUTS)
    turn = Turn(FileLocks(project.folder / "warehouse.sqlite"), "steps")
    assert turn.take("run 12345678 of a test")
    run = _begun(project, "raw waits for run 12345678 of a test")
    run.send_signal(number)
    _, rest = run.communicate(timeout=60)
    assert run.returncode == status
    assert rest.endswith("Stopped.\n")
    turn.leave()
    project.run()
    assert len(project.ids()) == 1


def test_a_delivery_that_waits_for_its_next_try_ends_at_once(delivering: Project, segment: SegmentServer) -> None:
    """Segment asks for five minutes, which is the wait of every connection."""
    delivering.with_files({"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}, LAYOUTS)
    segment.misbehave_when(lambda *_: True, Answer(429, {"Retry-After": "300"}))
    run = _begun(delivering, "delivery/email_opened")
    segment.wait_for_requests(1)
    run.send_signal(signal.SIGTERM)
    _, rest = run.communicate(timeout=60)
    assert (run.returncode, len(segment.requests)) == (143, 1)
    assert rest.endswith("Stopped.\n")
    segment.behave()
    delivering.run()
    assert segment.received_ids == delivering.ids()
    assert not segment.duplicates


def test_two_runs_at_once_both_end_well(project: Project) -> None:
    """The same with 50 pairs: `python -m benchmarks.two_runs`."""
    project.with_files({"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}, LAYOUTS)
    ended = pair(project, 600)
    assert [status for status, _ in ended] == [0, 0], ended
    assert len(project.ids()) == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_run_that_ends_while_dbt_works_is_continued_by_the_next(
    project: Project, number: signal.Signals, status: int
) -> None:
    """While a model was being made, or just after."""
    project.with_files({"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}, LAYOUTS)
    run, pause, noted = _begun(project, "models"), threading.Event(), project.data / "dbt" / "dbt.log"
    while "Began executing node model." not in noted.read_text("utf-8"):
        assert run.poll() is None
        pause.wait(0.05)
    run.send_signal(number)
    run.communicate(timeout=60)
    assert run.returncode == status
    project.run()
    assert len(project.ids()) == 1
