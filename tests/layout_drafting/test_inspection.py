"""From an unknown export to its draft: the examples, what stands for nothing, no address, and whatever else."""

import csv
import io
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InspectionRefused
from pipeline.exports.layout_files import read_layout
from pipeline.layout_drafting.inspection import inspect
from pipeline.masking import masked, on_one_line
from tests.layout_drafting.drafting import EXAMPLES, Drafter, Guessed, lines

# Examples


@pytest.mark.parametrize("path", sorted((EXAMPLES / "exports").iterdir()), ids=lambda path: path.name)
def test_the_examples_are_drafted_as_their_layouts_say(path: Path) -> None:
    """The pattern but for the literal words, the kind, and what each column means."""
    base = path.name.removesuffix(".gz")
    layouts = [read_layout(layout) for layout in sorted((EXAMPLES / "layouts").iterdir())]
    (layout,) = [layout for layout in layouts if layout.pattern.fullmatch(base)]
    drafted = yaml.safe_load(inspect(str(path)))
    assert drafted["files"] == layout.files
    assert (drafted["kind"], drafted["format"]) == (layout.kind, layout.format)
    assert drafted["columns"] == layout.columns
    assert drafted.get("datetime_formats", []) == (layout.datetime_formats if layout.kind == "events" else [])
    assert drafted.get("event_column") == layout.event_column
    if layout.format == "csv":
        assert drafted["delimiter"] == layout.delimiter


# Nothing


def test_words_for_nothing_are_found_where_they_are_frequent(guessed: Guessed) -> None:
    rows = [f"C-{n},{['n.v.t.', 'hero'][n % 2]},{['NULL', '2071'][n % 2]},\\N,2024-06-11T09:15:10" for n in range(20)]
    drafted = guessed(lines("CUSTOMER_KEY,LINK_NAME,LINK_ID,X,CLICK_DT", *rows, r"C-99,none,1,\N,2024-06-11T09:15:10"))
    assert set(drafted["null_values"]) == {"", "n.v.t.", "NULL", r"\N"}
    assert drafted["columns"]["LINK_ID"] == "link_id"


# Addresses


@pytest.mark.parametrize(
    "address",
    ["zoe@example.com", "o'neill@example.com", "zoë@exämple.net", "a.b+c@sub.example.co.uk", "x@localhost", "é@ü.be"],
)
@pytest.mark.parametrize("around", ["{}", "mail <{}>, please", "mailto:{}?x=1", '"{}"', "a|{}|b", "a~|~{}~|~b", "({})"])
def test_addresses_are_masked_wherever_they_stand(address: str, around: str) -> None:
    text = masked(around.format(address))
    assert address not in text
    assert f"***@{address.partition('@')[2]}" in text


def test_endless_values_are_no_burden(draft: Drafter) -> None:
    value = "a" * 120_000
    assert "made from all of its 9 rows" in draft(lines("CUSTOMER_ID;NOTE;MAIL", *[f"C-1;{value};zoe@example.com"] * 9))
    assert "made from all of its 2 rows" in draft(lines(*[f'{{"note": "{value * 5}", "mail": "zoe@example.com"}}'] * 2))


def test_addresses_in_urls_are_masked() -> None:
    assert masked("https://example.com/?u=zoe%40example.com") == "https://example.com/?u=z***%40example.com"


@given(
    st.text(max_size=30), st.integers(1, 40), st.text(st.characters(categories=["Ll", "Nd"]), min_size=2, max_size=9)
)
def test_no_cut_lets_an_address_escape_and_no_comment_breaks_its_line(text: str, length: int, name: str) -> None:
    line = on_one_line(f"{text} {name}@example.com {text}", length)
    assert f" {name}@" not in line
    assert line.isprintable() or line == ""
    assert len(line) <= length
    assert yaml.safe_load(f"a: 1   # {line}\nb: 2") == {"a": 1, "b": 2}


def test_addresses_in_names_codes_and_nulls_are_masked_too(draft: Drafter) -> None:
    rows = ["1,zoe@example.com,zoe@example.com says hi,2024-06-11T09:15:10"] * 5
    text = draft(lines("CUSTOMER_KEY,EVENT,NOTE,OPEN_DT", *rows), "zoe@example.com_20240611.csv")
    assert "zoe@" not in text
    text = draft(
        lines(*['{"zoe@example.com": 1, "user_id": "C-1", "timestamp": "2024-06-11T09:15:10Z"}'] * 5), "x.ndjson"
    )
    assert "zoe@" not in text


# Whatever stands in a file


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12) | st.sampled_from(
    ["NULL", "zoe@example.com", "2024-06-11T09:15:10", "VIEW", "30", "n.v.t.", "yes", "# x", "a: b", '"', "'", "\u2028"]
)


@settings(deadline=None, max_examples=150)
@given(data=st.data(), quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), delimiter=st.sampled_from(",;|\t"))
def test_any_file_becomes_valid_yaml_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, quoting: int, delimiter: str
) -> None:
    width = data.draw(st.integers(1, 5))
    rows = data.draw(st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=8))
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(target.getvalue().encode())
    try:
        draft = inspect(str(path))
    except InspectionRefused as refused:
        assert str(refused).startswith("any.csv: ")
        return
    drafted = yaml.safe_load(draft)
    assert {"name", "files", "kind", "columns"} <= set(drafted)
    assert "zoe@example.com" not in draft
