"""`forget`: no trace of the people on the list is left, and everything still adds up."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb

from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Ledger
from pipeline.segment.checks import due_is_settled
from tests.end_to_end.project import SCHEMA, TABLES, Project
from tests.end_to_end.stores import CHOSEN, IN_DUCKDB
from tests.fakes.segment_server import SegmentServer

USER, EMAIL, CONTACT = "crm-4711-zelda", "Zelda.Zonder@Example.org", "88004711"
VALUES = (USER, EMAIL.lower(), CONTACT)
ANOTHER_PERSON = (f"user-{USER}9".encode(), f"jo{EMAIL}".lower().encode())
LOG = r"""
name: log
files: 'log_(?P<date>\d{8})\.csv'
kind: events
timezone: UTC
event_column: WHAT
event_codes: {SENT: Email Delivered, VIEW: Email Opened, CLICK: Email Link Clicked, OTHER: null}
columns:
  {WHO: user_id, ADDRESS: email, LIST: list_id, SID: selligent_user_id,
   MAIL: email_id, SUBJECT: email_subject, WHEN: timestamp}
"""
CONTACTS = r"""
name: contacts
files: 'contacts_(?P<date>\d{8})\.csv'
kind: contacts
columns: {LIST: list_id, SID: selligent_user_id, WHO: user_id, ADDRESS: email}
"""
HEADER = "WHO,ADDRESS,LIST,SID,MAIL,SUBJECT,WHEN,WHAT,NOTE\n"
OTHERS = 30
# With those whose rows name the person, and another person whose id and address contain the person's.
OF_OTHERS = OTHERS + 3
EVERYTHING = ",".join(
    [
        *("raw/events", "staging/event_rows", "staging/events"),
        *(f"{schema}/{table}" for schema in ("segment", "delivery") for table in TABLES),
        *("segment/tracks", "delivery/outbox", "delivery/report"),
    ]
)


def day(number: int) -> str:
    """An export of one date: other people's rows, and the person's in every way that a row can name one."""
    moment = f"2024-06-{number:02}T08:00"
    rows = [f"user-{n},u{n}@example.org,,,m1,shop,{moment}:{n:02}Z,VIEW,hello" for n in range(OTHERS)]
    rows += [
        f"{USER},,,,m1,,{moment}:01Z,SENT,by id",
        f",{EMAIL},,,m1,,{moment}:02Z,VIEW,by address",
        f" {USER} , {EMAIL.upper()} ,,,m1,,{moment}:03Z,CLICK,by both",
        f",,12,{CONTACT},m1,,{moment}:04Z,VIEW,by contact",
        f"{USER},,,,m1,,{moment}:05Z,OTHER,skipped",
        f"{USER},,,,m1,,yesterday,VIEW,rejected",
        f"{USER},{EMAIL}",
        f"user-x,x@example.org,,,m2,mailto:{EMAIL},{moment}:06Z,CLICK,in a subject",
        f"user-y,y@example.org,,,m1,,{moment}:07Z,VIEW,ask {EMAIL}.",
        f"user-{USER}9,jo{EMAIL},,,m1,,{moment}:08Z,VIEW,another person",
        "broken",
    ]
    return HEADER + "\n".join(rows) + "\n"


EXPORTS = {
    "contacts_20240610.csv": f"LIST,SID,WHO,ADDRESS\n12,{CONTACT},{USER},{EMAIL}\n12,1,user-1,u1@example.org\n",
    "log_20240610.csv": day(10),
    "log_20240611.csv": day(11),
}


def traces(project: Project) -> Iterator[str]:
    """Where a value of the person is found: in every byte of the project's files, and in every Parquet page."""
    untouched = {project.exports, project.folder / "suppressed.csv"}
    for path in project.folder.rglob("*"):
        if not path.is_file() or untouched & {path, *path.parents}:
            continue
        if path.suffix == ".parquet":
            queries = ("SELECT CAST(t AS VARCHAR) FROM read_parquet(?) AS t", "FROM parquet_metadata(?)")
            content = str([duckdb.execute(query, [str(path)]).fetchall() for query in queries]).encode()
        else:
            content = path.read_bytes()
        content = content.lower()
        for value in ANOTHER_PERSON:
            content = content.replace(value, b"")
        if any(value.encode() in content for value in VALUES):
            yield str(path)


