"""SEGMENT_TRAITS_EMAIL and SEGMENT_ANONYMOUS_ID=sha256: no address is in what leaves, nor in the event tables."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.end_to_end.project import SCHEMA, TABLES, Prepare, Project, copied_to
from tests.fakes import segment_faults as faults
from tests.support.sending import RecordingServer

LOG = r"""
name: log
files: 'log_(?P<date>\d{8})\.csv'
kind: events
timezone: UTC
event: Email Opened
columns: {WHO: user_id, ADDRESS: email, LIST: list_id, SID: selligent_user_id, MAIL: email_id, WHEN: timestamp}
"""
CONTACTS = r"""
name: contacts
files: 'contacts_(?P<date>\d{8})\.csv'
kind: contacts
columns: {LIST: list_id, SID: selligent_user_id, ADDRESS: email}
"""
LAYOUTS = {"log.yml": LOG, "contacts.yml": CONTACTS}
ANN, EVE, ZOE = "Ann.Onym@Example.org", "eve@example.org", "zoe@example.org"
ADDRESSES = [address.lower().encode() for address in (ANN, EVE, ZOE)]


def log(day: int) -> str:
    """Ann has a user id, Eve only an address, Zoe the address that a contacts lookup has."""
    rows = [
        f"u-ann, {ANN} ,,,m1,2024-06-{day}T08:00:00Z",
        f",{EVE},,,m1,2024-06-{day}T08:00:01Z",
        f",,12,77,m1,2024-06-{day}T08:00:02Z",
        f"u-bob,,,,m1,2024-06-{day}T08:00:03Z",
    ]
    return "WHO,ADDRESS,LIST,SID,MAIL,WHEN\n" + "\n".join(rows) + "\n"


EXPORTS = {
    "contacts_20240611.csv": f"LIST,SID,ADDRESS\n12,77,{ZOE}\n",
    "log_20240611.csv": log(10),
    "log_20240612.csv": log(11),
}


def hashed(address: str) -> str:
    return hashlib.sha256(address.lower().encode()).hexdigest()


@pytest.fixture
def segment() -> Iterator[RecordingServer]:
    with RecordingServer() as server:
        yield server


def addresses_in_tables(project: Project) -> list[str]:
    """The event tables with an address, by their rows and by the bytes of their Parquet files."""
    found = [
        table
        for table in (*TABLES, "tracks")
        if project.query(f"SELECT 1 FROM {SCHEMA}.{table} AS t WHERE contains(CAST(t AS VARCHAR), '@')")
    ]
    for path in (project.folder / "warehouse" / SCHEMA).rglob("*.parquet"):
        queries = ("SELECT CAST(t AS VARCHAR) FROM read_parquet(?) AS t", "FROM parquet_metadata(?)")
        content = str([duckdb.execute(query, [str(path)]).fetchall() for query in queries]).encode() + path.read_bytes()
        if any(of in content.lower() for of in ADDRESSES):
            found.append(str(path))
    return found


def addresses_in_files(project: Project) -> list[str]:
    """Files with an address: dry runs, the report, and those of Dagster and dbt."""
    files = [path for path in project.data.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if any(of in path.read_bytes().lower() for of in ADDRESSES)]


NO_ADDRESS = {"SEGMENT_TRAITS_EMAIL": "none", "SEGMENT_ANONYMOUS_ID": "sha256"}


@pytest.fixture(scope="module")
def has_no_address(prepare: Prepare) -> Path:
    """A project after a dry run without addresses; to be copied."""
    return prepare(lambda project: project.with_files(EXPORTS, LAYOUTS).run(**NO_ADDRESS))


@pytest.fixture
def without_address(has_no_address: Path, place: Path, tmp_path: Path) -> Iterator[Project]:
    with copied_to(place, has_no_address, tmp_path / "project") as project:
        project.settings |= NO_ADDRESS
        yield project


def test_no_byte_of_an_address_leaves_or_is_in_an_event_table(
    without_address: Project, segment: RecordingServer
) -> None:
    assert_no_byte_leaves(without_address, segment, "none")


def test_no_byte_of_an_address_leaves_or_is_in_an_event_table_but_its_hash(
    project: Project, segment: RecordingServer
) -> None:
    project.settings |= {"SEGMENT_TRAITS_EMAIL": "sha256", "SEGMENT_ANONYMOUS_ID": "sha256"}
    project.with_files(EXPORTS, LAYOUTS).run()
    assert_no_byte_leaves(project, segment, "sha256")


def assert_no_byte_leaves(project: Project, segment: RecordingServer, traits: str) -> None:
    """Of the dry run, nor of the delivery that follows."""
    assert len(list((project.data / "dry_run").rglob("*.json"))) == 2
    assert addresses_in_files(project) == addresses_in_tables(project) == []
    assert project.query("SELECT count(*) FROM staging.events WHERE contains(email, '@')") == [(6,)]

    project.delivering_to(segment.url)
    segment.misbehave_when(
        lambda _number, messages: any(message.get("anonymousId") == hashed(EVE) for message in messages),
        faults.Answer(400, body='{"success": false, "message": "Schema violation"}'),
    )
    project.run()
    assert project.query("SELECT status, count(*) FROM delivery.events GROUP BY ALL ORDER BY ALL") == [
        ("dead", 2),
        ("delivered", 6),
    ]
    segment.behave()
    replayed = project.command("replay")
    assert "2 dead events set back to waiting" in replayed.stdout, replayed.stderr
    assert "@" not in replayed.stdout.replace("***@***", "")
    project.run()
    assert segment.received_ids == project.ids()
    assert not [body for body in segment.bodies if b"@" in body]
    assert addresses_in_files(project) == addresses_in_tables(project) == []

    columns = {
        (message.get("userId"), message.get("anonymousId"), message["context"].get("traits", {}).get("email"))
        for message in segment.messages.values()
    }
    assert columns == {
        ("u-ann", None, hashed(ANN) if traits == "sha256" else None),
        (None, hashed(EVE), hashed(EVE) if traits == "sha256" else None),
        (None, hashed(ZOE), hashed(ZOE) if traits == "sha256" else None),
        ("u-bob", None, None),
    }
    query = f"SELECT DISTINCT user_id, anonymous_id, context_traits_email FROM {SCHEMA}."
    assert set(project.query(f"{query}email_opened")) == set(project.query(f"{query}tracks")) == columns


def test_a_changed_setting_applies_to_what_waits_and_people_are_forgotten_by_their_address(
    project: Project, segment: RecordingServer
) -> None:
    """After a dry run with addresses, nothing is new but the setting."""
    project.with_files(EXPORTS, LAYOUTS)
    project.run()
    assert len(addresses_in_files(project)) == 2
    project.settings |= NO_ADDRESS
    assert not project.materialize("delivery/email_opened", "2024-06-11"), "its table has addresses as before"
    assert "There is nothing new." not in project.run()
    assert addresses_in_files(project) == []
    assert "There is nothing new." in project.run()
    rows = f"SELECT contains(CAST(t AS VARCHAR), '@') AS found, count(*) FROM {SCHEMA}.email_opened AS t GROUP BY ALL"
    assert project.query(rows) == [(False, 8)]
    assert len(list((project.data / "dry_run").rglob("*.json"))) == 2

    # Ann and Zoe, by addresses that no event table and no message has.
    (project.folder / "suppressed.csv").write_text(f"email\n{ANN}\n{ZOE}\n", "utf-8")
    project.settings["SELLIGENT_SUPPRESSED"] = str(project.folder / "suppressed.csv")
    done = project.command("forget", SEGMENT_WRITE_KEY="a-write-key")  # dry runs are not written again
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing was found." in done.stdout
    assert project.query(f"SELECT DISTINCT user_id, anonymous_id FROM {SCHEMA}.tracks ORDER BY ALL") == [
        ("u-bob", None),
        (None, hashed(EVE)),
    ]
    bodies = [json.loads(path.read_bytes()) for path in (project.data / "dry_run").rglob("*.json")]
    assert bodies == []
    project.delivering_to(segment.url)
    project.run()
    assert segment.received_ids == project.ids()
    assert len(segment.received_ids) == 4
    assert not [body for body in segment.bodies if b"@" in body or b"u-ann" in body]


def test_people_are_suppressed_by_an_address_that_no_event_table_has(
    without_address: Project, segment: RecordingServer
) -> None:
    project = without_address
    (project.folder / "suppressed.csv").write_text(f"email\n{ANN}\n", "utf-8")
    project.settings["SELLIGENT_SUPPRESSED"] = str(project.folder / "suppressed.csv")
    project.delivering_to(segment.url).run()
    assert not [body for body in segment.bodies if b"u-ann" in body]
    assert len(segment.received_ids) == 6
    assert segment.received_ids == project.ids() == project.ids("email_opened")
    assert project.query("SELECT reason, count(*) FROM delivery.events WHERE status = 'dead' GROUP BY ALL") == [
        ("suppressed", 2)
    ]
