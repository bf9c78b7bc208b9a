"""What is due is cut into batches that Segment takes, once: what was cut never changes again."""

import itertools
import json
from datetime import timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.segment import cut_rules, outbox
from pipeline.segment.client import body_of
from pipeline.segment.cut_rules import CutRules, Limits
from pipeline.segment.outbox import cut, cut_batches, undeliverable
from pipeline.segment.unwanted import withdrawn
from tests.fakes.segment_rules import Batch, discard_code, read_batch
from tests.support.modelled_tables import (
    DATES,
    DAY,
    NOW,
    PROPERTIES,
    SCHEMA,
    TABLES,
    Lake,
    day,
    event_row,
    id_of,
    large,
    one_of_each,
)

EVENT_LIMIT_BYTES = 32_000
BATCH_LIMIT_BYTES = 475_000
BATCH_LIMIT_EVENTS = 2_500
LATER = NOW + timedelta(days=1)


def request_bodies(lake: Lake, dates: ExportDates = DATES) -> list[bytes]:
    """The bodies as they are sent, one a batch."""
    return [
        body_of(body.messages, NOW)
        for batch in cut_batches(lake.connection, dates)
        for body in lake.reader.bodies([batch], [])
    ]


def assert_segment_takes(body: bytes) -> list[Any]:
    """The ids in a body within every limit, none of which Segment would drop."""
    assert len(body) <= BATCH_LIMIT_BYTES
    batch = read_batch({"content-type": "application/json"}, body)
    assert isinstance(batch, Batch)
    assert 1 <= len(batch.messages) <= BATCH_LIMIT_EVENTS
    assert max(batch.sizes) <= EVENT_LIMIT_BYTES
    assert {discard_code(*of) for of in zip(batch.messages, batch.sizes, strict=True)} == {None}
    return [message["messageId"] for message in batch.messages]


# Once


def test_nothing_is_cut_on_a_quiet_day(lake: Lake) -> None:
    nothing = cut(lake.connection, SCHEMA, DATES, NOW)
    assert (nothing.batches, nothing.dead) == (0, 0)
    assert nothing.events == dict.fromkeys(TABLES.values(), 0)
    assert lake.outbox() == []


def test_what_was_cut_is_never_cut_again(lake: Lake) -> None:
    lake.stage(*one_of_each(), event_row(9, "Email Opened", user_id=None))
    first = cut(lake.connection, SCHEMA, DATES, NOW)
    assert first.events == dict.fromkeys(TABLES.values(), 1) | {"email_opened": 2}
    assert (first.batches, first.dead) == (6, 1)
    before = lake.outbox()

    again = cut(lake.connection, SCHEMA, DATES, LATER)
    assert again.events == dict.fromkeys(TABLES.values(), 0)
    assert (again.batches, again.dead) == (0, 0)
    assert lake.outbox() == before


