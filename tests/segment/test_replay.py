"""Dead events are retried as the tables contain them now, and never get lost between two batches."""

from datetime import timedelta

import pytest

from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import DeadEvent, Settled
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.segment import cut_rules
from pipeline.segment.checks import due_is_settled
from pipeline.segment.enqueue import register
from pipeline.segment.replay import dates_with_replays, revive, samples
from tests.fakes import segment_faults as faults
from tests.support.modelled_tables import DATES, DAY, NOW, SCHEMA, SOURCE, Lake, day, event_row, id_of
from tests.support.sending import Sender

LATER = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 3)


@pytest.fixture
def bereaved(sender: Sender) -> Sender:
    """Six opens in two batches: Segment rejected id 1; id 20 had no person; id 5 was withdrawn."""
    sender.lake.stage(*(event_row(number) for number in range(6)), event_row(20, user_id=None))
    sender.lake.put_out(sender.ledger)
    second = next(batch for batch, ids in sender.lake.batches().items() if id_of(5) in ids)
    sender.ledger.withdraw([DeadEvent(id_of(5), "email_opened", DAY, second, "withdrawn: gone")], NOW)
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(1)))
    sender.deliver()
    sender.server.behave()
    assert sender.standing() == (4, 0, 3)
    return sender


def balance_holds(sender: Sender) -> None:
    balance = due_is_settled(sender.lake.connection, sender.ledger, DATES)
    assert balance.holds, balance


def know_the_person(lake: Lake) -> None:
    for table in ("staging.events", f"{SCHEMA}.email_opened"):
        lake.query(f"UPDATE {table} SET user_id = 'known now' WHERE CAST(id AS VARCHAR) = '{id_of(20)}'")


def test_what_segment_rejected_goes_out_again_and_who_is_known_now_too(bereaved: Sender) -> None:
    know_the_person(bereaved.lake)
    assert bereaved.ledger.request_replays(None, None, EVERY_DATE) == 2
    bereaved.lake.put_out(bereaved.ledger)
    assert bereaved.standing() == (4, 2, 1)
    balance_holds(bereaved)
    bereaved.deliver()
    assert bereaved.standing() == (6, 0, 1)
    assert bereaved.server.received_ids == {id_of(number) for number in (0, 1, 2, 3, 4, 20)}
    assert not bereaved.server.duplicates
    assert bereaved.server.messages[id_of(20)]["userId"] == "known now"
    balance_holds(bereaved)


def test_what_segment_would_still_drop_is_dead_again_at_once(bereaved: Sender) -> None:
    assert bereaved.ledger.request_replays("email_opened", "no_user", DATES) == 1
    bereaved.lake.put_out(bereaved.ledger)
    assert bereaved.standing() == (4, 0, 3)
    balance_holds(bereaved)


@pytest.mark.parametrize(
    ("event", "reason", "number"),
    [
        ("email_bounced", None, 0),
        ("email_opened", None, 2),
        (None, "answered 400", 1),
        (None, "100%", 0),
        (None, "withdrawn", 0),
    ],
)
def test_only_what_is_meant_is_tried_again(
    bereaved: Sender, event: str | None, reason: str | None, number: int
) -> None:
    assert bereaved.ledger.request_replays(event, reason, EVERY_DATE) == number
    assert bereaved.ledger.request_replays(event, reason, EVERY_DATE) == 0, "it is asked for already"


def test_people_who_must_be_left_out_stay_dead(bereaved: Sender) -> None:
    bereaved.ledger.withdraw([DeadEvent(id_of(3), "email_opened", DAY, None, "suppressed")], NOW)
    assert bereaved.ledger.request_replays(None, "suppressed", EVERY_DATE) == 0


def everything_waiting_dies(sender: Sender) -> None:
    ids, dead = sender.lake.batches(), sender.ledger.dead_ids("email_opened", DATES)
    for batch in sender.ledger.waiting("email_opened", DATES):
        died = [
            DeadEvent(key, "email_opened", DAY, batch.batch_id, "Segment answered 400")
            for key in ids[batch.batch_id]
            if key not in dead
        ]
        sender.ledger.settle([Settled(batch, True, 1, died)], NOW)


