"""Facts about Selligent's exports that break naive models: each is a handful of rows in the same three days.

`test_forget.py` tests that old exports don't bring erased people back.
"""

from collections.abc import Iterator

import pytest

from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Ledger
from tests.end_to_end.project import SCHEMA, Prepare, Project
from tests.fakes.segment_server import SegmentServer

LOG = r"""
name: log
files: 'log_(?P<date>\d{8})(_again)?\.csv'
kind: events
timezone: UTC
event_column: WHAT
event_codes: {SENT: Email Delivered, VIEW: Email Opened, CLICK: Email Link Clicked, BOUNCE: Email Bounced}
columns:
  {LIST: list_id, SID: selligent_user_id, WHO: user_id, MAIL: email_id, LINK: link_id, SEND: send_id, ROW: event_id,
   WHEN: timestamp}
"""
LINKS = r"""
name: links
files: 'links_(?P<date>\d{8})\.csv'
kind: links
columns: {ID: link_id, NAME: link_name}
"""
CONTACTS = r"""
name: contacts
files: 'contacts_(?P<date>\d{8})\.csv'
kind: contacts
columns: {LIST: list_id, SID: selligent_user_id, WHO: user_id}
"""
LAYOUTS = {"log.yml": LOG, "links.yml": LINKS, "contacts.yml": CONTACTS}
HEADER = "LIST,SID,WHO,MAIL,LINK,SEND,ROW,WHAT,WHEN\n"

