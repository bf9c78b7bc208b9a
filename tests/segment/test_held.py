"""SEGMENT_BOTS=hold: events of machines are cut into batches of their own, which wait for their release."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.ledger import Batch, DeadEvent, Settled
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.segment import cut_rules, outbox
from pipeline.segment.checks import DELIVERY_TARGET, due_is_settled, late_events
from pipeline.segment.dry_run import write_requests
from pipeline.segment.enqueue import cut_due, register
from pipeline.segment.outbox import cut_batches, undeliverable
from pipeline.segment.replay import revive
from pipeline.settings import Settings
from tests.support.modelled_tables import DATES, DAY, NOW, TABLES, Row, day, event_row, id_of, large
from tests.support.sending import Sender

LATER = NOW + timedelta(hours=1)


def person(number: int, event: str = "Email Opened", **columns: object) -> Row:
    return event_row(number, event, **{"is_bot": False if number % 2 else None} | columns)


def machine(number: int, event: str = "Email Opened", **columns: object) -> Row:
    return event_row(number, event, is_bot=True, **columns)


def ids(*numbers: int) -> list[str]:
    return [id_of(number) for number in numbers]


def standing(sender: Sender, event: str = "email_opened", dates: ExportDates = DATES) -> tuple[int, int, int, int]:
    """Delivered, waiting, dead, held."""
    return (*sender.standing(event, dates), sender.ledger.standing_of(event, dates).held)


def statuses(sender: Sender) -> dict[str, str]:
    """What `delivery.events` says, once the ledger is copied."""
    mirror_into(sender.lake.connection, sender.ledger, EVERY_DATE)
    return dict(sender.lake.query("SELECT id, status FROM delivery.events ORDER BY id"))


def balance_holds(sender: Sender, dates: ExportDates = DATES) -> str:
    balance = due_is_settled(sender.lake.connection, sender.ledger, dates)
    assert balance.holds, balance
    return balance.sentence


def hold(sender: Sender, *rows: Row, dates: ExportDates = DATES) -> None:
    sender.lake.stage(*rows)
    sender.lake.put_out(sender.ledger, dates, hold_bots=True)


def test_events_of_machines_are_held_and_all_others_are_sent(lake_sender: Sender, tmp_path: Path) -> None:
    sender = lake_sender
    hold(sender, person(1), machine(2), person(3), person(4), machine(5), machine(6, "Email Link Clicked"))
    assert list(sender.lake.batches().values()) == [ids(6), ids(1, 3, 4), ids(2, 5)]
    assert (standing(sender), standing(sender, "email_link_clicked")) == ((0, 3, 0, 2), (0, 0, 0, 1))
    before = dict(sender.lake.query("SELECT id, status FROM delivery.events ORDER BY id"))
    assert before == statuses(sender), "the outbox has it already before the ledger is copied"
    assert [before[key] for key in ids(1, 2, 3, 4, 5, 6)] == ["waiting", "held", "waiting", "waiting", "held", "held"]
    for table in TABLES.values():
        write_requests(sender.lake.reader, sender.ledger, tmp_path, table, DATES)
    assert len(list(tmp_path.rglob("*.json"))) == 1

    sender.deliver_all()
    assert sender.server.received_ids == set(ids(1, 3, 4))
    assert standing(sender) == (3, 0, 0, 2)
    assert balance_holds(sender) == "6 events that were due = 3 delivered + 0 waiting + 0 dead + 3 held."
    assert sender.ledger.waiting_dates() == set()
    assert sender.ledger.waiting_since(DAY) == []


def test_what_is_released_goes_out_once(sender: Sender) -> None:
    hold(sender, person(1), machine(2), machine(3, "Email Link Clicked"), machine(4, export_date=f"{day(1).first}"))
    hold(sender, dates=day(1))
    sender.deliver_all()
    assert sender.ledger.release_held("email_bounced", EVERY_DATE) == 0
    assert sender.ledger.release_held("email_opened", DATES) == 1
    assert sender.ledger.release_held("email_opened", DATES) == 0
    assert [standing(sender), standing(sender, dates=day(1))] == [(1, 1, 0, 0), (0, 0, 0, 1)]
    sender.deliver_all()
    assert sender.server.received_ids == set(ids(1, 2))
    assert sender.ledger.waiting_dates() == set()

    assert sender.ledger.release_held(None, EVERY_DATE) == 2
    assert sender.ledger.waiting_dates() == {DAY, day(1).first}
    for _ in range(2):
        hold(sender)  # a run in between cuts nothing of it again
        sender.deliver_all(ExportDates(DAY, day(1).first))
    assert sender.server.received_ids == set(ids(1, 2, 3, 4))
    assert not sender.server.duplicates
    assert set(statuses(sender).values()) == {"delivered"}
    balance_holds(sender)


def test_what_waits_when_the_setting_becomes_hold_keeps_its_batch_and_is_sent(sender: Sender) -> None:
    sender.lake.stage(person(1), machine(2))
    sender.lake.put_out(sender.ledger)
    before = sender.lake.batches()
    hold(sender, person(3), machine(4))
    assert sender.lake.batches().items() > before.items()
    assert standing(sender) == (0, 3, 0, 1)
    sender.deliver()
    assert sender.server.received_ids == set(ids(1, 2, 3))


def test_what_is_held_when_the_setting_becomes_send_stays_held_until_it_is_released(sender: Sender) -> None:
    hold(sender, person(1), machine(2))
    sender.lake.stage(machine(3))
    sender.lake.put_out(sender.ledger)
    sender.deliver()
    assert sender.server.received_ids == set(ids(1, 3))
    assert standing(sender) == (2, 0, 0, 1)
    sender.ledger.release_held(None, EVERY_DATE)
    sender.deliver()
    assert standing(sender) == (3, 0, 0, 0)
    assert not sender.server.duplicates


def test_a_correction_of_the_mark_moves_no_event_out_of_its_batch(sender: Sender) -> None:
    hold(sender, person(1), machine(2))
    before = sender.lake.outbox()
    for table in ("staging.events SET is_bot", "selligent_marketing_cloud.email_opened SET context_selligent_is_bot"):
        sender.lake.query(f"UPDATE {table} = CAST(id AS VARCHAR) = '{id_of(1)}'")
    hold(sender)
    assert sender.lake.outbox() == before
    assert standing(sender) == (0, 1, 0, 1)


@pytest.mark.parametrize("hold_bots", [False, True])
def test_without_an_event_of_a_machine_the_setting_changes_no_batch(sender: Sender, hold_bots: bool) -> None:
    """The ids are those of the versions without the setting."""
    sender.lake.stage(*(large(number) for number in range(1, 41, 2)), *(person(number) for number in range(2, 42, 2)))
    sender.lake.put_out(sender.ledger, hold_bots=hold_bots)
    assert sender.ledger.waiting("email_opened", DATES) == [
        Batch("43440236a18e297fefab05aec12a7ecf", "email_opened", DAY, 1, 29),
        Batch("3fb97873a9e2f2d9334ae1d8b0cba629", "email_opened", DAY, 2, 11),
    ]


def test_held_batches_keep_to_the_limits_and_share_the_numbering(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_STRETCH_EVENTS", 4)
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 2)
    hold(sender, *(machine(number) if number % 3 else person(number) for number in range(12)))
    assert [len(batch) for batch in sender.lake.batches().values()] == [2, 2, 2, 2, 2, 2]
    batches = cut_batches(sender.lake.connection, DATES)
    assert [batch.status for batch in batches] == ["waiting"] * 2 + ["held"] * 4
    assert [batch.sequence for batch in batches] == [1, 2, 3, 4, 5, 6]
    sender.ledger.release_held(None, EVERY_DATE)
    sender.deliver()
    assert sender.server.received_ids == sender.lake.due_ids() == set(ids(*range(12)))


def test_an_event_that_segment_would_drop_is_dead_and_not_held(sender: Sender) -> None:
    hold(sender, machine(1, user_id=None), machine(2))
    assert [event.id for event in undeliverable(sender.lake.connection, DATES)] == ids(1)
    assert standing(sender) == (0, 0, 1, 1)
    assert statuses(sender) == {id_of(1): "dead", id_of(2): "held"}
    balance_holds(sender)


def test_withdrawn_and_suppressed_events_die_while_they_are_held(sender: Sender) -> None:
    hold(sender, *(machine(number) for number in range(1, 5)))
    sender.lake.withdraw_events(1)
    sender.lake.query("INSERT INTO raw.suppressed (kind, digest) VALUES ('user_id', sha256('user_id:user-2'))")
    done = register(sender.lake.connection, sender.ledger, DATES, NOW)
    assert (done.withdrawn_in_time, done.withdrawn_too_late, done.suppressed) == (1, 0, 1)
    assert standing(sender) == (0, 0, 2, 2)
    balance_holds(sender)
    assert sender.ledger.release_held(None, EVERY_DATE) == 2
    sender.deliver()
    assert sender.server.received_ids == set(ids(3, 4))
    assert standing(sender) == (2, 0, 2, 0)


def test_an_event_of_a_person_who_comes_back_is_held_again(sender: Sender) -> None:
    hold(sender, machine(1), machine(2))
    [batch_id] = sender.lake.batches()
    sender.ledger.withdraw([DeadEvent(id_of(1), "email_opened", DAY, batch_id, "suppressed")], NOW)
    assert standing(sender) == (0, 0, 1, 1)
    revive(sender.lake.connection, sender.ledger, DATES)
    hold(sender)
    assert standing(sender) == (0, 0, 0, 2)
    balance_holds(sender)


def test_a_replayed_event_is_held_where_the_setting_asks_for_it(sender: Sender) -> None:
    """Segment rejected an event of a machine and one of a person, before the setting was changed."""
    sender.lake.stage(person(1), machine(2), person(3))
    sender.lake.put_out(sender.ledger)
    [batch] = sender.ledger.waiting("email_opened", DATES)
    died = [DeadEvent(key, "email_opened", DAY, batch.batch_id, "answered 400") for key in ids(1, 2)]
    sender.ledger.settle([Settled(batch, True, 1, died)], NOW)
    assert standing(sender) == (1, 0, 2, 0)
    sender.ledger.request_replays(None, None, EVERY_DATE)
    settings = Settings(_env_file=None, segment_bots="hold")  # type: ignore[call-arg]
    due = cut_due(sender.lake.connection, sender.ledger, settings, DATES, LATER, replays_only=True)
    assert (len(due.cut.replayed_ids), due.cut.held) == (2, 1)
    assert standing(sender) == (1, 1, 0, 1)
    balance_holds(sender)


def test_events_of_a_withheld_date_are_neither_cut_nor_held_until_its_release(sender: Sender) -> None:
    sender.ledger.withhold([DAY], NOW)
    hold(sender, person(1), machine(2))
    assert standing(sender) == (0, 0, 0, 0)
    assert sender.ledger.release_held(None, EVERY_DATE) == 0
    sender.ledger.release(DATES)
    hold(sender)
    assert standing(sender) == (0, 1, 0, 1)
    balance_holds(sender)


def test_what_is_released_of_a_withheld_date_waits_for_that_release_too(sender: Sender) -> None:
    hold(sender, machine(1))
    sender.ledger.withhold([DAY], NOW)
    assert sender.ledger.release_held(None, EVERY_DATE) == 1
    assert standing(sender) == (0, 1, 0, 0)
    sender.deliver()
    assert sender.server.requests == []
    sender.ledger.release(DATES)
    sender.deliver()
    assert sender.server.received_ids == {id_of(1)}


def test_held_events_are_never_late(sender: Sender) -> None:
    hold(sender, machine(1), machine(2))
    much_later = NOW + 10 * DELIVERY_TARGET
    assert late_events(sender.lake.connection, sender.ledger, much_later, delivers=True).holds
    sender.ledger.release_held(None, EVERY_DATE)
    assert late_events(sender.lake.connection, sender.ledger, much_later, delivers=True).numbers["late"] == 2


def test_a_batch_that_was_cut_as_held_is_registered_as_held_whatever_the_setting_is_by_then(sender: Sender) -> None:
    """Killed between outbox and ledger; then the setting was changed."""
    sender.lake.stage(person(1), machine(2))
    sender.lake.cut(sender.ledger, hold_bots=True)
    assert sender.ledger.standings() == []
    sender.lake.put_out(sender.ledger)
    assert standing(sender) == (0, 1, 0, 1)
    balance_holds(sender)


def test_registering_again_takes_no_release_back(sender: Sender) -> None:
    hold(sender, machine(1))
    sender.ledger.release_held(None, EVERY_DATE)
    register(sender.lake.connection, sender.ledger, DATES, NOW)
    assert standing(sender) == (0, 1, 0, 0)
    sender.deliver()
    register(sender.lake.connection, sender.ledger, DATES, NOW)
    assert standing(sender) == (1, 0, 0, 0)
