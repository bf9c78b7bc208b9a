"""Markdown for Dagster's UI, which renders it with tables, links and HTML: text from outside must be none of these."""

import re
from collections.abc import Collection, Iterable, Sequence
from html import unescape

from pipeline.masking import masked, on_one_line, printable

# A cell shows as much; the table that it is of has the whole.
CELL_LENGTH = 1000
# What begins or ends something, wherever it stands; an underscore does so at the edge of a word only.
_ACTIVE = re.compile(r"([\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_]))")
_AT_THE_START = re.compile(r"^(\s*)([#>+-]|\d+(?=[.)]))")
# Dagster's renderer makes links of bare addresses, after it has resolved escapes and entities.
_LINK = re.compile(r"(?i)(https?:|ftp:|www(?=\.))")
_WORD_JOINER = "\u2060"


def escaped(text: str) -> str:
    """Text that is shown as it is, without addresses of people; a bare URL is not made a link.

    Control characters are shown as escapes. Between the scheme of a URL and what follows stands an invisible character.
    """
    text = printable(masked(text))
    text = text.replace("&", "&amp;") if re.search(r"&[#\w]+;", text) else text
    text = _ACTIVE.sub(r"\\\1", text).replace("<", "&lt;")
    text = _AT_THE_START.sub(lambda found: f"{found[1]}&#{ord(found[2][0])};{found[2][1:]}", text)
    return _LINK.sub(rf"\1{_WORD_JOINER}", text)


def plain(text: str) -> str:
    """What `escaped` was given, but for what it masked: for a terminal and for mails."""
    text = re.sub(r"\\([\\`*\[\]|~_])", r"\1", text.replace(_WORD_JOINER, ""))
    return re.sub(r"&(lt|amp|#\d+);", lambda found: unescape(found[0]), text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Collection[str] = ()) -> str:
    """A table; the columns `numbers` are aligned to the right, and whole numbers have separators of thousands."""
    lines = [[escaped(name) for name in head], ["--:" if name in numbers else "---" for name in head]]
    lines += [[_cell(value) for value in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else escaped(on_one_line(str(value), CELL_LENGTH))
