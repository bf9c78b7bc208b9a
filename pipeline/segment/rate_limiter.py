"""The ceiling on events a second, shared by all connections of a run."""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Self

# A ceiling holds within this share over so many seconds; a request that is larger than that allows breaks it.
_TOLERANCE = 0.02
_TOLERANCE_SECONDS = 60
# So long after it was slowed down, a pace is back at its ceiling.
RECOVERY_SECONDS = 60
# Requests that were on their way together are told to slow down together: that counts once.
_SAME_MOMENT_SECONDS = 1
# Over so long it is measured how many events pass where there is no ceiling.
_MEASURED_SECONDS = 10


def events_at_once(events_per_second: float) -> int | None:
    """The most events of one request under a ceiling, so that no minute sees more than 2 % above it: since a request
    is not divided, a minute may see one more than it should. None: as many as you like.
    """
    if not events_per_second:
        return None
    return max(1, int(events_per_second * _TOLERANCE_SECONDS * _TOLERANCE))


class Pace:
    """Lets through so many events a second; 0 lets everything through at once.

    After a `slow_down` it lets through half as many, and more again with every second. A pace `inside` another holds
    to both. Clock and sleep (both in seconds) are handed in, so that tests need neither to pass.
    """

    def __init__(
        self,
        events_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        inside: Self | None = None,
    ) -> None:
        self._ceiling = events_per_second or None
        self._inside = inside
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._free_at = clock()
        self._paused_until = self._free_at
        self._slowed_at: float | None = None
        self._slow_rate = self._full_rate = 0.0
        self._passed: deque[tuple[float, int]] = deque()

    def wait_for(self, events: int) -> None:
        """Return when these events may go; whoever comes later waits longer."""
        with self._lock:
            now = self._clock()
            starts_at = max(now, self._free_at)
            rate = self._rate(now)
            self._free_at = starts_at + (events / rate if rate else 0)
            if self._ceiling is None:
                self._measure(now, events)
        # A pause that begins while this one sleeps holds for it, too.
        while (left := max(starts_at, self._paused_until) - self._clock()) > 0:
            self._sleep(left)
        if self._inside is not None:
            self._inside.wait_for(events)

    def pause(self, seconds: float) -> None:
        """Nobody goes for so long: the server asked for it."""
        if self._inside is not None:
            self._inside.pause(seconds)
            return
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
            self._free_at = max(self._free_at, self._paused_until)

    def slow_down(self) -> None:
        """Half as many events from now on: the server had too many."""
        if self._inside is not None:
            self._inside.slow_down()
            return
        with self._lock:
            now = self._clock()
            if self._slowed_at is not None and now - self._slowed_at < _SAME_MOMENT_SECONDS:
                return
            rate = self._rate(now) or self._measured(now)
            if rate:
                self._full_rate = self._ceiling or max(rate, self._full_rate)
                self._slowed_at, self._slow_rate = now, rate / 2

    def _rate(self, now: float) -> float | None:
        """Events a second at this moment; None is no limit."""
        if self._slowed_at is None:
            return self._ceiling
        rate = self._slow_rate + (now - self._slowed_at) * self._full_rate / RECOVERY_SECONDS
        if rate < self._full_rate:
            return rate
        self._slowed_at = None
        return self._ceiling

    def _measure(self, now: float, events: int) -> None:
        self._passed.append((now, events))
        while self._passed[0][0] < now - _MEASURED_SECONDS:
            self._passed.popleft()

    def _measured(self, now: float) -> float:
        if not self._passed:
            return 0
        return sum(events for _, events in self._passed) / max(now - self._passed[0][0], 1)
