"""What breaks outside of Segment: TLS, DNS, and the ledger itself. Nothing is lost, and little is sent twice."""

import itertools
import resource
import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import trustme

from pipeline.errors import DeliveryError
from pipeline.ledger import Ledger
from pipeline.segment import cut_rules
from pipeline.segment.client import SendResult
from tests.support.modelled_tables import event_row
from tests.support.sending import Sender

A_BATCH = 15


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", A_BATCH)


@pytest.fixture
def five_batches(sender: Sender) -> Sender:
    sender.lake.stage(*(event_row(number) for number in range(5 * A_BATCH)))
    sender.lake.put_out(sender.ledger)
    return sender


def assert_all_arrived(sender: Sender) -> None:
    assert sender.server.received_ids == sender.lake.due_ids()
    assert not sender.server.dropped
    assert sender.standing() == (75, 0, 0)


def with_pragma(sender: Sender, pragma: str) -> Ledger:
    """The same ledger, with each of its connections under a condition of SQLite's."""
    ledger = Ledger(f"sqlite:///{sender.ledger.file}")
    ledger.close()
    sa.event.listen(ledger._engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {pragma}"))
    return ledger


def over(sender: Sender, ledger: Ledger) -> Sender:
    return Sender(sender.lake, ledger, sender.server, sender.time)


# On the way


@pytest.fixture
def untrusted() -> Iterator[str]:
    """An https server with an unknown certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        context.wrap_socket(connection, server_side=True).close()
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_an_untrusted_certificate_gets_no_event_and_everything_waits(five_batches: Sender, untrusted: str) -> None:
    sent = five_batches.deliver(send=five_batches.client(max_attempts=2, endpoint=untrusted).send)
    assert "no trusted TLS connection" in str(sent.stopped_by)
    assert not sent.refused
    assert five_batches.standing() == (0, 75, 0)
    five_batches.deliver()
    assert_all_arrived(five_batches)
    assert not five_batches.server.duplicates


def test_a_server_that_speaks_no_tls_where_https_was_asked_for_gets_no_event(five_batches: Sender) -> None:
    https = five_batches.server.url.replace("http:", "https:")
    sent = five_batches.deliver(send=five_batches.client(max_attempts=1, endpoint=https).send)
    assert "no trusted TLS connection" in str(sent.stopped_by)
    assert not five_batches.server.received_ids


def test_an_unknown_host_name_is_reported_as_such_and_everything_waits(five_batches: Sender) -> None:
    """RFC 6761: `.invalid` is never resolved."""
    sent = five_batches.deliver(send=five_batches.client(max_attempts=2, endpoint="http://segment.invalid").send)
    assert "its host name can't be resolved" in str(sent.stopped_by)
    assert five_batches.standing() == (0, 75, 0)
    five_batches.deliver()
    assert_all_arrived(five_batches)


# The ledger


def test_a_disk_without_room_stops_the_sending_and_only_what_was_in_flight_is_sent_again(five_batches: Sender) -> None:
    """From the third request on no file grows: the system refuses to write behind the end of SQLite's log."""
    log = Path(f"{five_batches.ledger.file}-wal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    real_send, requests = five_batches.client().send, itertools.count(1)

    def send(messages: bytes, events: int) -> SendResult:
        if next(requests) == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
        return real_send(messages, events)

    try:
        with pytest.raises(DeliveryError, match=r"LEDGER: it can't be read or written \(.*disk"):
            five_batches.deliver(send=send)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    delivered, waiting, dead = five_batches.standing()
    assert (delivered + waiting, dead) == (75, 0)
    assert delivered < len(five_batches.server.received_ids) < 75, "what can't be written down is not gone on with"

    five_batches.deliver()
    assert_all_arrived(five_batches)
    assert len(five_batches.duplicated_batches()) == 1, "the one in flight"


def test_a_ledger_that_is_locked_for_a_moment_is_waited_for(
    five_batches: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request takes the ledger's lock; the second gives it back once the first has to be written down."""
    real_send, requests = five_batches.client(connections=2).send, itertools.count(1)
    real_settle, is_settling = Ledger.settle, threading.Event()
    holder = sqlite3.connect(str(five_batches.ledger.file), isolation_level=None, check_same_thread=False)

    def send(messages: bytes, events: int) -> SendResult:
        number = next(requests)
        if number == 1:
            holder.execute("BEGIN IMMEDIATE")
        if number == 2:
            assert is_settling.wait(30)
            holder.execute("COMMIT")
        return real_send(messages, events)

    def settle(*arguments: Any) -> None:
        is_settling.set()
        real_settle(*arguments)

    monkeypatch.setattr(Ledger, "settle", settle)
    assert five_batches.deliver(send=send, connections=2).stopped_by is None
    holder.close()
    assert_all_arrived(five_batches)
    assert not five_batches.server.duplicates


def test_a_ledger_that_stays_locked_stops_the_sending(five_batches: Sender) -> None:
    impatient = with_pragma(five_batches, "busy_timeout = 0")
    real_send = five_batches.client().send
    holder = sqlite3.connect(str(five_batches.ledger.file), isolation_level=None, check_same_thread=False)

    def send(messages: bytes, events: int) -> SendResult:
        if not holder.in_transaction:
            holder.execute("BEGIN IMMEDIATE")
        return real_send(messages, events)

    with pytest.raises(DeliveryError, match="database is locked"):
        over(five_batches, impatient).deliver(send=send)
    holder.close()
    in_flight = five_batches.duplicated_batches() | {
        key for key, ids in five_batches.lake.batches().items() if set(ids) <= five_batches.server.received_ids
    }
    assert five_batches.standing() == (0, 75, 0)
    five_batches.deliver()
    assert_all_arrived(five_batches)
    assert five_batches.duplicated_batches() == in_flight
    assert len(in_flight) <= 2, "the one in flight, and the one behind it"


class Killed(BaseException):
    """The process ends here."""


def dying_at_commit(ledger: Ledger, number: int) -> None:
    commits = itertools.count(1)

    def die(_connection: sa.Connection) -> None:
        if next(commits) >= number:
            raise Killed

    sa.event.listen(ledger._engine, "commit", die)


def test_a_process_may_be_killed_at_every_commit_of_the_ledger(sender: Sender, tmp_path: Path) -> None:
    """At the first, then at the second of what is left … until a go has no commit left to be killed at."""
    sender.lake.stage(*(event_row(number) for number in range(5 * A_BATCH)))
    lives = 0
    for number in itertools.count(1):
        lives += 1
        ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
        dying_at_commit(ledger, number)
        try:
            sender.lake.put_out(ledger)
            over(sender, ledger).deliver()
        except Killed:
            ledger.close()
            continue
        break
    assert lives > 3
    assert_all_arrived(sender)
    assert len(sender.lake.batches()) == 5
    assert all(again < lives for again in sender.server.duplicates.values())