def test_a_batch_that_comes_out_as_it_was_is_sent_again(sender: Sender) -> None:
    """All events of a batch died, one after the other, and twice."""
    sender.lake.stage(event_row(1), event_row(2))
    sender.lake.put_out(sender.ledger)
    for _ in range(2):
        everything_waiting_dies(sender)
        assert sender.standing() == (0, 0, 2)
        assert sender.ledger.request_replays(None, None, EVERY_DATE) == 2
        sender.lake.put_out(sender.ledger)
        assert sender.standing() == (0, 2, 0)
        balance_holds(sender)
    sender.deliver()
    assert sender.standing() == (2, 0, 0)
    assert sender.server.received_ids == {id_of(1), id_of(2)}
    balance_holds(sender)


def test_a_new_batch_is_not_taken_for_another_with_the_same_ends(sender: Sender) -> None:
    """Of three events the outer two die; with a dead one that lies between they are three again."""
    sender.lake.stage(event_row(1), event_row(2), event_row(3))
    sender.lake.put_out(sender.ledger)
    for number in (1, 3):
        sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(number)))
    sender.deliver()
    sender.server.behave()
    sender.lake.stage(event_row(9, timestamp=event_row(2)["timestamp"]))
    sender.lake.put_out(sender.ledger)
    everything_waiting_dies(sender)
    assert sender.standing() == (1, 0, 3)
    sender.ledger.request_replays(None, None, EVERY_DATE)
    sender.lake.put_out(sender.ledger)
    sender.deliver()
    assert sender.standing() == (4, 0, 0)
    assert sender.server.received_ids == {id_of(number) for number in (1, 2, 3, 9)}
    balance_holds(sender)


def test_a_kill_before_the_ledger_knows_is_made_good_by_whoever_comes_next(bereaved: Sender) -> None:
    """The outbox has it in a new batch, in the ledger it is still dead, and a delivery alone is what comes next."""
    bereaved.ledger.request_replays(None, "400", EVERY_DATE)
    bereaved.lake.cut(bereaved.ledger)
    assert bereaved.standing() == (4, 0, 3)
    balance_holds(bereaved)
    register(bereaved.lake.connection, bereaved.ledger, DATES, NOW)
    assert bereaved.standing() == (4, 1, 2)
    assert bereaved.ledger.replays() == []
    bereaved.deliver()
    assert id_of(1) in bereaved.server.received_ids
    assert bereaved.standing() == (5, 0, 2)
    balance_holds(bereaved)


def test_a_kill_before_anything_was_cut_leaves_it_dead_until_a_run_of_its_date(bereaved: Sender) -> None:
    """A run of another date has nothing to do with it."""
    bereaved.ledger.request_replays(None, "400", EVERY_DATE)
    bereaved.lake.stage(event_row(40, export_date=str(day(7).first)))
    bereaved.lake.put_out(bereaved.ledger, day(7))
    assert bereaved.standing() == (4, 0, 3)
    balance_holds(bereaved)
    assert dates_with_replays(bereaved.lake.connection, bereaved.ledger) == {DAY}
    bereaved.lake.put_out(bereaved.ledger)
    assert bereaved.standing() == (4, 1, 2)
    assert dates_with_replays(bereaved.lake.connection, bereaved.ledger) == set()
    balance_holds(bereaved)


def test_an_event_that_has_an_earlier_date_now_is_cut_with_that(bereaved: Sender) -> None:
    bereaved.ledger.request_replays(None, "400", EVERY_DATE)
    earlier = day(-1)
    bereaved.lake.query(
        f"UPDATE staging.events SET export_date = DATE '{earlier.first}' WHERE CAST(id AS VARCHAR) = '{id_of(1)}'"
    )
    bereaved.lake.put_out(bereaved.ledger)
    assert bereaved.standing() == (4, 0, 3)
    assert dates_with_replays(bereaved.lake.connection, bereaved.ledger) == {earlier.first}
    bereaved.lake.put_out(bereaved.ledger, earlier)
    assert bereaved.standing() == (4, 0, 2)
    assert bereaved.standing(dates=earlier) == (0, 1, 0)
    for dates in (DATES, earlier):
        assert due_is_settled(bereaved.lake.connection, bereaved.ledger, dates).holds


