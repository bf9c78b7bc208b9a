"""Markdown for Dagster's UI, which renders tables, links and HTML: text from outside must become none of these."""

import re
from collections.abc import Collection, Iterable, Sequence
from html import unescape

from pipeline.masking import masked, on_one_line, printable

# A longer cell is cut; the table in the warehouse has the whole text.
CELL_LENGTH = 1000
# Characters that are markup anywhere; an underscore is only at the edge of a word.
_ACTIVE = re.compile(r"([\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_]))")
_AT_THE_START = re.compile(r"^(\s*)([#>+-]|\d+(?=[.)]))")
# Dagster's renderer makes links of bare URLs, after it has resolved escapes and entities.
_LINK = re.compile(r"(?i)(https?:|ftp:|www(?=\.))")
_WORD_JOINER = "\u2060"


def escaped(text: str) -> str:
    """Text that is rendered literally, with addresses of people masked; a bare URL does not become a link.

    Control characters become escapes. An invisible character separates the scheme of a URL from the rest.
    """
    text = printable(masked(text))
    text = text.replace("&", "&amp;") if re.search(r"&[#\w]+;", text) else text
    text = _ACTIVE.sub(r"\\\1", text).replace("<", "&lt;")
    text = _AT_THE_START.sub(lambda found: f"{found[1]}&#{ord(found[2][0])};{found[2][1:]}", text)
    return _LINK.sub(rf"\1{_WORD_JOINER}", text)


def plain(text: str) -> str:
    """The text before `escaped`, but still masked: for a terminal and for mails."""
    text = re.sub(r"\\([\\`*\[\]|~_])", r"\1", text.replace(_WORD_JOINER, ""))
    return re.sub(r"&(lt|amp|#\d+);", lambda found: unescape(found[0]), text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Collection[str] = ()) -> str:
    """A table; the columns `numbers` are aligned to the right, and integers have thousands separators."""
    lines = [[escaped(name) for name in head], ["--:" if name in numbers else "---" for name in head]]
    lines += [[_cell(value) for value in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else escaped(on_one_line(str(value), CELL_LENGTH))
