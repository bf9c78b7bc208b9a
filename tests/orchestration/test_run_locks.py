"""Whose turn it is at the warehouse and at the ledger, in a directory or at a server."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._utils.interrupts import capture_interrupts

from pipeline.errors import PipelineError
from pipeline.orchestration.run_locks import StepLocks, turn_of_step
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.locks import FileLocks, Locks, Turn
from pipeline.warehouse.postgres_locks import ServerLocks
from tests.fakes.postgres import Postgres
from tests.support.warehouses import ducklake_in, plain_file_in

Place = Callable[[], Locks]


@pytest.fixture(params=["directory", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Locks as another process has them: of the same place, and with nothing else in common."""
    if request.param == "directory":
        return lambda: FileLocks(tmp_path / "warehouse.sqlite")
    server: Postgres = request.getfixturevalue("postgres")
    dsn = server.dsn(server.create(f"locks_{tmp_path.name}"))
    return lambda: ServerLocks(dsn, "WAREHOUSE")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Run:
    """The locks of one run, and its messages."""

    def __init__(self, name: str, place: Place, stack: ExitStack) -> None:
        self.messages: list[str] = []
        self.clock = Clock()
        self.locks = stack.enter_context(
            StepLocks(name, lambda pool: (Turn(place(), pool), 0.2), self.messages.append, self.clock)
        )

    def claim(self, step: str, pool: str = "warehouse_writers") -> bool:
        return self.locks.claim(pool, step)


@pytest.fixture
def runs(place: Place) -> Iterator[tuple[Run, Run]]:
    with ExitStack() as stack:
        yield Run("aaaaaaaa-1", place, stack), Run("bbbbbbbb-2", place, stack)


def test_a_step_waits_for_the_step_of_another_run_and_logs_which(runs: tuple[Run, Run]) -> None:
    ours, other = runs
    assert other.claim("models")
    assert not ours.claim("raw")
    [message] = ours.messages
    assert message.startswith("raw waits for run bbbbbbbb (process ")
    assert ", since 2" in message
    assert ours.locks.has_pending_claims()
    assert ours.locks.interval_to_next_pending_claim_check() == 0.2

    ours.clock.now = 59
    assert not ours.claim("raw")
    assert len(ours.messages) == 1
    ours.clock.now = 61
    assert not ours.claim("raw")
    assert "; waiting for 61 s" in ours.messages[1]

    other.locks.free_step("models")
    assert ours.claim("raw")
    assert not ours.locks.has_pending_claims()


def test_a_run_that_wants_its_next_turn_comes_after_those_who_wait(runs: tuple[Run, Run]) -> None:
    """Else history that is sent step by step would never let today in."""
    ours, other = runs
    assert other.claim("first")
    assert not ours.claim("raw")
    other.locks.free_step("first")
    assert not other.claim("second")
    assert ours.claim("raw")
    ours.locks.free_step("raw")
    assert other.claim("second")


def test_a_lock_that_a_step_needs_no_longer_is_free_for_others(runs: tuple[Run, Run]) -> None:
    ours, other = runs
    assert other.claim("models")
    assert not ours.claim("raw")
    other.clock.now, ours.clock.now = 7.25, 7.25
    assert other.locks.release("models") == {"seconds_waiting_for_lock": 0.0, "seconds_holding_lock": 7.2}
    assert ours.claim("raw")
    ours.clock.now = 9.0
    assert ours.locks.release("raw") == {"seconds_waiting_for_lock": 7.2, "seconds_holding_lock": 1.8}
    # A step may have several turns; its numbers are those of all of them.
    assert ours.claim("raw")
    ours.clock.now = 12.0
    assert ours.locks.release("raw") == {"seconds_waiting_for_lock": 7.2, "seconds_holding_lock": 4.8}
    ours.locks.free_step("raw")
    assert ours.locks.release("raw") == {}

    # The end of a step whose lock is released already leaves the locks of others alone.
    assert ours.claim("outbox")
    other.locks.free_step("models")
    assert not other.claim("outbox")


