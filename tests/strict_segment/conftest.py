from collections.abc import Iterator

import pytest

from tests.segment_server import SegmentServer
from tests.strict_segment.posting import NOW


@pytest.fixture
def server() -> Iterator[SegmentServer]:
    with SegmentServer(clock=lambda: NOW) as server:
        yield server