def test_a_long_day_is_cut_stretch_by_stretch(plain: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are summed up within a stretch only, so no batch crosses its end, and no event is lost there."""
    monkeypatch.setattr(outbox, "_STRETCH_EVENTS", 5)
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 2)
    plain.stage(*(event_row(number) for number in range(12)), event_row(99, user_id=None))
    cut(plain.connection, SCHEMA, DATES, NOW)
    assert [len(ids) for ids in plain.batches().values()] == [2, 2, 1, 2, 2, 1, 2]
    assert plain.due_ids() == {id_of(number) for number in range(12)}
    assert plain.query("SELECT DISTINCT sequence FROM delivery.outbox ORDER BY ALL NULLS LAST") == [
        *((number,) for number in range(1, 8)),
        (None,),
    ]


def test_late_events_of_a_date_make_batches_of_their_own(lake: Lake) -> None:
    """Even if they happened amid the others: a batch that may be on its way must not grow."""
    lake.stage(event_row(1), event_row(5))
    cut(lake.connection, SCHEMA, DATES, NOW)
    before = lake.outbox()

    lake.stage(event_row(3))
    late = cut(lake.connection, SCHEMA, DATES, LATER)
    assert (late.events["email_opened"], late.batches) == (1, 1)
    assert [row for row in lake.outbox() if row[0] != id_of(3)] == before
    assert list(lake.batches().values()) == [[id_of(1), id_of(5)], [id_of(3)]]
    assert [batch.sequence for batch in cut_batches(lake.connection, DATES)] == [1, 2]


def test_a_name_that_a_lookup_adds_late_does_not_change_what_was_cut(plain: Lake) -> None:
    plain.stage(event_row(1))
    cut(plain.connection, SCHEMA, DATES, NOW)
    before = plain.outbox()

    plain.query(f"UPDATE {SCHEMA}.email_opened SET campaign_name = 'Spring', user_id = 'another'")
    cut(plain.connection, SCHEMA, DATES, LATER)
    assert plain.outbox() == before


def test_an_event_whose_export_date_changes_is_not_due_again(plain: Lake) -> None:
    """The export of an earlier date came late and contains the same event: from now on, it belongs to that date."""
    plain.stage(event_row(1))
    cut(plain.connection, SCHEMA, DATES, NOW)
    before = plain.outbox()

    yesterday = day(-1)
    plain.query("UPDATE staging.events SET export_date = ?", yesterday.first)
    assert cut(plain.connection, SCHEMA, yesterday, LATER).events["email_opened"] == 0
    assert plain.outbox() == before


def test_only_the_export_dates_asked_for_are_cut_and_dates_never_share_a_batch(plain: Lake) -> None:
    plain.stage(*(event_row(number, export_date=f"{day(number).first}") for number in range(3)))

    assert cut(plain.connection, SCHEMA, day(1), NOW).events["email_opened"] == 1
    assert list(plain.batches().values()) == [[id_of(1)]]

    three_days = ExportDates(day(0).first, day(2).first)
    assert cut(plain.connection, SCHEMA, three_days, LATER).batches == 2
    assert list(plain.batches().values()) == [[id_of(0)], [id_of(1)], [id_of(2)]]


def test_a_cut_that_breaks_off_has_cut_nothing(plain: Lake) -> None:
    plain.stage(*one_of_each())
    plain.query(f"ALTER TABLE {SCHEMA}.email_unsubscribed RENAME TO elsewhere")
    with pytest.raises(duckdb.Error):
        cut(plain.connection, SCHEMA, DATES, NOW)
    assert plain.outbox() == []

    plain.query(f"ALTER TABLE {SCHEMA}.elsewhere RENAME TO email_unsubscribed")
    assert cut(plain.connection, SCHEMA, DATES, NOW).events == dict.fromkeys(TABLES.values(), 1)


# Limits


def test_2501_events_are_no_request_of_2501_events(plain: Lake) -> None:
    """The last would be lost after a 200."""
    plain.stage(*(event_row(number) for number in range(BATCH_LIMIT_EVENTS + 1)))
    cut(plain.connection, SCHEMA, DATES, NOW)
    sent = [assert_segment_takes(body) for body in request_bodies(plain)]
    assert [key for ids in sent for key in ids] == [id_of(number) for number in range(BATCH_LIMIT_EVENTS + 1)]


def test_a_batch_ends_at_the_number_of_events_as_well(plain: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Today's messages fill a batch with bytes long before; the number is brought down to be reached first."""
    assert cut_rules.MAX_BATCH_EVENTS == BATCH_LIMIT_EVENTS
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 3)
    plain.stage(*(event_row(number) for number in range(7)))
    assert cut(plain.connection, SCHEMA, DATES, NOW).batches == 3
    assert [len(ids) for ids in plain.batches().values()] == [3, 3, 1]


def test_under_a_low_ceiling_batches_are_small_and_those_of_old_dates_smaller(plain: Lake) -> None:
    two_days = ExportDates(day(-1).first, DAY)
    plain.stage(
        *(event_row(number) for number in range(7)),
        *(event_row(number, export_date=f"{day(-1).first}") for number in range(10, 17)),
    )
    cut(plain.connection, SCHEMA, two_days, NOW, CutRules(limits=Limits(4, 2, before=DAY)))
    assert [len(ids) for ids in plain.batches(day(-1)).values()] == [2, 2, 2, 1]
    assert [len(ids) for ids in plain.batches(DATES).values()] == [4, 3]


