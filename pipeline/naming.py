"""Names of schemas, tables and columns as Segment's warehouses write them, and how names are compared."""

import re
import unicodedata

# A word is a run of capitals and digits followed by a run of small letters and digits.
_WORD = re.compile(r"[A-Z0-9]+[a-z0-9]*|[a-z0-9]+")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")


def snake_case(name: str) -> str:
    """The slug that Segment's warehouses make of a name: `Email Marked as Spam` → `email_marked_as_spam`.

    Source: Segment docs, "Warehouse schemas", and columns seen in such warehouses. Other characters separate words.
    """
    chunks = _SEPARATORS.split(name)
    return "_".join(word.lower() for chunk in chunks for word in _WORD.findall(chunk))


def snake_case_sql(text: str) -> str:
    """SQL for the snake case of an event's name, which has only letters and blanks; `text` is SQL for the name."""
    return f"replace(lower({text}), ' ', '_')"


def plain(name: str) -> str:
    """A name for comparison, without case, accents and punctuation: `Journey-Name` → `journeyname`."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[^a-z0-9]", "", letters)
