"""Dead events are tried again, as the tables have them now, and never get lost between two batches."""

from datetime import timedelta

import pytest

from pipeline.dates import EVERY_DATE
from pipeline.segment import outbox
from pipeline.segment.checks import due_is_settled
from pipeline.segment.ledger import DeadEvent
from pipeline.segment.mirror import mirror_into
from pipeline.segment.replaying import let_go, shown
from tests import segment_faults as faults
from tests.segment.lake import DATES, DAY, NOW, SCHEMA, Lake, id_of, said
from tests.segment.sending import Sender

LATER = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_BATCH_EVENTS", 3)


@pytest.fixture
def bereaved(sender: Sender) -> Sender:
    """Six opens in two batches: Segment rejected id 1; of id 20 nobody knew who it was; id 5 was withdrawn."""
    sender.lake.stage(*(said(number) for number in range(6)), said(20, user_id=None))
    sender.lake.put_out(sender.ledger)
    second = next(batch for batch, ids in sender.lake.batches().items() if id_of(5) in ids)
    sender.ledger.withdraw([DeadEvent(id_of(5), "email_opened", DAY, second, "withdrawn: gone")], NOW)
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(1)))
    sender.deliver()
    sender.server.behave()
    assert sender.standing() == (4, 0, 3)
    return sender


def again(sender: Sender) -> None:
    let_go(sender.lake.connection, sender.ledger)
    sender.lake.put_out(sender.ledger)


def balance_holds(sender: Sender) -> None:
    balance = due_is_settled(sender.lake.connection, sender.ledger, DATES)
    assert balance.holds, balance


def know_the_person(lake: Lake) -> None:
    for table in ("staging.events", f"{SCHEMA}.email_opened"):
        lake.query(f"UPDATE {table} SET user_id = 'known now' WHERE CAST(id AS VARCHAR) = '{id_of(20)}'")


def test_what_segment_rejected_goes_out_again_and_who_is_known_now_too(bereaved: Sender) -> None:
    know_the_person(bereaved.lake)
    assert bereaved.ledger.ask_for_replay(None, None, EVERY_DATE) == 2
    again(bereaved)
    assert bereaved.standing() == (4, 2, 1)
    balance_holds(bereaved)
    bereaved.deliver()
    assert bereaved.standing() == (6, 0, 1)
    assert bereaved.server.received_ids == {id_of(number) for number in (0, 1, 2, 3, 4, 20)}
    assert not bereaved.server.duplicates
    assert bereaved.server.messages[id_of(20)]["userId"] == "known now"
    balance_holds(bereaved)


def test_what_segment_would_still_drop_is_dead_again_at_once(bereaved: Sender) -> None:
    assert bereaved.ledger.ask_for_replay("email_opened", "no_user", DATES) == 1
    again(bereaved)
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
    assert bereaved.ledger.ask_for_replay(event, reason, EVERY_DATE) == number
    assert bereaved.ledger.ask_for_replay(event, reason, EVERY_DATE) == 0, "it is asked for already"


def test_people_who_must_be_left_out_stay_dead(bereaved: Sender) -> None:
    bereaved.ledger.withdraw([DeadEvent(id_of(3), "email_opened", DAY, None, "suppressed")], NOW)
    assert bereaved.ledger.ask_for_replay(None, "suppressed", EVERY_DATE) == 0


def test_a_kill_before_the_ledger_knows_is_made_good_by_the_next_cut(bereaved: Sender) -> None:
    """The outbox has let go, the ledger still says dead: whoever cuts next finishes first, and nothing is lost."""
    bereaved.ledger.ask_for_replay(None, "400", EVERY_DATE)
    bereaved.lake.query(f"DELETE FROM delivery.outbox WHERE id = '{id_of(1)}'")
    again(bereaved)
    assert bereaved.standing() == (4, 1, 2)
    bereaved.deliver()
    assert id_of(1) in bereaved.server.received_ids
    assert bereaved.standing() == (5, 0, 2)
    balance_holds(bereaved)


def test_nothing_asked_for_is_nothing_done(bereaved: Sender) -> None:
    before = bereaved.lake.outbox()
    again(bereaved)
    assert bereaved.lake.outbox() == before


def test_a_dead_event_is_shown_with_segments_words_and_without_the_person(bereaved: Sender) -> None:
    bereaved.lake.stage(said(30, email="zoe@example.org", selligent_user_id="884301", campaign_name="mail a@b.c"))
    bereaved.lake.put_out(bereaved.ledger)
    bereaved.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(30)))
    bereaved.deliver()
    mirror_into(bereaved.lake.connection, bereaved.ledger, DATES)
    [(key, event, message, reason)] = shown(bereaved.lake.connection, [id_of(30)], 5)
    assert (key, event) == (id_of(30), "email_opened")
    assert "400" in reason
    assert "18vzF7u3z" in message
    for secret in ("zoe", "user-30", "884301", "a@b.c"):
        assert secret not in message