def with_list(project: Project) -> Project:
    (project.folder / "suppressed.csv").write_text(f"\ufeffEmail,USER_ID\n {EMAIL.upper()} ,{USER}\n", "utf-8")
    project.settings["SELLIGENT_SUPPRESSED"] = str(project.folder / "suppressed.csv")
    return project


def of_others(project: Project) -> list[tuple[object, ...]]:
    return project.query(f"SELECT * FROM {SCHEMA}.tracks WHERE user_id LIKE 'user-%' ORDER BY id")


def details_of(project: Project) -> set[str]:
    """The persons of staging.event_details, by the first letters of their user ids."""
    rows = project.query("SELECT user_id FROM staging.event_details")
    assert len(rows) == 3 * OF_OTHERS
    return {str(user_id)[:5] for (user_id,) in rows}


def balance_holds(project: Project) -> None:
    ledger = Ledger(project.environment["LEDGER"])
    with project.warehouse.reading() as connection:
        balance = due_is_settled(connection, ledger, EVERY_DATE)
    assert balance.holds, balance
    uneven = project.query(
        "SELECT name FROM raw.export_files AS f WHERE status = 'loaded' AND rows <> skipped + rejected + suppressed "
        "+ (SELECT count(*) FROM raw.events WHERE file = f.name AND event IS NOT NULL AND rejected_because IS NULL) "
        "+ (SELECT count(*) FROM raw.lookups WHERE file = f.name)"
    )
    assert uneven == []


def test_a_person_on_the_list_is_not_loaded_not_sent_and_then_forgotten_everywhere(
    delivering: Project, segment: SegmentServer
) -> None:
    project = delivering.with_files(EXPORTS, {"log.yml": LOG, "contacts.yml": CONTACTS})
    project.run("--to", "2024-06-10")
    sent_before = set(segment.received_ids)
    project.run("--to", "2024-06-11", SEGMENT_WRITE_KEY="")  # a dry run: its events wait
    assert len(list(traces(project))) > {"sqlite": 5, "duckdb": 4, "servers": 2}[CHOSEN]

    with_list(project)
    (project.exports / "log_20240612.csv").write_text(day(12), "utf-8")
    project.run()

    # Nothing of the person was loaded of the 12th, and nothing that waited of the 11th was sent.
    assert project.query("SELECT rows, suppressed FROM raw.export_files WHERE name = 'log_20240612.csv'") == [
        (OTHERS + 11, 7)
    ]
    theirs = f"user_id = '{USER}' OR lower(trim(email)) = lower('{EMAIL}') OR selligent_user_id = '{CONTACT}'"
    assert project.query(f"SELECT count(*) FROM raw.events WHERE file LIKE '%12.csv' AND ({theirs})") == [(0,)]
    new = {key: message for key, message in segment.messages.items() if key not in sent_before}
    assert len(new) == 2 * OF_OTHERS
    assert {str(message.get("userId"))[:5] for message in new.values()} == {"user-"}
    assert project.query("SELECT reason, count(*) FROM delivery.events WHERE status = 'dead' GROUP BY ALL") == [
        ("suppressed", 4)
    ]
    assert project.query(f"SELECT count(*) FROM {SCHEMA}.tracks WHERE user_id NOT LIKE 'user-%'") == [(0,)]
    assert project.query("SELECT count(*) FROM raw.suppressed WHERE modelled_at IS NULL") == [(0,)]
    assert details_of(project) == {"user-"}, "raw still has the person's rows of the first two days"
    balance_holds(project)
    others = of_others(project)
    assert len(others) == 3 * OF_OTHERS

    done = project.command("forget")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing was found." in done.stdout
    assert list(traces(project)) == []
    assert details_of(project) == {"user-"}
    assert not any(value in (done.stdout + done.stderr).lower() for value in VALUES)
    assert of_others(project) == others
    balance_holds(project)
    assert project.query("SELECT count(*) FROM delivery.events") == [(3 * OF_OTHERS,)]

    # Again: there is nothing to do, and old exports bring no person back.
    again = project.command("forget")
    assert again.returncode == 0
    reload = json.dumps({"ops": {"raw": {"config": {"reload": True}}}})
    requests = len(segment.requests)
    assert project.materialize(EVERYTHING, "2024-06-10", "2024-06-12", config=reload)
    assert len(segment.requests) == requests
    assert list(traces(project)) == []
    assert [row[0] for row in of_others(project)] == [row[0] for row in others]
    balance_holds(project)


