"""Which step may begin: the locks of the pools that steps are in, taken by runs of the command line, of the UI and of
the daemon alike.

Dagster's own pools are not asked. They ask for a slot and enter the line in two transactions, so of two runs that ask
at once one can be left in line and never called up; and a run that waits there obeys no signal.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._utils.interrupts import check_captured_interrupt

from pipeline.orchestration.partitions import SEGMENT_DELIVERY, WAREHOUSE_WRITERS
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.locks import FileLocks, Locks, Turn, this_process
from pipeline.warehouse.server_locks import ServerLocks

_LOOK_SECONDS = 0.2  # a file
_ASK_SECONDS = 1.0  # a server
_SAY_AGAIN_SECONDS = 60.0


def turn_of(pool: str, settings: Settings) -> tuple[Turn, float]:
    """The turn that steps of a pool wait for, which is of the warehouse or the ledger and not of Dagster's home; and
    how many seconds there are between two looks.
    """
    locks, seconds = {WAREHOUSE_WRITERS: _of_warehouse, SEGMENT_DELIVERY: _of_ledger}[pool](settings)
    return Turn(locks, "steps" if pool == WAREHOUSE_WRITERS else "delivery"), seconds


def _of_warehouse(settings: Settings) -> tuple[Locks, float]:
    warehouse = Warehouse.of(settings)
    if warehouse.catalog_file is None:
        return ServerLocks(warehouse.dsn, "WAREHOUSE"), _ASK_SECONDS
    return FileLocks(warehouse.catalog_file), _LOOK_SECONDS


def _of_ledger(settings: Settings) -> tuple[Locks, float]:
    url = sa.make_url(settings.ledger)
    if url.get_backend_name() == "sqlite":
        return FileLocks(Path(str(url.database))), _LOOK_SECONDS
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return ServerLocks(dsn, "LEDGER"), _ASK_SECONDS


class StepLocks:
    """What Dagster's execution in one process asks before each step; the methods are those of its
    `InstanceConcurrencyContext`.

    A run has one step at a time, so it waits for one lock at a time and holds no other meanwhile: two runs can't wait
    for each other.
    """

    def __init__(
        self,
        run_id: str,
        turn_of: Callable[[str], tuple[Turn, float]],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holder = this_process(f"run {run_id[:8]}")
        self._turn_of = turn_of
        self._say = say
        self._clock = clock
        self._waiting: dict[str, _Wait] = {}
        self._held: dict[str, Turn] = {}

    def __enter__(self) -> "StepLocks":
        return self

    def __exit__(self, *_exception: object) -> None:
        for turn in (*self._held.values(), *(wait.turn for wait in self._waiting.values())):
            turn.leave()
        self._held.clear()
        self._waiting.clear()

    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        """Whether the step may begin.

        Raises:
            DagsterExecutionInterruptedError: a signal asked the run to stop.
            PipelineError: a server can't be asked.
        """
        if check_captured_interrupt():
            raise DagsterExecutionInterruptedError(f"stopped while {step_key} waited")
        if step_key not in self._waiting:
            turn, seconds = self._turn_of(concurrency_key)
            self._waiting[step_key] = _Wait(turn, seconds, self._clock())
        wait = self._waiting[step_key]
        if wait.turn.take(self._holder):
            del self._waiting[step_key]
            self._held[step_key] = wait.turn
            return True
        now = self._clock()
        if now >= wait.say_at:
            self._say(
                f"{step_key.replace('__', '/')} waits for {wait.turn.holder()}"
                + (f"; {now - wait.since:,.0f} s by now" if wait.said else "; Ctrl-C ends the wait")
            )
            wait.said, wait.say_at = True, now + _SAY_AGAIN_SECONDS
        return False

    def interval_to_next_pending_claim_check(self) -> float:
        """Seconds until a step that waits is worth asking for again."""
        return min((wait.seconds for wait in self._waiting.values()), default=0.0)

    def pending_claim_steps(self) -> list[str]:
        """None: what waits is told here, with the process that it waits for."""
        return []

    def has_pending_claims(self) -> bool:
        """Whether a step waits."""
        return bool(self._waiting)

    def free_step(self, step_key: str) -> None:
        """The step has ended."""
        if (turn := self._held.pop(step_key, None)) is not None:
            turn.leave()


@dataclass
class _Wait:
    turn: Turn
    seconds: float
    since: float
    said: bool = False

    def __post_init__(self) -> None:
        self.say_at = self.since
