"""Locks that mark the processes of runs as running, and that commands hold to prevent runs.

Dagster does not notice a crash, and a lock ends with its process. The locks are files in Dagster's home. Where the
ledger is on a server, they are on that server as well, for the other machines.
"""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock

from pipeline.errors import DeliveryError, PipelineError
from pipeline.ledger import Ledger
from pipeline.orchestration.dagster_home import dagster_home
from pipeline.settings import load_settings
from pipeline.warehouse.locks import this_process
from pipeline.warehouse.postgres_locks import ServerLocks

# The commands that prevent runs.
EXCLUSIVE = "`copy`, `forget`, `reconcile` or `restore`"
_ALL_RUNS = "all-runs"
# Runs whose lock this process holds.
_held: set[str] = set()


def ledger_server(url: str) -> ServerLocks | None:
    """The locks on the server of a ledger, by its SQLAlchemy URL; None for a file."""
    location = sa.make_url(url)
    if location.get_backend_name() == "sqlite":
        return None
    return ServerLocks(location.set(drivername="postgresql").render_as_string(hide_password=False), "LEDGER")


@contextmanager
def process_lock(run_id: str) -> Iterator[None]:
    """Hold the lock that marks a run's process as running. Has no effect where this process holds it already. Raises
    PipelineError: an exclusive command is running.
    """
    if run_id in _held:
        yield
        return
    with _holding(run_id):
        _held.add(run_id)
        try:
            yield
        finally:
            _held.discard(run_id)


@contextmanager
def _holding(run_id: str) -> Iterator[None]:
    # Locked before it has its name and deleted before it is released, so that it never exists without being locked.
    path = _lock_of(run_id)
    unnamed = path.with_suffix(".unnamed")
    with all_runs(shared=True) as shared, _at_server(_name(run_id), shared=False), FileLock(unnamed):
        if not shared:
            raise PipelineError(f"{EXCLUSIVE} is running; run again when it has ended.")
        unnamed.rename(path)
        with _on_record(run_id):
            try:
                yield
            finally:
                path.unlink(missing_ok=True)


@contextmanager
def _on_record(run_id: str) -> Iterator[None]:
    """With a record on the ledger's server, by which another machine knows a run whose process was killed from one that
    has not begun.
    """
    ledger = _ledger_on_server()
    if ledger is None:
        yield
        return
    ledger.note_run(run_id)
    try:
        yield
    finally:
        with suppress(DeliveryError):  # the server is gone, and the lock with it: the run counts as killed
            ledger.forget_run(run_id)
        ledger.close()


@contextmanager
def all_runs(*, shared: bool) -> Iterator[bool]:
    """Whether the lock of all runs was acquired: shared by all runs, or by an exclusive command. It ends with the
    process.
    """
    with ExitStack() as stack:
        file = stack.enter_context((_locks() / _ALL_RUNS).open("ab"))
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        is_free = stack.enter_context(_at_server(_ALL_RUNS, shared=shared))
        if not is_free:
            file.close()  # holds off no one on this machine
        yield is_free


@contextmanager
def _at_server(name: str, *, shared: bool) -> Iterator[bool]:
    """Whether the lock of this name on the ledger's server was acquired; true where the ledger is a file."""
    server = ledger_server(load_settings().ledger)
    held = server.take(name, this_process(name), shared=shared) if server is not None else None
    try:
        yield server is None or held is not None
    finally:
        if held is not None:
            held.release()


def is_held(run_id: str) -> bool | None:
    """Whether a process holds the lock of a run; None where there is no such lock, or no longer."""
    # Not by FileLock, which would create a file that was just deleted, and block other readers.
    path = _lock_of(run_id)
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False if path.exists() else None
    except FileNotFoundError:
        return _is_held_elsewhere(run_id)
    except BlockingIOError:
        return True


def _is_held_elsewhere(run_id: str) -> bool | None:
    ledger, server = _ledger_on_server(), ledger_server(load_settings().ledger)
    if ledger is None or server is None or not ledger.knows_run(run_id):
        return None
    if server.holder(_name(run_id)) is not None:
        return True
    return False if ledger.knows_run(run_id) else None  # it may have ended in between


def _ledger_on_server() -> Ledger | None:
    url = load_settings().ledger
    return Ledger(url) if ledger_server(url) is not None else None


def forget_lock(run_id: str) -> None:
    """Delete what a process that was killed left of its lock."""
    _lock_of(run_id).unlink(missing_ok=True)
    if (ledger := _ledger_on_server()) is not None:
        ledger.forget_run(run_id)


def _name(run_id: str) -> str:
    return f"run {run_id}"


def _lock_of(run_id: str) -> Path:
    return _locks() / f"run-{run_id}.lock"


def _locks() -> Path:
    folder = dagster_home() / "locks"
    folder.mkdir(exist_ok=True)
    return folder
