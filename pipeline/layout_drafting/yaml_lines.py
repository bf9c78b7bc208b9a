"""Lines of a drafted layout: keys with their values, and comments of a limited width."""

from collections.abc import Sequence

import yaml

# Stands for a value that no file contains: no layout with it is valid.
BLANK = "FILL_IN"
# Before a proposed value: the layout is refused until a person has removed the word. In a comment, it marks what the
# sample could not decide.
PROPOSED = "CHECK"

_WIDTH = 118
_LONGEST_KEY = 50


def scalar(value: str, style: str | None = None) -> str:
    """A text as YAML, on one line."""
    if not value.isprintable():
        style = '"'
    dumped: str = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=10**6)
    return dumped.removesuffix("\n").removesuffix("\n...")


def line(key: str, value: str, *comments: str) -> list[str]:
    """A key with its value; comments that don't fit beside it go above."""
    comment = "; ".join(comment for comment in comments if comment)
    text = f"{key}: {value}" if value else f"{key}:"
    if not comment:
        return [text]
    if len(text) + 3 + len(comment) <= _WIDTH:
        return [f"{text}   # {comment}"]
    return [*note(comment), text]


def note(text: str, first: str = "", others: str = "") -> list[str]:
    """A text as comments; `first` begins its first line, `others` the lines below it."""
    lines = [first]
    is_new = True
    for word in text.split(" "):
        if not is_new and len(lines[-1]) + 1 + len(word) > _WIDTH - 2:
            lines.append(others + word)
        else:
            lines[-1] += word if is_new else f" {word}"
        is_new = False
    return [f"# {one}" for one in lines]


def aligned(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Indented keys, each with its comment; the comments are in one column."""
    width = min(max((len(text) for text, _ in pairs), default=0), _LONGEST_KEY)
    return [f"  {text.ljust(width)}   # {comment}" for text, comment in pairs]
