"""Segment's Public API as a Dagster resource."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pipeline.segment.confirmation.public_api import PublicApiClient
from pipeline.settings import load_settings


class PublicApiResource(dg.ConfigurableResource):
    """A client for Segment's Public API, where SEGMENT_PUBLIC_API_TOKEN and SEGMENT_SOURCE_ID are set."""

    @contextmanager
    def client(self) -> Iterator[PublicApiClient | None]:
        """A client, or None without a token: nothing is confirmed then."""
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