@pytest.mark.parametrize("character", ["x", "é", '"', "🎉"])
def test_an_event_of_32000_bytes_is_sent_and_one_of_32001_is_dead(plain_of_many_days: Lake, character: str) -> None:
    """Bytes of JSON count, as it is sent: not characters, and a quotation mark is two."""
    lake, dates = plain_of_many_days, day(-next(NUMBERS))
    on_that_day = {"export_date": f"{dates.first}", "campaign_name": ""}
    shortest, fits, does_not = next(NUMBERS), next(NUMBERS), next(NUMBERS)
    lake.stage(event_row(shortest, email_subject="", **on_that_day))
    cut(lake.connection, SCHEMA, dates, NOW)
    bare = len(lake.payloads(dates)[id_of(shortest)].encode())

    width = len(json.dumps(character, ensure_ascii=False).encode()) - 2
    subject, rest = character * ((EVENT_LIMIT_BYTES - bare) // width), (EVENT_LIMIT_BYTES - bare) % width
    same_length = {"user_id": f"user-{shortest}", "export_date": f"{dates.first}"}
    lake.stage(
        event_row(fits, email_subject=subject + rest * "x", **same_length, campaign_name=""),
        event_row(does_not, email_subject=subject + rest * "x", **same_length, campaign_name="x"),
    )
    cut(lake.connection, SCHEMA, dates, LATER)

    payloads = lake.payloads(dates)
    assert len(payloads[id_of(fits)].encode()) == 32_000
    assert len(payloads[id_of(does_not)].encode()) == 32_001
    (dead,) = undeliverable(lake.connection, dates)
    assert (dead.id, dead.event, dead.export_date, dead.batch_id) == (
        id_of(does_not),
        "email_opened",
        dates.first,
        None,
    )
    assert dead.reason == "message_too_large: 32001 bytes of JSON; the limit is 32000"
    assert {key for ids in lake.batches(dates).values() for key in ids} == {id_of(shortest), id_of(fits)}


NUMBERS = itertools.count(1)
sizes = st.integers(0, 400) | st.integers(29_000, 33_000) | st.integers(0, 33_000)


@settings(deadline=None, max_examples=15)
@given(
    first=st.lists(sizes, max_size=50),
    late=st.lists(sizes, max_size=20),
    character=st.sampled_from(["x", "é", '"', "\x01"]),
)
def test_whatever_the_sizes_every_request_is_within_the_limits_and_no_event_is_missing(
    plain_of_many_days: Lake, first: list[int], late: list[int], character: str
) -> None:
    lake, dates = plain_of_many_days, day(next(NUMBERS))
    staged: set[str] = set()
    for number_of_bytes, now in ((first, NOW), (late, LATER)):
        width = len(json.dumps(character, ensure_ascii=False).encode()) - 2
        numbers = [next(NUMBERS) for _ in number_of_bytes]
        if numbers:
            lake.stage(
                *(
                    event_row(number, email_subject=character * (size // width), export_date=f"{dates.first}")
                    for number, size in zip(numbers, number_of_bytes, strict=True)
                )
            )
        staged |= {id_of(number) for number in numbers}
        cut(lake.connection, SCHEMA, dates, now)

    sent = [assert_segment_takes(body) for body in request_bodies(lake, dates)]
    dead = {event.id for event in undeliverable(lake.connection, dates)}
    assert sorted([key for ids in sent for key in ids] + list(dead)) == sorted(staged)
    payloads = lake.payloads(dates)
    assert dead == {key for key in staged if len(payloads[key].encode()) > EVENT_LIMIT_BYTES}


def test_batches_are_as_full_as_the_limits_allow_but_for_one_event(plain_of_many_days: Lake) -> None:
    """Half-empty batches would double the requests of a big day."""
    lake, dates = plain_of_many_days, day(-next(NUMBERS))
    lake.stage(*(large(next(NUMBERS), subject_bytes=10_000, export_date=f"{dates.first}") for _ in range(150)))
    cut(lake.connection, SCHEMA, dates, NOW)
    *full, _last = request_bodies(lake, dates)
    assert full
    assert min(map(len, full)) > BATCH_LIMIT_BYTES - EVENT_LIMIT_BYTES - 11_000


def test_one_event_name_a_batch(plain: Lake) -> None:
    plain.stage(*one_of_each(), *(event_row(number + 10, event) for number, event in enumerate(PROPERTIES)))
    cut(plain.connection, SCHEMA, DATES, NOW)
    batches = cut_batches(plain.connection, DATES)
    assert {(batch.event, batch.events, batch.export_date) for batch in batches} == {
        (table, 2, DAY) for table in TABLES.values()
    }
    for batch in batches:
        (body,) = plain.reader.bodies([batch], [])
        assert {json.loads(message)["event"] for message in body.messages.split(b",\n")} == {
            {table: event for event, table in TABLES.items()}[batch.event]
        }


# What Segment would drop without a word


def test_an_event_without_a_person_is_dead_and_its_neighbours_are_not(plain: Lake) -> None:
    plain.stage(event_row(1), event_row(2, user_id=None, email=None), event_row(3, user_id=None, email="a@b.example"))
    done = cut(plain.connection, SCHEMA, DATES, NOW)
    assert (done.events["email_opened"], done.dead, done.batches) == (3, 1, 1)
    (dead,) = undeliverable(plain.connection, DATES)
    assert dead.id == id_of(2)
    assert dead.reason.startswith("no_user_anon_id: neither a user id nor an email address is known")
    assert list(plain.batches().values()) == [[id_of(1), id_of(3)]]


def test_an_empty_user_id_identifies_no_person_either(plain: Lake) -> None:
    """A lookup can give one. Segment answers 200 and drops the event: `id_not_string`, "an empty string"."""
    plain.stage(event_row(1, user_id=""), event_row(2, user_id=None, email=""), event_row(3))
    cut(plain.connection, SCHEMA, DATES, NOW)
    assert {event.id for event in undeliverable(plain.connection, DATES)} == {id_of(1), id_of(2)}
    assert plain.due_ids() == {id_of(3)}


def test_only_dead_events_on_a_day_make_no_batch(plain: Lake) -> None:
    plain.stage(event_row(1, user_id=None))
    assert cut(plain.connection, SCHEMA, DATES, NOW).batches == 0
    assert cut_batches(plain.connection, DATES) == []


# Reading it again


def test_bodies_leave_out_dead_events_and_are_empty_when_no_event_is_left(plain: Lake, ledger: Ledger) -> None:
    plain.stage(event_row(1), event_row(2), event_row(3, export_date=f"{day(1).first}"))
    plain.put_out(ledger, ExportDates(DAY, day(1).first))
    (batch,) = cut_batches(plain.connection, DATES)

    (all_of_them,) = plain.reader.bodies([batch], [])
    first, second = (plain.payloads()[id_of(number)].encode() for number in (1, 2))
    assert all_of_them.messages == first + b",\n" + second
    assert [body.messages for body in plain.reader.bodies([batch], [id_of(1)])] == [second]
    assert [body.messages for body in plain.reader.bodies([batch], [id_of(1), id_of(2)])] == [b""]


def test_events_that_no_export_contains_any_longer_are_found(lake: Lake) -> None:
    lake.stage(event_row(1), event_row(2), event_row(3, "Email Bounced"), event_row(4, export_date=f"{day(1).first}"))
    both_days = ExportDates(DAY, day(1).first)
    cut(lake.connection, SCHEMA, both_days, NOW)
    assert withdrawn(lake.connection, both_days) == []

    lake.withdraw_events(2, 3, 4)
    assert {event.id for event in withdrawn(lake.connection, DATES)} == {id_of(2), id_of(3)}
    assert {event.id for event in withdrawn(lake.connection, both_days)} == {id_of(2), id_of(3), id_of(4)}
    assert {event.reason for event in withdrawn(lake.connection, both_days)} == {
        "withdrawn: a corrected export no longer contains it"
    }


def test_an_event_that_moves_to_another_export_date_is_not_withdrawn(plain: Lake) -> None:
    plain.stage(event_row(1))
    cut(plain.connection, SCHEMA, DATES, NOW)
    plain.query("UPDATE staging.events SET export_date = ?", day(-1).first)
    assert withdrawn(plain.connection, DATES) == []


def test_a_date_that_lost_all_its_events_has_them_all_withdrawn(plain: Lake) -> None:
    plain.stage(event_row(1), event_row(2))
    cut(plain.connection, SCHEMA, DATES, NOW)
    plain.withdraw_events(1, 2)
    assert {event.id for event in withdrawn(plain.connection, DATES)} == {id_of(1), id_of(2)}
