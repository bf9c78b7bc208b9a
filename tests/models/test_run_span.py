"""Which events a run models again since lookups of its dates give them another name or person."""

import json
from datetime import date, datetime, timedelta

import pytest

from pipeline.models.run_span import revisions, run_span
from tests.support.modelled_tables import DATES, DAY, FIRST_MOMENT, NOW, Lake, day, event_row

BEFORE = DAY - timedelta(days=1)


def look_up(lake: Lake, kind: str, at: datetime = NOW, **columns: str) -> None:
    """A row of a lookup file of the day on which it was exported."""
    names = ["kind", "export_date", "exported_at", *columns]
    lake.query(
        f"INSERT INTO raw.lookups ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        kind, at.date(), at, *columns.values(),
    )  # fmt: skip


def replace(lake: Lake, kind: str, of: date = DAY) -> None:
    """A lookup file of the run was replaced; its former content is no longer there."""
    lake.query(
        "INSERT INTO raw.export_files (export_date, name, kind, status) VALUES (?, 'lookup.csv', ?, 'replaced')",
        of,
        kind,
    )


def gave(lake: Lake, **columns: str) -> None:
    """The lookups' values for the first event when it was modelled."""
    listed = ", ".join(f"{name} = ?" for name in columns)
    lake.query(f"UPDATE staging.events SET {listed} WHERE timestamp = ?", *columns.values(), _moment(1))


def renamed(lake: Lake) -> tuple[datetime | None, datetime | None] | None:
    """The first and last time of the events that will be renamed; None if there are none."""
    span = run_span(lake.connection, DATES)
    return (span.earliest, span.latest) if span.all_names else None


def _moment(number: int) -> datetime:
    return FIRST_MOMENT + timedelta(seconds=number)


ONLY_THE_FIRST = (_moment(1), _moment(1))


def test_a_lookup_with_a_new_name_renames_events(plain: Lake) -> None:
    plain.stage(event_row(1, campaign_id="c1"), event_row(2, campaign_id="c2"))
    look_up(plain, "campaigns", NOW - timedelta(days=1), campaign_id="c1", campaign_name="Spring")
    look_up(plain, "campaigns", campaign_id="c1", campaign_name="Summer")
    assert renamed(plain) == ONLY_THE_FIRST


def test_a_lookup_that_is_corrected_to_an_older_name_renames_events(plain: Lake) -> None:
    """The lookups no longer contain the other name that the events have."""
    plain.stage(event_row(1, campaign_id="c1"), event_row(2, campaign_id="c2"))
    gave(plain, campaign_name="Wrong")
    for at in (NOW - timedelta(days=1), NOW):
        look_up(plain, "campaigns", at, campaign_id="c1", campaign_name="Spring")
    assert renamed(plain) is None
    replace(plain, "campaigns")
    assert renamed(plain) == ONLY_THE_FIRST
    gave(plain, campaign_name="Spring")
    assert renamed(plain) is None


@pytest.mark.parametrize("user_id", ["zoe", " zoe "])
def test_a_corrected_contact_assigns_events_to_the_right_person(plain: Lake, user_id: str) -> None:
    plain.stage(event_row(1, user_id=None, list_id="12", selligent_user_id="7"), event_row(2))
    gave(plain, user_id="jef")
    for at in (NOW - timedelta(days=1), NOW):
        look_up(plain, "contacts", at, list_id="12", selligent_user_id="7", user_id=user_id)
    replace(plain, "contacts")
    assert renamed(plain) == ONLY_THE_FIRST
    gave(plain, user_id="zoe")
    assert renamed(plain) is None


def test_a_name_that_a_corrected_lookup_lacks_is_removed_from_events(plain: Lake) -> None:
    plain.stage(event_row(1, campaign_id="c1"), event_row(2, campaign_id="c2"))
    gave(plain, campaign_name="Wrong")
    look_up(plain, "campaigns", campaign_id="c2", campaign_name="Summer")
    replace(plain, "campaigns")
    assert renamed(plain) == (_moment(1), _moment(2))


def test_a_corrected_lookup_does_not_replace_names_from_the_export_itself(plain: Lake) -> None:
    plain.stage(
        event_row(1, campaign_id="c1", campaign_name="Its own"), event_row(2, campaign_id="c2", campaign_name="Its own")
    )
    for at in (NOW - timedelta(days=1), NOW):
        look_up(plain, "campaigns", at, campaign_id="c1", campaign_name="Spring")
    replace(plain, "campaigns")
    assert renamed(plain) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Without a time in its name, a file has the time of its writer's clock.
        ({"export_date": BEFORE, "exported_at": NOW}, {"export_date": DAY, "exported_at": NOW - timedelta(hours=2)}),
        # Same export time: the clock was set back between the loads, or two machines loaded them.
        ({"loaded_at": NOW, "load_number": 4}, {"loaded_at": NOW - timedelta(hours=2), "load_number": 5}),
        # The first lookup was loaded before loads had numbers.
        ({"loaded_at": NOW, "load_number": None}, {"loaded_at": NOW - timedelta(hours=2), "load_number": 1}),
        ({"loaded_at": NOW - timedelta(hours=2), "load_number": None}, {"loaded_at": NOW, "load_number": None}),
    ],
    ids=["the date of its name", "the later load", "the first load with a number", "neither has a number"],
)
@pytest.mark.parametrize("turned", [False, True])
def test_clocks_do_not_decide_which_lookup_is_the_newest(
    plain: Lake, before: dict[str, object], after: dict[str, object], turned: bool
) -> None:
    plain.stage(event_row(1, campaign_id="c1"), event_row(2, campaign_id="c2"))
    rows = [{"campaign_name": "Old"} | before, {"campaign_name": "New"} | after]
    for row in reversed(rows) if turned else rows:
        columns = {"kind": "campaigns", "campaign_id": "c1", "export_date": DAY, "exported_at": NOW} | row
        plain.query(
            f"INSERT INTO raw.lookups ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            *columns.values(),
        )
    gave(plain, campaign_name="New")
    replace(plain, "campaigns", day(3).first)
    assert not misnamed(plain)
    gave(plain, campaign_name="Old")
    assert misnamed(plain)


def misnamed(lake: Lake) -> bool:
    """Whether an event has another name than the newest lookup gives."""
    return run_span(lake.connection, day(3)).all_names


def test_a_corrected_lookup_of_another_date_has_no_effect(plain: Lake) -> None:
    plain.stage(event_row(1, campaign_id="c1"))
    gave(plain, campaign_name="Wrong")
    replace(plain, "campaigns")
    assert not run_span(plain.connection, day(1)).all_names


def test_the_stored_revisions_are_those_of_each_table(plain: Lake) -> None:
    assert revisions(plain.connection) == "{}"
    plain.query("CREATE TABLE staging.revisions (table_name VARCHAR, revision BIGINT)")
    plain.query("INSERT INTO staging.revisions VALUES ('staging.events', 2), ('staging.events', 3), ('s.tracks', 2)")
    assert json.loads(revisions(plain.connection)) == {"staging.events": 3, "s.tracks": 2}
