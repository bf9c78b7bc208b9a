"""The rate limiter: a maximum of events per second, shared by all connections of a run.

One run delivers at a time, on whichever machine. It waits until its last request no longer counts before it lets
another one begin, so the maximum holds for all of them without a clock in common.
"""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Self

# A limit is kept within this tolerance over this many seconds, which bounds the size of a request.
_TOLERANCE = 0.02
_TOLERANCE_SECONDS = 60
# How long after a slow-down the full rate is restored.
RECOVERY_SECONDS = 60
# Requests that are in flight together may each get a 429; within this time, they count as one.
_SAME_MOMENT_SECONDS = 1
# Without a limit, the rate is measured over this many seconds.
_MEASURED_SECONDS = 10


def events_at_once(events_per_second: float) -> int | None:
    """The maximum number of events in one request under a limit; None: any number.

    A request is not divided, so a minute may contain one request too many: at most 2 % of the limit.
    """
    if not events_per_second:
        return None
    return max(1, int(events_per_second * _TOLERANCE_SECONDS * _TOLERANCE))


class RateLimiter:
    """Limit the events per second; 0 is no limit.

    A `slow_down` halves the rate, which then recovers gradually. A limiter `inside` another keeps to both limits.
    Clock and sleep (both in seconds) are passed in, so that tests need no real time.
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
        self._free_at = self._used_until = self._paused_until = clock()
        self._slowed_at: float | None = None
        self._slow_rate = self._full_rate = 0.0
        self._passed: deque[tuple[float, int]] = deque()

    def wait_for(self, events: int) -> None:
        """Return when these events may be sent; later callers wait longer."""
        with self._lock:
            now = self._clock()
            starts_at = max(now, self._free_at)
            rate = self._rate(now)
            self._free_at = self._used_until = starts_at + (events / rate if rate else 0)
            if self._ceiling is None:
                self._measure(now, events)
        # A pause that begins during the sleep applies as well.
        while (left := max(starts_at, self._paused_until) - self._clock()) > 0:
            self._sleep(left)
        if self._inside is not None:
            self._inside.wait_for(events)

    def wait_until_free(self) -> None:
        """Return when the events that were sent no longer count: another limiter may begin then. Pauses that the server
        asked for are not waited for.
        """
        if self._inside is not None:
            self._inside.wait_until_free()
        if (left := self._used_until - self._clock()) > 0:
            self._sleep(left)

    def pause(self, seconds: float) -> None:
        """Let no request through for these seconds, since the server asked for a pause."""
        if self._inside is not None:
            self._inside.pause(seconds)
            return
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
            self._free_at = max(self._free_at, self._paused_until)

    def slow_down(self) -> None:
        """Halve the rate, since the server received too many events."""
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
        """Events per second at this moment; None: no limit."""
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
