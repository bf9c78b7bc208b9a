"""The columns that may have the code of the event, by their values. `known_codes` proposes what a code means."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.catalog import EVENTS_BY_NAME
from pipeline.layout_drafting import vocabulary
from pipeline.layout_drafting.known_codes import are_send_states, known_word
from pipeline.layout_drafting.sample_columns import Column
from pipeline.masking import contains_address

# A column with more different values, or longer ones, has no codes; without a word for an event, codes are shorter.
_MOST_CODES = 40
_LONGEST_CODE, _LONGEST_OPAQUE_CODE = 60, 30
# In so many rows, codes are repeated.
_ENOUGH_ROWS = 10
_SOUNDS_LIKE_EVENTS = 5
_NAMED_EVENT = 3
# Words that may be codes: without digits, which ids have.
_LONGEST_WORDS = (3, 10)


@dataclass(frozen=True)
class Candidate:
    """A column with few short values; the higher the rank, the likelier they are the codes of events."""

    column: Column
    rank: int


def candidates(columns: Sequence[Column]) -> list[Candidate]:
    """The columns that may have the code of the event, the likeliest first."""
    has_rows = any(column.values for column in columns)
    found = [
        Candidate(column, _rank(column))
        for column in columns
        if _could_be_codes(column) and (column.values or not has_rows)
    ]
    return sorted((one for one in found if has_rows or one.rank), key=lambda one: -one.rank)


def code_column(found: Sequence[Candidate]) -> Column | None:
    """The candidate that most likely has the code of the event, or the only one with short words."""
    if found and found[0].rank:
        return found[0].column
    for length in _LONGEST_WORDS:
        fitting = [one.column for one in found if _are_repeated_words(one.column, length)]
        if len(fitting) == 1:
            return fitting[0]
    return None


def _are_repeated_words(column: Column, length: int) -> bool:
    return _is_repeated(column) and all(len(value) <= length and value.isalpha() for value in column.distinct)


def _is_repeated(column: Column) -> bool:
    return len(column.values) >= 2 * len(column.distinct)


def _rank(column: Column) -> int:
    """How likely a column has the code of the event. Its values count more than its name."""
    if are_send_states(column):
        return _SOUNDS_LIKE_EVENTS
    named = vocabulary.code(column.name)
    sounding = sum(vocabulary.is_code_word(value) or known_word(value) is not None for value in column.distinct)
    # A single word can sound like an event by accident, unless the column's name does, too.
    if sounding * 2 > len(column.distinct) and (sounding > 1 or named):
        return _SOUNDS_LIKE_EVENTS + named
    return named


def _could_be_codes(column: Column) -> bool:
    if column.is_nested or column.are_addresses or column.moments is not None or column.are_urls:
        return False
    if _is_something_else(column.name):
        return False
    if not column.values:
        return vocabulary.code(column.name) > 0
    if any(len(value) > _LONGEST_CODE or contains_address(value) for value in column.distinct):
        return False
    if len(column.distinct) > _MOST_CODES:
        return False
    if len(column.values) > _ENOUGH_ROWS and len(column.distinct) * 2 > len(column.values):
        return False
    return _rank(column) >= _SOUNDS_LIKE_EVENTS or _are_opaque_codes(column)


def _is_something_else(name: str) -> bool:
    """Whether a column's name is that of an id, a name, or of what describes a person or a device."""
    subject = vocabulary.id_of(name) or vocabulary.name_of(name) or vocabulary.is_email_subject(name)
    person = vocabulary.is_user_id(name) or vocabulary.is_customer_key(name) or vocabulary.trait_of(name)
    return bool(subject or person or vocabulary.is_bot(name))


def _are_opaque_codes(column: Column) -> bool:
    """Whether the values may be codes, although none of them sounds like an event: few, short, and no flags."""
    if any(len(value) > _LONGEST_OPAQUE_CODE for value in column.distinct):
        return False
    if vocabulary.code(column.name) == _NAMED_EVENT:
        return True
    if not vocabulary.code(column.name) and not _is_repeated(column):
        return False
    return len(column.distinct) > 1 and not column.are_flags and not vocabulary.is_description(column.name)


def are_event_names(column: Column) -> bool:
    """Whether the codes are Segment's own names of events."""
    return bool(column.values) and set(column.distinct) <= set(EVENTS_BY_NAME)
