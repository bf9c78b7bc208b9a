"""Dagster renders Markdown with tables, links and HTML; values from outside come out of it as they went in."""

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from pipeline.masking import printable
from pipeline.orchestration.markdown import escaped, plain, table
from tests.support.hostile import HOSTILE

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MORE = [
    "1. first",
    "+ one",
    "> quoted",
    "- five",
    "snake_case_word",
    "_private_",
    "a & b",
    "&copy;",
    "\\|",
    "\\",
    "x\\`",
]


class Page(HTMLParser):
    """The elements of a page and the text in it."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.texts: list[str] = []
        self.feed(RENDERER.render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs or tag in ("th", "td")
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts).replace("\u2060", "").strip()


@pytest.mark.parametrize("text", [*HOSTILE, *MORE])
def test_a_value_is_shown_as_it_is_in_a_sentence_and_in_a_cell(text: str) -> None:
    shown = printable(text)
    sentence = Page(escaped(text))
    assert (sentence.text, sentence.elements) == (shown, ["p"])
    page = Page(table(["name", "rows"], [[text, 1234]], ["rows"]))
    assert page.elements == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert [line for line in page.text.splitlines() if line.strip()] == ["name", "rows", shown, "1,234"]


@pytest.mark.parametrize("text", [*HOSTILE, *MORE])
def test_a_terminal_gets_the_sentence_back(text: str) -> None:
    assert plain(escaped(text)) == printable(text)


def test_a_bare_url_is_no_link_and_an_address_is_masked() -> None:
    """Dagster's renderer makes links of what looks like one, whatever is escaped in it."""
    assert escaped("see https://evil.example.com or www.evil.example.com, zoe@example.com") == (
        "see https:\u2060//evil.example.com or www\u2060.evil.example.com, z\\*\\*\\*@example.com"
    )


def test_the_words_of_a_check_are_left_as_they_are_where_nothing_is_active() -> None:
    words = "2 files refused: clicks.csv (no column MAIL); raw.rejected_rows has 1,234 rows - see delivery/outbox."
    assert escaped(words) == words
