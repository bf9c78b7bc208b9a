"""Delivered events are sent again under the same ids: a wrong key or region was used."""

from datetime import timedelta

import pytest

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.ledger import Batch, DeadEvent, Delivered, Ledger, Remaining
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.ledger.warehouse_pairing import check_pair, pair_up
from pipeline.segment import cut_rules
from pipeline.segment.checks import DELIVERY_TARGET, due_is_settled, late_events
from pipeline.segment.enqueue import register
from pipeline.segment.reconcile import reconcile
from tests.fakes import segment_faults as faults
from tests.support.modelled_tables import DATES, DAY, NOW, day, event_row, id_of
from tests.support.sending import Sender

LATER = NOW + timedelta(days=3)
TWO_DAYS = ExportDates(DAY, day(1).first)
EARLIER = "SELECT batch_id, events, attempts, delivered_at FROM delivery.earlier_deliveries ORDER BY replayed_at"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 3)


@pytest.fixture
def sent(sender: Sender) -> Sender:
    """Four opens in two batches and a click, and an open of the next day: all delivered but 1, which Segment refused.

    The server forgets them: they went to another source.
    """
    sender.lake.stage(
        *(event_row(number) for number in range(4)),
        event_row(10, "Email Link Clicked"),
        event_row(20, export_date=str(day(1).first)),
    )
    pair_up(sender.lake.connection, sender.ledger)
    sender.lake.put_out(sender.ledger, TWO_DAYS)
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(1)))
    sender.deliver_all(TWO_DAYS)
    sender.server.behave()
    assert sender.standing(dates=TWO_DAYS) == (4, 0, 1)
    received_before(sender)
    return sender


def received_before(sender: Sender) -> None:
    for received in (sender.server.messages, sender.server.bodies, sender.server.requests):
        received.clear()


def sent_ids(sender: Sender) -> list[str]:
    return sorted(key for ids in sender.server.sent_ids for key in ids)


def balance_holds(sender: Sender, dates: ExportDates = TWO_DAYS) -> None:
    balance = due_is_settled(sender.lake.connection, sender.ledger, dates)
    assert balance.holds, balance


def test_the_next_run_sends_exactly_those_in_the_same_batches(sent: Sender) -> None:
    before = sent.lake.outbox()
    assert sent.ledger.delivered("email_opened", EVERY_DATE) == Delivered(4, TWO_DAYS, sent.time.now(), sent.time.now())
    assert sent.ledger.replay_delivered("email_opened", DATES, LATER) == 3
    assert sent.standing() == (0, 3, 1)
    assert sent.standing(dates=day(1)) == (1, 0, 0)
    balance_holds(sent)
    assert sent.ledger.waiting_dates() == {DAY}
    sent.lake.put_out(sent.ledger)
    sent.deliver_all(TWO_DAYS)
    assert sent_ids(sent) == [id_of(0), id_of(2), id_of(3)]
    assert sent.lake.outbox() == before
    assert sent.standing(dates=TWO_DAYS) == (4, 0, 1)
    balance_holds(sent)
    assert sent.ledger.waiting_dates() == set()


def test_both_deliveries_are_kept_in_the_ledger_and_in_its_copy(sent: Sender) -> None:
    batches = sent.lake.batches(DATES)
    first = sent.time.now()
    sent.ledger.replay_delivered("email_opened", DATES, LATER)
    sent.time.sleep(60)
    sent.deliver()
    mirror_into(sent.lake.connection, sent.ledger, TWO_DAYS)
    earlier = sent.lake.query("SELECT batch_id, events, delivered_at FROM delivery.earlier_deliveries")
    assert {(batch, events): at for batch, events, at in earlier} == {
        (batch_id, len(ids) - (id_of(1) in ids)): first for batch_id, ids in batches.items() if id_of(10) not in ids
    }
    again = sent.lake.query("SELECT DISTINCT delivered_at, attempts FROM delivery.events WHERE id = ?", id_of(0))
    assert again == [(sent.time.now(), 1)]


def test_a_second_replay_keeps_a_third_delivery(sent: Sender) -> None:
    for _ in range(2):
        assert sent.ledger.replay_delivered("email_link_clicked", EVERY_DATE, LATER) == 1
        sent.deliver("email_link_clicked")
    mirror_into(sent.lake.connection, sent.ledger, TWO_DAYS)
    assert len(sent.lake.query(EARLIER)) == 2
    assert sent_ids(sent) == [id_of(10), id_of(10)]


