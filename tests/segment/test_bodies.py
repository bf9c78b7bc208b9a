"""What is sent is made when it is sent: from the event's table as it is then."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import pytest

from pipeline.errors import DeliveryError
from pipeline.ledger import Batch, DeadEvent, Ledger
from pipeline.segment import bodies as bodies_module
from pipeline.segment.bodies import BodyReader, stretches
from pipeline.segment.client import SendResult
from pipeline.segment.outbox import cut_batches
from tests.fakes import segment_faults as faults
from tests.support.batches import assert_all_arrived, five_batches, put_out
from tests.support.modelled_tables import DATES, DAY, SCHEMA, Lake, day, event_row, id_of, large
from tests.support.sending import Sender

OPENS = f"{SCHEMA}.email_opened"


def sent(sender: Sender) -> dict[str, Any]:
    """Every message that arrived, by its id."""
    return {message["messageId"]: message for body in sender.server.bodies for message in json.loads(body)["batch"]}


def reasons(sender: Sender) -> dict[str, str]:
    frame = sender.ledger.frames(DATES)["delivery.dead_events"]
    return dict(zip(frame["id"], frame["reason"], strict=True))


def test_a_name_that_a_lookup_adds_between_cutting_and_sending_is_sent(lake_sender: Sender) -> None:
    put_out(lake_sender, event_row(1), event_row(2))
    lake_sender.lake.query(f"UPDATE {OPENS} SET email_subject = 'Sale' WHERE id = ?", id_of(1))
    lake_sender.deliver()
    assert sent(lake_sender)[id_of(1)]["properties"]["email_subject"] == "Sale"
    assert "email_subject" not in sent(lake_sender)[id_of(2)]["properties"]
    assert lake_sender.ledger.delivered_without_name(DATES) == {"email_subject": 1}


def test_a_message_that_a_late_name_makes_too_large_is_dead_and_its_neighbours_are_sent(sender: Sender) -> None:
    put_out(sender, event_row(1), event_row(2), event_row(3))
    sender.lake.query(f"UPDATE {OPENS} SET email_subject = repeat('x', 32000) WHERE id = ?", id_of(2))
    result = sender.deliver()
    assert (result.dead, result.stopped_by) == (1, None)
    assert sender.server.received_ids == {id_of(1), id_of(3)}
    assert sender.standing() == (2, 0, 1)
    assert list(reasons(sender)) == [id_of(2)]
    assert reasons(sender)[id_of(2)].startswith("message_too_large: ")
    assert not sender.server.dropped


def test_a_message_that_loses_its_person_is_dead_even_where_nothing_of_its_batch_is_left(sender: Sender) -> None:
    put_out(sender, event_row(1))
    sender.lake.query(f"UPDATE {OPENS} SET user_id = NULL, anonymous_id = NULL")
    assert sender.deliver().stopped_by is None
    assert sender.server.bodies == []
    assert sender.standing() == (0, 0, 1)
    assert reasons(sender)[id_of(1)].startswith("no_user_anon_id")


def test_an_undeliverable_message_of_a_batch_that_stays_waiting_is_not_dead_yet(sender: Sender) -> None:
    put_out(sender, event_row(1), event_row(2))
    sender.lake.query(f"UPDATE {OPENS} SET user_id = NULL WHERE id = ?", id_of(2))
    sender.server.misbehave_when(lambda *_: True, faults.Answer(503))
    sender.deliver(max_attempts=1)
    assert sender.standing() == (0, 2, 0)

    sender.server.behave()
    sender.lake.query(f"UPDATE {OPENS} SET user_id = 'found' WHERE id = ?", id_of(2))
    sender.deliver()
    assert sender.standing() == (2, 0, 0)


def test_a_body_that_late_names_make_too_large_is_halved_before_it_is_sent(sender: Sender) -> None:
    put_out(sender, *(event_row(number) for number in range(40)))
    sender.lake.query(f"UPDATE {OPENS} SET email_subject = repeat('x', 15000)")
    sender.deliver()
    assert len(sender.server.bodies) == 2
    assert max(map(len, sender.server.bodies)) <= 475_000
    assert sender.server.statuses == [200, 200]
    assert sender.standing() == (40, 0, 0)


def test_an_event_without_a_row_in_its_table_stops_its_batch_with_what_to_do(sender: Sender, ledger: Ledger) -> None:
    put_out(sender, event_row(1), event_row(2))
    sender.lake.withdraw_events(2)
    with pytest.raises(DeliveryError, match=f"has 1 event that the table .* run --from {DAY} --to {DAY}"):
        sender.deliver()
    assert sender.server.bodies == []
    assert sender.standing() == (0, 2, 0)

    sender.lake.put_out(ledger)  # the run of that date
    sender.deliver()
    assert sender.server.received_ids == {id_of(1)}
    assert sender.standing() == (1, 0, 1)


def test_a_dead_event_needs_no_row(sender: Sender, ledger: Ledger) -> None:
    put_out(sender, event_row(1), event_row(2))
    sender.lake.withdraw_events(1)
    sender.lake.put_out(ledger)
    assert sender.deliver().stopped_by is None
    assert sender.server.received_ids == {id_of(2)}


def test_an_event_that_a_correction_moved_to_another_time_is_sent_with_that_time(sender: Sender) -> None:
    """A row's own event_id keeps the id while the time changes."""
    put_out(sender, event_row(1), event_row(2))
    sender.lake.query(f"UPDATE {OPENS} SET timestamp = TIMESTAMPTZ '2026-02-01 00:00:00+00' WHERE id = ?", id_of(1))
    sender.deliver()
    assert sent(sender)[id_of(1)]["timestamp"] == "2026-02-01T00:00:00.000000Z"


