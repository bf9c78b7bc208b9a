"""An export that is a lookup and events at once: the tables are those of two exports with these rows."""

import re
from pathlib import Path

import pytest

from tests.end_to_end.project import SCHEMA, Prepare, Project
from tests.end_to_end.tiny_exports import CAMPAIGNS, CONTACTS, UNSUBSCRIBED

WIDE = """LIST,USER,WHO,ID,NAME,WHEN
1,7,ann,c1,Spring,2024-06-10T08:00:00Z
1,8,bob,c1,Spring,2024-06-10T09:00:00Z
1,8,bob,c2,,yesterday
,,,c1,Spring,2024-06-10T10:00:00Z
"""
CORRECTED = WIDE.replace("1,7,ann,", "1,7,eve,").replace("1,8,bob,c2,,yesterday\n", "")
MAPPED = UNSUBSCRIBED.replace("USER: selligent_user_id,", "USER: selligent_user_id, ID: campaign_id,")
SEPARATE = {"unsubscribed.yml": MAPPED, "contacts.yml": CONTACTS, "campaigns.yml": CAMPAIGNS}
# The same layouts, for the same file.
MIXED = {name: re.sub(r"files: '[a-z]+_", "files: 'wide_", text) for name, text in SEPARATE.items()}
_SAME = "* EXCLUDE (received_at, uuid_ts, sent_at)"


def content(project: Project) -> list[tuple[object, ...]]:
    return project.query(f"SELECT {_SAME} FROM {SCHEMA}.email_unsubscribed ORDER BY id")


def people(project: Project) -> list[tuple[object, ...]]:
    return project.query(
        f"SELECT context_selligent_user_id, user_id, campaign_name FROM {SCHEMA}.email_unsubscribed ORDER BY 1"
    )


@pytest.fixture(scope="module")
def separate(prepare: Prepare) -> Path:
    exports = {f"{name}_20240611.csv": WIDE for name in ("unsubscribed", "contacts", "campaigns")}
    return prepare(lambda project: project.with_files(exports, SEPARATE).run())


def test_a_mixed_export_gives_the_tables_that_an_export_for_each_layout_would(project: Project, separate: Path) -> None:
    project.with_files({"wide_20240611.csv": WIDE}, MIXED)
    done = project.command("run")
    assert done.returncode == 0
    assert people(project) == [("7", "ann", "Spring"), ("8", "bob", "Spring")]
    assert content(project) == content(Project(separate))
    assert [line for line in done.stderr.splitlines() if line.startswith("wide_")] == [
        "wide_20240611.csv: 1 of 4 rows rejected as contacts; raw.rejected_rows has the reasons",
        "wide_20240611.csv: 2 of 4 rows rejected as events; raw.rejected_rows has the reasons",
    ]
    problems = [line.split() for line in project.command("status", "--problems").stdout.splitlines()]
    assert sum(words[:1] == ["rejected"] for words in problems) == 2
    assert "There is nothing new." in project.run()


def test_a_contact_keeps_the_user_id_that_only_some_of_its_rows_have(project: Project) -> None:
    """It does not matter which row has it. A newer file whose rows all lack it takes it away."""
    rows = ("1,7,ann,c1,Spring,2024-06-10T08:00:00Z", "1,7,,c1,,2024-06-10T09:00:00Z")
    header = WIDE.splitlines()[0]
    known = [("7", "ann", "Spring"), ("7", "ann", "Spring")]
    project.with_files({"wide_20240611.csv": "\n".join([header, *rows]) + "\n"}, MIXED).run()
    assert people(project) == known
    project.with_files({"wide_20240611.csv": "\n".join([header, *reversed(rows)]) + "\n"}, {}).run()
    assert people(project) == known

    # The snapshot of the next day has the contact without a user id, and the campaign with another name.
    project.with_files({"wide_20240612.csv": f"{header}\n1,7,,c1,Summer,2024-06-11T08:00:00Z\n"}, {}).run()
    assert people(project) == [("7", None, "Summer")] * 3


def test_layouts_that_come_and_go_and_a_correction_leave_the_tables_of_the_last_state(project: Project) -> None:
    unsubscribed = {"unsubscribed.yml": MIXED["unsubscribed.yml"]}
    project.with_files({"wide_20240611.csv": WIDE}, unsubscribed).run()
    assert people(project) == [("7", None, None), ("8", None, None)]

    project.with_files({}, MIXED).run()
    assert people(project) == [("7", "ann", "Spring"), ("8", "bob", "Spring")]

    project.with_files({"wide_20240611.csv": CORRECTED}, {}).run()
    assert people(project) == [("7", "eve", "Spring"), ("8", "bob", "Spring")]

    (project.layouts / "contacts.yml").unlink()
    project.run()
    assert people(project) == [("7", None, "Spring"), ("8", None, "Spring")]
    assert project.query("SELECT DISTINCT kind FROM raw.lookups") == [("campaigns",)]

    (project.layouts / "unsubscribed.yml").unlink()
    project.run()
    assert people(project) == []
    assert project.query("SELECT status, count(*) FROM delivery.events GROUP BY ALL") == [("dead", 2)]
