"""Properties of layouts, from the export to tables, messages and tracking plan, which agree on each of them."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.end_to_end.project import SCHEMA, Prepare, Project, copied_to
from tests.fakes.segment_server import SegmentServer

BOUNCES = r"""
name: bounces
files: 'bounces_(?P<date>\d{8})\.csv'
kind: events
timezone: Europe/Brussels
event: Email Bounced
columns: {WHO: user_id, MAIL: email_id, WHEN: timestamp}
"""
OF_BOUNCES = """
properties:
  REASON: bounceReason
  CODE: {name: bounce_code, type: integer}
  TRIES: {name: Tries, type: integer}
  SCORE: {name: spam score, type: number}
  WEIGHT: {name: weight, type: number}
  HARD: {name: isHard, type: boolean}
  UNTIL: {name: blockedUntil, type: timestamp}
  SERVER: position
"""
CLICKS = r"""
name: clicks
files: 'clicks_(?P<date>\d{8})\.ndjson'
kind: events
format: ndjson
event: Email Link Clicked
columns: {who: user_id, mail: email_id, url: link_url, ip: ip, agent: user_agent, at: timestamp}
"""
OF_CLICKS = """
properties:
  /device/os: deviceOs
  /device/screen/width: {name: screen_width, type: integer}
  weight: {name: weight, type: number}
"""
OPENS = r"""
name: opens
files: 'opens_(?P<date>\d{8})\.parquet'
kind: events
format: parquet
timezone: Europe/Brussels
event: Email Opened
columns: {who: user_id, mail: email_id, at: timestamp}
"""
OF_OPENS = """
properties:
  language: language
  first: {name: isFirst, type: boolean}
  seen: {name: seen_at, type: timestamp}
  /place/country: country
"""
PLAIN = {"bounces.yml": BOUNCES, "clicks.yml": CLICKS, "opens.yml": OPENS}
WITH_PROPERTIES = {
    "bounces.yml": BOUNCES + OF_BOUNCES,
    "clicks.yml": CLICKS + OF_CLICKS,
    "opens.yml": OPENS + OF_OPENS,
}
EXPORTS = {
    "bounces_20240611.csv": (
        "WHO,MAIL,WHEN,REASON,CODE,TRIES,SCORE,WEIGHT,HARD,UNTIL,SERVER\n"
        "ann,m1,2024-06-10T08:00:00,mailbox full,552,3,0.25,1e3,no,2024-06-12T08:00:00,mx1\n"
        'bob,m1,2024-06-10T08:00:00,"""no"" such user",550,x,-7,.5,1,tomorrow,mx2\n'
        "cat,m1,2024-06-10T08:00:00,,,,,,,,\n"
    ),
    "clicks_20240611.ndjson": json.dumps(
        {
            "who": "ann",
            "mail": "m1",
            "url": "https://example.com/shirts",
            "ip": "8.8.8.8",
            "agent": "Mozilla/5.0",
            "at": "2024-06-10T09:00:00Z",
            "device": {"os": "iOS", "screen": {"width": 390}},
            "weight": 2.5,
        }
    )
    + "\n"
    + json.dumps({"who": "bob", "mail": "m1", "at": "2024-06-10T09:00:00Z", "device": "phone"})
    + "\n",
}
# Column, its type, the type in JSON, and values by user: what each property has to become.
EXPECTED: dict[str, dict[str, tuple[str, str, str, dict[str, Any]]]] = {
    "Email Bounced": {
        "bounceReason": ("bounce_reason", "VARCHAR", "string", {"ann": "mailbox full", "bob": '"no" such user'}),
        "bounce_code": ("bounce_code", "BIGINT", "integer", {"ann": 552, "bob": 550}),
        "Tries": ("tries", "BIGINT", "integer", {"ann": 3}),
        "spam score": ("spam_score", "DOUBLE", "number", {"ann": 0.25, "bob": -7.0}),
        "weight": ("weight", "DOUBLE", "number", {"ann": 1000.0, "bob": 0.5}),
        "isHard": ("is_hard", "BOOLEAN", "boolean", {"ann": False, "bob": True}),
        "blockedUntil": (
            "blocked_until",
            "TIMESTAMP WITH TIME ZONE",
            "date-time",
            {"ann": "2024-06-12T06:00:00.000000Z"},
        ),
        "position": ("position", "VARCHAR", "string", {"ann": "mx1", "bob": "mx2"}),
    },
    "Email Link Clicked": {
        "deviceOs": ("device_os", "VARCHAR", "string", {"ann": "iOS"}),
        "screen_width": ("screen_width", "BIGINT", "integer", {"ann": 390}),
        "weight": ("weight", "DOUBLE", "number", {"ann": 2.5}),
    },
    "Email Opened": {
        "language": ("language", "VARCHAR", "string", {"ann": "nl"}),
        "isFirst": ("is_first", "BOOLEAN", "boolean", {"ann": True}),
        "seen_at": ("seen_at", "TIMESTAMP WITH TIME ZONE", "date-time", {"ann": "2024-06-10T07:00:00.000000Z"}),
        "country": ("country", "VARCHAR", "string", {"ann": "BE"}),
    },
}
TABLES = {event: event.lower().replace(" ", "_") for event in EXPECTED}


