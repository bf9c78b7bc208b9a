"""The examples are what their script makes, and become exactly the numbers that the script's table promises."""

import gzip
import json
import runpy
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.exports.layout_files import read_layouts
from pipeline.exports.loading import Loaded
from pipeline.exports.row_accounting import rows_accounted_for
from tests.layout_drafting.drafting import EXAMPLES
from tests.support.export_folder import EVERY_DATE, Desk
from tests.support.warehouses import ducklake_in

DATES = [date(2024, 6, 11), date(2024, 6, 12), date(2024, 6, 13)]


@pytest.fixture(scope="module")
def example_files() -> Iterator[Callable[[], dict[str, bytes]]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(EXAMPLES)  # as for a script that Python starts
        script: dict[str, Any] = runpy.run_path(str(EXAMPLES / "make_exports.py"))
    yield script["example_files"]


@pytest.fixture(scope="module")
def loaded(lake_without_rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Loaded]]:
    lake = tmp_path_factory.mktemp("examples") / "lake"
    shutil.copytree(lake_without_rows, lake)
    with ducklake_in(lake).writing() as connection:
        desk = Desk(connection, EXAMPLES / "exports", *read_layouts(EXAMPLES / "layouts"))
        yield desk, desk.load()


def unpacked(name: str, content: bytes) -> bytes:
    """What is packed differs with the version of the library that packed it."""
    return gzip.decompress(content) if name.endswith(".gz") else content


def test_the_script_makes_the_same_files_each_time(example_files: Callable[[], dict[str, bytes]]) -> None:
    assert example_files() == example_files()


def test_the_files_that_lie_there_are_those_of_the_script(example_files: Callable[[], dict[str, bytes]]) -> None:
    made = example_files()
    lying = {path.name: path.read_bytes() for path in (EXAMPLES / "exports").iterdir()}
    assert sorted(lying) == sorted(made)
    for name, content in made.items():
        assert unpacked(name, lying[name]) == unpacked(name, content), name


def test_every_example_has_one_layout_and_every_layout_an_example(loaded: tuple[Desk, Loaded]) -> None:
    desk, became = loaded
    assert {file.status for file in became.files} == {"loaded"}
    assert {file.reason for file in became.files} == {None}
    assert len(became.files) == len(list((EXAMPLES / "exports").iterdir()))
    assert set(desk.files("layout")) == {layout.name for layout in desk.layouts}


def test_the_examples_become_these_numbers(loaded: tuple[Desk, Loaded]) -> None:
    desk, became = loaded
    events = [file for file in became.files if file.kind == "events"]
    assert {
        day: tuple(
            sum(getattr(file, number) for file in events if file.export_date == day)
            for number in ("rows", "skipped", "rejected")
        )
        for day in DATES
    } == {DATES[0]: (2262, 840, 7), DATES[1]: (2227, 560, 12), DATES[2]: (1678, 360, 9)}
    accounts = rows_accounted_for(desk.connection, EVERY_DATE)
    assert accounts.holds
    assert accounts.numbers == {"rows": became.total("rows") + became.total("rows", lookups=True)}


def test_the_flaws_of_the_examples_are_those_that_the_script_documents(loaded: tuple[Desk, Loaded]) -> None:
    desk, _ = loaded
    faults = {
        "fewer columns": "broken off",
        "not a JSON object": "broken off",
        "unknown event code 'FWD'": "unknown code",
        "cannot be read as": "no such date",
        "no person identified": "no person",
    }
    found = Counter(
        (file.split("_")[1], next(fault for words, fault in faults.items() if words in reason))
        for file, reason in desk.rejected("file", "reason")
    )
    assert found == {
        ("interactions", "broken off"): 2 + 1 + 2,
        ("clicks", "broken off"): 1 + 0 + 1,
        ("loyalty", "broken off"): 1 + 1,
        ("interactions", "unknown code"): 1 + 1 + 1,
        ("interactions", "no such date"): 1 + 2 + 1,
        ("clicks", "no such date"): 1 + 0 + 1,
        ("bounces", "no such date"): 0 + 1 + 0,
        ("loyalty", "no such date"): 1 + 0,
        ("interactions", "no person"): 1 + 2 + 1,
        ("clicks", "no person"): 0 + 2 + 0,
        ("loyalty", "no person"): 1 + 1,
    }


def test_rejected_rows_of_the_examples_stand_at_their_lines(loaded: tuple[Desk, Loaded]) -> None:
    desk, _ = loaded
    for file, line, reason, text in desk.rejected("file", "line", "reason", "text"):
        content = unpacked(file, (EXAMPLES / "exports" / file).read_bytes()).decode()
        shown = content.splitlines()[line - 1]
        if file.endswith(".ndjson") and "not a JSON" not in reason:
            assert "user_id" not in json.loads(shown)
        else:
            assert text.replace('"', "") == shown.replace('"', "")


def test_the_examples_are_loaded_once(loaded: tuple[Desk, Loaded]) -> None:
    desk, became = loaded
    assert desk.load() == Loaded([], len(became.files))
