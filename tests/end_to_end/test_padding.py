"""Padding and invisible characters make no other person, no other event and no other name: the same rows, padded in one
export and plain in the next, are the same events for ever.
"""

from pathlib import Path

import pytest

from tests.end_to_end.project import SCHEMA, Prepare, Project, copied_to
from tests.end_to_end.tiny_exports import CONTACTS

LOG = r"""
name: log
files: 'log_(?P<date>\d{8})\.csv'
kind: events
delimiter: '|'
timezone: UTC
event_column: WHAT
event_codes: {VIEW: Email Opened, CLICK: Email Link Clicked, OUT: Email Unsubscribed}
columns:
  {LIST: list_id, SID: selligent_user_id, WHO: user_id, ADDRESS: email, MAIL: email_id, SUBJECT: email_subject,
   CAMPAIGN: campaign_id, LINK: link_id, SEND: send_id, ROW: event_id, BOT: is_bot, WHEN: timestamp}
"""
CAMPAIGNS = r"""
name: campaigns
files: 'campaigns_(?P<date>\d{8})\.csv'
kind: campaigns
delimiter: '|'
columns: {ID: campaign_id, NAME: campaign_name}
"""
LAYOUTS = {"log.yml": LOG, "campaigns.yml": CAMPAIGNS, "contacts.yml": CONTACTS}
HEADER = "LIST|SID|WHO|ADDRESS|MAIL|SUBJECT|CAMPAIGN|LINK|SEND|ROW|BOT|WHAT|WHEN\n"
PADDED = (
    "||K-1  |\0|m1 |\u200b|77        | l1|s1\u00a0|\0|1  |CLICK     |2024-06-10T09:15:01 \n"
    "||\u200b|K-2@example.com\t|m1|Hello  |77\0|||\ufeff||VIEW|2024-06-10T09:15:02\n"
    "12 |7  |\0|\u00ad|m1|||||||OUT|2024-06-10T09:15:03\n"
    "||K-4||||||| r4 ||VIEW|2024-06-10T09:15:04\n"
)
PLAIN = (
    "||K-1||m1||77|l1|s1||1|CLICK|2024-06-10T09:15:01\n"
    "|||k-2@example.com|m1|Hello|77|||||VIEW|2024-06-10T09:15:02\n"
    "12|7|||m1|||||||OUT|2024-06-10T09:15:03\n"
    "||K-4|||||||r4||VIEW|2024-06-10T09:15:04\n"
)
EXPORTS = {
    "log_20240611.csv": HEADER + PADDED,
    "log_20240612.csv": HEADER + PLAIN,
    "campaigns_20240611.csv": "ID|NAME\n77|Spring\n",
    "campaigns_20240612.csv": "ID|NAME\n\u200b77 |Summer\n",
    "contacts_20240611.csv": "LIST,USER,WHO\n12\0, 7,K-3\u2060\n",
}


@pytest.fixture(scope="module")
def padded(prepare: Prepare) -> Project:
    return Project(prepare(lambda project: project.with_files(EXPORTS, LAYOUTS).run()))


def test_ids_are_these_for_ever(padded: Project) -> None:
    """Written out, since what was delivered under an id can never get another. Each is the MD5 of a JSON array:
    namespace, event, kind of person, person, email, campaign, link, list, send, microseconds; or namespace, event and
    the row's own id. The first is that of
    ["Selligent Marketing Cloud","Email Link Clicked","user","K-1","m1","77","l1",null,"s1","1718010901000000"].
    """
    assert padded.query(f"SELECT event, id FROM {SCHEMA}.tracks ORDER BY timestamp") == [
        ("email_link_clicked", "9ca11c64-a06e-22a1-2cdd-5496117a6f45"),
        ("email_opened", "7878fb1a-f6f5-1374-a37e-0916e7ed756d"),
        ("email_unsubscribed", "f5fc080e-e748-4477-0d5e-85467aa2b613"),
        ("email_opened", "89bad23f-7e37-285f-d44f-0ea42e25e0e7"),
    ]


def test_padded_values_are_stored_without_what_pads_them(padded: Project) -> None:
    columns = (
        "user_id, email, email_id, email_subject, campaign_id, link_id, list_id, selligent_user_id, send_id, is_bot"
    )
    assert padded.query(f"SELECT {columns} FROM staging.events ORDER BY timestamp") == [
        ("K-1", None, "m1", "Hello", "77", "l1", None, None, "s1", True),
        (None, "K-2@example.com", "m1", "Hello  ", "77", None, None, None, None, None),
        ("K-3", None, "m1", "Hello", None, None, "12", "7", None, None),
        ("K-4", None, None, None, None, None, None, None, None, None),
    ]


def test_a_lookup_names_padded_ids_and_the_newest_counts_however_it_is_padded(padded: Project) -> None:
    names = padded.query("SELECT DISTINCT campaign_name FROM staging.events WHERE campaign_id = '77'")
    assert names == [("Summer",)]


def test_a_list_that_names_padded_people_leaves_them_out(padded: Project, place: Path, tmp_path: Path) -> None:
    """Of the contact, no row names the person; the lookup does."""
    with copied_to(place, padded.folder, tmp_path / "project") as project:
        listed = project.folder / "suppressed.csv"
        listed.write_text("\u200buser_id ,email\nK-1\0,\nK-3  ,\n,\ufeffK-2@EXAMPLE.com \n", "utf-8")
        project.run(SELLIGENT_SUPPRESSED=str(listed))
        assert project.query(f"SELECT user_id FROM {SCHEMA}.tracks") == [("K-4",)]