def test_events_that_no_export_contains_or_of_suppressed_people_are_not_sent_again(sent: Sender) -> None:
    sent.lake.withdraw_events(2)
    sent.lake.query("INSERT INTO raw.suppressed (kind, digest) VALUES ('user_id', sha256('user_id:user-3'))")
    assert sent.ledger.replay_delivered(None, EVERY_DATE, LATER) == 5
    done = register(sent.lake.connection, sent.ledger, TWO_DAYS, LATER)
    assert (done.withdrawn_in_time, done.suppressed) == (1, 1)
    balance_holds(sent)
    sent.deliver_all(TWO_DAYS)
    assert sent_ids(sent) == [id_of(0), id_of(10), id_of(20)]
    balance_holds(sent)


def test_a_batch_whose_events_are_all_dead_stays_as_it_is(sent: Sender) -> None:
    [batch_id] = [batch for batch, ids in sent.lake.batches().items() if id_of(10) in ids]
    sent.lake.query("DELETE FROM delivery.outbox WHERE id = ?", id_of(10))
    sent.ledger.forget([Remaining(batch_id, "email_link_clicked", DAY, 0)], [])
    assert sent.ledger.delivered("email_link_clicked", EVERY_DATE) is None
    assert sent.ledger.replay_delivered("email_link_clicked", EVERY_DATE, LATER) == 0
    balance_holds(sent)


def test_a_forgotten_person_leaves_only_a_number_of_both_deliveries(sent: Sender) -> None:
    [batch_id] = [batch for batch, ids in sent.lake.batches().items() if id_of(10) in ids]
    sent.ledger.replay_delivered("email_link_clicked", EVERY_DATE, LATER)
    sent.lake.query("DELETE FROM delivery.outbox WHERE id = ?", id_of(10))
    sent.ledger.forget([Remaining(batch_id, "email_link_clicked", DAY, 0)], [])
    mirror_into(sent.lake.connection, sent.ledger, TWO_DAYS)
    [(kept, events, *_)] = sent.lake.query(EARLIER)
    assert (len(kept), events) == (64, 1)
    assert kept != batch_id
    balance_holds(sent)


def test_events_that_wait_again_are_late_a_day_after_the_replay(sent: Sender) -> None:
    sent.ledger.replay_delivered("email_link_clicked", EVERY_DATE, LATER)
    for since, late in ((timedelta(hours=1), 0), (DELIVERY_TARGET + timedelta(hours=1), 1)):
        found = late_events(sent.lake.connection, sent.ledger, LATER + since, delivers=True)
        assert found.numbers["late"] == late


def test_a_ledger_from_before_the_replay_learns_of_it_from_its_copy(sent: Sender) -> None:
    """A backup of the ledger alone was restored: its deliveries are the ones that went to the wrong source."""
    mirror_into(sent.lake.connection, sent.ledger, TWO_DAYS)
    assert sent.ledger.file is not None
    backup = sent.ledger.file.with_name("backup.sqlite")
    sent.ledger.compact()
    backup.write_bytes(sent.ledger.file.read_bytes())
    sent.ledger.replay_delivered("email_opened", DATES, LATER)
    mirror_into(sent.lake.connection, sent.ledger, TWO_DAYS)
    restored = Ledger(f"sqlite:///{backup}")
    reconcile(sent.lake.connection, restored, LATER)
    check_pair(sent.lake.connection, restored)
    standing = restored.standing_of("email_opened", TWO_DAYS)
    assert (standing.delivered, standing.waiting, standing.dead) == (1, 3, 1)
    assert restored.replayed_since(LATER) == sent.ledger.replayed_since(LATER) != set()


def test_a_ledger_whose_only_delivery_was_replayed_has_been_sent(ledger: Ledger) -> None:
    ledger.register(
        [Batch("b", "email_opened", DAY, 1, 1, "delivered")], [DeadEvent("x", "email_opened", DAY, None, "r")], NOW
    )
    ledger.replay_delivered(None, EVERY_DATE, LATER)
    assert ledger.has_sent()
