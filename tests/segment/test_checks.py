"""Nothing is lost on the way: two ways of counting agree, or the check says what to do."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.export_dates import ExportDates
from pipeline.finding import Finding
from pipeline.ledger import Ledger
from pipeline.segment.checks import due_is_settled, staged_is_modelled
from pipeline.segment.outbox import cut
from tests.fakes import segment_faults as faults
from tests.support.modelled_tables import DATES, DAY, NOW, SCHEMA, Lake, day, event_row, id_of, one_of_each
from tests.support.sending import Sender


def of_the_models(lake: Lake, dates: ExportDates = DATES) -> Finding:
    return staged_is_modelled(lake.connection, SCHEMA, dates)


def test_rows_are_events_and_repetitions(lake: Lake) -> None:
    """Of nine rows, one duplicates an event of the day and two duplicate events of the day before."""
    yesterday = f"{day(-1).first}"
    lake.stage(*one_of_each(), event_row(10, export_date=yesterday), event_row(11, export_date=yesterday))
    lake.stage_duplicates(event_row(1), event_row(10), event_row(11))

    assert of_the_models(lake) == Finding(
        True, "9 rows = 6 events + 3 duplicates.", {"staged": 9, "modelled": 6, "duplicates": 3}
    )
    assert of_the_models(lake, day(-1)).numbers == {"staged": 2, "modelled": 2, "duplicates": 0}
    assert of_the_models(lake, ExportDates(day(-1).first, DAY)).numbers == {
        "staged": 11,
        "modelled": 8,
        "duplicates": 3,
    }


def test_a_quiet_day_is_in_balance(plain: Lake) -> None:
    assert of_the_models(plain) == Finding(
        True, "0 rows = 0 events + 0 duplicates.", {"staged": 0, "modelled": 0, "duplicates": 0}
    )


@pytest.mark.parametrize("table", ["email_delivered", "email_unsubscribed"])
def test_an_event_that_is_missing_from_its_table_is_reported(plain: Lake, table: str) -> None:
    plain.stage(*one_of_each())
    plain.query(f"DELETE FROM {SCHEMA}.{table}")
    found = of_the_models(plain)
    assert not found.holds
    assert found.grave
    assert found.sentence == (
        "6 rows are staged, but the tables contain 5 events, and 0 rows are duplicates. Run these dates again "
        "(`python -m pipeline run --from 2026-03-02 --to 2026-03-02`) to add the missing ones."
    )


def test_an_event_that_is_in_its_table_twice_is_reported(plain: Lake) -> None:
    plain.stage(*one_of_each())
    plain.query(f"INSERT INTO {SCHEMA}.email_opened FROM {SCHEMA}.email_opened")
    assert not of_the_models(plain).holds


def test_what_was_due_is_delivered_waiting_or_dead(sender: Sender) -> None:
    sender.lake.stage(
        *(event_row(number) for number in range(4)), event_row(9, user_id=None), event_row(10, "Email Bounced")
    )
    sender.lake.put_out(sender.ledger)
    sender.server.misbehave(faults.Answer(400), faults.Answer(400), faults.Answer(400))
    sender.deliver()
    assert due_is_settled(sender.lake.connection, sender.ledger, DATES) == Finding(
        True,
        "6 events that were due = 3 delivered + 1 waiting + 2 dead.",
        {"due": 6, "delivered": 3, "waiting": 1, "dead": 2, "held": 0},
    )


def test_what_was_cut_and_not_registered_is_reported(sender: Sender) -> None:
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    sender.lake.stage(event_row(2))
    cut(sender.lake.connection, SCHEMA, DATES, NOW + timedelta(days=1))
    found = due_is_settled(sender.lake.connection, sender.ledger, DATES)
    assert not found.holds
    assert found.sentence == (
        "2 events were due, but 0 delivered + 1 waiting + 0 dead. Materialize delivery/outbox of these dates again."
    )


def test_what_the_ledger_lacks_it_gets_as_the_sentence_advises(sender: Sender, tmp_path: Path) -> None:
    """One batch was cut and not registered; then the whole ledger is lost."""
    sender.lake.stage(event_row(1), event_row(2, user_id=None))
    sender.lake.put_out(sender.ledger)
    sender.lake.stage(event_row(3))
    sender.lake.cut(sender.ledger)
    for number, ledger in enumerate((sender.ledger, Ledger(f"sqlite:///{tmp_path}/another.sqlite"))):
        assert not due_is_settled(sender.lake.connection, ledger, DATES).holds, number
        sender.lake.put_out(ledger)
        assert due_is_settled(sender.lake.connection, ledger, DATES).numbers == {
            "due": 3,
            "delivered": 0,
            "waiting": 2,
            "dead": 1,
            "held": 0,
        }


def test_each_date_is_counted_by_itself(sender: Sender) -> None:
    sender.lake.stage(event_row(1), event_row(2, export_date=f"{day(1).first}"))
    sender.lake.put_out(sender.ledger, day(1))
    assert due_is_settled(sender.lake.connection, sender.ledger, day(1)).numbers["due"] == 1
    assert due_is_settled(sender.lake.connection, sender.ledger, DATES).numbers["due"] == 0
    assert sender.lake.due_ids() == {id_of(2)}
