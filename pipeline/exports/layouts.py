"""Layouts: the description of an export file of a customer; `layout_files` reads them."""

import codecs
import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Annotated, Literal
from zoneinfo import available_timezones

import regex
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pipeline.catalog import EVENTS_BY_NAME, IDENTIFIES, LOOKUPS, Lookup
from pipeline.exports.layout_properties import LayoutProperty, fault_of
from pipeline.warehouse.trimming import trimmed

MEANINGS = (
    "user_id",
    "email",
    "selligent_user_id",
    "email_id",
    "email_subject",
    "campaign_id",
    "campaign_name",
    "link_id",
    "link_name",
    "link_url",
    "list_id",
    "list_name",
    "ip",
    "user_agent",
    "timestamp",
    "event_id",
    "send_id",
    "is_bot",
)

NAME_GROUPS = ("date", "day", "month", "year", "time", "part", "rows", "md5")
# Groups of a date whose parts are in another order; they go together.
DATE_PARTS = frozenset({"day", "month", "year"})
# The directives that Python's and DuckDB's strptime read alike.
DATETIME_DIRECTIVES = set("YymdHIMSfpzbBjaA%")


Format = Literal["csv", "ndjson", "parquet"]
# Text that every encoding of an export can hold.
_PROBE = "A;1\r\n"


def _wrong(*faults: str) -> PydanticCustomError:
    """An error with one sentence for each fault."""
    return PydanticCustomError("wrong", "{text}", {"text": "; ".join(faults), "faults": faults})


def _refuse(faults: Iterable[str]) -> None:
    """Raise an error if there are faults."""
    if found := tuple(dict.fromkeys(faults)):
        raise _wrong(*found)


@cache
def time_zones() -> set[str]:
    """The names of the IANA time zones."""
    return available_timezones()  # which reads several folders


def _text(value: object) -> object:
    """A YAML boolean would lose the word in the file."""
    if isinstance(value, bool):
        raise _wrong(f"YAML read {value!r} here; put the word in quotes")
    return value


YamlText = Annotated[str, BeforeValidator(_text)]