def test_readers_wait_for_the_writers_of_a_plain_file_only(tmp_path: Path) -> None:
    def of_step(warehouse: Warehouse) -> Callable[[str], tuple[Turn, float] | None]:
        return partial(turn_of_step, settings=Settings(warehouse=warehouse.location, warehouse_files=warehouse.files))

    for warehouse, waits in ((ducklake_in(tmp_path), False), (plain_file_in(tmp_path), True)):
        with (
            StepLocks("writer", of_step(warehouse), lambda _: None) as writer,
            StepLocks("reader", of_step(warehouse), lambda _: None) as reader,
        ):
            assert writer.claim("warehouse_writers", "models")
            assert reader.claim("warehouse_readers", "staging__events__checks") is not waits
            writer.free_step("models")
            assert not waits or reader.claim("warehouse_readers", "staging__events__checks")


def test_the_warehouse_and_the_ledger_have_turns_of_their_own(runs: tuple[Run, Run]) -> None:
    ours, other = runs
    assert other.claim("delivery", "segment_delivery")
    assert ours.claim("raw", "warehouse_writers")


def test_a_run_that_ends_while_it_waits_leaves_the_line(place: Place) -> None:
    with ExitStack() as all_runs:
        holder, last = (Run(name, place, all_runs) for name in ("holder", "last"))
        assert holder.claim("models")
        with ExitStack() as stack:
            assert not Run("gone", place, stack).claim("raw")
            assert not last.claim("raw")
        holder.locks.free_step("models")
        assert last.claim("raw")


def test_a_signal_ends_the_wait(runs: tuple[Run, Run]) -> None:
    ours, other = runs
    assert other.claim("models")
    with capture_interrupts():
        assert not ours.claim("raw")
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(DagsterExecutionInterruptedError):
            ours.claim("raw")


_KILLED = """
import sys
from pathlib import Path
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.locks import FileLocks, Turn
turn = Turn(FileLocks(Path(sys.argv[1])), "steps")
assert turn.take("a run that is killed")
print("taken", flush=True)
sys.stdin.read()
"""


def test_a_process_that_is_killed_lets_go(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        turn = Turn(FileLocks(file), "steps")
        assert not turn.take("the next run")
        assert turn.holder() == "a run that is killed"
        process.kill()
        process.wait()
        assert turn.take("the next run")
        assert json.loads((tmp_path / "warehouse.sqlite.steps.holder").read_text("utf-8")) == "the next run"
        turn.leave()


def test_a_directory_in_which_no_lock_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match=r"The lock .*steps.next.lock can't be created: "):
        Turn(FileLocks(tmp_path / "file" / "warehouse.sqlite"), "steps").take("a run")


def test_a_server_that_is_gone_is_reported_without_its_password() -> None:
    gone = ServerLocks("host=127.0.0.1 port=1 dbname=none password=hush-hush", "LEDGER")
    with pytest.raises(PipelineError, match="LEDGER: the PostgreSQL server") as error:
        gone.take("delivery", "a run")
    assert "hush" not in str(error.value)
    assert "hush" not in repr(gone)


def test_a_part_of_a_step_waits_for_its_turn_and_releases_it(runs: tuple[Run, Run]) -> None:
    ours, other = runs
    assert other.claim("models")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        other.locks.free_step("models")

    with ours.locks.turn("warehouse_writers", "raw", wait):
        assert not other.claim("models")
    assert other.claim("models")
    assert waits == [0.2]
    assert ours.messages[0].startswith("raw waits for run bbbbbbbb (process ")
    assert not ours.locks.has_pending_claims()


def test_a_signal_ends_the_wait_of_a_part_of_a_step_and_it_leaves_the_line(runs: tuple[Run, Run]) -> None:
    ours, other = runs
    assert other.claim("models")
    with capture_interrupts(), pytest.raises(DagsterExecutionInterruptedError):  # noqa: SIM117
        with ours.locks.turn("warehouse_writers", "raw", lambda _: signal.raise_signal(signal.SIGTERM)):
            pytest.fail("it has no turn")
    assert not ours.locks.has_pending_claims()
    other.locks.free_step("models")
    assert other.claim("models")
