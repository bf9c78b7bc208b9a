"""Every block and link of the documents is known, and leads to something that exists."""

import re
from collections import Counter
from datetime import UTC, date, datetime

import pytest

from pipeline.export_dates import ExportDates
from pipeline.exports.layout_files import read_layouts
from pipeline.exports.listing import ExportFile
from pipeline.exports.matching import Unmatched, match
from pipeline.settings import PROJECT_ROOT
from tests.docs.documents import (
    ARCHITECTURE,
    DOCUMENTS,
    FENCED,
    LAYOUTS,
    OPERATIONS,
    QUERIES,
    README,
    SCALING,
    TABLES,
    blocks,
    code_spans,
    headings,
    prose,
    section,
    table_rows,
)

# How many blocks of which language are below which heading. A test runs or reads each of them: `test_reference.py`
# beside this one, `test_docs.py`, `test_questions.py`, `test_production.py` and `test_brands.py` in `end_to_end`, and
# `layout_drafting/test_inspect_command.py`.
KNOWN_BLOCKS = {
    (README, "Quick start", "sh"): 1,
    (README, "Quick start", "text"): 1,
    (README, "Quick start", "sql"): 1,
    (README, "Load your own exports", "dotenv"): 1,
    (LAYOUTS, "Layouts", "yaml"): 1,
    (LAYOUTS, "Properties", "yaml"): 1,
    (LAYOUTS, "Several layouts for one file", "yaml"): 1,
    (LAYOUTS, "Nested values", "yaml"): 1,  # read by test_nested_columns.py
    (LAYOUTS, "Draft a layout from an unknown export", "yaml"): 1,
    (TABLES, "Export date and delivery", "sql"): 1,
    (TABLES, "Where an event comes from", "sql"): 1,
    (QUERIES, "Ten questions", "sql"): 10,
    (QUERIES, "Time travel", "sql"): 2,
    (QUERIES, "Connect other tools", "sql"): 1,
    (QUERIES, "Connect other tools", "python"): 1,
    (OPERATIONS, "Rerun a step", "sh"): 1,
    (OPERATIONS, "Replay dead events", "sh"): 1,
    (OPERATIONS, "Hold events of machines", "sh"): 1,
    (OPERATIONS, "Events with new ids", "sh"): 1,
    (OPERATIONS, "Run as a service", "sh"): 1,
    (OPERATIONS, "Run as a service", "ini"): 1,
    (OPERATIONS, "Run from a timer", "ini"): 2,
    (OPERATIONS, "Run from a timer", "crontab"): 1,
    (OPERATIONS, "Run in a container", "sh"): 1,
    (OPERATIONS, "Backups", "sh"): 1,  # read by test_restore.py
    (OPERATIONS, "Move to another store", "sh"): 1,  # read by test_copy.py
    (OPERATIONS, "Several brands", "dotenv"): 1,
    (OPERATIONS, "Several brands", "sh"): 1,
    (OPERATIONS, "Several brands", "python"): 1,
    (OPERATIONS, "Several brands", "yaml"): 1,
    (SCALING, "Compose", "sh"): 2,  # these and the next: deploy/test_scaling_document.py
    (SCALING, "Kubernetes", "sh"): 1,
    (SCALING, "Backups of servers", "sh"): 1,
    (SCALING, "Update several machines", "sh"): 1,
    (ARCHITECTURE, "The path of the data", "text"): 1,
}
PATH = re.compile(
    r"(?:pipeline|tests|dbt_project|benchmarks|examples|docs|deploy)/[\w./-]*|[\w.-]+\.(?:md|toml|txt)|Makefile"
)


def test_every_block_is_known() -> None:
    counted: Counter[tuple[str, str, str]] = Counter()
    for document, text in DOCUMENTS.items():
        found = list(FENCED.finditer(text))
        assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(found), f"{document}: a block has no language"
        for block in found:
            before = re.findall(r"^#+ (.+)$", FENCED.sub("", text[: block.start()]), re.MULTILINE)
            counted[document, before[-1], block["language"]] += 1
    assert dict(counted) == KNOWN_BLOCKS


