"""The circuit breaker: after a sustained failure, no request is sent for a while."""

import time
from collections.abc import Callable
from threading import Lock

REST_SECONDS = 300


class CircuitBreaker:
    """Open after a failure, with the reason; after a rest, the result of the next request decides.

    One for all deliveries of a run: once one found Segment unreachable, the other five need not try for minutes each.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, rest_seconds: float = REST_SECONDS) -> None:
        self._clock = clock
        self._rest_seconds = rest_seconds
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
            self._open_until = self._clock() + self._rest_seconds
            self._reason = reason

    def delivered(self) -> None:
        """Close, and record that Segment took a batch: it does not reject everything."""
        self.has_delivered = True
        self.close()

    def close(self) -> None:
        """Close: Segment answered."""
        with self._lock:
            self._open_until = self._clock()
