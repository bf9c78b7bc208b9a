"""Twelve unknown exports: the edits that their drafts need, their open points, and that the final layouts load them."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.exports.layouts import Layout
from pipeline.layout_drafting.inspection import inspect
from tests.layout_drafting.drafting import Drafter, Guessed, lines
from tests.layout_drafting.unknown_exports import UNKNOWN_EXPORTS, UnknownExport
from tests.support.export_folder import Desk

MOST_EDITS = 3
# Only a person knows them, so they are not counted.
NOT_COUNTED = {"event_codes", "timezone"}


def drafted(export: UnknownExport, folder: Path) -> str:
    path = folder / export.name
    path.write_bytes(export.written_to(folder))
    return inspect(str(path))


def edits(draft: Mapping[str, Any], final: Mapping[str, Any]) -> list[str]:
    """What a person has to change: each key, and each line of a mapping. A default may be written or omitted."""
    found = []
    for key in sorted({*draft, *final} - NOT_COUNTED):
        mine, theirs = (one.get(key, Layout.model_fields[key].default) for one in (draft, final))
        if isinstance(mine, dict) or isinstance(theirs, dict):
            mine, theirs = mine if isinstance(mine, dict) else {}, theirs if isinstance(theirs, dict) else {}
            found += [f"{key}.{one}" for one in {*mine, *theirs} if mine.get(one) != theirs.get(one)]
        elif mine != theirs:
            found.append(key)
    return found


@pytest.fixture(scope="module")
def drafts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("unknown-exports")
    yield {export.name: drafted(export, folder) for export in UNKNOWN_EXPORTS}


def test_a_draft_needs_at_most_three_edits_on_average(drafts: Mapping[str, str]) -> None:
    needed = {one.name: edits(yaml.safe_load(drafts[one.name]), one.final) for one in UNKNOWN_EXPORTS}
    assert len(needed) == 12
    assert sum(map(len, needed.values())) / len(needed) <= MOST_EDITS, needed


def test_the_final_layouts_load_every_row(desk: Desk) -> None:
    desk.layouts = tuple(Layout.model_validate(one.final) for one in UNKNOWN_EXPORTS)
    for export in UNKNOWN_EXPORTS:
        desk.put(export.name, export.written_to(desk.folder.parent))
    loaded = {file.name: (file.status, file.rows, file.rejected) for file in desk.load().files}
    assert loaded == {one.name: ("loaded", one.rows, 0) for one in UNKNOWN_EXPORTS}
    assert len(desk.events("event")) == sum(one.rows for one in UNKNOWN_EXPORTS if one.final["kind"] == "events")
    assert None not in desk.events("event")


def points(draft: str) -> list[str]:
    """The numbered steps at the end of a draft, each on one line."""
    steps = draft.partition("\n# Open points:\n")[2].replace("\n#    ", " ").splitlines()
    assert [step.partition(". ")[0] for step in steps] == [f"# {number}" for number in range(1, len(steps) + 1)]
    return [step.partition(". ")[2] for step in steps]


def test_every_placeholder_and_every_doubt_is_an_open_point(drafts: Mapping[str, str]) -> None:
    for name, draft in drafts.items():
        steps, layout = points(draft), yaml.safe_load(draft)
        assert any(step.startswith("timezone: ") for step in steps) == (layout.get("timezone") == "FILL_IN"), name
        assert any(step.startswith("event_codes: ") for step in steps) == ("event_codes" in layout), name
        assert any(step.startswith("event: ") for step in steps) == ("event" in layout), name
        doubts = [
            line.split(":")[0].strip(" #") for line in draft.splitlines() if line.startswith("  ") and "CHECK: " in line
        ]
        assert all(any(re.match(f"columns: {column}( as |: )", step) for step in steps) for column in doubts), name
        assert steps[-1].endswith("run `python -m pipeline check`."), name


def test_an_id_of_rows_is_always_to_be_verified(drafts: Mapping[str, str], draft: Drafter) -> None:
    same_words = lines("event_id,user_id,event,timestamp", "1,C-1,Email Opened,2024-06-11T09:15:10Z")
    for text, column in ((drafts["ACME_MAILLOG_2024-06-11_0700.txt"], "ID"), (draft(same_words), "event_id")):
        [line] = [line for line in text.splitlines() if line.startswith(f"  {column}: event_id ")]
        assert "CHECK: an id of the event that each export of it repeats, and that no other event ever has" in line
        assert any(step.startswith(f"columns: {column} as event_id: ") for step in points(text))


def test_columns_with_few_short_values_are_listed_beside_the_chosen_one(drafts: Mapping[str, str]) -> None:
    log = drafts["ACME_MAILLOG_2024-06-11_0700.txt"]
    assert "#   PRIORITY: 2 different values, e.g. '1', '2'\nevent_column: STATE " in log
    opaque = drafts["SMC_E4711_20240611_063000_18.csv"]
    assert "#   DEV: 2 different values, e.g. 'mobile', 'desktop'\nevent_column: TP " in opaque
    assert "event_column: is it TP? Other columns with few short values are listed above it." in points(opaque)


@pytest.mark.parametrize(
    ("header", "values", "chosen"),
    [
        ("EVENT,KIND", ["campaign of week {}", "{}x"], None),  # the name alone is no reason
        ("TYPE,KIND", ["HTML", "OPN CLK"], "KIND"),  # one value is no code
        ("ORDER_STATUS,WHAT", ["PAID OPEN", "V C B"], "WHAT"),  # the status of something else
        ("STATUS,X", ["ok failed", "view click"], "X"),  # values count more than a name
        ("A,B", ["nl fr de", "V C B"], None),  # no way to decide
    ],
)
def test_the_event_column_is_chosen_by_its_values(
    guessed: Guessed, header: str, values: list[str], chosen: str | None
) -> None:
    rows = [
        ",".join(
            words.split(" ")[n % len(words.split(" "))] if "{" not in words else words.format(n) for words in values
        )
        for n in range(24)
    ]
    content = lines(
        f"CUSTOMER_KEY,OPEN_DT,{header}", *(f"C-{n},2024-06-11T09:15:10Z,{row}" for n, row in enumerate(rows))
    )
    assert guessed(content).get("event_column") == chosen


def test_traits_of_contacts_are_proposed_with_the_reason(drafts: Mapping[str, str]) -> None:
    text = drafts["ACME_profiles_20240611.csv"]
    assert "#traits:\n#  VOORNAAM: firstName " in text
    assert (
        "#  GEBOORTEDATUM: birthday                 # by its name; e.g. '1980-02-10', '1980-02-11', '1980-02-12'"
        in text
    )
    top, _, traits = text.partition("\n#traits:\n")
    chosen = f"{top}\ntraits:\n" + traits.partition("\n\n# Open points:")[0].replace("#  ", "  ")
    layout = Layout.model_validate(yaml.safe_load(chosen))
    assert [one.name for one in layout.traits.values()] == [
        *("firstName", "lastName", "gender", "language", "birthday", "punten", "created_dt"),
    ]
    dutch = drafts["BRUG_handelingen_20240611.csv"]
    assert (
        "of the person rather than the event? In a contacts lookup, it is the trait language; e.g. 'NL', 'FR'" in dutch
    )


def test_columns_without_a_meaning_have_samples(drafts: Mapping[str, str]) -> None:
    assert "# MAIL_ID: ?             # e.g. '7743'; not kept" in drafts["sensors.txt"]
    assert "#  MOTIF: motif   # e.g. 'boîte pleine'" in drafts["FR_evenements_20240611_061500.txt"]
