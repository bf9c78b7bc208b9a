"""What was due is what Segment has, and what Segment won't take is dead and holds up nothing."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from pipeline.export_dates import ExportDates
from pipeline.http.errors import host_of
from pipeline.ledger import Ledger
from pipeline.segment import cut_rules
from pipeline.segment.bodies import Body, BodyReader
from pipeline.segment.client import SendResult
from pipeline.segment.delivery import Transport, deliver
from pipeline.segment.verdicts import Delivered
from tests.fakes import segment_faults as faults
from tests.support.batches import A_BATCH, assert_all_arrived, five_batches, put_out
from tests.support.modelled_tables import DATES, DAY, PROPERTIES, Lake, day, event_row, id_of, large, one_of_each
from tests.support.sending import Sender

pytestmark = pytest.mark.usefixtures("small_batches")

# All of it


def test_what_was_due_is_what_segment_has(lake_sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """All six events, three dates, batches full of bytes, connections in parallel."""
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 2_500)
    sender = lake_sender
    numbers = itertools.count(100)
    rows = [
        large(next(numbers), event, export_date=f"{day(of).first}")
        for event in PROPERTIES
        for of in range(3)
        for _ in range(20)
    ]
    sender.lake.stage(*one_of_each(), *rows)
    three_days = ExportDates(DAY, day(2).first)
    sender.lake.put_out(sender.ledger, three_days)

    results = sender.deliver_all(three_days, connections=4)
    assert_all_arrived(sender)
    assert len(sender.server.received_ids) == 6 + 6 * 3 * 20
    assert not sender.server.duplicates
    assert sum(sent.batches for sent in results.values()) == len(sender.lake.batches()) == len(sender.server.requests)
    assert {sent.stopped_by for sent in results.values()} == {None}
    assert max(map(len, sender.server.bodies)) <= 475_000
    assert {tuple(ids) for ids in sender.server.sent_ids} == {tuple(ids) for ids in sender.lake.batches().values()}


def test_the_second_delivery_has_nothing_to_do(sender: Sender) -> None:
    put_out(sender, *one_of_each())
    sender.deliver_all()
    before = sender.server.requests
    assert {sent.attempts for sent in sender.deliver_all().values()} == {0}
    assert sender.server.requests == before


def test_only_the_event_and_the_dates_asked_for_are_sent(sender: Sender) -> None:
    put_out(
        sender,
        event_row(1),
        event_row(2, "Email Bounced"),
        event_row(3, export_date=f"{day(1).first}"),
        dates=ExportDates(DAY, day(1).first),
    )
    sender.deliver("email_opened", DATES)
    assert sender.server.received_ids == {id_of(1)}
    sender.deliver("email_opened", day(1))
    assert sender.server.received_ids == {id_of(1), id_of(3)}


def test_batches_go_oldest_export_date_first_and_in_order(sender: Sender) -> None:
    older = [event_row(number, export_date=f"{day(-1).first}") for number in range(100, 100 + 3 * A_BATCH)]
    put_out(sender, *five_batches(), *older, dates=ExportDates(day(-1).first, DAY))
    sender.deliver(dates=ExportDates(day(-1).first, DAY))
    assert sender.server.sent_ids == list(sender.lake.batches().values())


def test_progress_ends_at_all_of_it(plain: Lake, ledger: Ledger) -> None:
    plain.stage(*five_batches())
    plain.put_out(ledger)
    reported: list[tuple[int, int]] = []
    transport = Transport(lambda *_: SendResult(Delivered(), 1))
    deliver(plain.reader, ledger, "email_opened", DATES, transport, lambda done, of: reported.append((done, of)))
    assert reported == sorted(reported)
    assert reported[-1] == (75, 75)


def test_so_many_connections_are_used_and_no_more(plain: Lake, ledger: Ledger) -> None:
    """Three requests meet at a barrier, which one after the other never would; a fourth is never there."""
    plain.stage(*(event_row(number) for number in range(6 * A_BATCH)))
    plain.put_out(ledger)
    assert len(plain.batches()) == 6
    meeting = threading.Barrier(3, timeout=30)
    lock, at_once, most = threading.Lock(), 0, 0

    def send(_messages: str, _events: int) -> SendResult:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        meeting.wait()
        with lock:
            at_once -= 1
        meeting.wait()
        return SendResult(Delivered(), 1)

    deliver(plain.reader, ledger, "email_opened", DATES, Transport(send, 3))
    assert most == 3


# What Segment won't take


def test_the_one_event_that_segment_rejects_is_dead_with_its_words_and_the_rest_arrives(sender: Sender) -> None:
    put_out(sender, *(event_row(number) for number in range(40)))
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(17)))

    sent = sender.deliver()
    assert (sent.batches, sent.stopped_by) == (3, None)
    assert sender.server.received_ids == sender.lake.due_ids() - {id_of(17)}
    assert not sender.server.duplicates
    assert sender.standing() == (39, 0, 1)
    dead = sender.ledger.frames(DATES)["delivery.dead_events"]
    (event,) = dead.to_dict("records")
    assert (event["id"], event["event"], event["export_date"]) == (id_of(17), "email_opened", DAY)
    assert event["reason"] == 'Segment answered 400: {"success": false, "message": "a message was rejected"}'
    assert event["died_at"] == sender.time.now()


def test_an_event_that_died_is_not_sent_with_its_batch_again(sender: Sender) -> None:
    """The first half is over when the outage begins: the batch waits, and its dead event stays dead."""
    put_out(sender, *(event_row(number) for number in range(4)))
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(0)))
    sender.server.misbehave_when(lambda _, messages: id_of(2) in str(messages), faults.Answer(503))
    assert "503" in str(sender.deliver(max_attempts=2).stopped_by)
    assert sender.standing() == (0, 3, 1)

    sender.server.behave()
    sender.deliver()
    assert sender.server.sent_ids[-1] == [id_of(1), id_of(2), id_of(3)]
    assert sender.standing() == (3, 0, 1)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_proxy_that_rejects_every_request_kills_nothing(sender: Sender, status: int) -> None:
    put_out(sender, *five_batches())
    page = "<html><h1>Bad Request</h1></html>"
    sender.server.misbehave_when(lambda *_: True, faults.Answer(status, {"Server": "nginx"}, body=page))
    sent = sender.deliver(max_attempts=2)
    assert sent.stopped_by == (
        f"{host_of(sender.server.url)} answered {status}, not a response of Segment (Server: nginx): Bad Request"
    )
    assert (sent.dead, sender.standing()) == (0, (0, 75, 0))

    sender.server.behave()
    sender.deliver()
    assert_all_arrived(sender)


def test_where_segment_rejects_every_event_the_sending_is_refused_and_none_is_dead(sender: Sender) -> None:
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda *_: True, faults.Answer(400))
    sent = sender.deliver()
    assert sent.stopped_by == (
        "Each of the 15 events of a batch was rejected, so none is marked as dead. "
        'Segment answered 400: {"success": false}'
    )
    assert (sent.refused, sent.dead, sender.standing()) == (True, 0, (0, 75, 0))


def test_a_lone_event_that_is_rejected_dies_when_segment_takes_another_batch(sender: Sender) -> None:
    """It is the first of its event name, in an export of its own, so that no neighbour shows what is at fault."""
    two_days = ExportDates(DAY, day(1).first)
    put_out(sender, event_row(1), *(event_row(n, export_date=f"{day(1).first}") for n in (2, 3)), dates=two_days)
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(1)))
    sent = sender.deliver(dates=two_days)
    assert (sent.stopped_by, sent.dead) == (None, 1)
    assert sender.standing(dates=two_days) == (2, 0, 1)
    reason = 'Segment answered 400: {"success": false, "message": "a message was rejected"}'
    assert list(sender.ledger.frames(two_days)["delivery.dead_events"].reason) == [reason] == [sent.dead_because]


def test_a_lone_event_that_is_rejected_waits_until_segment_takes_another(sender: Sender) -> None:
    put_out(sender, event_row(1), event_row(2, "Email Bounced"))
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(1)))
    sent = sender.deliver()
    assert sent.refused
    assert str(sent.stopped_by).endswith("No other event was accepted either, so it stays waiting.")
    assert sender.standing() == (0, 1, 0)

    client = sender.client()
    assert sender.deliver("email_bounced", send=client.send).stopped_by is None
    sent = sender.deliver(send=client.send, has_delivered=lambda: client.has_delivered)
    assert (sent.stopped_by, sender.standing()) == (None, (0, 0, 1))


def test_lone_events_that_are_all_rejected_all_wait(sender: Sender) -> None:
    three_days = ExportDates(DAY, day(2).first)
    put_out(sender, *(event_row(n, export_date=f"{day(n).first}") for n in range(3)), dates=three_days)
    sender.server.misbehave_when(lambda *_: True, faults.Answer(422))
    sent = sender.deliver(dates=three_days, connections=2)
    assert sent.refused
    assert sender.standing(dates=three_days) == (0, 3, 0)
    assert set(sender.ledger.frames(three_days)["delivery.batches"].attempts) == {1}


def test_progress_counts_what_was_taken_and_not_what_died(sender: Sender) -> None:
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(17)))
    seen: list[tuple[int, int]] = []
    sender.deliver(progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (74, 75)


def test_an_unforeseen_fault_in_one_request_is_raised_when_its_neighbours_are_settled(sender: Sender) -> None:
    """Three requests meet at a barrier: one has a fault, and two are answered before that fault ends the sending."""
    put_out(sender, *five_batches())
    meeting, order = threading.Barrier(3, timeout=30), itertools.count()
    real_send = sender.client(connections=3).send

    def send(messages: str, events: int) -> SendResult:
        number = next(order)
        if number < 3:
            meeting.wait()
        if number == 1:
            raise ZeroDivisionError("an unforeseen fault")
        return real_send(messages, events)

    with pytest.raises(ZeroDivisionError):
        sender.deliver(send=send, connections=3)
    delivered, waiting, dead = sender.standing()
    assert (delivered + waiting, dead) == (75, 0)
    assert delivered == len(sender.server.received_ids) >= 2 * A_BATCH
    sender.deliver()
    assert_all_arrived(sender)
    assert not sender.server.duplicates


def test_a_fault_of_the_warehouse_is_raised_when_what_is_on_its_way_is_settled(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_out(sender, *five_batches())
    real_bodies = BodyReader.bodies

    def bodies(*arguments: Any) -> Iterator[Body]:
        yield from itertools.islice(real_bodies(*arguments), 2)
        raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(BodyReader, "bodies", bodies)
    with pytest.raises(duckdb.IOException):
        sender.deliver(connections=2)
    assert sender.standing() == (30, 45, 0)
    assert len(sender.server.received_ids) == 30


def test_a_request_too_large_for_a_proxy_is_halved(sender: Sender) -> None:
    """413 of a proxy with a smaller limit: everything arrives in smaller requests, and nothing is dead."""
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda _, messages: len(messages) > 4, faults.Answer(413))
    assert sender.deliver(connections=2).stopped_by is None
    assert_all_arrived(sender)
    assert sender.standing() == (75, 0, 0)
    assert not sender.server.duplicates
