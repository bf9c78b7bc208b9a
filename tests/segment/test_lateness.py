"""Nothing waits for Segment for more than a day, or somebody is told."""

from datetime import timedelta

from pipeline.segment.lateness import DELIVERY_TARGET, late_events
from pipeline.segment.ledger import REPORTED
from tests.segment.lake import DAY, NOW, Lake, said
from tests.segment.sending import Sender

LATER = NOW + DELIVERY_TARGET + timedelta(hours=2)


def test_what_was_cut_a_moment_ago_is_not_late(sender: Sender) -> None:
    sender.lake.stage(said(1))
    sender.lake.put_out(sender.ledger)
    assert late_events(sender.lake.connection, sender.ledger, NOW + DELIVERY_TARGET, delivers=True).holds


def test_what_waits_for_more_than_a_day_is_late(sender: Sender) -> None:
    sender.lake.stage(said(1), said(2, "Email Bounced"))
    sender.lake.put_out(sender.ledger)
    found = late_events(sender.lake.connection, sender.ledger, LATER, delivers=True)
    assert (found.holds, found.grave, found.numbers["late"]) == (False, False, 2)
    assert found.sentence.startswith("2 events of 2026-03-02 wait for Segment, the oldest for 26 hours. ")


def test_what_was_delivered_is_not_late(sender: Sender) -> None:
    sender.lake.stage(said(1))
    sender.lake.put_out(sender.ledger)
    sender.deliver()
    assert late_events(sender.lake.connection, sender.ledger, LATER, delivers=True).holds


def test_nothing_is_late_in_a_dry_run_nor_on_withheld_dates(sender: Sender) -> None:
    sender.lake.stage(said(1))
    sender.lake.put_out(sender.ledger)
    assert late_events(sender.lake.connection, sender.ledger, LATER, delivers=False).holds
    sender.ledger.withhold([DAY], NOW)
    assert late_events(sender.lake.connection, sender.ledger, LATER, delivers=True).holds


def test_a_date_that_was_loaded_and_never_finished_is_told(sender: Sender) -> None:
    loaded(sender.lake)
    found = late_events(sender.lake.connection, sender.ledger, LATER, delivers=True)
    assert found.numbers == {"late": 0, "dates_not_finished": 1}
    assert found.sentence.startswith("2026-03-02 was loaded and did not go all the way.")

    sender.ledger.reach(REPORTED, {DAY: NOW})
    assert late_events(sender.lake.connection, sender.ledger, LATER, delivers=True).holds


def loaded(lake: Lake) -> None:
    lake.query(
        "INSERT INTO raw.export_files (export_date, name, status, rows, loaded_at) VALUES (?, 'a.csv', 'loaded', 1, ?)",
        DAY,
        NOW,
    )
