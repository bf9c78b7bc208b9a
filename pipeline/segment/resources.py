"""Segment as a Dagster resource."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from threading import Event

import dagster as dg
from pydantic import PrivateAttr

from pipeline.orchestration.shutdown import sleeping_until
from pipeline.segment.circuit_breaker import CircuitBreaker
from pipeline.segment.client import Retries, SegmentClient
from pipeline.segment.delivery import CURRENT_DAYS, History
from pipeline.segment.rate_limiter import RateLimiter
from pipeline.settings import Settings, load_settings


class SegmentResource(dg.ConfigurableResource):
    """Clients for Segment; the rate limit applies to all deliveries of a run together."""

    _rate_limiter: RateLimiter | None = PrivateAttr(default=None)
    _history_rate_limiter: RateLimiter | None = PrivateAttr(default=None)
    _circuit_breaker: CircuitBreaker = PrivateAttr(default_factory=CircuitBreaker)
    _stop: Event = PrivateAttr(default_factory=Event)

    def settings(self) -> Settings:
        """The current settings."""
        return load_settings()

    @property
    def stop(self) -> Event:
        """An event that ends all waits of the client once it is set."""
        return self._stop

    @contextmanager
    def client(self) -> Iterator[SegmentClient | None]:
        """A client for the endpoint of the settings; None without a write key: a dry run."""
        settings = load_settings()
        if settings.segment_write_key is None:
            yield None
            return
        if self._rate_limiter is None:
            self._rate_limiter = RateLimiter(settings.segment_events_per_second, sleep=sleeping_until(self._stop))
        client = SegmentClient(
            settings.segment_endpoint,
            settings.segment_write_key.get_secret_value(),
            settings.segment_connections,
            self._rate_limiter,
            self._circuit_breaker,
            Retries(sleep=sleeping_until(self._stop)),
        )
        try:
            yield client
        finally:
            client.close()

    def history(self, client: SegmentClient, today: date) -> History:
        """How old dates are sent: under a lower rate limit inside the common one, over the whole run as well."""
        if self._history_rate_limiter is None:
            self._history_rate_limiter = RateLimiter(
                load_settings().backfill_events_per_second, sleep=sleeping_until(self._stop), inside=self._rate_limiter
            )
        return History(
            today - timedelta(days=CURRENT_DAYS), partial(client.send, rate_limiter=self._history_rate_limiter)
        )
