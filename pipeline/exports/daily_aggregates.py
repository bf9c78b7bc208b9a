"""Detection of daily aggregates, which contain counts instead of events, by the names of their columns."""

import re

from pipeline.naming import plain

# The number of columns of counts that make an aggregate.
ENOUGH_COUNTS = 3

_COUNTED = re.compile(
    "^(?:nb|nr|num|number|numberof|aantal|anzahl|nombre|count|total|totaal|unique|uniq|distinct|hard|soft|sum)*(?:of)?"
    "(?:sent|send|sends|targeted|deliver(?:y|ies|ed)|verzonden|afgeleverd|open(?:s|ed)?|view(?:s|ed)?|click(?:s|ed)?|"
    "clicker(?:s)?|clics|kliks|klicks|bounce(?:s|d)?|unsub(?:s|scribe|scribes|scribed|scriptions)?|optout(?:s)?|"
    "complaint(?:s)?|spam|conversion(?:s)?|ouvertures|geopend)"
    "(?:count|total|unique|cnt|nb|num|rate|pct)?$"
)


def is_count(name: str) -> bool:
    """Whether a column's name is that of a number of events, as in daily aggregates."""
    return _COUNTED.search(plain(name)) is not None