@pytest.fixture(scope="module")
def server() -> Iterator[SegmentServer]:
    with SegmentServer() as server:
        yield server


@pytest.fixture(scope="module")
def loaded(prepare: Prepare, server: SegmentServer) -> tuple[Project, set[str]]:
    """First modelled without properties, then with them and delivered; and the ids of the first time."""
    before: set[str] = set()

    def deliver(project: Project) -> None:
        project.with_files(EXPORTS, PLAIN).delivering_to(server.url)
        with duckdb.connect() as connection:
            connection.execute(
                "COPY (SELECT 'ann' AS who, 'm1' AS mail, TIMESTAMP '2024-06-10 09:00:00' AS at, 'nl' AS language, "
                "true AS first, TIMESTAMPTZ '2024-06-10 07:00:00+00' AS seen, {'country': 'BE'} AS place) "
                f"TO '{project.exports / 'opens_20240611.parquet'}' (FORMAT parquet)"
            )
        project.run("--no-delivery")
        before.update(project.ids())
        project.with_files({}, WITH_PROPERTIES).run("--release")

    return Project(prepare(deliver)), before


def rows(project: Project, event: str) -> dict[str, dict[str, Any]]:
    """The rows of a table by user, with instants as messages write them."""
    with project.warehouse.reading() as connection:
        found = connection.execute(f"SELECT * FROM {SCHEMA}.{TABLES[event]}")
        names = [column[0] for column in found.description]
        listed = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {
        row["user_id"]: {
            name: f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in listed
    }


def test_the_ids_are_those_that_events_have_without_properties(
    loaded: tuple[Project, set[str]], server: SegmentServer
) -> None:
    project, before = loaded
    assert len(before) == 6
    assert project.ids() == before == server.received_ids
    assert not server.dropped
    assert not server.duplicates


@pytest.mark.parametrize("event", EXPECTED)
def test_tables_messages_and_tracking_plan_agree_on_each_property(
    loaded: tuple[Project, set[str]], server: SegmentServer, event: str
) -> None:
    project, _ = loaded
    table, expected = rows(project, event), EXPECTED[event]
    types = dict(
        project.query(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?",
            [SCHEMA, TABLES[event]],
        )
    )
    messages = {one["userId"]: one["properties"] for one in server.messages.values() if one["event"] == event}
    done = project.command("tracking-plan")
    assert done.returncode == 0, done.stderr
    rules = {rule["key"]: rule["jsonSchema"]["properties"] for rule in json.loads(done.stdout)["rules"]}
    planned = rules[event]["properties"]["properties"]
    for name, (column, sql_type, json_type, values) in expected.items():
        assert types[column] == sql_type
        assert planned[name].get("format", planned[name]["type"]) == json_type
        assert {user: row[column] for user, row in table.items() if row[column] is not None} == values
        sent = {user: properties[name] for user, properties in messages.items() if name in properties}
        assert sent == values
        assert [type(value) for value in sent.values()] == [type(value) for value in values.values()]
    known = {"email_id", "email_subject", "campaign_id", "campaign_name", "link_id", "link_name", "link_url"}
    assert set(planned) - known == set(expected)
    assert {name for properties in messages.values() for name in properties} - known <= set(expected)
    columns = {column for column, *_ in expected.values()}
    assert {name for name in types if name not in known and not name.startswith("context_")} - columns == {
        *("id", "received_at", "sent_at", "original_timestamp", "timestamp", "user_id", "anonymous_id"),
        *("event", "event_text", "uuid_ts"),
    }


def test_tracks_has_none_of_them_and_the_columns_are_described(loaded: tuple[Project, set[str]]) -> None:
    project, _ = loaded
    described = "SELECT column_name, comment FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?"
    of_tracks = {name for name, _ in project.query(described, [SCHEMA, "tracks"])}
    assert not of_tracks & {column for properties in EXPECTED.values() for column, *_ in properties.values()}
    assert {"context_ip", "context_user_agent"} <= of_tracks
    for table in TABLES.values():
        assert [name for name, comment in project.query(described, [SCHEMA, table]) if not comment] == []


def test_the_url_the_address_and_the_user_agent_have_their_places(
    loaded: tuple[Project, set[str]], server: SegmentServer
) -> None:
    project, _ = loaded
    clicks = rows(project, "Email Link Clicked")
    assert [(row["link_url"], row["context_ip"], row["context_user_agent"]) for row in clicks.values()] == [
        ("https://example.com/shirts", "8.8.8.8", "Mozilla/5.0"),
        (None, None, None),
    ]
    [ann] = [one for one in server.messages.values() if one["event"] == "Email Link Clicked" and one["userId"] == "ann"]
    assert ann["properties"]["link_url"] == "https://example.com/shirts"
    assert (ann["context"]["ip"], ann["context"]["userAgent"]) == ("8.8.8.8", "Mozilla/5.0")
    assert all("ip" not in one["context"] for one in server.messages.values() if one is not ann)


def test_a_value_that_its_type_cannot_read_is_counted_and_kept(loaded: tuple[Project, set[str]]) -> None:
    project, _ = loaded
    unreadable = "FROM raw.events WHERE unreadable_properties IS NOT NULL"
    found = project.query(f"SELECT user_id, unreadable_properties, extra ->> 'TRIES' {unreadable}")
    assert found == [("bob", ["Tries", "blockedUntil"], "x")]


def test_a_property_that_is_added_later_fills_the_table_and_sends_nothing_again(
    loaded: tuple[Project, set[str]], server: SegmentServer, place: Path, tmp_path: Path
) -> None:
    prepared, ids = loaded
    with copied_to(place, prepared.folder, tmp_path / "project") as project:
        add_a_property(project.delivering_to(server.url), ids, server)


def add_a_property(project: Project, ids: set[str], server: SegmentServer) -> None:
    received = len(server.messages)
    project.with_files({}, {"clicks.yml": CLICKS + OF_CLICKS + "  /device: device\n"})
    project.run()
    clicks = rows(project, "Email Link Clicked")
    assert {user: row["device"] for user, row in clicks.items()} == {
        "ann": '{"os":"iOS","screen":{"width":390}}',
        "bob": "phone",
    }
    assert clicks["ann"]["device_os"] == "iOS"
    assert project.ids() == ids
    assert (len(server.messages), server.duplicates) == (received, type(server.duplicates)())

    project.with_files({}, {"clicks.yml": CLICKS + OF_CLICKS.replace("integer", "text")})
    refused = project.command("run")
    reason = (
        "layout clicks: properties: '/device/screen/width': 'screen_width' is text, and the event tables have it as "
        "integer; a column keeps its type, so write {name: screen_width, type: integer}, or choose another name"
    )
    assert (refused.returncode, refused.stderr.splitlines()) == (
        2,
        [f"layout not used: {reason}", f"Files wait for a layout: {reason}"],
    )
