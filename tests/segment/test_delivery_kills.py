"""Nothing is marked too early: whenever the process is killed, the next one delivers the rest."""

import itertools
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.ledger import Ledger, Settled
from pipeline.orchestration.shutdown import sleeping_until
from pipeline.segment.bisection import Send
from pipeline.segment.bodies import Body, BodyReader
from pipeline.segment.client import Retries, SegmentClient, SendResult
from pipeline.segment.rate_limiter import RateLimiter
from tests.fakes import segment_faults as faults
from tests.support.batches import A_BATCH, assert_all_arrived, five_batches, put_out
from tests.support.modelled_tables import DATES, TABLES, event_row, one_of_each
from tests.support.sending import KEY, Sender

pytestmark = pytest.mark.usefixtures("small_batches")


class Killed(BaseException):
    """The process ends here."""


def dying_in_request(number: int, send: Send) -> Send:
    """A sending that ends its process at the start of the n-th request."""
    requests = itertools.count(1)

    def dying(messages: bytes, events: int) -> SendResult:
        if next(requests) >= number:
            raise Killed
        return send(messages, events)

    return dying


@pytest.mark.parametrize("request_number", [1, 3, 5])
@pytest.mark.parametrize("connections", [1, 2])
def test_after_a_kill_the_next_go_delivers_the_rest(sender: Sender, request_number: int, connections: int) -> None:
    put_out(sender, *five_batches())
    with pytest.raises(Killed):
        sender.deliver(send=dying_in_request(request_number, sender.client().send), connections=connections)

    delivered, waiting, dead = sender.standing()
    assert (delivered + waiting, dead) == (75, 0)
    assert delivered <= len(sender.server.received_ids), "nothing is marked that Segment does not have"
    still_due = {batch.batch_id for batch in sender.ledger.waiting("email_opened", DATES)}
    unmarked = {
        batch_id
        for batch_id, ids in sender.lake.batches().items()
        if batch_id in still_due and set(ids) <= sender.server.received_ids
    }

    sender.deliver(connections=connections)
    assert_all_arrived(sender)
    assert sender.duplicated_batches() == unmarked
    assert len(unmarked) <= connections, "only what was in flight is sent twice"


def test_a_settled_batch_is_in_the_ledger_at_once(sender: Sender) -> None:
    """When the n-th request begins, all before it are written down."""
    put_out(sender, *five_batches())
    real_send = sender.client().send
    written_down: list[int] = []

    def send(messages: bytes, events: int) -> SendResult:
        written_down.append(sender.standing()[0])
        return real_send(messages, events)

    sender.deliver(send=send)
    assert written_down == [number * A_BATCH for number in range(5)]