def test_an_event_of_a_withheld_date_stays_dead_until_that_is_released(bereaved: Sender) -> None:
    bereaved.ledger.request_replays(None, "400", EVERY_DATE)
    bereaved.ledger.withhold([DAY], NOW)
    bereaved.lake.put_out(bereaved.ledger)
    assert bereaved.standing() == (4, 0, 3)
    assert dates_with_replays(bereaved.lake.connection, bereaved.ledger) == set()
    bereaved.ledger.release(DATES)
    assert dates_with_replays(bereaved.lake.connection, bereaved.ledger) == {DAY}
    bereaved.lake.put_out(bereaved.ledger)
    assert bereaved.standing() == (4, 1, 2)
    balance_holds(bereaved)


def test_an_event_that_no_table_has_any_more_stays_dead(bereaved: Sender) -> None:
    bereaved.ledger.request_replays(None, "400", EVERY_DATE)
    bereaved.lake.withdraw_events(1)
    bereaved.lake.put_out(bereaved.ledger)
    assert bereaved.standing() == (4, 0, 3)
    assert dates_with_replays(bereaved.lake.connection, bereaved.ledger) == set()
    balance_holds(bereaved)


@pytest.mark.parametrize("reason", ["withdrawn: a corrected export no longer contains it", "suppressed"])
def test_what_was_set_aside_and_is_an_event_again_is_sent(sender: Sender, reason: str) -> None:
    """A half export came, and then the right one again; a person was listed, and then no longer."""
    sender.lake.stage(event_row(1), event_row(2))
    sender.lake.put_out(sender.ledger)
    [batch_id] = sender.lake.batches()
    sender.ledger.withdraw([DeadEvent(id_of(1), "email_opened", DAY, batch_id, reason)], NOW)
    sender.deliver()
    assert sender.standing() == (1, 0, 1)
    revive(sender.lake.connection, sender.ledger, day(3))
    assert sender.ledger.replays() == [], "it is an event of another date"
    revive(sender.lake.connection, sender.ledger, DATES)
    sender.lake.put_out(sender.ledger)
    sender.deliver()
    assert sender.standing() == (2, 0, 0)
    assert not sender.server.duplicates
    balance_holds(sender)


def test_what_is_still_withdrawn_or_suppressed_is_not_asked_for(bereaved: Sender) -> None:
    bereaved.lake.withdraw_events(5)
    bereaved.lake.query("INSERT INTO raw.suppressed (kind, digest) VALUES ('user_id', sha256('user_id:user-3'))")
    bereaved.ledger.withdraw([DeadEvent(id_of(3), "email_opened", DAY, None, "suppressed")], NOW)
    assert set(bereaved.ledger.unwanted_ids()) == {id_of(3), id_of(5)}
    revive(bereaved.lake.connection, bereaved.ledger, DATES)
    assert bereaved.ledger.replays() == []


def test_nothing_asked_for_is_nothing_done(bereaved: Sender) -> None:
    before = bereaved.lake.outbox()
    bereaved.lake.put_out(bereaved.ledger)
    assert bereaved.lake.outbox() == before


def test_a_dead_event_is_shown_with_segments_words_and_without_the_person(bereaved: Sender) -> None:
    bereaved.lake.stage(
        event_row(30, email="zoe@example.org", selligent_user_id="884301", campaign_name="mail a@b.c", ip="8.8.4.4")
    )
    bereaved.lake.put_out(bereaved.ledger)
    bereaved.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(30)))
    bereaved.deliver(has_delivered=lambda: True)
    mirror_into(bereaved.lake.connection, bereaved.ledger, DATES)
    [(key, event, message, reason)] = samples(bereaved.lake.connection, SOURCE, [id_of(30)], 5)
    assert (key, event) == (id_of(30), "email_opened")
    assert "400" in reason
    assert "18vzF7u3z" in message
    for secret in ("zoe", "user-30", "884301", "a@b.c", "8.8.4.4"):
        assert secret not in message