class Layout(BaseModel):
    """One kind of export file, as described in YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    files: str
    kind: Literal["events", "emails", "campaigns", "links", "lists", "contacts"]
    columns: dict[YamlText, YamlText]
    format: Format = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str | None = '"'
    header: Literal[True] | list[YamlText] = True
    ready_marker: str | None = None
    null_values: list[YamlText] = [""]
    timezone: str | None = None
    ambiguous_hour: Literal["earlier", "later", "reject"] = "earlier"
    datetime_formats: list[str] = []
    event: str | None = None
    event_column: YamlText | None = None
    event_codes: dict[YamlText, str | None] = {}
    event_codes_default: str | None = None
    properties: dict[YamlText, LayoutProperty] = {}
    traits: dict[YamlText, LayoutProperty] = {}

    @field_validator("files")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
            regex.compile(value)  # names are matched with it, since it has a time limit
        except (re.error, regex.error) as error:
            raise _wrong(f"{value!r} is not a regular expression: {error}") from None
        unknown = (group for group in groups if group not in NAME_GROUPS)
        _refuse(f"the group {group!r} is unknown; {choice(group, NAME_GROUPS)}" for group in unknown)
        parts = DATE_PARTS & groups.keys()
        if parts and (parts != DATE_PARTS or "date" in groups):
            raise _wrong("the groups 'day', 'month' and 'year' belong together, in place of the group 'date'")
        return value

    @field_validator("encoding")
    @classmethod
    def _codec(cls, value: str) -> str:
        try:
            probe = codecs.getincrementaldecoder(value)().decode(_PROBE.encode(value), True)
        except (LookupError, UnicodeError, TypeError, AssertionError):
            raise _wrong(f"{value!r} is not a text encoding that Python knows, such as utf-8") from None
        if probe.removeprefix("\ufeff") != _PROBE:
            raise _wrong(f"{value!r} can't encode rows and columns; use an encoding such as utf-8")
        return value

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, value: str) -> str:
        if not value:
            raise _wrong("is empty; it separates two columns, such as ';'")
        if set(value) & set("\r\n\0"):
            raise _wrong("a line break can't separate columns")
        return value

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n\0"):
            raise _wrong(f"{value!r} is not one character; write null if nothing is quoted")
        return value

    @field_validator("header", mode="before")
    @classmethod
    def _header_or_names(cls, value: object) -> object:
        if value is not True and not (isinstance(value, list) and value):
            raise _wrong("is neither true nor the list of column names of a file without a header")
        if isinstance(value, list):
            _refuse(_repeats("column name", [key_of(str(name)) for name in value]))
        return value

    @field_validator("ready_marker")
    @classmethod
    def _ends_a_name(cls, value: str | None) -> str | None:
        if value is not None and (not value or "/" in value):
            raise _wrong(f"{value!r} is not a file name suffix, such as .trg")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in (zones := time_zones()):
            raise _wrong(f"{value!r} is not an IANA time zone; {choice(value, zones)}")
        return value

    @field_validator("datetime_formats")
    @classmethod
    def _known_directives(cls, value: list[str]) -> list[str]:
        _refuse(fault for pattern in value for fault in _faults_of_format(pattern))
        return value

    @field_validator("event", "event_codes_default")
    @classmethod
    def _known_event(cls, value: str | None) -> str | None:
        if value is not None:
            _refuse(_faults_of_event(value))
        return value

    @field_validator("event_codes")
    @classmethod
    def _known_events(cls, value: dict[str, str | None]) -> dict[str, str | None]:
        events = ((code, event) for code, event in value.items() if event is not None)
        _refuse(fault for code, event in events for fault in _faults_of_event(event, f"{code!r}: "))
        return value

    @field_validator("columns")
    @classmethod
    def _known_meanings(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = ((column, meaning) for column, meaning in value.items() if meaning not in MEANINGS)
        faults = [
            f"{column!r}: {meaning!r} is not a meaning; {choice(meaning, MEANINGS)}" for column, meaning in unknown
        ]
        _refuse(
            [
                *faults,
                *_repeats("meaning", [meaning for meaning in value.values() if meaning in MEANINGS]),
                *_repeats("column", [key_of(column) for column in value]),
            ]
        )
        return value

    @field_validator("properties", "traits")
    @classmethod
    def _columns_of_their_own(cls, value: dict[str, LayoutProperty]) -> dict[str, LayoutProperty]:
        faults = list(_repeats("column", [key_of(source) for source in value]))
        seen: dict[str, tuple[str, LayoutProperty]] = {}
        for source, one in value.items():
            if fault := fault_of(one.name):
                faults.append(f"{source!r}: {fault}")
            elif one.column in seen:
                owner, other = seen[one.column]
                faults.append(f"{source!r}: {one.name!r} is the same column as {other.name!r} of {owner}; rename one")
            else:
                seen[one.column] = (repr(source), one)
        _refuse(faults)
        return value

    @model_validator(mode="after")
    def _whole(self) -> "Layout":
        faults = [*(self._of_events() if self.kind == "events" else self._of_lookup(LOOKUPS[self.kind]))]
        if isinstance(self.header, list):
            faults += self._headerless(self.header)
        if self.format == "csv":
            faults += self._parts_that_can_be_told_apart()
        _refuse(faults)
        return self

    def _parts_that_can_be_told_apart(self) -> Iterator[str]:
        if self.quote is not None and self.quote in self.delimiter:
            key = "quote" if "quote" in self.model_fields_set else "delimiter"
            yield f"{key}: {self.quote!r} can't be the quote and be in the delimiter {self.delimiter!r}, too"
        for value in self.null_values:
            if self.delimiter in value or (self.quote and self.quote in value):
                yield f"null_values: {value!r} contains the delimiter or the quote, so no value can equal it"

    def _of_events(self) -> Iterator[str]:
        if "timestamp" not in self.meanings:
            yield "columns: no column means 'timestamp'; map the column with the time of the event"
        if not self.meanings & {"user_id", "email"} and not {"list_id", "selligent_user_id"} <= self.meanings:
            yield "columns: no column identifies a person; map 'user_id', 'email', or 'list_id' and 'selligent_user_id'"
        if (self.event is None) == (self.event_column is None):
            yield "event: give either 'event' or 'event_column' with 'event_codes'"
        elif self.event is not None and (self.event_codes or self.event_codes_default):
            yield "event_codes: belong to 'event_column', not to 'event'"
        elif self.event_column is not None and not self.event_codes and self.event_codes_default is None:
            yield "event_codes: missing; map each code of 'event_column' to its event"
        if self.timezone is None and any("%z" not in pattern for pattern in self.datetime_formats):
            yield "timezone: missing; date-times without an offset need one, such as Europe/Brussels"
        if self.traits:
            yield "traits: belong to a lookup of contacts; events have properties"

    def _of_lookup(self, lookup: Lookup) -> Iterator[str]:
        for key in lookup.key:
            if key not in self.meanings:
                yield f"columns: no column means {key!r}, which is the key of {self.kind}"
        if not self.meanings & set(lookup.values):
            yield f"columns: no column means {' or '.join(map(repr, lookup.values))}, which {self.kind} give"
        if self.event or self.event_column or self.event_codes or self.event_codes_default:
            yield f"event: a lookup of {self.kind} has none; remove it"
        if self.properties:
            yield f"properties: a lookup of {self.kind} has no events; remove them"
        if self.traits and self.kind != "contacts":
            yield f"traits: a lookup of {self.kind} has no persons; remove them"

    def _headerless(self, header: Sequence[str]) -> Iterator[str]:
        names = {key_of(name) for name in header}
        for column in (*self.columns, *([self.event_column] if self.event_column else []), *self.declared):
            if key_of(column) not in names and not self.is_pointer(column):
                yield f"header: {column!r} is used, but the list of column names has no such name"

    @cached_property
    def meanings(self) -> set[str]:
        """The meanings of the columns."""
        return set(self.columns.values())

    @cached_property
    def pattern(self) -> "regex.Pattern[str]":
        """The pattern for the whole file name, without `.gz` or `.zip`."""
        return regex.compile(self.files)

    @cached_property
    def declared(self) -> Mapping[str, LayoutProperty]:
        """The properties of events, or the traits of contacts in the order of their names, by column of the export."""
        return self.properties or dict(sorted(self.traits.items(), key=lambda trait: trait[1].name))

    @cached_property
    def calls(self) -> frozenset[str]:
        """The names of the events that rows of the layout can be; of contacts, the name of identify calls."""
        if self.kind == "contacts":
            return frozenset({IDENTIFIES.name})
        named = {self.event, self.event_codes_default, *self.event_codes.values()}
        return frozenset(name for name in named if name is not None)

    def is_pointer(self, source: str) -> bool:
        """Whether a column, or the source of a property, is a JSON pointer to a nested value, such as `/device/os`."""
        return self.format != "csv" and source.startswith("/") and len(source) > 1

    @cached_property
    def pointers(self) -> Sequence[str]:
        """The JSON pointers by which the layout names columns and sources of properties, each once."""
        sources = [*self.columns, *([self.event_column] if self.event_column else []), *self.declared]
        return list(dict.fromkeys(filter(self.is_pointer, sources)))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the layout; when it changes, the files of the layout are read again.

        Keys that came with a later version of the program are part of it only where a layout has them.
        """
        later = {key for key in ("properties", "traits") if not getattr(self, key)}
        return hashlib.sha256(self.model_dump_json(exclude=later).encode()).hexdigest()


