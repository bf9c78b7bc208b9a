"""The way to Segment, as a Dagster resource."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from threading import Event

import dagster as dg
from pydantic import PrivateAttr

from pipeline.orchestration.shutdown import sleeping_until
from pipeline.segment.circuit_breaker import Breaker
from pipeline.segment.client import SegmentClient
from pipeline.segment.delivery import CURRENT_DAYS, History
from pipeline.segment.rate_limiter import Pace
from pipeline.settings import Settings, load_settings


class SegmentResource(dg.ConfigurableResource):
    """The way to Segment; the ceiling holds over all deliveries of a run."""

    _pace: Pace | None = PrivateAttr(default=None)
    _history_pace: Pace | None = PrivateAttr(default=None)
    _breaker: Breaker = PrivateAttr(default_factory=Breaker)
    _stop: Event = PrivateAttr(default_factory=Event)

    def settings(self) -> Settings:
        """The settings as they stand now."""
        return load_settings()

    @property
    def stop(self) -> Event:
        """Set, it ends all waits of the client."""
        return self._stop

    @contextmanager
    def client(self) -> Iterator[SegmentClient | None]:
        """A client for the endpoint of the settings; None without a write key, which means a dry run."""
        settings = load_settings()
        if settings.segment_write_key is None:
            yield None
            return
        if self._pace is None:
            self._pace = Pace(settings.segment_events_per_second, sleep=sleeping_until(self._stop))
        client = SegmentClient(
            settings.segment_endpoint,
            settings.segment_write_key.get_secret_value(),
            settings.segment_connections,
            self._pace,
            sleep=sleeping_until(self._stop),
            breaker=self._breaker,
        )
        try:
            yield client
        finally:
            client.close()

    def history(self, client: SegmentClient, today: date) -> History:
        """How old dates go out: under a lower ceiling inside the common one, which holds over a run as well."""
        if self._history_pace is None:
            self._history_pace = Pace(
                load_settings().backfill_events_per_second, sleep=sleeping_until(self._stop), inside=self._pace
            )
        return History(today - timedelta(days=CURRENT_DAYS), partial(client.send, pace=self._history_pace))