def test_the_readme_is_short_and_names_the_product_as_people_search_for_it() -> None:
    lines = DOCUMENTS[README].splitlines()
    assert len(lines) <= 200
    first = " ".join(lines[:10])
    assert all(name in first for name in ("Selligent Marketing Cloud", "Marigold Engage", "Selligent by Zeta"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    folder = (PROJECT_ROOT / document).parent
    titles = headings(document)
    assert len(titles) == len(set(titles)), "headings have to differ, since links lead to them"
    for link in re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", prose(document)):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (folder / file).resolve() if file else PROJECT_ROOT / document
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target.relative_to(PROJECT_ROOT).as_posix()), link


def _anchors(document: str) -> set[str]:
    """What GitHub makes of headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings(document)}


def test_every_document_is_linked_from_the_readme() -> None:
    linked = re.findall(r"\]\(([\w/]+\.md)\)", DOCUMENTS[README])
    assert set(linked) == set(DOCUMENTS) - {README}


# The changelog names files of earlier versions.
@pytest.mark.parametrize("document", sorted(set(DOCUMENTS) - {"CHANGELOG.md"}))
def test_every_path_of_the_project_exists(document: str) -> None:
    paths = [code for code in code_spans(prose(document)) if PATH.fullmatch(code)]
    assert [path for path in paths if not (PROJECT_ROOT / path).exists()] == []


def test_the_table_of_changes_names_files_and_what_is_in_them() -> None:
    rows = table_rows(section(ARCHITECTURE, "To change X, open Y"))
    assert len(rows) >= 25
    for change, where in rows:
        paths = [PROJECT_ROOT / code for code in code_spans(where) if PATH.fullmatch(code)]
        assert paths, change
        texts = [path.read_text("utf-8") for path in paths if path.is_file()]
        names = [code for code in code_spans(where) if not PATH.fullmatch(code)]
        assert [name for name in names if not any(name in text for text in texts)] == [], change


def test_every_package_is_in_the_table_of_layers() -> None:
    packages = {f"pipeline/{path.parent.name}" for path in (PROJECT_ROOT / "pipeline").glob("*/__init__.py")}
    cells = " ".join(row[1] for row in table_rows(section(ARCHITECTURE, "Layers")))
    assert packages <= set(code_spans(cells))


def test_pictures_exist_and_have_a_description() -> None:
    pictures = [
        (document, words, file)
        for document, text in DOCUMENTS.items()
        for words, file in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", text)
    ]
    assert [document for document, _, _ in pictures] == [README, OPERATIONS, TABLES]
    assert all(len(words) > 40 for _, words, _ in pictures)
    assert [file for document, _, file in pictures if not ((PROJECT_ROOT / document).parent / file).is_file()] == []


def test_the_example_of_a_layout_is_one(tmp_path) -> None:
    [written] = blocks("yaml", section(LAYOUTS, "Layouts"))
    (tmp_path / "interactions.yml").write_text(written, "utf-8")
    [layout] = read_layouts(tmp_path)
    assert layout.name == "interactions"


def test_the_example_of_a_second_layout_matches_the_files_of_the_first(tmp_path) -> None:
    for title in ("Layouts", "Several layouts for one file"):
        [written] = blocks("yaml", section(LAYOUTS, title))
        (tmp_path / f"{title}.yml").write_text(written, "utf-8")
    file = ExportFile("ACME_interactions_20240611_0715.csv", 1, datetime(2024, 6, 11, 6, tzinfo=UTC))
    matched = match(file, read_layouts(tmp_path), ExportDates(date(2024, 1, 1), date(2024, 12, 31)))
    assert not isinstance(matched, Unmatched)
    assert [one.layout.name for one in matched] == ["interaction_contacts", "interactions"]


def test_the_example_of_properties_can_follow_it(tmp_path) -> None:
    [written], [properties] = (blocks("yaml", section(LAYOUTS, title)) for title in ("Layouts", "Properties"))
    before = written.partition("properties:")[0]
    (tmp_path / "interactions.yml").write_text(f"{before}format: ndjson\n{properties}", "utf-8")
    [layout] = read_layouts(tmp_path)
    assert [(one.column, one.type) for one in layout.properties.values()] == [
        ("bounce_type", "text"),
        ("bounce_code", "integer"),
        ("device_os", "text"),
    ]
