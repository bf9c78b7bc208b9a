"""The benchmark of senders runs with the tables that it makes itself, which have to follow those of the models."""

from collections.abc import Iterator

import pytest

from benchmarks import senders
from benchmarks.processes import Clone
from benchmarks.stub_server import serving

EVENTS = 2_000


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    folder = tmp_path_factory.mktemp("senders")
    clone = Clone.make(folder / "copy", folder)
    clone.python("benchmarks.senders", "prepare", str(EVENTS))
    return clone


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    with serving(0) as port:
        yield port


def test_all_events_are_cut_and_delivered(prepared: Clone, port: str) -> None:
    assert senders.measure(prepared, "copy", EVENTS).seconds > 0
    prepared.python("benchmarks.senders", "cut", port, str(EVENTS))
    sent = prepared.python("benchmarks.senders", "pipeline", port, str(EVENTS)).answer
    assert sent["batches"] > 1
    again = prepared.python("benchmarks.senders", "pipeline", port, str(EVENTS)).answer
    assert again["batches"] == 0


@pytest.mark.parametrize("kind", ["naive", "ready"])
def test_the_other_senders_run(prepared: Clone, port: str, kind: str) -> None:
    assert prepared.python("benchmarks.senders", kind, port, "200").answer["seconds"] > 0
