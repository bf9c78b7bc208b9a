"""What a signal does while something waits, and while something is written that must not be torn."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from pipeline.orchestration.shutdown import (
    SleepStopped,
    Stopped,
    obey_signals,
    signals_set,
    sleeping_until,
    stop_if_asked,
)

BOTH = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture(autouse=True)
def _as_a_command() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number, _ in BOTH}
    obey_signals()
    with suppress(Stopped):  # a signal of an earlier test in this process
        stop_if_asked()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "status"), BOTH)
def test_a_signal_sets_the_event_and_stops_behind_the_block(number: signal.Signals, status: int) -> None:
    stop, done = threading.Event(), []
    stop.set()  # by an earlier block
    with pytest.raises(Stopped) as caught, signals_set(stop):
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(10)
        done.append("written down")
    assert (caught.value.status, done) == (status, ["written down"])


def test_a_second_signal_stops_at_once() -> None:
    done = []
    with pytest.raises(Stopped), signals_set(threading.Event()):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("not reached")
    assert not done


def test_an_error_of_the_block_is_not_hidden_by_a_signal() -> None:
    with pytest.raises(ZeroDivisionError), signals_set(threading.Event()):
        os.kill(os.getpid(), signal.SIGINT)
        raise ZeroDivisionError
    with pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGINT)


def test_signals_that_the_caller_ignores_stay_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    with signals_set(stop):
        os.kill(os.getpid(), signal.SIGINT)
    assert not stop.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_sleep_ends_at_once_in_every_thread() -> None:
    stop, ended = threading.Event(), []

    def work() -> None:
        try:
            sleeping_until(stop)(3600)
        except SleepStopped:
            ended.append("stopped")

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    stop.set()
    for worker in workers:
        worker.join(timeout=30)
    assert ended == ["stopped"] * 3
    with pytest.raises(SleepStopped):
        sleeping_until(stop)(0)