def _faults_of_event(name: str, before: str = "") -> Iterator[str]:
    if name.startswith("CHECK "):
        yield f"{before}{name!r} is a proposal of `inspect`; verify it, then remove the word CHECK"
    elif name not in EVENTS_BY_NAME:
        yield f"{before}{name!r} is not an event; {choice(name, EVENTS_BY_NAME)}"


def _faults_of_format(pattern: str) -> Iterator[str]:
    directives = re.findall(r"%(.?)", pattern)
    if unknown := [d for d in directives if d not in DATETIME_DIRECTIVES]:
        yield f"{pattern!r} has the unknown directive '%{unknown[0]}'"
    elif not {"d", "j"} & set(directives) or not {"Y", "y"} & set(directives):
        yield f"{pattern!r} has no day or no year; it looks like '%d-%m-%Y %H:%M:%S'"
    elif not {"m", "b", "B", "j"} & set(directives):
        yield f"{pattern!r} has no month (%m; %M is minutes); it looks like '%d-%m-%Y %H:%M:%S'"


def key_of(column: str) -> str:
    """A column's name for comparison: in lower case, without invisible characters around it."""
    return trimmed(column).lower()


def choice(given: str, known: Iterable[str]) -> str:
    """The valid words: the nearest one, or all if they are few."""
    words = sorted(known)
    near = difflib.get_close_matches(given, words, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"it is one of {', '.join(words)}" if len(words) <= 20 else "see docs/layouts.md for what is possible"


def _repeats(what: str, names: Sequence[str]) -> Iterator[str]:
    return (f"the {what} {name!r} is repeated" for name, times in Counter(names).items() if times > 1)
