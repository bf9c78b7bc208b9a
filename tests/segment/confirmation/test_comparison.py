"""Delivered and received are the same, or the result has what is missing, for which reason, and what to do."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from pipeline.catalog import EVENTS
from pipeline.export_dates import ExportDates
from pipeline.ledger import Batch, DeadEvent, Ledger, Remaining, SentBatch, Settled
from pipeline.segment.confirmation.comparison import Confirmation, Moment, Tally, compare, confirm
from pipeline.segment.confirmation.public_api import RETRIES, Count, PublicApiClient, Stage
from tests.fakes.public_api_server import FAILED, FILTERED, RECEIVED, Happened, PublicApiServer
from tests.support.modelled_tables import DATES, DAY, day
from tests.support.sending import START, FakeTime

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = START + 4 * HOUR  # 10:30
SINCE, UNTIL = START - 30 * MINUTE, NOW - 30 * MINUTE  # the full hours
Deliver = Callable[..., None]


@pytest.fixture
def segment(time: FakeTime) -> Iterator[PublicApiServer]:
    time.sleep(4 * 3600)
    with PublicApiServer(clock=time.now) as server:
        yield server


@pytest.fixture
def deliver(ledger: Ledger) -> Deliver:
    """A batch of the ledger, and when it was tried first and delivered."""

    def deliver(
        name: str,
        events: int,
        at: datetime,
        *,
        first: datetime | None = None,
        event: str = "email_opened",
        dates: ExportDates = DATES,
        dead: int = 0,
    ) -> None:
        batch = Batch(name, event, dates.first, 0, events)
        ledger.register([batch], [], first or at)
        ledger.start_attempts([batch], first or at)
        died = [DeadEvent(f"{name}-{number}", event, dates.first, name, "400") for number in range(dead)]
        ledger.settle([Settled(batch, True, 1, died)], at)

    return deliver


def confirmed(segment: PublicApiServer, ledger: Ledger, time: FakeTime, dates: ExportDates = DATES) -> Confirmation:
    client = PublicApiClient(segment.url, "test-token", "source-1", replace(RETRIES, clock=time.now, sleep=time.sleep))
    try:
        return confirm(ledger, client.count, dates, NOW)
    finally:
        client.close()


def test_what_segment_received_is_confirmed(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    """One of the batch's three events died of a 400; other events of the source are another sender's."""
    deliver("a", 3, START, dead=1)
    deliver("b", 5, START + HOUR, event="email_bounced", dates=day(-1))
    segment.record(
        Happened(RECEIVED, "Email Opened", START, 2),
        Happened(RECEIVED, "Email Bounced", START + HOUR, 5),
        Happened(RECEIVED, "Order Completed", START, 900),
        Happened(FILTERED, "Order Completed", START, 12, "unplanned"),
    )
    found = confirmed(segment, ledger, time)
    assert (found.state, found.holds, found.not_yet) == ("confirmed", True, 0)
    assert found.sentence == (
        "Segment received all 7 events that were delivered from 2026-03-02 06:00 UTC to 2026-03-02 10:00 UTC."
    )
    assert [tally for tally in found.tallies if tally.delivered] == [
        Tally("email_opened", 2, 2),
        Tally("email_bounced", 5, 5),
    ]
    assert found.moments == [
        Moment(START - 30 * MINUTE, "email_opened", 2, 2, 0),
        Moment(START + 30 * MINUTE, "email_bounced", 5, 5, 0),
    ]


def test_what_segment_discarded_has_its_reason_and_what_to_do(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    deliver("a", 5, START)
    segment.record(
        Happened(RECEIVED, "Email Opened", START, 4),
        Happened(FAILED, "Email Opened", START, 1, "id_not_string"),
        Happened(FILTERED, "Email Opened", START, 2, "unplanned"),
    )
    found = confirmed(segment, ledger, time)
    assert (found.state, found.holds) == ("differs", False)
    assert found.sentence == (
        "Of 5 events that were delivered from 2026-03-02 06:00 UTC to 2026-03-02 10:00 UTC, Segment discarded "
        "1 email_opened for id_not_string (a user id is empty; check its column in the export), "
        "2 email_opened for unplanned (the source blocks events that are not in its tracking plan; "
        "add this one to the plan)."
    )


def test_what_segment_did_not_count_is_missing(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    """The write key of another source: everything got its 200, and this source has none of it."""
    deliver("a", 5, START)
    found = confirmed(segment, ledger, time)
    assert found.sentence == (
        "Of 5 events that were delivered from 2026-03-02 06:00 UTC to 2026-03-02 10:00 UTC, Segment has not counted "
        "5 email_opened (check that SEGMENT_SOURCE_ID is the source of SEGMENT_WRITE_KEY, and check its debugger)."
    )


def test_what_was_discarded_without_its_name_may_be_what_is_missing(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    """Where nothing is missing, they are another sender's."""
    deliver("a", 5, START)
    segment.record(Happened(FAILED, "", START, 5, "source_disabled"))
    assert confirmed(segment, ledger, time).sentence.endswith(
        "Segment has not counted 5 email_opened (check that SEGMENT_SOURCE_ID is the source of SEGMENT_WRITE_KEY, and "
        "check its debugger). It discarded 5 events without a name for source_disabled "
        "(the source is disabled; enable it in its settings)."
    )
    segment.record(Happened(RECEIVED, "Email Opened", START, 5))
    assert confirmed(segment, ledger, time).holds


