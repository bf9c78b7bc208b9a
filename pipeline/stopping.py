"""Commands end when a signal asks them to: SIGINT with exit status 130, SIGTERM with 143, as a shell has it."""

import os
import signal
from types import FrameType

_FAILED_BY_SIGNAL = 128
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal asked the command to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = _FAILED_BY_SIGNAL + number


class _Signals:
    """Which signals came. Dagster catches them itself while a run goes on, and keeps to itself which it was."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(self.reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def first(self) -> int | None:
        """The first that asked to stop, and once only."""
        try:
            came = os.read(self.reading, 64)
        except BlockingIOError:
            return None
        return next((number for number in came if number in _SIGNALS), None)


_signals: _Signals | None = None


def obey_signals() -> None:
    """Let SIGINT and SIGTERM raise `Stopped` in this process, unless whoever started it made it deaf to them."""
    global _signals
    _signals = _signals or _Signals()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def stop_if_asked() -> None:
    """For after a run, in which Dagster caught the signal.

    Raises:
        Stopped: one came.
    """
    if _signals is not None and (number := _signals.first()) is not None:
        raise Stopped(number)


def _stop(number: int, _frame: FrameType | None) -> None:
    stop_if_asked()
    raise Stopped(number)
