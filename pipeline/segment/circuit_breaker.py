"""The circuit breaker: after a sustained failure nothing more is tried for a while."""

import time
from collections.abc import Callable
from threading import Lock

REST_SECONDS = 300


class Breaker:
    """Open, it tells why; after a rest it lets through again, and what happens then decides.

    One for all deliveries of a run: where the first found Segment out of reach, the other five need not try for
    minutes each.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, rest_seconds: float = REST_SECONDS) -> None:
        self._clock = clock
        self._rest_seconds = rest_seconds
        self._lock = Lock()
        self._open_until = clock()
        self._reason = ""
        self.has_delivered = False

    def open_because(self) -> str | None:
        """Why nothing is tried at this moment; None: it may be."""
        with self._lock:
            return self._reason if self._clock() < self._open_until else None

    def trip(self, reason: str) -> None:
        """A batch used up all its tries."""
        with self._lock:
            self._open_until = self._clock() + self._rest_seconds
            self._reason = reason

    def delivered(self) -> None:
        """Segment took a batch: whatever it rejects from now on, it does not reject everything."""
        self.has_delivered = True
        self.close()

    def close(self) -> None:
        """There was an answer of Segment's."""
        with self._lock:
            self._open_until = self._clock()
