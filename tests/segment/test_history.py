"""Old dates go out last and slowly; dates can be held back; what is new never waits for what is old."""

import pytest

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.segment import cut_rules, delivery
from pipeline.segment.client import SendResult
from pipeline.segment.cut_rules import CutRules
from pipeline.segment.delivery import History, Transport, deliver
from pipeline.segment.enqueue import register
from pipeline.segment.outbox import cut
from tests.support.modelled_tables import DATES, DAY, NOW, SCHEMA, day, event_row, id_of
from tests.support.sending import Sender

OLD, OLDER = day(-20), day(-30)
ALL = ExportDates(OLDER.first, DAY)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 2)
    monkeypatch.setattr(delivery, "HISTORY_READ_AHEAD", 1)


def on(dates: ExportDates) -> dict[str, str]:
    return {"export_date": f"{dates.first}"}


def slowly(sender: Sender) -> History:
    """What is older than a week goes by this."""
    return History(day(-7).first, sender.client().send)


def test_what_is_current_goes_first_and_history_oldest_first(sender: Sender) -> None:
    for number, dates in enumerate((OLD, DATES, OLDER)):
        sender.lake.stage(*(event_row(10 * number + n, **on(dates)) for n in range(3)))
    sender.lake.put_out(sender.ledger, ALL)
    sender.deliver(dates=ALL, history=slowly(sender))
    assert [key for ids in sender.server.sent_ids for key in ids] == [
        id_of(number) for number in (10, 11, 12, 20, 21, 22, 0, 1, 2)
    ]
    assert sender.ledger.waiting_dates() == set()


def test_history_steps_aside_for_whatever_newer_comes_to_wait(sender: Sender) -> None:
    """After the first old batch, clicks of today are cut by another run: they go before the second old batch."""
    sender.lake.stage(*(event_row(n, **on(OLD)) for n in range(6)))
    sender.lake.put_out(sender.ledger, ALL)

    def today_comes(_done: int, _of: int) -> None:
        if len(sender.server.requests) == 1:
            sender.lake.stage(*(event_row(n, "Email Link Clicked") for n in (100, 101)))
            sender.lake.put_out(sender.ledger)

    client = sender.client()
    transport = Transport(client.send, 1, sender.time.now, slowly(sender))
    sent = deliver(sender.lake.reader, sender.ledger, "email_opened", OLD, transport, today_comes)
    order = [ids[0] for ids in sender.server.sent_ids]
    assert order.index(id_of(100)) < len(order) - 1
    assert set(order) == {id_of(n) for n in (0, 2, 4, 100)}
    assert not sender.server.duplicates
    assert sent.stopped_by is None
    assert sender.standing("email_link_clicked") == (2, 0, 0)


def test_without_anything_old_history_changes_nothing(sender: Sender) -> None:
    sender.lake.stage(*(event_row(n) for n in range(5)))
    sender.lake.put_out(sender.ledger)

    def never(_messages: bytes, _events: int) -> SendResult:
        raise AssertionError("nothing is old")

    sender.deliver(history=History(day(-7).first, never))
    assert sender.standing() == (5, 0, 0)


def test_a_date_that_is_withheld_is_not_due_until_it_is_released(sender: Sender) -> None:
    sender.lake.stage(event_row(1, **on(OLD)), event_row(2))
    sender.ledger.withhold([OLD.first], NOW)
    done = cut(sender.lake.connection, SCHEMA, ALL, NOW, CutRules(withheld=sender.ledger.withheld()))
    assert done.events["email_opened"] == 1
    assert sender.lake.due_ids() == {id_of(2)}

    assert sender.ledger.release(DATES) == []
    assert sender.ledger.release(EVERY_DATE) == [OLD.first]
    assert sender.ledger.withheld() == []
    cut(sender.lake.connection, SCHEMA, ALL, NOW, CutRules(withheld=sender.ledger.withheld()))
    assert sender.lake.due_ids() == {id_of(1), id_of(2)}


def test_what_waited_already_when_its_date_was_withheld_is_not_sent(sender: Sender) -> None:
    sender.lake.stage(event_row(1, **on(OLD)), event_row(2))
    sender.lake.put_out(sender.ledger, ALL)
    sender.ledger.withhold([OLD.first], NOW)
    sender.ledger.withhold([OLD.first, OLDER.first], NOW)
    assert sender.ledger.withheld() == [OLDER.first, OLD.first]
    sender.deliver(dates=ALL)
    assert sender.server.received_ids == {id_of(2)}
    assert sender.ledger.waiting_dates() == set()
    assert sender.standing(dates=ALL) == (1, 1, 0)

    sender.ledger.release(OLD)
    register(sender.lake.connection, sender.ledger, ALL, NOW)
    sender.deliver(dates=ALL)
    assert sender.server.received_ids == {id_of(1), id_of(2)}
