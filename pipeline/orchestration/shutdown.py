"""Commands end on a signal: SIGINT with exit status 130, SIGTERM with 143, as in a shell."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_FAILED_BY_SIGNAL = 128
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal asked the command to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = _FAILED_BY_SIGNAL + number


class _Signals:
    """The signals that this process received. Dagster catches them during a run, and does not report which one."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(self.reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def first(self) -> int | None:
        """The first signal that asked to stop; once only."""
        try:
            came = os.read(self.reading, 64)
        except BlockingIOError:
            return None
        return next((number for number in came if number in _SIGNALS), None)


_signals: _Signals | None = None


def obey_signals() -> None:
    """Let SIGINT and SIGTERM raise `Stopped` in this process, unless its parent made it ignore them."""
    global _signals
    _signals = _signals or _Signals()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def stop_if_asked() -> None:
    """Raise `Stopped` for a signal that Dagster caught during a run."""
    if _signals is not None and (number := _signals.first()) is not None:
        raise Stopped(number)


class SleepStopped(Exception):
    """A sleep ended early, since the work that it paused has to stop."""


def sleeping_until(stop: threading.Event) -> Callable[[float], None]:
    """A sleep (in seconds) that raises `SleepStopped` as soon as `stop` is set, in any thread."""

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise SleepStopped

    return sleep


@contextmanager
def signals_set(stop: threading.Event) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM in the block set `stop` instead of raising, so that the block can record its
    results; the signal takes effect after the block. A second one does so at once.

    No effect outside of the main thread, where no signal arrives.
    """
    stop.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        stop.set()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield
    finally:
        restore()
    if came:
        signal.raise_signal(came[0])


def _stop(number: int, _frame: FrameType | None) -> None:
    stop_if_asked()
    raise Stopped(number)
