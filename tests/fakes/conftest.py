from collections.abc import Iterator

import pytest

from tests.fakes.posting import NOW
from tests.fakes.segment_server import SegmentServer


@pytest.fixture
def server() -> Iterator[SegmentServer]:
    with SegmentServer(clock=lambda: NOW) as server:
        yield server
