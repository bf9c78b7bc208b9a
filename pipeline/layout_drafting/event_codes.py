"""The column with the code of the event, and its codes. `known_codes` proposes what a code means."""

from collections.abc import Sequence

from pipeline.catalog import EVENTS_BY_NAME
from pipeline.layout_drafting import vocabulary
from pipeline.layout_drafting.known_codes import are_send_states, known_word
from pipeline.layout_drafting.sample_columns import Column
from pipeline.masking import contains_address

# A column with more different values, or longer ones, has no codes.
_MOST_CODES = 40
_LONGEST_CODE = 60
_SOUNDS_LIKE_EVENTS = 4


def code_column(columns: Sequence[Column]) -> Column | None:
    """The column that most likely has the code of the event."""
    likely = [column for column in columns if likelihood(column) and _could_be_codes(column)]
    return max(likely, key=likelihood, default=None)


def likelihood(column: Column) -> int:
    """How likely a column has the code of the event; 0: not at all. Its values count more than its name."""
    if vocabulary.id_of(column.name) or vocabulary.name_of(column.name) or vocabulary.is_email_subject(column.name):
        return 0
    if are_send_states(column):
        return _SOUNDS_LIKE_EVENTS
    sounding = sum(vocabulary.is_code_word(value) or known_word(value) is not None for value in column.distinct)
    # A single word can sound like an event by accident, unless the column's name does, too.
    if sounding * 2 > len(column.distinct) and (sounding > 1 or vocabulary.code(column.name)):
        return _SOUNDS_LIKE_EVENTS + vocabulary.code(column.name)
    return vocabulary.code(column.name)


def _could_be_codes(column: Column) -> bool:
    if column.is_nested or column.are_addresses or column.moments is not None or column.are_urls:
        return False
    if any(len(value) > _LONGEST_CODE or contains_address(value) for value in column.distinct):
        return False
    few = len(column.distinct) <= _MOST_CODES
    return few and not (column.is_unique and len(column.values) > 10)


def are_event_names(column: Column) -> bool:
    """Whether the codes are Segment's own names of events."""
    return bool(column.values) and set(column.distinct) <= set(EVENTS_BY_NAME)