def test_a_settled_batch_is_in_the_ledger_while_the_next_ones_are_made(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third body is not there before the first two batches are written down."""
    put_out(sender, *five_batches())
    real_bodies, real_settle, settled = BodyReader.bodies, Ledger.settle, threading.Semaphore(0)

    def bodies(*arguments: Any) -> Iterator[Body]:
        for number, body in enumerate(real_bodies(*arguments)):
            for _ in range(2 if number == 2 else 0):
                assert settled.acquire(timeout=30)
            yield body

    def settle(ledger: Ledger, results: Sequence[Settled], now: datetime) -> None:
        real_settle(ledger, results, now)
        settled.release(len(results))

    monkeypatch.setattr(BodyReader, "bodies", bodies)
    monkeypatch.setattr(Ledger, "settle", settle)
    assert sender.deliver(connections=2).batches == 5


@pytest.mark.parametrize("connections", [1, 3])
def test_a_kill_leaves_one_batch_per_connection_in_doubt(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    """After its first transaction the ledger takes nothing: each connection has sent one more batch at most."""
    put_out(sender, *five_batches())
    real_settle, transactions = Ledger.settle, itertools.count(1)

    def settle(ledger: Ledger, results: Sequence[Settled], now: datetime) -> None:
        sender.server.wait_for_requests(connections)
        if next(transactions) > 1:
            raise Killed
        real_settle(ledger, results, now)

    monkeypatch.setattr(Ledger, "settle", settle)
    with pytest.raises(Killed):
        sender.deliver(connections=connections)
    monkeypatch.setattr(Ledger, "settle", real_settle)
    sender.deliver()
    assert_all_arrived(sender)
    assert 1 <= len(sender.duplicated_batches()) <= connections


def test_what_is_on_its_way_is_noted_before_it_is_sent(sender: Sender, tmp_path: Path) -> None:
    """After a kill it must be known which batches Segment may have, and since when."""
    put_out(sender, event_row(1))
    seen: list[object] = []

    def send(_messages: bytes, _events: int) -> SendResult:
        seen.extend(first_attempts(tmp_path))
        raise Killed

    assert first_attempts(tmp_path) == [None]
    with pytest.raises(Killed):
        sender.deliver(send=send)
    assert seen == first_attempts(tmp_path) == [f"{sender.time.now():%Y-%m-%d %H:%M:%S.%f}"]


def first_attempts(folder: Path) -> list[object]:
    with sqlite3.connect(folder / "ledger.sqlite") as connection:
        return [moment for (moment,) in connection.execute("SELECT first_attempt_at FROM batches")]


# Stopped


def impatient(sender: Sender, stop: threading.Event, connections: int) -> SegmentClient:
    """A client that really sleeps, until it is stopped."""
    sleep = sleeping_until(stop)
    pace = RateLimiter(0, time.monotonic, sleep)
    return SegmentClient(sender.server.url, KEY, connections, pace, retries=Retries(clock=sender.time.now, sleep=sleep))


@pytest.mark.parametrize(
    "busy",
    [faults.Answer(503, body="down"), faults.Answer(429, {"Retry-After": "300"}), faults.CloseBeforeReading()],
    ids=repr,
)
def test_once_it_is_stopped_no_wait_goes_on_and_what_was_on_its_way_is_written_down(
    sender: Sender, busy: faults.Fault
) -> None:
    """The second of five batches fails for minutes; the first is answered after the stop, and no other goes out."""
    put_out(sender, *five_batches())
    stop, first_answered = threading.Event(), threading.Event()
    sender.server.misbehave_when(lambda number, _: number != 1, busy)
    client = impatient(sender, stop, connections=2)
    first = itertools.count(1)

    def send(messages: bytes, events: int) -> SendResult:
        if next(first) == 1:
            answer = client.send(messages, events)
            first_answered.set()
            assert stop.wait(30)
            return answer
        assert first_answered.wait(30)
        # Answered once by the time of the stop, and asleep until then or for as long as its tries go on.
        threading.Thread(target=lambda: (sender.server.wait_for_requests(2), stop.set())).start()
        return client.send(messages, events)

    began = time.monotonic()
    sender.deliver(send=send, connections=2, stop=stop)
    assert time.monotonic() - began < 25, "eight tries take a minute, and what 429 asks for takes five"
    assert sender.standing()[0] == len(sender.server.received_ids)
    assert len(sender.server.requests) <= 4

    sender.server.behave()
    sender.deliver(connections=2)
    assert_all_arrived(sender)
    assert not sender.server.duplicates


def test_once_it_is_stopped_a_batch_is_not_taken_apart_any_further(sender: Sender) -> None:
    put_out(sender, *five_batches()[:A_BATCH])
    stop, real_send = threading.Event(), sender.client().send
    sender.server.misbehave_when(lambda *_: True, faults.Answer(413, body='{"success": false, "message": "too large"}'))

    def send(messages: bytes, events: int) -> SendResult:
        stop.set()
        return real_send(messages, events)

    sent = sender.deliver(send=send, stop=stop)
    assert (sent.stopped_by, len(sender.server.requests)) == ("delivery was stopped", 1)
    assert sender.standing() == (0, A_BATCH, 0)


def test_a_pause_that_the_ceiling_asks_for_ends_as_well(sender: Sender) -> None:
    put_out(sender, *five_batches())
    stop = threading.Event()
    sleep = sleeping_until(stop)
    pace = RateLimiter(0.001, time.monotonic, sleep)
    slow = SegmentClient(sender.server.url, KEY, 1, pace, retries=Retries(clock=sender.time.now, sleep=sleep))

    def send(messages: bytes, events: int) -> SendResult:
        threading.Thread(target=lambda: (sender.server.wait_for_requests(1), stop.set())).start()
        return slow.send(messages, events)

    sender.deliver(send=send, stop=stop)
    assert sender.standing() == (15, 60, 0)


KILLED_BY_THE_SYSTEM = """
import itertools, os, signal, sys
from pathlib import Path

from pipeline.segment.delivery import Transport, deliver
from pipeline.ledger import Ledger
from pipeline.warehouse import Warehouse
from tests.support.modelled_tables import DATES, Lake
from tests.support.sending import FakeTime, client_for

folder, url, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
time, requests = FakeTime(), itertools.count(1)
client = client_for(url, time)

def send(messages, events):
    answer = client.send(messages, events)
    if next(requests) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

warehouse = Warehouse(f"ducklake:sqlite:{folder}/lake/warehouse.sqlite", f"{folder}/lake/files/")
with warehouse.reading() as connection:
    ledger, transport = Ledger(f"sqlite:///{folder}/ledger.sqlite"), Transport(send, 1, time.now)
    deliver(Lake(connection).reader, ledger, "email_opened", DATES, transport)
"""


def test_kill_9_between_segments_answer_and_the_ledger_loses_nothing(lake_sender: Sender, tmp_path: Path) -> None:
    sender = lake_sender
    put_out(sender, *five_batches())
    command = [sys.executable, "-c", KILLED_BY_THE_SYSTEM, str(tmp_path), sender.server.url, "3"]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(sender.server.requests) == 3
    assert sender.standing()[0] in (15, 30), "the third was never written down"

    sender.deliver()
    assert_all_arrived(sender)
    assert sender.server.sent_ids[2][0] in sender.server.duplicates
    assert len(sender.duplicated_batches()) <= 2


def test_the_whole_way_may_be_cut_off_at_every_step(sender: Sender) -> None:
    """Cut but not registered, registered but not sent, sent in part: each time the next run starts anew."""
    sender.lake.stage(*one_of_each(), *(event_row(number) for number in range(100, 100 + 3 * A_BATCH)))
    for number in range(1, 5):
        sender.lake.put_out(sender.ledger)
        for table in TABLES.values():
            try:
                sender.deliver(table, send=dying_in_request(number, sender.client().send))
            except Killed:
                break
    sender.lake.put_out(sender.ledger)
    sender.deliver_all()
    assert_all_arrived(sender)
    assert len(sender.lake.batches()) == 5 + 4
