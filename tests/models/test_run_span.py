"""Which events a run models again since lookups of its dates give them another name or person."""

from datetime import date, datetime, timedelta

import pytest

from pipeline.models.run_span import run_span
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
    """When the events happened that are to be renamed; None where there is none."""
    span = run_span(lake.connection, DATES)
    return (span.earliest, span.latest) if span.all_names else None


def _moment(number: int) -> datetime:
    return FIRST_MOMENT + timedelta(seconds=number)


ONLY_THE_FIRST = (_moment(1), _moment(1))


def test_a_name_that_changes_renames_its_events(plain: Lake) -> None:
    plain.stage(event_row(1, campaign_id="c1"), event_row(2, campaign_id="c2"))
    look_up(plain, "campaigns", NOW - timedelta(days=1), campaign_id="c1", campaign_name="Spring")
    look_up(plain, "campaigns", campaign_id="c1", campaign_name="Summer")
    assert renamed(plain) == ONLY_THE_FIRST


def test_a_correction_to_what_an_older_lookup_says_renames_the_events(plain: Lake) -> None:
    """Nothing in the lookups shows that they had other names meanwhile."""
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
def test_a_correction_of_a_contact_gives_the_events_to_the_right_person(plain: Lake, user_id: str) -> None:
    plain.stage(event_row(1, user_id=None, list_id="12", selligent_user_id="7"), event_row(2))
    gave(plain, user_id="jef")
    for at in (NOW - timedelta(days=1), NOW):
        look_up(plain, "contacts", at, list_id="12", selligent_user_id="7", user_id=user_id)
    replace(plain, "contacts")
    assert renamed(plain) == ONLY_THE_FIRST
    gave(plain, user_id="zoe")
    assert renamed(plain) is None


def test_a_name_that_a_correction_takes_back_leaves_its_events(plain: Lake) -> None:
    plain.stage(event_row(1, campaign_id="c1"), event_row(2, campaign_id="c2"))
    gave(plain, campaign_name="Wrong")
    look_up(plain, "campaigns", campaign_id="c2", campaign_name="Summer")
    replace(plain, "campaigns")
    assert renamed(plain) == (_moment(1), _moment(2))


def test_what_an_export_says_itself_is_not_renamed_by_a_correction(plain: Lake) -> None:
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
        # The files' own time is by the clock of whatever wrote them, where their names have none.
        ({"export_date": BEFORE, "exported_at": NOW}, {"export_date": DAY, "exported_at": NOW - timedelta(hours=2)}),
        # Of one moment: the clock was set back between the loads, or they are of two machines.
        ({"loaded_at": NOW, "load_number": 4}, {"loaded_at": NOW - timedelta(hours=2), "load_number": 5}),
        # Before the one load, there were no numbers.
        ({"loaded_at": NOW, "load_number": None}, {"loaded_at": NOW - timedelta(hours=2), "load_number": 1}),
        ({"loaded_at": NOW - timedelta(hours=2), "load_number": None}, {"loaded_at": NOW, "load_number": None}),
    ],
    ids=["the date of its name", "the later load", "the first load with a number", "neither has a number"],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_newest_lookup_is_the_same_whatever_the_clocks_say(
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


def test_a_correction_of_another_date_is_of_no_concern(plain: Lake) -> None:
    plain.stage(event_row(1, campaign_id="c1"))
    gave(plain, campaign_name="Wrong")
    replace(plain, "campaigns")
    assert not run_span(plain.connection, day(1)).all_names
