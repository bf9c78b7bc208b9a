"""Make export values safe to display: addresses masked, one line, limited in length."""

import re

# Wider than any valid address: masking too much costs nothing, showing an address does. The bounds limit the search
# from each letter of a long text.
_LOCAL = r"""(?:"[^"\n]{0,254}"|[^\s@<>"',;|()\[\]{}:=~]{1,254})"""
_ADDRESS = re.compile(rf"(?P<local>{_LOCAL})(?P<at>@|%40)(?P<domain>[\w.-]+)", re.IGNORECASE)
_EXAMPLE_LENGTH = 40
# The same in DuckDB's regular expressions, which need no bounds to be fast; the first letter is kept.
_LETTER_IN_SQL = r"""[^\s@<>"'',;|()\[\]{}:=~]"""
_ADDRESS_IN_SQL = rf"""(?i)(?:"([^"])[^"]*"|({_LETTER_IN_SQL}){_LETTER_IN_SQL}*)(@|%40)"""
_ESCAPES_IN_SQL = {0: "\\x00", 9: "\\t", 10: "\\n", 13: "\\r"}
_UNPRINTABLE_IN_SQL = r"[\p{C}\p{Zl}\p{Zp}\x{a0}\x{1680}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]"
# The longest name that most file systems have.
_NAME_LENGTH = 255


def masked(text: str) -> str:
    """The text, with each email address reduced to its first letter and its domain."""
    return _ADDRESS.sub(_masked_address, text)


def _masked_address(found: re.Match[str]) -> str:
    initial = found["local"].strip('"')[:1]
    return f"{initial}***{found['at']}{found['domain']}"


def contains_address(text: str) -> bool:
    """Whether the text contains an email address."""
    return _ADDRESS.search(text) is not None


def printable(text: str, kept: str = "") -> str:
    """The text with escapes for characters that a terminal would interpret or not show; `kept` stay as they are."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in kept else character.encode("unicode_escape").decode()
        for character in text
    )


def on_one_line(text: str, length: int) -> str:
    """The text on one line of limited length: masked before it is cut, so that no part of an address remains."""
    # Addresses become shorter, so more of the text is needed than is shown.
    line = printable(masked(text[: length * 8]))
    return line if len(line) <= length else f"{line[: length - 1]}…"


def on_one_line_sql(text: str, length: int) -> str:
    """The SQL equivalent of `on_one_line`; unprintable characters without a usual escape become U+FFFD."""
    line = rf"regexp_replace(left({text}, {length * 8}), '{_ADDRESS_IN_SQL}', '\1\2***\3', 'g')"
    for code, escape in _ESCAPES_IN_SQL.items():
        line = f"replace({line}, chr({code}), '{escape}')"
    line = f"regexp_replace({line}, '{_UNPRINTABLE_IN_SQL}', '\ufffd', 'g')"
    return f"CASE WHEN length({line}) > {length} THEN left({line}, {length - 1}) || '…' ELSE {line} END"


def file_name(name: str) -> str:
    """A file's name, or another short name from outside, made safe to display."""
    return on_one_line(name, _NAME_LENGTH)


def example(text: str) -> str:
    """A value as an example in a comment of a drafted layout, masked and shortened."""
    return f"'{on_one_line(text, _EXAMPLE_LENGTH)}'"
