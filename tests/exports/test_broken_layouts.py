"""A layout that can't be used stops no other one: the files that may belong to it wait, as they are."""

from pathlib import Path

import pytest

from pipeline.errors import LayoutError
from pipeline.exports.checks import broken_layouts
from pipeline.exports.discovery import Discovered, discover, known_files
from pipeline.exports.layout_files import BrokenLayout, read_usable_layouts
from pipeline.exports.property_registry import contradicting, register_properties
from tests.exports.layout_texts import CLICKS, changed
from tests.support.export_folder import HEADER, LOADABLE, OPENS, ZOE, Desk, layout

BROKEN = BrokenLayout("opens.yml", "opens.yml: kind: is missing", layout().pattern)
UNREADABLE = BrokenLayout("opens.yml", "opens.yml, line 1: is not YAML")
CLICKS_LAYOUT = layout(name="clicks", files="clicks.*", event="Email Link Clicked")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts" / "clicks.yml").write_text(CLICKS)
    return tmp_path / "layouts"


def names(seen: Discovered) -> tuple[list[str], list[str], list[str]]:
    """Matched, unmatched and undecided files."""
    return (
        [each.file.name for each in seen.matched],
        [each.file.name for each in seen.unmatched],
        [file.name for file in seen.undecided],
    )


def test_the_others_are_used_and_the_pattern_of_the_broken_one_is_known(folder: Path) -> None:
    (folder / "opens.yml").write_text("name: opens\nfiles: 'opens_.*'\nkind: event\n")
    (folder / "text.yml").write_text("name: [\n")
    layouts = read_usable_layouts(folder)
    assert [layout.name for layout in layouts.usable] == ["clicks"]
    [opens, text] = layouts.broken
    assert opens.fault.startswith("opens.yml: kind: 'event' is not ")
    assert opens.pattern is not None
    assert opens.pattern.fullmatch("opens_1.csv")
    assert (text.name, text.pattern) == ("text.yml", None)


def test_of_two_that_contradict_each_other_none_is_used(folder: Path) -> None:
    number = "properties: {CODE: {name: code, type: integer}}\n"
    (folder / "a.yml").write_text(changed("name: clicks", "name: a") + number)
    (folder / "b.yml").write_text(changed("name: clicks", "name: b") + "properties: {CODE: code}\n")
    layouts = read_usable_layouts(folder)
    assert [layout.name for layout in layouts.usable] == ["clicks"]
    fault = "b.yml: properties: 'CODE': 'code' is text, and integer in layout a; give both the same type"
    assert [(each.name, each.fault) for each in layouts.broken] == [("a.yml", fault), ("b.yml", fault)]


def test_without_a_usable_layout_every_mistake_is_reported(folder: Path) -> None:
    (folder / "clicks.yml").write_text("name: clicks\n")
    (folder / "opens.yml").write_text("")
    with pytest.raises(LayoutError, match=r"clicks\.yml: .*; opens\.yml: is empty"):
        read_usable_layouts(folder)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (BROKEN, (["clicks.csv"], ["notes.txt"], ["opens.csv"])),
        (UNREADABLE, (["clicks.csv"], [], ["notes.txt", "opens.csv"])),
        (BrokenLayout("all.yml", "", layout(files=".*").pattern), ([], [], ["clicks.csv", "notes.txt", "opens.csv"])),
    ],
    ids=["with a pattern", "without one", "that fits all"],
)
def test_only_files_that_may_belong_to_it_wait(
    desk: Desk, broken: BrokenLayout, found: tuple[list[str], list[str], list[str]]
) -> None:
    for name in ("clicks.csv", "notes.txt", "opens.csv"):
        desk.put(name, HEADER + ZOE)
    seen = discover(desk.location, [CLICKS_LAYOUT], LOADABLE, broken=[broken])
    assert names(seen) == found
    assert seen.names == {"clicks.csv", "notes.txt", "opens.csv"}


@pytest.mark.parametrize("broken", [BROKEN, UNREADABLE])
def test_rows_of_a_layout_that_breaks_stay_and_its_new_files_are_loaded_later(desk: Desk, broken: BrokenLayout) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    desk.put("opens_2.csv", HEADER + ZOE.replace("C-1", "C-2"))
    before = desk.files("name", "status")
    seen = discover(desk.location, [CLICKS_LAYOUT], LOADABLE, broken=[broken])
    desk.load_seen(seen)
    assert desk.files("name", "status") == before == [("opens.csv", "loaded")]
    assert desk.events("file") == ["opens.csv"]
    found = broken_layouts(seen)
    assert found.grave
    assert found.numbers == {"layouts": 1, "files": 2}
    assert broken.fault in found.sentence
    assert found.sentence.endswith("2 files that may belong to it are loaded then.")
    assert [file.name for file in desk.load().files] == ["opens_2.csv"], "the layout is corrected"
    assert broken_layouts(discover(desk.location, desk.layouts, LOADABLE)).holds


def test_a_layout_that_contradicts_the_columns_is_set_aside_alone(desk: Desk) -> None:
    number = layout(properties={"CODE": {"name": "code", "type": "integer"}})
    register_properties(desk.connection, [number], "selligent_marketing_cloud")
    text = layout(properties={"CODE": "code"})
    desk.put("opens.csv", HEADER + ZOE)
    desk.put("clicks.csv", HEADER + ZOE)
    broken = contradicting(desk.connection, [text, CLICKS_LAYOUT])
    assert [layout.name for layout in broken] == [OPENS["name"]]
    seen = discover(desk.location, [text, CLICKS_LAYOUT], LOADABLE).without(broken)
    assert names(seen) == (["clicks.csv"], [], ["opens.csv"])
    assert seen.new_dates(known_files(desk.connection)) == {seen.matched[0].export_date}
    assert "'code' is text, and the event tables have it as integer" in broken_layouts(seen).sentence
