"""An event that waits for more than a day is reported."""

from datetime import datetime, timedelta

import pytest

from pipeline.ledger import REPORTED
from pipeline.segment.checks import DELIVERY_TARGET, late_events
from pipeline.segment.unfinished_dates import unfinished
from pipeline.warehouse.loads import Load, newest_loads
from tests.support.modelled_tables import DAY, NOW, Lake, event_row
from tests.support.sending import Sender

LATER = NOW + DELIVERY_TARGET + timedelta(hours=2)


def test_what_was_cut_a_moment_ago_is_not_late(sender: Sender) -> None:
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    assert late_events(sender.lake.connection, sender.ledger, NOW + DELIVERY_TARGET, delivers=True).holds


def test_what_waits_for_more_than_a_day_is_late(sender: Sender) -> None:
    sender.lake.stage(event_row(1), event_row(2, "Email Bounced"))
    sender.lake.put_out(sender.ledger)
    found = late_events(sender.lake.connection, sender.ledger, LATER, delivers=True)
    assert (found.holds, found.grave, found.numbers["late"]) == (False, False, 2)
    assert found.sentence.startswith("2 events of 2026-03-02 waiting for delivery, the oldest for 26 hours. ")


def test_what_was_delivered_is_not_late(sender: Sender) -> None:
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    sender.deliver()
    assert late_events(sender.lake.connection, sender.ledger, LATER, delivers=True).holds


def test_nothing_is_late_in_a_dry_run_nor_on_withheld_dates(sender: Sender) -> None:
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    assert late_events(sender.lake.connection, sender.ledger, LATER, delivers=False).holds
    sender.ledger.withhold([DAY], NOW)
    assert late_events(sender.lake.connection, sender.ledger, LATER, delivers=True).holds


def test_a_date_that_was_loaded_and_never_finished_is_reported(sender: Sender) -> None:
    loaded(sender.lake)
    found = late_events(sender.lake.connection, sender.ledger, LATER, delivers=True)
    assert found.numbers == {"late": 0, "dates_not_finished": 1}
    assert found.sentence.startswith("loaded, but not completed by a run: 2026-03-02.")

    sender.ledger.reach(REPORTED, {DAY: Load(1, NOW)})
    assert late_events(sender.lake.connection, sender.ledger, LATER, delivers=True).holds


@pytest.mark.parametrize("back", [timedelta(hours=2), timedelta(0)], ids=["set back", "standing still"])
def test_a_date_has_to_be_finished_again_whatever_the_clock_shows(sender: Sender, back: timedelta) -> None:
    """Its second file came after the clock was set back by two hours, or while it stood still."""
    loaded(sender.lake)
    sender.ledger.reach(REPORTED, newest_loads(sender.lake.connection))
    assert unfinished(sender.lake.connection, sender.ledger) == {}
    loaded(sender.lake, "b.csv", 2, NOW - back)
    assert unfinished(sender.lake.connection, sender.ledger) == {DAY: Load(2, NOW - back)}
    sender.ledger.reach(REPORTED, newest_loads(sender.lake.connection))
    assert unfinished(sender.lake.connection, sender.ledger) == {}


def test_a_warehouse_that_was_restored_gives_a_number_again_and_its_date_is_not_finished(sender: Sender) -> None:
    sender.ledger.reach(REPORTED, {DAY: Load(1, NOW - timedelta(days=1))})
    loaded(sender.lake)
    assert set(unfinished(sender.lake.connection, sender.ledger)) == {DAY}


def test_what_a_former_version_loaded_has_no_number_and_is_not_done_again(sender: Sender) -> None:
    for name, number, at in (("a.csv", None, NOW), ("b.csv", None, NOW - timedelta(hours=2))):
        loaded(sender.lake, name, number, at)
    sender.ledger.reach(REPORTED, {DAY: Load(0, NOW)})
    assert unfinished(sender.lake.connection, sender.ledger) == {}
    loaded(sender.lake, "c.csv", 1, NOW - timedelta(hours=1))
    assert set(unfinished(sender.lake.connection, sender.ledger)) == {DAY}


def loaded(lake: Lake, name: str = "a.csv", number: int | None = 1, at: datetime = NOW) -> None:
    lake.query(
        "INSERT INTO raw.export_files (export_date, name, status, rows, loaded_at, load_number) "
        "VALUES (?, ?, 'loaded', 1, ?, ?)",
        DAY,
        name,
        at,
        number,
    )
