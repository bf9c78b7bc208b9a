"""What assets are handed. Settings are read when a step needs them and never become Dagster config, so that no
secret is shown in the UI or stored with a run.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from functools import partial
from threading import Event

import dagster as dg
from pydantic import PrivateAttr

from pipeline.exports.intake import Look, known_in, look_twice, watch_over
from pipeline.exports.layout_files import read_layouts
from pipeline.exports.locations import ExportLocation
from pipeline.instance import alive
from pipeline.segment.breaker import Breaker
from pipeline.segment.client import SegmentClient
from pipeline.segment.delivery import CURRENT_DAYS, History
from pipeline.segment.ledger import Ledger
from pipeline.segment.pacing import Pace
from pipeline.segment.public_api import PublicApiClient
from pipeline.settings import Settings, load_settings
from pipeline.stopping import sleeping_until
from pipeline.warehouse import Warehouse


class Exports(dg.ConfigurableResource):
    """The place that exports arrive in, with the layouts that say what they look like."""

    def settings(self) -> Settings:
        """The settings as they stand now."""
        return load_settings()

    def location(self) -> ExportLocation:
        """SELLIGENT_EXPORTS."""
        settings = load_settings()
        return ExportLocation(settings.selligent_exports, follow_links=settings.selligent_follow_links)

    def look(self) -> Look:
        """What is there now, and complete."""
        settings = load_settings()
        layouts, watch = read_layouts(settings.selligent_layouts), watch_over(settings.selligent_exports)
        with self.location() as location:
            return look_twice(
                location,
                layouts,
                lambda: known_in(Warehouse.of(settings)),
                watch,
                lambda: datetime.now(UTC).date(),
                time.sleep,
            )

    def suppressed(self) -> str | None:
        """SELLIGENT_SUPPRESSED."""
        return load_settings().selligent_suppressed


class WarehouseResource(dg.ConfigurableResource):
    """The warehouse that WAREHOUSE names. Every run has it, so that it also says that the run's process lives."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["WarehouseResource"]:
        """For a run, or for a look of a sensor or a schedule."""
        of_a_run = context.run_id is not None and context.instance is not None and context.instance.is_persistent
        with alive(str(context.run_id)) if of_a_run else nullcontext():
            yield self

    def open(self) -> Warehouse:
        """The warehouse; nothing is attached yet."""
        return Warehouse.of(load_settings())


class SegmentResource(dg.ConfigurableResource):
    """The ledger and the way to Segment; the ceiling holds over all deliveries of a run."""

    _pace: Pace | None = PrivateAttr(default=None)
    _history_pace: Pace | None = PrivateAttr(default=None)
    _breaker: Breaker = PrivateAttr(default_factory=Breaker)
    _stop: Event = PrivateAttr(default_factory=Event)

    def settings(self) -> Settings:
        """The settings as they stand now."""
        return load_settings()

    def ledger(self) -> Ledger:
        """The ledger that LEDGER names."""
        return Ledger(load_settings().ledger)

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

    @contextmanager
    def public_api(self) -> Iterator[PublicApiClient | None]:
        """A client for Segment's Public API; None without a token, which means that nothing is confirmed."""
        settings = load_settings()
        if settings.segment_public_api_token is None or settings.segment_source_id is None:
            yield None
            return
        token = settings.segment_public_api_token.get_secret_value()
        client = PublicApiClient(settings.segment_public_api, token, settings.segment_source_id)
        try:
            yield client
        finally:
            client.close()
