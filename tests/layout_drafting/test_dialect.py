"""Each shape of export that Selligent writes is drafted right, and the filled draft loads every row."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import LayoutError
from pipeline.exports.layout_files import read_layout
from pipeline.layout_drafting.dialect import cut
from pipeline.layout_drafting.inspection import inspect
from tests.layout_drafting.unknown import ROWS, SHAPES, Unknown, clicks, coded, labelled, segment, segment_json, sends
from tests.support.export_folder import Desk


def drafted(folder: Path, export: Unknown) -> str:
    path = folder / export.name
    path.write_bytes(export.content)
    return inspect(str(path))


def filled(draft: str, export: Unknown) -> str:
    """What a person has to write: where date-times are from, and what the codes mean, or the one event."""
    draft = draft.replace("timezone: FILL_IN", "timezone: Europe/Brussels")
    draft = re.sub("^event: (FILL_IN|CHECK [A-Za-z ]+[a-z])", "event: Email Opened", draft, flags=re.MULTILINE)
    for code, event in export.codes.items():
        draft = re.sub(rf"^  ('?{code}'?): (FILL_IN|CHECK \w[\w ]*\w)", rf"  \1: {event}", draft, flags=re.MULTILINE)
    return draft


@pytest.mark.parametrize("shape", SHAPES)
def test_every_guess_is_right(tmp_path: Path, shape: Callable[[], Unknown]) -> None:
    export = shape()
    assert yaml.safe_load(drafted(tmp_path, export)) == export.draft


@pytest.mark.parametrize("shape", SHAPES)
def test_no_address_of_the_file_stands_in_the_draft(tmp_path: Path, shape: Callable[[], Unknown]) -> None:
    export = shape()
    draft = drafted(tmp_path, export)
    assert [address for address in export.addresses if address in draft] == []


@pytest.mark.parametrize("shape", SHAPES)
def test_the_draft_says_how_many_rows_were_looked_at_and_shows_three(
    tmp_path: Path, shape: Callable[[], Unknown]
) -> None:
    top = drafted(tmp_path, shape()).partition("\nname: ")[0]
    comments = [line for line in top.splitlines() if line.startswith("#")]
    assert "all of its 200 rows" in comments[0]
    assert sum(line.startswith("#   ") for line in comments) == 3


def test_codes_stand_there_with_their_counts(tmp_path: Path) -> None:
    for export, column in ((labelled(), "INTERACTION"), (sends(), "STATE")):
        lines = drafted(tmp_path, export).splitlines()
        codes = [row[column] for row in export.rows]
        for code in set(codes):
            [line] = [line for line in lines if line.strip().startswith((f"{code}: ", f"'{code}': "))]
            assert re.search(r": (FILL_IN|CHECK )", line)
            assert re.search(rf"# {codes.count(code)}(;|$)", line)


# Each shape as Selligent writes it, and in other encodings and packings.
LOADABLE = [
    labelled(),
    labelled().but(packing="gzip"),
    coded().but(file_name="ACME_2024-06-11_063000.txt"),
    clicks(),
    clicks().but(encoding="utf-8-sig"),
    sends(),
    sends().but(encoding="utf-8"),
    segment(),
    segment_json(),
    segment_json().but(packing="gzip"),
]


@pytest.mark.parametrize("export", LOADABLE, ids=lambda export: f"{export.name}-{export.encoding}")
def test_a_filled_draft_loads_every_row(plain_desk: Desk, tmp_path: Path, export: Unknown) -> None:
    desk = plain_desk
    desk.put(export.name, export.content)
    path = tmp_path / "draft.yml"
    path.write_text(filled(inspect(str(desk.folder / export.name)), export), "utf-8")
    desk.layouts = (read_layout(path),)
    (loaded,) = desk.load().files
    assert (loaded.status, loaded.rows, loaded.skipped, loaded.rejected) == ("loaded", ROWS, 0, 0)
    assert all(moment is not None for moment in desk.events("occurred_at"))
    meanings = desk.layouts[0].columns
    nothing = set(desk.layouts[0].null_values)
    for column, meaning in meanings.items():
        expected = [None if row[column] in nothing else row[column] for row in export.rows]
        assert desk.events(meaning) == expected, column


@pytest.mark.parametrize("export", [sends().but(encoding="utf-8"), coded()], ids=lambda e: e.name)
def test_a_draft_with_blanks_is_refused(tmp_path: Path, export: Unknown) -> None:
    path = tmp_path / "draft.yml"
    path.write_text(drafted(tmp_path, export), "utf-8")
    with pytest.raises(LayoutError) as refused:
        read_layout(path)
    assert "timezone: 'FILL_IN' is not an IANA time zone" in str(refused.value)
    assert "'FILL_IN' is not an event; it is one of Email Bounced" in str(refused.value)


@pytest.mark.parametrize(
    ("export", "blank", "words"),
    [
        (labelled(), "timezone: FILL_IN", "'FILL_IN' is not"),
        (labelled(), "  SENT: CHECK null", "'SENT': 'CHECK null' is a proposal of `inspect`; verify it, then remove"),
        (sends(), "  '41': FILL_IN", "'FILL_IN' is not"),
        (clicks(), "event: CHECK Email Link Clicked", "'CHECK Email Link Clicked' is a proposal of `inspect`"),
    ],
)
def test_one_blank_is_enough_to_be_refused(tmp_path: Path, export: Unknown, blank: str, words: str) -> None:
    path = tmp_path / "draft.yml"
    draft = drafted(tmp_path, export)
    assert blank in draft
    path.write_text(filled(draft.replace(blank, "KEPT"), export).replace("KEPT", blank), "utf-8")
    with pytest.raises(LayoutError, match=words):
        read_layout(path)


def test_nothing_is_left_to_fill_in_where_the_file_says_everything(tmp_path: Path) -> None:
    path = tmp_path / "draft.yml"
    path.write_text(drafted(tmp_path, segment()), "utf-8")
    layout: Any = read_layout(path)
    assert layout.timezone is None
    assert "FILL_IN" not in path.read_text("utf-8")


def test_objects_that_the_loader_puts_aside_are_no_rows() -> None:
    """Which of two values of one key counts, no rule says; NaN is not JSON."""
    odd = ['{"who": "A", "who": "B"}', '{"who": "A", "WHO": "B"}', '{"who": NaN}', '{"who": [1, -Infinity]}']
    inner = '{"who": "C-2", "inner": {"x": 1, "x": 2}}'
    table = cut("x.ndjson", "\n".join(['{"who": "C-1"}', *odd, inner]) + "\n", True)
    assert table.names == ("who", "inner")
    assert table.rows == (("C-1", None), ("C-2", '{"x": 2}'))
    assert table.odd_rows == 4
