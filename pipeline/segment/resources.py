"""Segment as a Dagster resource."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from functools import partial
from threading import Event

import dagster as dg
from pydantic import PrivateAttr

from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_copy import mirror
from pipeline.orchestration.shutdown import SleepStopped, sleeping_until
from pipeline.segment.circuit_breaker import CircuitBreaker
from pipeline.segment.client import Retries, SegmentClient
from pipeline.segment.delivery import CURRENT_DAYS, History
from pipeline.segment.rate_limiter import RateLimiter
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import Warehouse


class SegmentResource(dg.ConfigurableResource):
    """Clients for Segment; the rate limit applies to all deliveries of a run together."""

    _rate_limiter: RateLimiter | None = PrivateAttr(default=None)
    _history_rate_limiter: RateLimiter | None = PrivateAttr(default=None)
    _circuit_breaker: CircuitBreaker = PrivateAttr(default_factory=CircuitBreaker)
    _stop: Event = PrivateAttr(default_factory=Event)
    _registered: tuple[ExportDates, int] | None = PrivateAttr(default=None)
    _to_copy: ExportDates | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["SegmentResource"]:
        """For a run. Its end copies the ledger into the warehouse where no step has done it, as after a failure."""
        try:
            yield self
        finally:
            if self._to_copy is not None:
                settings = load_settings()
                mirror(Warehouse.of(settings), Ledger(settings.ledger), self._to_copy)

    def settings(self) -> Settings:
        """The current settings."""
        return load_settings()

    def copy_later(self, dates: ExportDates) -> None:
        """Copy the ledger's rows of these export dates at the end of the run, unless a step does it before."""
        self._to_copy = dates

    def is_copied(self) -> None:
        """Record that a step has copied the ledger."""
        self._to_copy = None

    def has_registered(self, dates: ExportDates, snapshot: int | None) -> bool:
        """Whether the run has registered everything of these export dates that the warehouse's snapshot contains."""
        return snapshot is not None and self._registered == (dates, snapshot)

    def note_registered(self, dates: ExportDates, snapshot: int | None) -> None:
        """Record that everything of these export dates in this snapshot is registered; None: it has no snapshots."""
        self._registered = (dates, snapshot) if snapshot is not None else None

    @property
    def stop(self) -> Event:
        """An event that ends all waits of the client once it is set."""
        return self._stop

    @contextmanager
    def client(self, note: Callable[[str], None]) -> Iterator[SegmentClient | None]:
        """A client for the endpoint of the settings; None without a write key: a dry run. `note` gets the reason why
        requests are tried again.
        """
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
            Retries(sleep=sleeping_until(self._stop), note=note),
        )
        try:
            yield client
        finally:
            client.close()
            with suppress(SleepStopped):
                (self._history_rate_limiter or self._rate_limiter).wait_until_free()

    def history(self, client: SegmentClient, today: date) -> History:
        """How old dates are sent: under a lower rate limit inside the common one, over the whole run as well."""
        if self._history_rate_limiter is None:
            self._history_rate_limiter = RateLimiter(
                load_settings().backfill_events_per_second, sleep=sleeping_until(self._stop), inside=self._rate_limiter
            )
        return History(
            today - timedelta(days=CURRENT_DAYS), partial(client.send, rate_limiter=self._history_rate_limiter)
        )
