"""A clock that jumps ahead and back: what was written by the wrong one hides nothing that comes later."""

import os
import shutil
import subprocess
from datetime import timedelta

from tests.end_to_end.project import SCHEMA, TABLES, Project
from tests.end_to_end.tiny_exports import ANN, BOB, LAYOUTS, log
from tests.support.needed import is_lacking

# Opens that come later.
OTHERS = ("kim,m1,c1,VIEW,,2024-06-10T09:00:00Z", "lou,m1,c1,VIEW,,2024-06-10T09:01:00Z")


def _as_if_written_by_a_clock_ahead(project: Project, by: timedelta) -> None:
    """The moments that the models have noted so far are those of a clock that was wrong by so much."""
    with project.warehouse.writing() as connection:
        connection.execute("UPDATE staging.events SET written_at = written_at + ?", [by])
        for table in (*TABLES, "tracks"):
            connection.execute(f"UPDATE {SCHEMA}.{table} SET uuid_ts = uuid_ts + ?", [by])


def _people(project: Project, table: str) -> list[object]:
    return [who for (who,) in project.query(f"SELECT user_id FROM {SCHEMA}.{table} ORDER BY ALL")]


def test_a_clock_that_jumped_back_hides_no_event_from_its_table(once: Project) -> None:
    """Two runs after the jump: one of a whole date, and one of `staging` alone, which another date's run takes."""
    project, known = once, ["ann", "bob", "eve", "zoe"]
    _as_if_written_by_a_clock_ahead(project, timedelta(hours=2))

    project.with_files({"log_20240612.csv": log([OTHERS[0]])}, {})
    project.run()
    assert _people(project, "email_opened") == _people(project, "tracks") == sorted([*known, "kim"])

    _as_if_written_by_a_clock_ahead(project, timedelta(days=400))
    project.with_files({"log_20240613.csv": log([OTHERS[1]])}, {})
    assert project.materialize("raw/events,staging/event_rows,staging/events", "2024-06-13")
    assert project.materialize("segment/tracks", "2024-06-11")
    assert _people(project, "tracks") == sorted([*known, "kim", "lou"])
    assert _people(project, "email_opened") == sorted([*known, "kim"]), "not asked for yet"
    project.run()
    assert _people(project, "email_opened") == sorted([*known, "kim", "lou"])


def test_what_an_event_table_lacks_is_put_back_as_the_message_of_the_check_says(once: Project) -> None:
    everyone = ["ann", "bob", "eve", "zoe"]
    with once.warehouse.writing() as connection:
        connection.execute(f"DELETE FROM {SCHEMA}.email_opened WHERE user_id = 'bob'")
    assert not once.materialize("delivery/outbox", "2024-06-11")

    # Named by the check: pipeline/segment/checks.py.
    once.run("--from", "2024-06-11", "--to", "2024-06-11")
    assert _people(once, "email_opened") == everyone
    assert once.materialize("delivery/outbox", "2024-06-11")

    with once.warehouse.writing() as connection:
        connection.execute(f"INSERT INTO {SCHEMA}.email_opened FROM {SCHEMA}.email_opened WHERE user_id = 'bob'")
    assert not once.materialize("delivery/outbox", "2024-06-11")
    once.run("--from", "2024-06-11", "--to", "2024-06-11")
    assert _people(once, "email_opened") == everyone
    assert once.materialize("delivery/outbox", "2024-06-11")


def test_what_is_loaded_after_the_clock_was_set_back_goes_all_the_way(project: Project) -> None:
    """By a clock that is two hours behind, the second file of the date comes before the first. Its run is killed, so
    that only the ledger shows that the date is not finished. Of the lookups, the later date has the older
    time.
    """
    behind = two_hours_behind()
    names = {f"campaigns_202406{day}.csv": f"ID,NAME\nc1,{name}\n" for day, name in ((10, "Spring"), (11, "Summer"))}
    project.with_files({"log_20240611.csv": log([ANN])} | names, LAYOUTS)
    os.utime(project.exports / "campaigns_20240611.csv", (0, 0))
    project.run()
    assert project.query(f"SELECT campaign_name FROM {SCHEMA}.email_opened") == [("Summer",)]

    project.with_files({"log_20240611_0900.csv": log([BOB])}, {})
    assert project.materialize("raw/events,raw/export_files", "2024-06-11", **behind)
    assert _people(project, "email_opened") == ["ann"]
    assert "There is nothing new." not in project.run(**behind)
    assert _people(project, "email_opened") == _people(project, "tracks") == ["ann", "bob"]
    assert project.query("SELECT count(*) FROM delivery.outbox") == [(2,)]
    assert "There is nothing new." in project.run()


def two_hours_behind() -> dict[str, str]:
    """What gives a process a clock that is two hours behind."""
    if (command := shutil.which("faketime")) is None:
        is_lacking("needs faketime, of the package of that name")
    preload = subprocess.run(
        [command, "-f", "-2h", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True
    )
    return {"LD_PRELOAD": preload.stdout.strip(), "FAKETIME": "-2h"}


def test_a_warehouse_of_an_earlier_version_has_no_numbers_yet(once: Project) -> None:
    """Bob's event is in none of the tables: a clock had hidden it from them."""
    with once.warehouse.writing() as connection:
        connection.execute("DROP TABLE staging.revisions")
        connection.execute("ALTER TABLE staging.events DROP COLUMN revision")
        for table in ("email_opened", "tracks"):
            connection.execute(f"DELETE FROM {SCHEMA}.{table} WHERE user_id = 'bob'")

    once.with_files({"log_20240612.csv": log(["kim,m1,c1,VIEW,,2024-06-10T09:00:00Z"])}, {})
    once.run()
    assert _people(once, "email_opened") == _people(once, "tracks") == ["ann", "bob", "eve", "kim", "zoe"]