def test_what_is_too_new_is_not_yet_confirmed_and_what_was_before_it_is(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    """A daily run: today's events are minutes old, and yesterday's are confirmed by it."""
    deliver("yesterday", 4, NOW - 24 * HOUR, dates=day(-1))
    deliver("today", 6, NOW - 10 * MINUTE)
    segment.record(Happened(RECEIVED, "Email Opened", NOW - 24 * HOUR, 4))
    found = confirmed(segment, ledger, time)
    assert (found.state, found.holds, found.not_yet) == ("confirmed", True, 6)
    assert found.sentence == (
        "Segment received all 4 events that were delivered from 2026-03-01 10:00 UTC to 2026-03-02 10:00 UTC. "
        "Not yet confirmed: 6 events delivered since 2026-03-02 10:00 UTC, and Segment counts some minutes late; "
        "the next run confirms them, or materialize delivery/confirmation again after 2026-03-02 11:15 UTC."
    )


def test_a_first_run_asks_nothing_and_confirms_nothing_yet(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    deliver("today", 6, NOW - MINUTE)
    found = confirmed(segment, ledger, time)
    assert (found.state, found.holds, found.not_yet) == ("not yet", True, 6)
    assert segment.asked == []


def test_what_was_delivered_longer_ago_than_segment_counts_is_not_asked_about(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    deliver("old", 6, NOW - timedelta(days=15))
    deliver("other", 6, NOW - HOUR, dates=day(-1))
    assert confirmed(segment, ledger, time).state == "nothing to ask"
    assert segment.asked == []


def test_over_many_days_the_table_is_by_day(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    for number, at in enumerate((NOW - timedelta(days=13), NOW - timedelta(days=10), NOW - HOUR)):
        deliver(f"{number}", 2, at)
        segment.record(Happened(RECEIVED, "Email Opened", at, 2))
    found = confirmed(segment, ledger, time)
    assert found.holds
    assert [(moment.start.date() - DAY).days for moment in found.moments] == [-13, -10, 0]


@pytest.mark.parametrize("age", [HOUR, timedelta(days=13, hours=22), timedelta(days=13, hours=23, minutes=59)])
def test_no_more_is_asked_than_segment_answers(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver, age: timedelta
) -> None:
    """Segment's clock judges how far back a request reaches, and it may come after some retries."""
    deliver("a", 5, NOW - age)
    time.sleep(30 * 60)
    confirmed(segment, ledger, time)
    assert segment.statuses == [200] * 3


def test_a_batch_that_was_sent_twice_shows_up_as_more_and_is_no_fault(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    deliver("a", 5, START)
    segment.record(Happened(RECEIVED, "Email Opened", START, 10))
    found = confirmed(segment, ledger, time)
    assert found.holds
    assert found.sentence.endswith(
        "Segment counts 5 more than the ledger: batches that were sent twice because an answer was lost, or another "
        "sender of this source."
    )


def test_a_batch_that_arrived_before_the_stretch_and_is_in_the_ledger_after_it_is_not_missing(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    """Segment has it at 05:59:59, the ledger at 06:00:01."""
    edge = START - 30 * MINUTE
    deliver("a", 5, edge + timedelta(seconds=1), first=edge - timedelta(seconds=1))
    segment.record(Happened(RECEIVED, "Email Opened", edge - timedelta(seconds=1), 5))
    assert confirmed(segment, ledger, time).holds


def test_what_is_lost_on_one_day_is_not_made_up_for_by_what_is_counted_twice_on_another(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    """As many events came twice this morning as were lost two days ago."""
    deliver("lost", 5, START - 48 * HOUR)
    deliver("twice", 5, START)
    segment.record(Happened(RECEIVED, "Email Opened", START, 10))
    found = confirmed(segment, ledger, time)
    assert not found.holds
    assert [(tally.missing, tally.more) for tally in found.tallies if tally.delivered] == [(5, 5)]


def test_a_delivery_that_goes_on_while_it_is_asked_about_is_not_short_of_what_another_clock_counts_later(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    """A batch a second, and Segment's clock two seconds ahead: at the newest edge, two batches seem to be missing."""
    for number in range(100):
        at = UNTIL + timedelta(seconds=number - 90)
        deliver(f"{number}", 5, at)
        segment.record(Happened(RECEIVED, "Email Opened", at + timedelta(seconds=2), 5))
    found = confirmed(segment, ledger, time)
    assert (found.holds, found.not_yet) == (True, 50)


def test_hours_that_a_batch_lay_between_are_compared_together(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    """It is unknown in which of the two hours Segment counted it."""
    full = START + 30 * MINUTE
    deliver("before", 3, START)
    deliver("between", 5, full + timedelta(seconds=30), first=full - timedelta(seconds=30))
    segment.record(Happened(RECEIVED, "Email Opened", START, 3), Happened(RECEIVED, "Email Opened", full, 5))
    found = confirmed(segment, ledger, time)
    assert (found.holds, [tally.more for tally in found.tallies if tally.delivered]) == (True, [0])


def test_a_lost_batch_that_lay_between_two_hours_is_missing(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    full = START + 30 * MINUTE
    deliver("before", 3, START)
    deliver("between", 5, full + timedelta(seconds=30), first=full - timedelta(seconds=30))
    segment.record(Happened(RECEIVED, "Email Opened", START, 3))
    found = confirmed(segment, ledger, time)
    assert (found.holds, [tally.missing for tally in found.tallies if tally.delivered]) == (False, [5])


def test_events_that_were_forgotten_since_are_neither_missing_nor_more(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    deliver("a", 5, START)
    ledger.forget([Remaining("a", "email_opened", DAY, 3)], [])
    segment.record(Happened(RECEIVED, "Email Opened", START, 5))
    found = confirmed(segment, ledger, time)
    assert found.holds
    assert "more" not in found.sentence


def test_a_public_api_that_does_not_answer_is_reported_with_what_to_do(
    segment: PublicApiServer, ledger: Ledger, time: FakeTime, deliver: Deliver
) -> None:
    deliver("a", 5, START)
    segment.answer_next(Response("no such token", 401))
    found = confirmed(segment, ledger, time)
    assert (found.state, found.holds) == ("unanswered", False)
    assert found.sentence == (
        "Segment's Public API gave no numbers: it answered 401: no such token. Check SEGMENT_PUBLIC_API_TOKEN and "
        "SEGMENT_REGION; Delivery Overview needs a Team or Business plan. Fix that and materialize "
        "delivery/confirmation of these dates again; the deliveries are not affected."
    )


def test_a_ledger_without_deliveries_has_nothing_to_confirm(tmp_path: Path, time: FakeTime) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/empty.sqlite")
    with PublicApiServer(clock=time.now) as server:
        assert confirmed(server, ledger, time).state == "nothing to ask"


NAME_OF = {event.table: event.name for event in EVENTS}
BATCHES = st.lists(
    st.builds(
        lambda event, events, first, later: SentBatch(event, DAY, events, 0, first, first + later),
        st.sampled_from(list(NAME_OF)),
        st.integers(1, 2500),
        st.integers(-60, 300).map(lambda minutes: START + minutes * MINUTE),
        st.integers(0, 90).map(lambda seconds: timedelta(seconds=seconds)),
    ),
    max_size=20,
)


@given(sent=BATCHES, lost=st.integers(0, 5))
def test_exactly_what_is_lost_inside_the_stretch_is_missing(sent: list[SentBatch], lost: int) -> None:
    """Segment counts each batch when it arrives, inside the stretch or not; the first few inside were dropped."""
    apart = timedelta(minutes=1)
    inside = [
        batch
        for batch in sent
        if batch.first_attempt_at - apart >= SINCE and (batch.delivered_at or UNTIL) + apart <= UNTIL
    ]
    gone = inside[:lost]
    kept = [batch for batch in sent if batch not in gone and SINCE <= batch.first_attempt_at < UNTIL]
    crossing = {batch.event for batch in kept if batch not in inside}
    counts = [Count(NAME_OF[batch.event], None, batch.first_attempt_at, batch.events) for batch in kept]
    for tally in compare(sent, {Stage.RECEIVED: counts}, SINCE, UNTIL)[0]:
        assert tally.more == 0
        expected = sum(batch.events for batch in sent if batch in gone and batch.event == tally.event)
        assert tally.missing <= expected
        if tally.event not in crossing:
            assert tally.missing == expected