def test_what_changes_after_a_stretch_was_made_is_seen_before_it_is_sent(plain: Lake, ledger: Ledger) -> None:
    """People who are suppressed meanwhile, and events that a replay moves to another batch."""
    plain.stage(event_row(1), event_row(2), event_row(3), event_row(9, export_date=f"{day(1).first}"))
    plain.put_out(ledger)
    (batch,) = cut_batches(plain.connection, DATES)
    reader = plain.reader
    (body,) = reader.bodies([batch], [])
    (later,) = reader.bodies([batch], [id_of(2)])
    assert later.messages == body.messages.replace(f"{plain.payloads()[id_of(2)]},\n".encode(), b"")

    plain.query("UPDATE delivery.outbox SET batch_id = 'another', sequence = 2 WHERE id = ?", id_of(3))
    (smaller,) = reader.bodies([replace(batch, events=2)], [])
    assert smaller.messages == f"{plain.payloads()[id_of(1)]},\n{plain.payloads()[id_of(2)]}".encode()
    with pytest.raises(DeliveryError, match="3 events in the ledger and 2 in the warehouse"):
        list(reader.bodies([batch], []))


def test_messages_without_names_are_counted_without_those_that_segment_rejects(sender: Sender) -> None:
    rows = [event_row(number, email_subject=None if number % 2 else "Sale", campaign_id="c") for number in range(6)]
    put_out(sender, *rows)
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(3)))
    sender.deliver()
    assert sender.standing() == (5, 0, 1)
    assert sender.ledger.delivered_without_name(DATES) == {"campaign_name": 5, "email_subject": 2}


def test_batches_of_many_stretches_are_all_sent(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, small_batches: None
) -> None:
    monkeypatch.setattr(bodies_module, "_STRETCH_BATCHES", 2)
    put_out(sender, *five_batches(), large(90))
    waiting = sender.ledger.waiting("email_opened", DATES)
    assert [len(stretch) for stretch in stretches(waiting)] == [2, 2, 2]
    monkeypatch.setattr(bodies_module, "_MAX_STRETCHES", 2)
    assert [len(stretch) for stretch in stretches(waiting)] == [3, 3]
    sender.deliver(connections=2)
    assert sender.server.received_ids == sender.lake.due_ids()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, small_batches: None) -> "Made":
    """Stretches of two batches, and notes of each that is made ahead."""
    monkeypatch.setattr(bodies_module, "_STRETCH_BATCHES", 2)
    made, real_make = Made(), BodyReader.make

    def make(reader: BodyReader, stretch: Sequence[Batch], dead: Sequence[str]) -> None:
        real_make(reader, stretch, dead)
        made.ahead.append(stretch[0].sequence)
        made.threads.add(threading.current_thread())
        made.is_any.set()

    monkeypatch.setattr(BodyReader, "make", make)
    return made


@dataclass
class Made:
    """The first batch of each stretch that was made ahead, and in which threads."""

    ahead: list[int] = field(default_factory=list)
    is_any: threading.Event = field(default_factory=threading.Event)
    threads: set[threading.Thread] = field(default_factory=set)


def test_while_a_stretch_is_sent_the_next_one_is_made_and_no_other(sender: Sender, made: Made) -> None:
    put_out(sender, *five_batches())
    first, real_send = sender.ledger.waiting("email_opened", DATES)[0].sequence, sender.client().send
    ahead: list[list[int]] = []

    def send(messages: bytes, events: int) -> SendResult:
        assert made.is_any.wait(30), "no answer comes before the second stretch is made"
        ahead.append(list(made.ahead))
        return real_send(messages, events)

    sender.deliver(send=send)
    assert_all_arrived(sender)
    assert not sender.server.duplicates
    assert ahead[0] == [first + 2], "the third is not made before the second is taken"
    assert made.ahead == [first + 2, first + 4]
    assert threading.main_thread() not in made.threads


def test_what_dies_after_a_stretch_was_made_ahead_is_not_sent(sender: Sender, made: Made) -> None:
    put_out(sender, *five_batches())
    fourth = sender.ledger.waiting("email_opened", DATES)[3]
    withdrawn = sender.lake.batches()[fourth.batch_id][0]
    real_send = sender.client().send

    def send(messages: bytes, events: int) -> SendResult:
        assert made.is_any.wait(30)
        gone = DeadEvent(withdrawn, fourth.event, fourth.export_date, fourth.batch_id, "withdrawn")
        sender.ledger.withdraw([gone], sender.time.now())
        return real_send(messages, events)

    sender.deliver(send=send)
    assert sender.server.received_ids == sender.lake.due_ids() - {withdrawn}
    assert sender.standing() == (74, 0, 1)


@pytest.mark.parametrize("fault", ["of the warehouse", "of a request"])
def test_a_fault_ends_the_thread_that_makes_ahead(
    sender: Sender, made: Made, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    put_out(sender, *five_batches())

    def no_space(*_: object) -> None:
        made.threads.add(threading.current_thread())
        raise duckdb.IOException("No space left on device")

    def send(_messages: bytes, _events: int) -> SendResult:
        assert made.is_any.wait(30)
        raise ZeroDivisionError("an unforeseen fault")

    if fault == "of the warehouse":
        monkeypatch.setattr(BodyReader, "make", no_space)
        with pytest.raises(duckdb.IOException):
            sender.deliver()
        assert sender.standing() == (30, 45, 0), "the stretch before it is sent"
    else:
        with pytest.raises(ZeroDivisionError):
            sender.deliver(send=send)
    assert made.threads
    assert not any(thread.is_alive() for thread in made.threads)
