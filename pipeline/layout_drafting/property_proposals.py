"""Proposals for the keys `properties` and `traits`: columns without a meaning, with a name and a type."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.exports.layout_properties import PropertyType, fault_of
from pipeline.layout_drafting import vocabulary
from pipeline.layout_drafting.datetime_formats import Moments
from pipeline.layout_drafting.sample_columns import Column, samples
from pipeline.naming import plain, snake_case

# Without leading zeros and a plus sign, which a number would lose; and few enough digits for a number in JSON.
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,14})", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?", re.ASCII)
_BOOLEANS = ({"true", "false"}, {"yes", "no"})
# Values of a column with these ends of names are ids, even where they look like numbers.
_IDS = ("id", "key", "uuid", "phone", "zip")
_LONGEST_NAME = 50


@dataclass(frozen=True)
class PropertyProposal:
    """A property or a trait that a column can become.

    `source` is the column or a JSON pointer, `samples` are some of its values, and `why` is the reason for its name.
    """

    source: str
    name: str
    type: PropertyType
    samples: str
    why: str = ""


def property_proposals(columns: Sequence[Column], timestamp: Column | None) -> Iterator[PropertyProposal]:
    """One for each column; no two have the same name.

    A column is a timestamp only if its values have the formats of the column with the event's time, which a layout
    reads it by.
    """
    taken: set[str] = set()
    for column in columns:
        name = _name(column.name, taken)
        taken.add(name)
        found = _type(column, timestamp.moments if timestamp else None)
        yield PropertyProposal(column.name, name, found, samples(column), _of_a_person(column))


def trait_proposals(columns: Sequence[Column]) -> Iterator[PropertyProposal]:
    """The same as traits of contacts: those that are recognized have Segment's name for them and come first.

    None is a timestamp: a lookup has no column that gives the format of date-times.
    """
    taken: set[str] = set()
    for column in sorted(columns, key=lambda column: vocabulary.trait_of(column.name) is None):
        trait = vocabulary.trait_of(column.name)
        is_known = trait is not None and snake_case(trait) not in taken
        name = trait if trait is not None and is_known else _name(column.name, taken)
        taken.add(snake_case(name))
        why = "by its name" if is_known else ""
        yield PropertyProposal(column.name, name, _type(column, None), samples(column), why)


def _of_a_person(column: Column) -> str:
    trait = vocabulary.trait_of(column.name)
    return f"of the person rather than the event? In a contacts lookup, it is the trait {trait}" if trait else ""


def _name(source: str, taken: set[str]) -> str:
    ascii_name = unicodedata.normalize("NFKD", source).encode("ascii", "ignore").decode()
    name = snake_case(ascii_name)[:_LONGEST_NAME].strip("_")
    if not name[:1].isalpha():
        name = f"column_{name}".strip("_")
    if fault_of(name) is not None:
        name = f"export_{name}"
    number = 2
    while name in taken:
        name, number = f"{name.removesuffix(f'_{number - 1}')}_{number}", number + 1
    return name


def _type(column: Column, times: Moments | None) -> PropertyType:
    values = set(column.distinct)
    if not values or plain(column.name).endswith(_IDS):
        return "text"
    if any({value.lower() for value in values} <= pair for pair in _BOOLEANS) or values == {"0", "1"}:
        return "boolean"
    if all(_INTEGER.fullmatch(value) for value in values):
        return "integer"
    if all(_NUMBER.fullmatch(value) for value in values):
        return "number"
    return "timestamp" if _are_times(column.moments, times) else "text"


def _are_times(moments: Moments | None, times: Moments | None) -> bool:
    if moments is None or times is None or moments.misfits:
        return False
    has_zone = times.without_offset > 0 or not moments.without_offset
    return has_zone and moments.formats == times.formats
