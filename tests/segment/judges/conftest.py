import pytest

from tests.segment.judges.judging import Judges, convene


@pytest.fixture(scope="session")
def judges() -> Judges:
    return convene()
