"""Days that come one after the other, corrections, late names: the tables end up the same as if made at once."""

import json

from tests.end_to_end.project import SCHEMA, TABLES, Project
from tests.end_to_end.tiny_exports import CONTACTS, LAYOUTS, NAMED_CLICKS, UNSUBSCRIBED, log
from tests.fakes.segment_server import SegmentServer

_SAME = "* EXCLUDE (received_at, uuid_ts)"
RAW = "raw/events,raw/export_files,raw/rejected_rows,raw/lookups"
MODELS = ",".join(["staging/event_rows", "staging/events", *(f"segment/{table}" for table in (*TABLES, "tracks"))])
FULL_REFRESH = json.dumps({"ops": {"models": {"config": {"full_refresh": True}}}})


def _content(project: Project) -> dict[str, list[tuple[object, ...]]]:
    return {table: project.query(f"SELECT {_SAME} FROM {SCHEMA}.{table} ORDER BY id") for table in (*TABLES, "tracks")}


def test_a_full_refresh_gives_the_tables_that_the_days_gave(project: Project) -> None:
    """The 13th comes first, so its overlap with the 12th has to change hands when the 12th is loaded."""
    project.with_examples()
    for day in ("2024-06-13", "2024-06-11", "2024-06-12"):
        assert project.materialize(f"{RAW},{MODELS}", day)
    by_days = _content(project)
    assert len(by_days["tracks"]) == 4326

    assert project.materialize("segment/tracks", "2024-06-11", config=FULL_REFRESH)
    assert _content(project) == by_days
    assert project.materialize(MODELS, "2024-06-11", config=FULL_REFRESH)
    assert _content(project) == by_days


def test_a_corrected_export_replaces_its_rows_and_a_row_that_another_export_has_stays(project: Project) -> None:
    """Ann's click is in the file of the 11th alone; Bob's is in that of the 12th, too. Kim's are two true clicks within
    a second in the file of the 11th, one of them in the overlap of the 12th: two events, not three.
    """
    ann, bob = "ann,m1,c1,CLICK,l1,2024-06-10T08:00:00Z", "bob,m1,c1,CLICK,l1,2024-06-10T09:00:00Z"
    zoe = "zoe,m1,c1,CLICK,l1,2024-06-10T10:00:00Z"
    kim = "kim,m1,c1,CLICK,l1,2024-06-10T07:00:00Z"
    exports = {"log_20240611.csv": log([ann, bob, kim, kim]), "log_20240612.csv": log([bob, zoe, kim])}
    project.with_files(exports, LAYOUTS)
    project.run()
    assert _clickers(project) == ["ann", "bob", "kim", "kim", "zoe"]

    (project.exports / "log_20240611.csv").write_text(log(["eve,m1,c1,CLICK,l1,2024-06-10T11:00:00Z"]), "utf-8")
    project.run()
    assert _clickers(project) == ["bob", "eve", "kim", "zoe"]
    of_tracks = project.query(f"SELECT user_id FROM {SCHEMA}.tracks ORDER BY 1")
    assert of_tracks == [("bob",), ("eve",), ("kim",), ("zoe",)]
    # Ann's click and Kim's second were still waiting: they must no longer be sent.
    assert project.query("SELECT status, count(*) FROM delivery.events GROUP BY ALL ORDER BY ALL") == [
        ("dead", 2),
        ("waiting", 4),
    ]


def test_an_event_that_a_correction_drops_is_of_the_next_export_that_has_it(
    delivering: Project, segment: SegmentServer
) -> None:
    """Bob's click is within the time that the corrected file of the 11th is about, and Bob's is sent already."""
    bob, zoe = "bob,m1,c1,CLICK,l1,2024-06-10T09:00:00Z", "zoe,m1,c1,CLICK,l1,2024-06-10T10:00:00Z"
    eve = ["eve,m1,c1,CLICK,l1,2024-06-10T08:30:00Z", "eve,m1,c1,CLICK,l1,2024-06-10T11:00:00Z"]
    exports = {"log_20240611.csv": log([bob]), "log_20240612.csv": log([bob, zoe]), "log_20240613.csv": log([bob])}
    delivering.with_files(exports, LAYOUTS)
    delivering.run()
    assert _dates_of_clicks(delivering) == [("bob", "2024-06-11"), ("zoe", "2024-06-12")]

    delivering.with_files({"log_20240611.csv": log(eve)}, {})
    delivering.run()
    of_eve = [("eve", "2024-06-11"), ("eve", "2024-06-11")]
    assert _dates_of_clicks(delivering) == [("bob", "2024-06-12"), *of_eve, ("zoe", "2024-06-12")]
    by_days = _content(delivering)
    for day in ("2024-06-12", "2024-06-11"):
        delivering.run("--from", day, "--to", day)
    assert delivering.materialize("staging/events,segment/tracks", "2024-06-12", config=FULL_REFRESH)
    assert _content(delivering) == by_days
    assert segment.received_ids == delivering.ids()
    assert not segment.duplicates

    delivering.with_files({"log_20240612.csv": log([zoe])}, {})
    delivering.run()
    assert _dates_of_clicks(delivering) == [("bob", "2024-06-13"), *of_eve, ("zoe", "2024-06-12")]


