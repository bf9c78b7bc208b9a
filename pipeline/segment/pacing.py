"""The ceiling on events a second, shared by all connections of a run."""

import time
from collections.abc import Callable
from threading import Lock


class Pace:
    """Lets through so many events a second; 0 lets everything through at once.

    Clock and sleep (both in seconds) are handed in, so that tests need neither to pass.
    """

    def __init__(
        self,
        events_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds_per_event = 1 / events_per_second if events_per_second else 0.0
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._free_at = clock()
        self._paused_until = self._free_at

    def wait_for(self, events: int) -> None:
        """Return when these events may go; whoever comes later waits longer."""
        with self._lock:
            starts_at = max(self._clock(), self._free_at)
            self._free_at = starts_at + events * self._seconds_per_event
        # A pause that begins while this one sleeps holds for it, too.
        while (left := max(starts_at, self._paused_until) - self._clock()) > 0:
            self._sleep(left)

    def pause(self, seconds: float) -> None:
        """Nobody goes for so long: the server asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
            self._free_at = max(self._free_at, self._paused_until)
