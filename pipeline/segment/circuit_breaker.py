"""The circuit breaker: after a sustained failure, no request is sent for a while."""

import time
from collections.abc import Callable
from threading import Lock

COOLDOWN_SECONDS = 300


class CircuitBreaker:
    """Open after a failure, with its reason. After the cooldown, the result of the next request decides.

    All deliveries of a run share one: if one can't reach Segment, the other five need not try for minutes each.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, cooldown_seconds: float = COOLDOWN_SECONDS) -> None:
        self._clock = clock
        self._cooldown_seconds = cooldown_seconds
        self._lock = Lock()
        self._open_until = clock()
        self._reason = ""
        self.has_delivered = False

    def open_because(self) -> str | None:
        """The reason why no request may be sent now; None if one may."""
        with self._lock:
            return self._reason if self._clock() < self._open_until else None

    def trip(self, reason: str) -> None:
        """Open: a batch used up all its tries."""
        with self._lock:
            self._open_until = self._clock() + self._cooldown_seconds
            self._reason = reason

    def delivered(self) -> None:
        """Close, and record that Segment accepted a batch, so it does not reject everything."""
        self.has_delivered = True
        self.close()

    def close(self) -> None:
        """Close: Segment answered."""
        with self._lock:
            self._open_until = self._clock()
