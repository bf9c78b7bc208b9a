"""Checks of the staged events: missing names and contradictory times warn, and events of machines are counted."""

from collections.abc import Sequence

import pytest

from pipeline.models.checks import bots, ids_without_name, reactions_before_delivery
from tests.support.modelled_tables import DATES, Lake, day, event_row

AT = "2026-03-01T10:00:00+00:00"


def named(number: int, event: str = "Email Opened", **columns: object) -> dict[str, object]:
    return {**event_row(number, event), "email_subject": "Hello", **columns}


def test_the_check_of_names_passes_if_every_id_has_one(lake: Lake) -> None:
    lake.stage(named(1), named(2, campaign_id="c1", campaign_name="Spring"))
    assert ids_without_name(lake.connection, DATES).holds


def test_ids_without_a_name_are_counted_by_kind(lake: Lake) -> None:
    lake.stage(
        named(1),
        named(2, email_id="m2", email_subject=None),
        named(3, email_id="m2", email_subject=None),
        named(4, "Email Link Clicked", link_id="l1"),
        named(5, "Email Link Clicked", link_id="l2", link_name="Shop"),
    )
    found = ids_without_name(lake.connection, DATES)
    assert found.sentence.startswith("1 email without email_subject (2 events), 1 link without link_name (1 event). ")
    assert not found.grave
    assert found.numbers["links_without_name"] == 1
    assert ids_without_name(lake.connection, day(1)).holds


def test_a_kind_without_any_names_is_no_warning(lake: Lake) -> None:
    lake.stage(named(1, campaign_id="c1"))
    found = ids_without_name(lake.connection, DATES)
    assert found.holds
    assert found.numbers["events_without_campaign_name"] == 1


def test_a_kind_that_has_a_lookup_is_expected_to_have_names(lake: Lake) -> None:
    lake.stage(named(1, campaign_id="c1"))
    lake.query("INSERT INTO raw.lookups (kind, campaign_id, campaign_name) VALUES ('campaigns', 'c2', 'Spring')")
    assert "1 campaign without campaign_name" in ids_without_name(lake.connection, DATES).sentence


@pytest.mark.parametrize(
    ("reacted", "by", "holds"),
    [
        ("2026-03-01T10:05:00+00:00", {}, True),
        ("2026-03-01T09:59:30+00:00", {}, True),
        ("2026-03-01T08:00:00+00:00", {}, False),
        ("2026-03-01T08:00:00+00:00", {"user_id": "somebody else"}, True),
        ("2026-03-01T08:00:00+00:00", {"email_id": "another"}, True),
    ],
    ids=["after", "a moment before", "hours before", "other person", "other email"],
)
def test_an_open_follows_the_delivery_of_its_email(lake: Lake, reacted: str, by: dict[str, str], holds: bool) -> None:
    lake.stage(
        event_row(1, "Email Delivered", timestamp=AT, user_id="ann", export_date=f"{day(-1).first}"),
        event_row(2, "Email Opened", **{"timestamp": reacted, "user_id": "ann", **by}),
    )
    found = reactions_before_delivery(lake.connection, DATES)
    assert found.holds is holds
    if not holds:
        assert found.sentence.startswith(
            "1 open or click is earlier than the delivery of its email, by up to 2.0 hours."
        )


def test_an_open_may_be_earlier_than_a_second_delivery_of_its_email(lake: Lake) -> None:
    lake.stage(
        event_row(1, "Email Delivered", timestamp="2026-02-20T10:00:00+00:00", user_id="ann"),
        event_row(2, "Email Opened", timestamp="2026-03-01T10:00:00+00:00", user_id="ann"),
        event_row(3, "Email Delivered", timestamp="2026-03-01T12:00:00+00:00", user_id="ann"),
    )
    assert reactions_before_delivery(lake.connection, DATES).holds


def test_people_without_a_user_id_are_compared_by_address(lake: Lake) -> None:
    lake.stage(
        event_row(1, "Email Delivered", timestamp=AT, user_id=None, email="Ann@example.com"),
        event_row(
            2, "Email Link Clicked", timestamp="2026-02-27T09:00:00+00:00", user_id=None, email="ann@example.com"
        ),
    )
    assert "by up to 2 days" in reactions_before_delivery(lake.connection, DATES).sentence


@pytest.mark.parametrize(
    ("marks", "numbers"),
    [
        ([None, False], {"bots": 0, "unknown": 1, "people": 1}),
        ([True, True, False], {"bots": 2, "unknown": 0, "people": 1, "bots/email_opened": 2}),
    ],
)
def test_events_of_machines_are_counted_separately_and_never_warn(
    lake: Lake, marks: Sequence[bool | None], numbers: dict[str, int]
) -> None:
    lake.stage(*(event_row(number, is_bot=mark) for number, mark in enumerate(marks)))
    found = bots(lake.connection, DATES)
    assert (found.holds, found.numbers) == (True, numbers)
