"""The outbox is written first and the ledger second: the next run completes what a kill left between them."""

import pytest

from pipeline.ledger import Ledger
from pipeline.segment.enqueue import Registered, register
from pipeline.segment.outbox import cut
from tests.support.modelled_tables import DATES, NOW, SCHEMA, Lake, day, event_row, id_of, one_of_each
from tests.support.sending import Sender


def enter(lake: Lake, ledger: Ledger) -> Registered:
    return register(lake.connection, ledger, DATES, NOW)


def ids_of(ledger: Ledger) -> list[str]:
    return [batch.batch_id for table in ("email_opened", "email_bounced") for batch in ledger.waiting(table, DATES)]


def test_what_was_cut_is_entered_once(plain: Lake, ledger: Ledger) -> None:
    plain.stage(*one_of_each(), event_row(9, user_id=None))
    plain.put_out(ledger)
    standings = ledger.standings()
    assert sum(standing.waiting for standing in standings) == 6
    assert sum(standing.dead for standing in standings) == 1

    assert enter(plain, ledger) == Registered(0, 0)
    assert ledger.standings() == standings


def test_a_ledger_that_was_not_written_after_the_outbox_was_is_healed(lake: Lake, ledger: Ledger) -> None:
    lake.stage(event_row(1), event_row(2, user_id=None))
    cut(lake.connection, SCHEMA, DATES, NOW)
    assert ledger.standings() == []

    enter(lake, ledger)
    assert [batch.batch_id for batch in ledger.waiting("email_opened", DATES)] == list(lake.batches())
    assert ledger.dead_ids("email_opened", DATES) == [id_of(2)]


def test_a_ledger_that_has_half_gets_the_other_half(plain: Lake, ledger: Ledger) -> None:
    plain.stage(event_row(1))
    plain.put_out(ledger)
    plain.stage(event_row(2), event_row(3, "Email Bounced"))
    cut(plain.connection, SCHEMA, DATES, NOW)
    enter(plain, ledger)
    assert sorted(ids_of(ledger)) == sorted(plain.batches())


def test_other_dates_are_left_alone(plain: Lake, ledger: Ledger) -> None:
    plain.stage(event_row(1), event_row(2, export_date=f"{day(1).first}"))
    cut(plain.connection, SCHEMA, day(1), NOW)
    enter(plain, ledger)
    assert ledger.standings() == []


def test_entering_again_does_not_set_a_delivered_batch_to_waiting(sender: Sender) -> None:
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    sender.deliver()
    enter(sender.lake, sender.ledger)
    assert sender.standing() == (1, 0, 0)


# Corrections


def test_an_event_withdrawn_in_time_is_not_sent_and_the_rest_of_its_batch_is(sender: Sender) -> None:
    sender.lake.stage(event_row(1), event_row(2), event_row(3))
    sender.lake.put_out(sender.ledger)
    sender.lake.withdraw_events(2)

    assert enter(sender.lake, sender.ledger) == Registered(1, 0)
    assert sender.standing() == (0, 2, 1)
    sender.deliver()
    assert sender.server.received_ids == {id_of(1), id_of(3)}
    assert sender.standing() == (2, 0, 1)


def test_a_batch_of_which_everything_was_withdrawn_is_settled_without_a_request(sender: Sender) -> None:
    """An empty batch gets a 200 and is dropped: `empty_batch`."""
    sender.lake.stage(event_row(1), event_row(2))
    sender.lake.put_out(sender.ledger)
    sender.lake.withdraw_events(1, 2)
    enter(sender.lake, sender.ledger)

    assert sender.deliver().stopped_by is None
    assert sender.server.requests == []
    assert sender.standing() == (0, 0, 2)
    assert sender.ledger.waiting("email_opened", DATES) == []


def test_an_event_withdrawn_after_delivery_stays_delivered_and_is_reported(sender: Sender) -> None:
    """Segment cannot take it back."""
    sender.lake.stage(event_row(1), event_row(2))
    sender.lake.put_out(sender.ledger)
    sender.deliver()
    sender.lake.withdraw_events(2)

    assert enter(sender.lake, sender.ledger) == Registered(0, 1)
    assert sender.standing() == (2, 0, 0)


def test_an_event_withdrawn_in_time_is_not_reported_as_delivered_once_its_batch_is(sender: Sender) -> None:
    """Its neighbours went out without it; Segment has nothing that it would have to take back."""
    sender.lake.stage(event_row(1), event_row(2))
    sender.lake.put_out(sender.ledger)
    sender.lake.withdraw_events(2)
    enter(sender.lake, sender.ledger)
    sender.deliver()
    assert sender.server.received_ids == {id_of(1)}

    assert enter(sender.lake, sender.ledger).withdrawn_too_late == 0


def test_a_withdrawn_event_that_died_before_it_was_sent_was_not_delivered(sender: Sender) -> None:
    sender.lake.stage(event_row(1), event_row(2, user_id=None))
    sender.lake.put_out(sender.ledger)
    sender.deliver()
    sender.lake.withdraw_events(2)
    assert enter(sender.lake, sender.ledger).withdrawn_too_late == 0


def test_a_withdrawal_is_counted_once(plain: Lake, ledger: Ledger) -> None:
    plain.stage(event_row(1), event_row(2))
    plain.put_out(ledger)
    plain.withdraw_events(2)
    assert enter(plain, ledger).withdrawn_in_time == 1
    assert enter(plain, ledger).withdrawn_in_time == 0


@pytest.mark.parametrize("times", [1, 2])
def test_a_withdrawn_event_dies_once(plain: Lake, ledger: Ledger, times: int) -> None:
    plain.stage(event_row(1), event_row(2))
    plain.put_out(ledger)
    plain.withdraw_events(2)
    for _ in range(times):
        enter(plain, ledger)
    assert ledger.dead_ids("email_opened", DATES) == [id_of(2)]