def test_an_event_that_was_withheld_with_one_export_is_sent_with_the_next_that_has_it(
    delivering: Project, segment: SegmentServer
) -> None:
    """By the time that the correction comes, that next export has gone all the way."""
    bob, zoe = "bob,m1,c1,CLICK,l1,2024-06-10T09:00:00Z", "zoe,m1,c1,CLICK,l1,2024-06-10T10:00:00Z"
    delivering.with_files({"log_20240611.csv": log([bob])}, LAYOUTS)
    delivering.run("--no-delivery")
    delivering.with_files({"log_20240612.csv": log([bob, zoe])}, {})
    delivering.run()
    assert len(segment.received_ids) == 1

    delivering.with_files({"log_20240611.csv": log(["eve,m1,c1,CLICK,l1,2024-06-10T11:00:00Z"])}, {})
    delivering.run()
    delivering.run()
    assert len(segment.received_ids) == 2
    assert not segment.duplicates
    assert "There is nothing new" in delivering.run()


def test_a_name_that_comes_late_is_filled_in_and_the_newest_name_wins(once: Project) -> None:
    of_ann = f"SELECT id, campaign_name, received_at FROM {SCHEMA}.email_opened WHERE user_id = 'ann'"
    before = once.query(of_ann)
    assert before[0][1] is None

    (once.exports / "campaigns_20240612.csv").write_text("ID,NAME\nc1,Summer\n", "utf-8")
    once.run()
    after = once.query(of_ann)
    assert after == [(before[0][0], "Summer", before[0][2])]

    (once.exports / "campaigns_20240613.csv").write_text("ID,NAME\nc1,Summer sale\n", "utf-8")
    once.run()
    assert once.query(f"SELECT DISTINCT campaign_name FROM {SCHEMA}.email_opened") == [("Summer sale",)]


def test_a_name_in_a_row_serves_the_events_of_other_exports_and_delivered_ones_are_not_sent_again(
    delivering: Project, segment: SegmentServer
) -> None:
    """Ann's open is delivered before the export of the next day has the name. Bob's is of the same day as the name."""
    ann, bob = "ann,m1,c1,VIEW,,2024-06-10T08:00:00Z", "bob,m1,c1,VIEW,,2024-06-11T08:00:00Z"
    delivering.with_files({"log_20240611.csv": log([ann])}, LAYOUTS | {"clicks.yml": NAMED_CLICKS})
    delivering.run()
    click = "WHO,CAMPAIGN,NAME,WHEN\neve,c1,Spring,2024-06-11T09:00:00Z\n"
    delivering.with_files({"log_20240612.csv": log([bob]), "clicks_20240612.csv": click}, {})
    delivering.run()

    opens = f"SELECT user_id, campaign_name FROM {SCHEMA}.email_opened ORDER BY ALL"
    assert delivering.query(opens) == [("ann", "Spring"), ("bob", "Spring")]
    sent = {one["userId"]: one["properties"].get("campaign_name") for one in segment.messages.values()}
    assert sent == {"ann": None, "bob": "Spring", "eve": "Spring"}
    assert not segment.duplicates
    by_days = _content(delivering)
    assert delivering.materialize(MODELS, "2024-06-12", config=FULL_REFRESH)
    assert _content(delivering) == by_days


def test_names_and_persons_are_those_of_the_newest_lookups_whatever_came_meanwhile(project: Project) -> None:
    """A lookup with the bytes of an older one is the newest all the same; and nothing in the lookups shows what was
    made of a wrong one whose correction has what another has, too.
    """
    project.with_files(
        {
            "log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"]),
            "unsubscribed_20240611.csv": "LIST,USER,WHEN\n12,7,2024-06-10T09:00:00Z\n",
            "campaigns_20240611.csv": "ID,NAME\nc1,Summer\n",
            "campaigns_20240612.csv": "ID,NAME\nc1,Autumn\n",
            "contacts_20240611.csv": "LIST,USER,WHO\n12,7,ann\n",
        },
        LAYOUTS | {"unsubscribed.yml": UNSUBSCRIBED, "contacts.yml": CONTACTS},
    )
    project.run()
    assert _names_and_persons(project) == [("Autumn", "ann")]

    (project.exports / "campaigns_20240613.csv").write_text("ID,NAME\nc1,Summer\n", "utf-8")
    (project.exports / "contacts_20240613.csv").write_text("LIST,USER,WHO\n12,7,eve\n", "utf-8")
    project.run()
    assert _names_and_persons(project) == [("Summer", "eve")]

    (project.exports / "campaigns_20240613.csv").write_text("ID,NAME\nc1,Autumn\n", "utf-8")
    (project.exports / "contacts_20240613.csv").write_text("LIST,USER,WHO\n12,7,ann\n", "utf-8")
    project.run()
    assert _names_and_persons(project) == [("Autumn", "ann")]


def _names_and_persons(project: Project) -> list[tuple[object, ...]]:
    return project.query(
        f"SELECT opened.campaign_name, unsubscribed.user_id "
        f"FROM {SCHEMA}.email_opened AS opened, {SCHEMA}.email_unsubscribed AS unsubscribed"
    )


def _clickers(project: Project) -> list[object]:
    return [row[0] for row in project.query(f"SELECT user_id FROM {SCHEMA}.email_link_clicked ORDER BY 1")]


def _dates_of_clicks(project: Project) -> list[tuple[object, ...]]:
    """Who clicked, in the export of which date."""
    return project.query("SELECT user_id, CAST(export_date AS VARCHAR) FROM staging.events ORDER BY ALL")