EVE_CLICKS = ",,eve,m1,l9,,,CLICK,2024-06-10T08:00:00\n"
DAN_WAS_SENT = ",,dan,m1,,,r1,SENT,2024-06-10T08:00:00\n"
FIRST_DAY = (
    HEADER
    + "12,1,,m1,,,,VIEW,2024-06-10T08:00:00\n"
    + "13,1,,m1,,,,VIEW,2024-06-10T08:00:00\n"
    + "12,2,cat,m1,,s1,,SENT,2024-06-10T08:00:00\n"
    + "12,2,cat,m1,,s2,,SENT,2024-06-10T08:00:00\n"
    + DAN_WAS_SENT
    + ",,dan,m1,,,r2,SENT,2024-06-10T08:00:00\n"
    + EVE_CLICKS * 2
    + ",,fay,m1,l9,,,CLICK,2024-06-10T08:00:00\n"
    + ",,gil,m1,,,,FWD,2024-06-10T08:00:00\n"
    + ",,hal,m1,l1,,,CLICK,2024-06-10T08:00:00\n"
    + ",,hal,m1,l2,,,CLICK,2024-06-10T08:00:00\n"
    + ",,ida,m1,,,,SENT,2024-06-10T08:00:00\n"
)
EXPORTS = {
    "contacts_20240611.csv": "LIST,SID,WHO\n12,1,ann\n13,1,bob\n",
    "log_20240611.csv": FIRST_DAY,
    "log_20240612.csv": HEADER + EVE_CLICKS + DAN_WAS_SENT,
    # The second day again, with another row: the bytes differ, so only the rows show that the events are the same.
    "log_20240612_again.csv": HEADER + EVE_CLICKS + DAN_WAS_SENT + ",,jo,m1,,,,VIEW,2024-06-12T08:00:00\n",
    "log_20240613.csv": HEADER + ",,ida,m1,,,,BOUNCE,2024-06-10T09:00:00\n" + EVE_CLICKS * 3,
    "links_20240613.csv": "ID,NAME\nl1,hero\nl2,hero\n",
    "links_20240614.csv": "ID,NAME\nl1,hero of summer\nl2,hero\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[SegmentServer]:
    with SegmentServer() as server:
        yield server


@pytest.fixture(scope="module")
def three_days(prepare: Prepare, server: SegmentServer) -> Project:
    """Loaded, modelled and delivered: first without the names of links, then with them, then with a changed one."""

    def deliver(project: Project) -> None:
        project.with_files(EXPORTS, LAYOUTS).delivering_to(server.url)
        for first, last in (("2024-06-11", "2024-06-12"), ("2024-06-13", "2024-06-13"), ("2024-06-14", "2024-06-14")):
            project.run("--from", first, "--to", last)

    return Project(prepare(deliver))


def table(project: Project, event: str, columns: str, who: str) -> list[tuple[object, ...]]:
    return project.query(f"SELECT {columns} FROM {SCHEMA}.{event} WHERE user_id = ? ORDER BY ALL", [who])


def test_a_selligent_user_id_is_another_person_in_another_list(three_days: Project) -> None:
    columns = "context_selligent_list_id, context_selligent_user_id"
    assert table(three_days, "email_opened", columns, "ann") == [("12", "1")]
    assert table(three_days, "email_opened", columns, "bob") == [("13", "1")]


def test_the_same_email_may_go_twice_to_one_person_at_one_moment(three_days: Project) -> None:
    sends = table(three_days, "email_delivered", "context_selligent_send_id", "cat")
    assert sends == [("s1",), ("s2",)]


def test_a_row_id_of_the_export_separates_two_events_and_joins_two_rows_of_one_event(
    three_days: Project,
) -> None:
    assert len(table(three_days, "email_delivered", "id", "dan")) == 2


def test_of_identical_rows_the_file_with_most_counts_and_not_the_sum(three_days: Project) -> None:
    """Two on the first day, one in each file of the second, three on the third: three real clicks."""
    assert len(table(three_days, "email_link_clicked", "id", "eve")) == 3


def test_each_event_has_its_file_its_row_and_what_the_export_has_beside_it(three_days: Project) -> None:
    assert three_days.query("SELECT count(*), count(DISTINCT id) FROM staging.event_details") == [
        (len(three_days.ids("tracks")),) * 2
    ]
    details = three_days.query(
        "SELECT file, row_number, layout, event_code, timestamp_text, extra::VARCHAR, event_id, export_date::VARCHAR "
        "FROM staging.event_details WHERE user_id = 'dan' OR (user_id = 'eve' AND file LIKE '%12%') ORDER BY ALL"
    )
    of_first_day = ["log", "SENT", "2024-06-10T08:00:00", None]
    assert [list(row[2:6]) for row in details] == [of_first_day] * 2  # all of Eve's are in the first or the third
    assert [(row[0], row[1], row[6], row[7]) for row in details] == [
        ("log_20240611.csv", 5, "r1", "2024-06-11"),
        ("log_20240611.csv", 6, "r2", "2024-06-11"),
    ]


@pytest.mark.stores("sqlite", "servers")
def test_the_view_of_details_is_written_once(three_days: Project) -> None:
    """Three runs made the tables; a view that every run writes would change the catalog each time."""
    changes = str(three_days.query("SELECT changes FROM ducklake_snapshots('lake')"))
    assert changes.count("staging.event_details") == 1


def test_a_click_without_an_open_is_kept_and_no_open_is_invented(three_days: Project) -> None:
    assert len(table(three_days, "email_link_clicked", "id", "fay")) == 1
    assert table(three_days, "email_opened", "id", "fay") == []


def test_a_code_that_is_not_listed_rejects_its_row(three_days: Project) -> None:
    [(line, reason)] = three_days.query("SELECT line, reason FROM raw.rejected_rows")
    assert line == 11
    assert "'FWD'" in str(reason)
    assert table(three_days, "tracks", "id", "gil") == []


def test_a_late_bounce_has_its_own_time_and_the_date_of_the_export_that_contains_it(
    three_days: Project,
) -> None:
    assert table(three_days, "email_bounced", "strftime(timestamp, '%d %H:%M')", "ida") == [("10 09:00",)]
    assert three_days.query(
        "SELECT DISTINCT export_date::VARCHAR FROM delivery.events WHERE event = 'email_bounced'"
    ) == [("2024-06-13",)]


def test_two_links_with_one_name_are_two_links_and_the_newest_name_of_each_counts(three_days: Project) -> None:
    clicks = table(three_days, "email_link_clicked", "link_id, link_name", "hal")
    assert clicks == [("l1", "hero of summer"), ("l2", "hero")]


def test_a_late_name_is_not_sent_again_and_the_report_counts_the_events_sent_without_it(
    three_days: Project, server: SegmentServer
) -> None:
    assert server.received_ids == three_days.ids("tracks")
    assert not server.duplicates
    assert not server.dropped
    nameless = Ledger(three_days.environment["LEDGER"]).delivered_without_name(EVERY_DATE)
    # Clicks: three of Eve, one of Fay, two of Hal; no export has a subject.
    assert nameless == {"email_subject": len(server.received_ids), "link_name": 6}
