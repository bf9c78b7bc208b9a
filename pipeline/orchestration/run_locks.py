"""Locks for the pools of steps, for runs of the command line, the UI and the daemon alike.

They replace Dagster's own pools, which claim a slot and enter the queue in two transactions: of two runs at once, one
can stay in the queue forever. A run that waits there also ignores signals.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._utils.interrupts import check_captured_interrupt

from pipeline.orchestration.partitions import SEGMENT_DELIVERY, WAREHOUSE_READERS, WAREHOUSE_WRITERS
from pipeline.orchestration.process_locks import ledger_server
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.locks import FileLocks, Locks, Turn, this_process
from pipeline.warehouse.postgres_locks import ServerLocks

_FILE_SECONDS = 0.2
_SERVER_SECONDS = 0.3
_LOG_EVERY_SECONDS = 60.0

# The locks of the runs that this process executes, by run id.
_of_runs: dict[str, "StepLocks"] = {}


def turn_of(pool: str, settings: Settings) -> tuple[Turn, float]:
    """The lock of a pool, which belongs to the warehouse or the ledger, and the seconds between two tries."""
    if pool == SEGMENT_DELIVERY:
        locks, seconds = _of_ledger(settings)
        return Turn(locks, "delivery"), seconds
    assert pool in (WAREHOUSE_WRITERS, WAREHOUSE_READERS)
    locks, seconds = _of_warehouse(settings)
    return Turn(locks, "steps"), seconds


def turn_of_step(pool: str, settings: Settings) -> tuple[Turn, float] | None:
    """The same for a step of the pool; None where it needs no lock: a DuckLake can be read beside a writer, and a plain
    DuckDB file can't.
    """
    if pool == WAREHOUSE_READERS and Warehouse.of(settings).is_ducklake:
        return None
    return turn_of(pool, settings)


def _of_warehouse(settings: Settings) -> tuple[Locks, float]:
    warehouse = Warehouse.of(settings)
    if warehouse.catalog_file is None:
        return ServerLocks(warehouse.dsn, "WAREHOUSE"), _SERVER_SECONDS
    return FileLocks(warehouse.catalog_file), _FILE_SECONDS


def _of_ledger(settings: Settings) -> tuple[Locks, float]:
    if (server := ledger_server(settings.ledger)) is not None:
        return server, _SERVER_SECONDS
    return FileLocks(Path(str(sa.make_url(settings.ledger).database))), _FILE_SECONDS


class StepLocks:
    """The locks that Dagster's execution in one process claims before each step: its `InstanceConcurrencyContext`.

    A run has one step at a time, so it waits for one lock at a time and holds no other meanwhile: no deadlocks.
    """

    def __init__(
        self,
        run_id: str,
        turn_of_step: Callable[[str], tuple[Turn, float] | None],
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run_id = run_id
        self._holder = this_process(f"run {run_id[:8]}")
        self._turn_of_step = turn_of_step
        self._log = log
        self._clock = clock
        self._waiting: dict[str, _Wait] = {}
        self._held: dict[str, _Held] = {}
        # Seconds that steps have waited and held locks, of locks that are released.
        self._seconds: dict[str, tuple[float, float]] = {}

    def __enter__(self) -> "StepLocks":
        _of_runs[self._run_id] = self
        return self

    def __exit__(self, *_exception: object) -> None:
        _of_runs.pop(self._run_id, None)
        turns = [held.turn for held in self._held.values()] + [wait.turn for wait in self._waiting.values()]
        for turn in turns:
            turn.leave()
        self._held.clear()
        self._waiting.clear()

    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        """Whether the step may start.

        Raises:
            DagsterExecutionInterruptedError: a signal asked the run to stop.
            PipelineError: a server can't be queried.
        """
        if check_captured_interrupt():
            raise DagsterExecutionInterruptedError(f"stopped while {step_key} waited")
        if step_key not in self._waiting:
            if (found := self._turn_of_step(concurrency_key)) is None:
                return True
            self._waiting[step_key] = _Wait(*found, self._clock())
        wait = self._waiting[step_key]
        if wait.turn.take(self._holder):
            del self._waiting[step_key]
            now = self._clock()
            self._held[step_key] = _Held(wait.turn, now - wait.since, now)
            return True
        now = self._clock()
        if now >= wait.log_at:
            self._log(
                f"{step_key.replace('__', '/')} waits for {wait.turn.holder()}"
                + (f"; waiting for {now - wait.since:,.0f} s" if wait.logged else "; Ctrl-C ends the wait")
            )
            wait.logged, wait.log_at = True, now + _LOG_EVERY_SECONDS
        return False

    def interval_to_next_pending_claim_check(self) -> float:
        """Seconds until the next try for a waiting step."""
        return min((wait.seconds for wait in self._waiting.values()), default=0.0)

    def pending_claim_steps(self) -> list[str]:
        """Always empty: `claim` logs waiting steps itself."""
        return []

    def has_pending_claims(self) -> bool:
        """Whether any step waits."""
        return bool(self._waiting)

    def free_step(self, step_key: str) -> None:
        """Release the lock of a step that has ended, unless it is released already."""
        self.release(step_key)
        self._seconds.pop(step_key, None)

    def release(self, step_key: str) -> dict[str, float]:
        """Release the lock of a step, if it holds one. Returns the seconds that the step has waited for its lock and
        held it so far, by name; nothing if it never had one.
        """
        waited, holding = self._seconds.get(step_key, (0.0, 0.0))
        if (held := self._held.pop(step_key, None)) is not None:
            held.turn.leave()
            waited, holding = waited + held.waited, holding + self._clock() - held.since
            self._seconds[step_key] = waited, holding
        if step_key not in self._seconds:
            return {}
        return {"seconds_waiting_for_lock": round(waited, 1), "seconds_holding_lock": round(holding, 1)}

    @contextmanager
    def turn(self, concurrency_key: str, step_key: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
        """Hold a lock for a part of a step, after waiting for it. Raises as `claim` does."""
        try:
            while not self.claim(concurrency_key, step_key):
                sleep(self.interval_to_next_pending_claim_check())
            yield
        finally:
            if (wait := self._waiting.pop(step_key, None)) is not None:
                wait.turn.leave()
            self.release(step_key)


@contextmanager
def steps_turn(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Hold the lock of the steps that write to the warehouse, for a step that is in no pool and writes only at times.

    No effect in a run of another executor than the project's. Raises as `StepLocks.claim` does.
    """
    locks = _of_runs.get(context.run_id)
    if locks is None:
        yield
        return
    with locks.turn(WAREHOUSE_WRITERS, _step_of(context)):
        yield


def release_lock(context: dg.AssetExecutionContext) -> dict[str, float]:
    """Release the lock of a step, for one whose other work needs none. Returns metadata: the seconds that it has waited
    for the lock and held it; nothing under another executor than this project's.
    """
    locks = _of_runs.get(context.run_id)
    return locks.release(_step_of(context)) if locks is not None else {}


def _step_of(context: dg.AssetExecutionContext) -> str:
    return str(context.get_step_execution_context().step.key)


@dataclass(frozen=True)
class _Held:
    turn: Turn
    waited: float
    since: float


@dataclass
class _Wait:
    turn: Turn
    seconds: float
    since: float
    logged: bool = False

    def __post_init__(self) -> None:
        self.log_at = self.since
