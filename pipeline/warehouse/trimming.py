r"""Invisible characters at the ends of values: one rule for people, ids and codes, in Python, DuckDB and dbt.

Blanks that pad a CHAR(n), a NUL that stands for an empty string, a byte order mark where files were joined, a
zero-width space from a web page: none of them makes another person or another event. Inside a value they stay, since
there they may be intended. An event's id is made of trimmed values, so the rule never changes: it lists its characters
and does not depend on the machine's version of Unicode.
"""

# First and last of each range. White space, control characters and the default-ignorable characters of Unicode 16,
# with the blanks that are neither (U+2800, U+FFF9 to U+FFFB). Numbers and letters of any script are not among them.
_RANGES = (
    (0x0000, 0x0020),  # C0 controls with NUL, tab and line breaks; space
    (0x007F, 0x00A0),  # delete, C1 controls, no-break space
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x1680, 0x1680),  # Ogham space
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors and vowel separator
    (0x2000, 0x200F),  # spaces of any width, zero-width characters, directional marks
    (0x2028, 0x202F),  # line and paragraph separator, directional embeddings, narrow no-break space
    (0x205F, 0x206F),  # mathematical space, word joiner, invisible operators, directional isolates
    (0x2800, 0x2800),  # Braille blank
    (0x3000, 0x3000),  # ideographic space
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0xFFF0, 0xFFFB),  # unassigned and ignorable; interlinear annotation
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tags, variation selectors supplement
)
# The inside of a character class: as DuckDB's regular expressions write it, and dbt's var `invisible`; and as Python's.
INVISIBLE = "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in _RANGES)
INVISIBLE_IN_PYTHON = "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in _RANGES)

_CHARACTERS = "".join(chr(code) for first, last in _RANGES for code in range(first, last + 1))


def trimmed(text: str) -> str:
    """The text without invisible characters at either end."""
    return text.strip(_CHARACTERS)


def trimmed_sql(text: str) -> str:
    """SQL for the same; `text` is SQL, and the macro `trimmed` is its twin in dbt."""
    at_both_ends = f"{_begins_visibly_sql(text)} AND ({text})[-1] BETWEEN '!' AND '~'"
    return f"CASE WHEN {at_both_ends} THEN {text} ELSE {_replaced_sql(text)} END"


def _begins_visibly_sql(text: str) -> str:
    """SQL for whether a text begins with visible ASCII, as nearly all do; a regular expression takes longer."""
    return f"({text}) >= '!' AND ({text}) < chr(127)"  # `->>` binds less tightly than a comparison


def _replaced_sql(text: str) -> str:
    return f"regexp_replace({text}, '^[{INVISIBLE}]+|[{INVISIBLE}]+$', '', 'g')"


def identifier_sql(text: str) -> str:
    """SQL for a text that identifies a person or a thing: trimmed, and NULL where nothing is left."""
    return f"nullif({trimmed_sql(text)}, '')"


def is_something_sql(text: str) -> str:
    """SQL for whether a text has a visible character; false for NULL."""
    return f"CASE WHEN {_begins_visibly_sql(text)} THEN true ELSE coalesce({_replaced_sql(text)}, '') <> '' END"


def visible_sql(text: str) -> str:
    """SQL for a text that people read: unchanged, and NULL without a visible character."""
    return f"CASE WHEN {_begins_visibly_sql(text)} OR {_replaced_sql(text)} <> '' THEN {text} END"
