"""Contacts become identify calls: one for each contact and content, on the way that events go."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import md5, sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.end_to_end.project import SCHEMA, Prepare, Project, copied_to
from tests.end_to_end.tiny_exports import ANN, LAYOUTS, log
from tests.fakes.segment_server import SegmentServer

CONTACTS = r"""
name: contacts
files: 'contacts_(?P<date>\d{8})_(?P<time>\d{4})(_again)?\.csv'
kind: contacts
timezone: UTC
columns: {LIST: list_id, USER: selligent_user_id, WHO: user_id, MAIL: email}
traits: {FIRST: firstName, POINTS: {name: points, type: integer}, SINCE: {name: since, type: timestamp}}
"""
ANN_1, ANN_2 = (
    "12,1,ann,ann@example.com,Ann,12,2024-06-01T08:00:00",
    "12,1,ann,ann@example.net,Ann,12,2024-06-01T08:00:00",
)
BOB, NO_ID = "12,2,bob,bob@example.com,,x,", "12,3,,x@y.z,,,"
STANDINGS = "SELECT status, count(*) FROM delivery.events WHERE event = 'identifies' GROUP BY ALL ORDER BY ALL"


def contacts(*rows: str) -> str:
    """A row is `list,user,who,mail,first,points,since`."""
    return "\n".join(["LIST,USER,WHO,MAIL,FIRST,POINTS,SINCE", *rows]) + "\n"


def identifying(project: Project) -> Project:
    project.settings["SEGMENT_IDENTIFY"] = "true"
    first = contacts(ANN_1, BOB, NO_ID)
    exports = {"log_20240611.csv": log([ANN]), "contacts_20240611_0630.csv": first}
    return project.with_files(exports, {**LAYOUTS, "contacts.yml": CONTACTS})


def add(project: Project, day: int, *rows: str) -> None:
    (project.exports / f"contacts_202406{day}_0630.csv").write_text(contacts(*rows), "utf-8")


def identified(segment: SegmentServer) -> list[Any]:
    """The identify calls in their order."""
    found = [message for message in segment.messages.values() if message["type"] == "identify"]
    return sorted(found, key=lambda message: (message["timestamp"], message["userId"]))


def addresses_sent(segment: SegmentServer) -> list[tuple[str, str, str]]:
    return [
        (message["timestamp"][:10], message["userId"], message["traits"]["email"]) for message in identified(segment)
    ]


def test_contacts_are_identified_once_and_again_when_they_change(delivering: Project, segment: SegmentServer) -> None:
    project = identifying(delivering)
    output = project.run()
    [line] = [line.split() for line in output.splitlines() if line.startswith("identifies")]
    assert line[:6] == ["identifies", "3", "0", "2", "2", "0"]
    expected = [("2024-06-11", "ann", "ann@example.com"), ("2024-06-11", "bob", "bob@example.com")]
    assert addresses_sent(segment) == expected
    ann, bob = identified(segment)
    assert ann["context"]["selligent"] == {"list_id": "12", "user_id": "1"}
    traits = {"email": "ann@example.com", "firstName": "Ann", "points": 12, "since": "2024-06-01T08:00:00.000000Z"}
    assert ann["traits"] == traits
    assert bob["traits"] == {"email": "bob@example.com"}, "x is not a number of points"

    # Asked for again, and by a further snapshot that says the same.
    project.run("--from", "2024-06-11", "--to", "2024-06-11")
    add(project, 12, ANN_1, BOB, NO_ID)
    project.run()
    assert addresses_sent(segment) == expected

    # A change is sent once, and so is the way back, which is a call of its own.
    add(project, 13, ANN_2, BOB)
    project.run()
    assert addresses_sent(segment) == [*expected, ("2024-06-13", "ann", "ann@example.net")]
    add(project, 14, ANN_1, BOB)
    project.run()
    assert addresses_sent(segment)[-1] == ("2024-06-14", "ann", "ann@example.com")
    assert len(identified(segment)) == 4
    # A snapshot of an earlier date that comes late is no news.
    (project.exports / "contacts_20240612_0700.csv").write_text(contacts("12,1,ann,old@example.com,,,"), "utf-8")
    project.run()
    assert len(identified(segment)) == 4

    assert not segment.duplicates
    assert not segment.dropped
    rows = project.query(
        f"SELECT id, user_id, email, strftime(timestamp, '%Y-%m-%dT%H:%M:%S.%fZ') FROM {SCHEMA}.identifies"
    )
    calls = {(m["messageId"], m["userId"], m["traits"]["email"], m["timestamp"]) for m in identified(segment)}
    assert set(rows) == calls
    users = project.query(f"SELECT id, email, first_name, points, CAST(since AS DATE) FROM {SCHEMA}.users ORDER BY id")
    assert users == [
        ("ann", "ann@example.com", "Ann", 12, date(2024, 6, 1)),
        ("bob", "bob@example.com", None, None, None),
    ]
    assert project.query(STANDINGS) == [("delivered", 4)]
    assert "Every number reconciles" in (project.data / "report" / "index.html").read_text("utf-8")


@pytest.fixture(scope="module")
def has_run(prepare: Prepare) -> Path:
    """A project after a dry run; to be copied."""
    return prepare(lambda project: identifying(project).run())


@pytest.fixture
def waiting(has_run: Path, place: Path, tmp_path: Path) -> Iterator[Project]:
    """A project after a dry run: both calls wait."""
    with copied_to(place, has_run, tmp_path / "project") as project:
        project.settings["SEGMENT_IDENTIFY"] = "true"
        yield project


def test_only_what_a_contact_is_now_is_sent(waiting: Project, segment: SegmentServer) -> None:
    """What a newer lookup replaced before it was sent would override the new values in Segment."""
    project = waiting
    assert list((project.data / "dry_run").glob("2024-06-11/identifies/*.json"))
    add(project, 13, ANN_2, BOB)
    project.run("--no-delivery", "--from", "2024-06-13", "--to", "2024-06-13")
    project.delivering_to(segment.url).run()
    assert addresses_sent(segment) == [("2024-06-11", "bob", "bob@example.com")], "the date of the change is withheld"
    project.run("--release")
    assert addresses_sent(segment)[1:] == [("2024-06-13", "ann", "ann@example.net")]
    assert project.query(STANDINGS) == [("dead", 1), ("delivered", 2)]
    assert project.query("SELECT reason FROM delivery.dead_events") == [("withdrawn: the contact has changed since",)]
    assert not segment.dropped
    assert "There is nothing new" in project.run()


def test_contacts_that_a_corrected_lookup_lacks_are_withdrawn(waiting: Project, segment: SegmentServer) -> None:
    project = waiting
    (project.exports / "contacts_20240611_0630.csv").write_text(contacts(BOB), "utf-8")
    project.delivering_to(segment.url).run()
    assert addresses_sent(segment) == [("2024-06-11", "bob", "bob@example.com")]
    assert project.query(STANDINGS) == [("dead", 1), ("delivered", 1)]
    (project.exports / "contacts_20240611_0630.csv").write_text(contacts(ANN_1, BOB), "utf-8")
    project.run()
    assert addresses_sent(segment)[0] == ("2024-06-11", "ann", "ann@example.com")
    assert project.query(STANDINGS) == [("delivered", 2)]


def test_suppressed_people_are_not_identified(waiting: Project, segment: SegmentServer) -> None:
    project = waiting
    listed = project.folder / "suppressed.csv"
    listed.write_text("email\nANN@example.com\n", "utf-8")
    project.settings["SELLIGENT_SUPPRESSED"] = str(listed)
    project.delivering_to(segment.url).run()
    assert addresses_sent(segment) == [("2024-06-11", "bob", "bob@example.com")]
    assert project.query(f"SELECT id FROM {SCHEMA}.users") == [("bob",)]
    assert project.query(STANDINGS) == [("dead", 1), ("delivered", 1)]

    done = project.command("forget")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.query("SELECT user_id FROM staging.identities") == [("bob",)]
    assert project.query(STANDINGS) == [("delivered", 1)]
    project.run("--from", "2024-06-11", "--to", "2024-06-11")
    assert len(identified(segment)) == 1


def test_addresses_leave_in_the_form_of_the_setting(waiting: Project, segment: SegmentServer) -> None:
    """Also those that waited in another form; the id stays."""
    project = waiting
    before = {str(row[0]) for row in project.query(f"SELECT id FROM {SCHEMA}.identifies")}
    project.delivering_to(segment.url).run(SEGMENT_TRAITS_EMAIL="sha256")
    hashed = [sha256(f"{name}@example.com".encode()).hexdigest() for name in ("ann", "bob")]
    assert [message["traits"]["email"] for message in identified(segment)] == hashed
    assert {message["messageId"] for message in identified(segment)} == before
    assert project.query(f"SELECT email FROM {SCHEMA}.users ORDER BY id") == [(text,) for text in hashed]


def test_without_the_setting_no_contact_is_identified(delivering: Project, segment: SegmentServer) -> None:
    project = identifying(delivering)
    project.run(SEGMENT_IDENTIFY="false")
    assert identified(segment) == []
    tables = project.query(
        "SELECT count(*) FROM information_schema.tables WHERE table_name IN ('identities', 'identifies', 'users')"
    )
    assert tables == [(0,)]


# User id, email address and a trait of a contact.
Content = tuple[str | None, str | None, str | None]
_VALUE = st.sampled_from(["a", "b", "A", '"', "é"])
_CONTENT = st.tuples(st.one_of(st.none(), _VALUE), st.one_of(st.none(), _VALUE), st.one_of(st.none(), _VALUE))
# The rows of each contact that a file has.
_SNAPSHOT = st.dictionaries(
    st.sampled_from([("12", "1"), ("12", "2"), ("13", "1")]), st.lists(_CONTENT, min_size=1, max_size=3), min_size=1
)


@pytest.fixture
def model(waiting: Project) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """The SQL that dbt makes of the model once its table exists, for 2024-06-12, and a database to execute it in."""
    project = waiting
    add(project, 12, ANN_1)
    project.run()
    compiled = project.data / "dbt" / "compiled" / "selligent_to_segment" / "models" / "identities"
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.raw; CREATE SCHEMA lake.staging")
        with project.warehouse.reading() as warehouse:
            for table in ("raw.lookups", "staging.identities"):
                columns = warehouse.execute(f"DESCRIBE {table}").fetchall()
                listed = ", ".join(f"{name} {kind}" for name, kind, *_ in columns)
                connection.execute(f"CREATE TABLE lake.{table} ({listed})")
        yield connection, (compiled / "stg_identities.sql").read_text("utf-8")


def id_of(contact: tuple[str, str], content: Content, times: int) -> UUID:
    """Written out, since what was delivered under an id can never get another: the MD5 of a JSON array."""
    user_id, email, trait = content
    traits = json.dumps({"t": trait}, ensure_ascii=False, separators=(",", ":")) if trait else None
    parts = ["Selligent Marketing Cloud", "identify", *contact, user_id, email, traits]
    first = UUID(md5(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest())
    return (
        first
        if times == 1
        else UUID(md5(json.dumps([str(first), str(times)], separators=(",", ":")).encode()).hexdigest())
    )


def content_of(contents: list[Content]) -> Content:
    """What the rows of a contact in one file say together: the last user id and address, and the traits of the last."""
    user_ids, emails = ([value for value in values if value] for values in list(zip(*contents, strict=True))[:2])
    return (user_ids or [None])[-1], (emails or [None])[-1], contents[-1][2]


def test_an_id_is_what_a_contact_says_and_how_often_it_has_said_it(
    model: tuple[duckdb.DuckDBPyConnection, str],
) -> None:
    connection, sql = model

    def load(day: date, snapshot: dict[tuple[str, str], list[Content]]) -> None:
        rows = [
            [
                day,
                list_id,
                user,
                user_id,
                email,
                json.dumps({"t": trait} if trait else {}, ensure_ascii=False, separators=(",", ":")),
                number,
            ]
            for (list_id, user), contents in snapshot.items()
            for number, (user_id, email, trait) in enumerate(contents)
        ]
        connection.executemany(
            "INSERT INTO lake.raw.lookups (export_date, list_id, selligent_user_id, user_id, email, traits, "
            "row_number, kind, file, exported_at, loaded_at, load_number) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, 'contacts', 'f', '2024-06-30 00:00:00Z', '2024-06-30 00:00:00Z', 1)",
            rows,
        )

    def identify(day: date) -> int:
        query = sql.replace("2024-06-12", str(day))
        return connection.execute(f"INSERT INTO lake.staging.identities BY NAME {query}").fetchall()[0][0]

    @settings(max_examples=60, deadline=None)
    @given(st.lists(_SNAPSHOT, min_size=1, max_size=6))
    def holds(snapshots: list[dict[tuple[str, str], list[Content]]]) -> None:
        for table in ("raw.lookups", "staging.identities"):
            connection.execute(f"DELETE FROM lake.{table}")
        current: dict[tuple[str, str], Content] = {}
        history: dict[tuple[str, str], list[Content]] = {}
        expected = []
        for number, snapshot in enumerate(snapshots):
            day = date(2024, 6, 12) + timedelta(days=number)
            load(day, snapshot)
            for contact, contents in snapshot.items():
                content = content_of(contents)
                if content[0] is not None and current.get(contact) != content:
                    current[contact] = content
                    history.setdefault(contact, []).append(content)
                    expected.append((day, id_of(contact, content, history[contact].count(content))))
            identify(day)
            assert [identify(earlier) for earlier in (day, day - timedelta(days=1))] == [0, 0], "a rerun adds nothing"
        found = connection.execute("SELECT export_date, id FROM lake.staging.identities").fetchall()
        assert sorted(found) == sorted(expected)

    holds()