def test_a_plain_duckdb_file_forgets_and_being_killed_at_any_moment_is_made_good(project: Project) -> None:
    project.store = IN_DUCKDB
    with_list(project.with_files(EXPORTS, {"log.yml": LOG, "contacts.yml": CONTACTS}))
    project.run(SELLIGENT_SUPPRESSED="")
    others, copy = of_others(project), project.folder / "warehouse.readable.duckdb"
    assert str(copy) in list(traces(project))
    for place in (
        "rows:forget_ledger",
        "rows:_count_again",
        "rows:forget_rows",
        "files:forget_bodies",
        "files:rewrite_duckdb",
    ):
        killed = project.killed(f"pipeline.erasure.{place}", "forget")
        assert killed.returncode == 9, killed.stdout + killed.stderr
    for place in ("_copy", "replace_in_turn"):
        killed = project.killed(f"pipeline.warehouse.readable_copy:{place}", "forget")
        assert killed.returncode == 9, killed.stdout + killed.stderr
    done = project.command("forget")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^copy for readers +0 +0$", done.stdout, re.MULTILINE)
    assert list(traces(project)) == []
    assert of_others(project) == others
    with duckdb.connect(str(copy), read_only=True) as connection:
        assert len(connection.execute(f"FROM {SCHEMA}.tracks WHERE user_id LIKE 'user-%'").fetchall()) == len(others)
    balance_holds(project)
    bodies = [json.loads(path.read_bytes()) for path in (project.data / "dry_run").rglob("*.json")]
    assert {message["messageId"] for body in bodies for message in body["batch"]} == {row[0] for row in others}


def test_a_new_list_is_work_even_where_no_file_is_new(project: Project) -> None:
    with_list(project.with_files(EXPORTS, {"log.yml": LOG, "contacts.yml": CONTACTS}))
    project.run(SELLIGENT_SUPPRESSED="")
    assert len(project.ids()) == 2 * (OF_OTHERS + 4)
    assert "8 events dead: suppressed" in project.run()
    assert len(project.ids()) == 2 * OF_OTHERS
    statuses = project.query("SELECT status, count(*) FROM delivery.events GROUP BY ALL ORDER BY ALL")
    assert statuses == [("dead", 8), ("waiting", 2 * OF_OTHERS)]
    balance_holds(project)
    assert "There is nothing new." in project.run()


def test_what_stands_in_the_way_is_reported_before_anything_is_touched(project: Project, tmp_path: Path) -> None:
    project.with_files(EXPORTS, {"log.yml": LOG, "contacts.yml": CONTACTS})
    refused = project.command("forget")
    assert (refused.returncode, refused.stderr) == (
        2,
        "SELLIGENT_SUPPRESSED: is not set; name the list of the people to forget\n",
    )
    for command in ("forget", "run"):
        missing = project.command(command, SELLIGENT_SUPPRESSED=str(tmp_path / "nowhere.csv"))
        assert missing.returncode == 2
        assert missing.stderr == f"SELLIGENT_SUPPRESSED: there is no file {tmp_path / 'nowhere.csv'}\n"
    (tmp_path / "list.csv").write_text(f"NAME\n{USER}\n", "utf-8")
    nameless = project.command("run", SELLIGENT_SUPPRESSED=str(tmp_path / "list.csv"))
    assert nameless.returncode == 2
    assert nameless.stderr.count("\n") == 1
    assert "neither a column user_id nor a column email" in nameless.stderr
    assert USER not in nameless.stdout + nameless.stderr
    assert not (project.folder / "warehouse").exists()
