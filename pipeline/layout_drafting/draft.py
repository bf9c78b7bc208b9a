"""The draft of a layout as YAML: a guess for each key with its evidence, and placeholders for what can't be guessed.

A placeholder is invalid in a layout, so a draft with placeholders is refused and never loads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import yaml

from pipeline.catalog import EVENTS_BY_NAME, LOOKUPS
from pipeline.layout_drafting.column_meanings import Guess
from pipeline.layout_drafting.datetime_formats import Moments, moments_of
from pipeline.layout_drafting.dialect import Table
from pipeline.layout_drafting.encoding import Decoded
from pipeline.layout_drafting.event_codes import are_event_names
from pipeline.layout_drafting.file_head import Head
from pipeline.layout_drafting.file_name_pattern import NamePattern
from pipeline.layout_drafting.known_codes import Proposal, proposals
from pipeline.layout_drafting.property_proposals import property_proposals
from pipeline.layout_drafting.sample_columns import Column
from pipeline.masking import contains_address, example, on_one_line

BLANK = "FILL_IN"
# Before a proposed value: the layout is refused until a person has removed the word.
PROPOSED = "CHECK"

_WIDTH = 118
_SHOWN_NAMES = {"\t": "a tab"}


@dataclass(frozen=True)
class Inspected:
    """The results of an inspection."""

    head: Head
    decoded: Decoded | None
    table: Table
    columns: Sequence[Column]
    nulls: Sequence[tuple[str, int]]
    code: Column | None
    guesses: Sequence[Guess]
    kind: str
    why_kind: str
    file_name: NamePattern

    @property
    def moments(self) -> Moments | None:
        """The formats of the column with the time."""
        column = self.meant("timestamp")
        return column.moments if column else None

    def meant(self, meaning: str) -> Column | None:
        """The column with this meaning."""
        pairs = zip(self.columns, self.guesses, strict=True)
        return next((column for column, guess in pairs if guess.meaning == meaning), None)

    @property
    def is_used(self) -> list[bool]:
        """For each column, whether the layout uses it: a lookup keeps its own columns only."""
        if self.kind == "events":
            return [guess.meaning is not None for guess in self.guesses]
        lookup = LOOKUPS[self.kind]
        return [guess.meaning in (*lookup.key, *lookup.values) for guess in self.guesses]


def draft(inspected: Inspected) -> str:
    """The draft as YAML."""
    body = [
        *_name(inspected),
        *_text(inspected),
        *(_times(inspected) if inspected.kind == "events" else _times_of_lookup(inspected)),
        *(_event(inspected) if inspected.kind == "events" else []),
        *_columns(inspected),
        *(_properties(inspected) if inspected.kind == "events" else []),
    ]
    return "\n".join([*_top(inspected, body), *body]) + "\n"


def scalar(value: str, style: str | None = None) -> str:
    """A text as YAML, on one line."""
    if not value.isprintable():
        style = '"'
    dumped: str = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=10**6)
    return dumped.removesuffix("\n").removesuffix("\n...")


def _line(key: str, value: str, *comments: str) -> list[str]:
    """A key with its value; comments that don't fit beside it go above."""
    comment = "; ".join(comment for comment in comments if comment)
    line = f"{key}: {value}" if value else f"{key}:"
    if not comment:
        return [line]
    if len(line) + 3 + len(comment) <= _WIDTH:
        return [f"{line}   # {comment}"]
    return [*_note(comment), line]


def _note(text: str) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _WIDTH - 2:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return [f"# {line}" for line in lines]


def _top(inspected: Inspected, body: Iterable[str]) -> list[str]:
    table = inspected.table
    rows = f"all of its {table.looked_at:,} rows" if table.is_whole else f"its first {table.looked_at:,} rows"
    rows = rows if table.looked_at else "its header alone: it has no rows"
    blank = [line for line in body if f": {BLANK}" in line and not line.startswith("#")]
    blanks = dict.fromkeys("event_codes" if line.startswith(" ") else line.split(":")[0] for line in blank)
    missing = [meaning for meaning in _needed(inspected) if inspected.meant(meaning) is None]
    lines = [*_note(f"A draft, made from {rows}. All of it is guessed: read each line before you use it.")]
    if blanks:
        lines += _note(f"Until each {BLANK} is replaced, this layout is refused: {', '.join(blanks)}.")
    if any(f": {PROPOSED} " in line and line.startswith(" ") for line in body):
        lines += _note(
            f"A code with {PROPOSED} is a proposal, and refused, too: read its reason, then remove the word {PROPOSED}."
        )
    if missing:
        lines += _note(
            f"MISSING: no column was found that means {' or '.join(missing)}; without it, this layout is refused."
        )
    if table.odd_rows:
        what = "with another number of columns" if table.is_delimited else "that are not JSON objects"
        lines += _note(f"Rows {what}, which will be rejected: {table.odd_rows:,}.")
    lines += ["#", *_note(f"File: {on_one_line(inspected.head.name, 200)}{_packing(inspected.head)}")]
    if table.first_lines:
        lines += [f"# Its first rows, with addresses masked{', shown unchanged' if table.is_delimited else ''}:"]
        lines += [f"#   {on_one_line(line, 400)}" for line in table.first_lines]
    return lines


def _needed(inspected: Inspected) -> list[str]:
    if inspected.kind != "events":
        return []
    person = any(inspected.meant(meaning) for meaning in ("user_id", "email"))
    by_list = inspected.meant("list_id") and inspected.meant("selligent_user_id")
    return ["timestamp", *([] if person or by_list else ["user_id"])]


def _packing(head: Head) -> str:
    if head.packing is None:
        return ""
    inside = f", which contains {on_one_line(head.member, 100)}" if head.member else ""
    further = f" and {head.further_members} more, not read" if head.further_members else ""
    return f" ({head.packing}{inside}{further})"


def _name(inspected: Inspected) -> list[str]:
    pattern = inspected.file_name
    return [
        *_line("name", scalar(pattern.name)),
        *_line(
            "files",
            scalar(pattern.files, "'"),
            "the whole file name, without .gz and .zip",
            *(on_one_line(note, 200) for note in pattern.notes),
        ),
        *_line("kind", inspected.kind, inspected.why_kind),
    ]


def _text(inspected: Inspected) -> list[str]:
    table, decoded = inspected.table, inspected.decoded
    if decoded is None:
        return [*_line("format", table.format, "columns by name"), *_nulls(inspected)]
    encoding = _line("encoding", decoded.encoding, on_one_line(decoded.why, 300))
    if not table.is_delimited:
        return [*_line("format", "ndjson", "one JSON object per line"), *encoding, *_nulls(inspected)]
    width = len(inspected.columns)
    separates = f"{_SHOWN_NAMES.get(table.delimiter, '')}: splits the rows into {width} columns".removeprefix(": ")
    return [
        *_line("format", "csv"),
        *encoding,
        *_line("delimiter", scalar(table.delimiter, "'"), separates),
        *_quote(table),
        *_header(inspected),
        *_nulls(inspected),
    ]


def _quote(table: Table) -> list[str]:
    if table.quote is None:
        if any('"' in cell for row in table.rows for cell in row if cell):
            return _line(
                "quote", "null", "CHECK: values contain quotes, but few are enclosed in them; if they are, use '\"'"
            )
        return _line("quote", "null", "no value of the sample is quoted; if some can be, use '\"'")
    loose = f"rows with quotes inside that are not doubled: {table.loose_quotes:,}" if table.loose_quotes else ""
    holding = f"CHECK: quoted values that contain whole rows: {table.swallowing:,}; use null if these are rows"
    return _line(
        "quote",
        scalar(table.quote, '"' if table.quote == "'" else "'"),
        "encloses values",
        loose,
        holding if table.swallowing else "",
    )


def _header(inspected: Inspected) -> list[str]:
    table = inspected.table
    if table.has_header:
        again = f"CHECK: the header row occurs {table.repeated_headers:,} more times and is rejected"
        return _line("header", "true", "the first row looks like names", again if table.repeated_headers else "")
    names = ", ".join(scalar(column.name) for column in inspected.columns)
    why = "The first row contains values, so these names are made up; replace them with your own:"
    if table.names:
        why = "The header repeats a name or lacks one, so the names are listed here:"
    return [*_note(why), f"header: [{names}]"]


def _nulls(inspected: Inspected) -> list[str]:
    if not inspected.nulls:
        return []
    values = ", ".join(scalar(value, "'") for value in ("", *(value for value, _ in inspected.nulls)))
    counts = ", ".join(f"{example(value)} occurs {count:,} times" for value, count in inspected.nulls)
    return _line("null_values", f"[{values}]", counts)


def _times(inspected: Inspected) -> list[str]:
    moments, column = inspected.moments, inspected.meant("timestamp")
    lines = []
    if moments is None:
        lines += _line("timezone", BLANK, "the time zone of date-times without an offset, such as Europe/Brussels")
    elif moments.with_word and moments.with_word == moments.without_offset:
        lines += _line("timezone", "UTC", "the date-times end in the word UTC or GMT")
    elif moments.without_offset:
        some = "some date-times" if moments.with_offset else "the date-times"
        lines += _line("timezone", BLANK, f"{some} have no offset: give their time zone, such as Europe/Brussels")
    else:
        lines += _note("timezone: omitted, since every date-time has an offset; a time in the file's name is then UTC")
    if moments is None or column is None or not column.values:
        return lines
    seen = f"such as {example(next(value for value in column.values if moments_of([value])))}"
    misfits = f"values that don't fit and will be rejected: {moments.misfits:,}" if moments.misfits else ""
    if not moments.formats:
        return lines + _note("; ".join(filter(None, (f"datetime_formats: omitted, this is ISO 8601, {seen}", misfits))))
    lines += _doubt(inspected, moments)
    formats = ", ".join(scalar(text, "'") for text in moments.formats)
    return lines + _line("datetime_formats", f"[{formats}]", seen, misfits)


def _doubt(inspected: Inspected, moments: Moments) -> list[str]:
    """A note for the reader to decide between day and month, if the sample is ambiguous."""
    if not moments.exchanged:
        return []
    exchanged = ", ".join(scalar(text, "'") for text in moments.exchanged)
    lines = _note(
        "CHECK: day or month first? No number in the sample is above 12, so it can't decide. Day first is assumed; "
        "month first would be:"
    )
    named = f"; the file's name says {inspected.file_name.date}" if inspected.file_name.date else ""
    return [*lines, f"#   datetime_formats: [{exchanged}]{named}"]


def _times_of_lookup(inspected: Inspected) -> list[str]:
    if not inspected.file_name.has_time:
        return []
    return _note(
        "timezone: omitted, so the time in the file's name is UTC; if it is not, give its zone, such as Europe/Brussels"
    )


def _event(inspected: Inspected) -> list[str]:
    names = ", ".join(EVENTS_BY_NAME)
    code = inspected.code
    if code is None:
        word = f" (the name says {on_one_line(inspected.file_name.name, 60)!r})"
        return [
            *_note(f"No column gives the event, so all rows are one{word}; or map a column with event_column."),
            *_note(f"It is one of: {names}."),
            f"event: {BLANK}",
        ]
    lines = _line("event_column", scalar(code.name), f"different values in the sample: {len(code.distinct)}")
    if are_event_names(code):
        others = [name for name in EVENTS_BY_NAME if name not in code.distinct]
        return [
            *lines,
            *_note("The codes are the names of the events; all six are listed, and how often each occurs."),
            "event_codes:",
            *_aligned([(f"{name}: {name}", f"{code.distinct[name]:,}") for name in (*code.distinct, *others)]),
        ]
    known = proposals(code)
    codes = [
        _code(value, count, known.get(value)) for value, count in code.distinct.items() if not contains_address(value)
    ]
    return [
        *lines,
        *_note(f"The meaning of each code, and how often it occurs. One of: {names};"),
        *_note("or null: known, but none of these. A row with a code that is not listed is rejected."),
        "event_codes:",
        *_aligned(codes or [(f"CODE: {BLANK}", "the sample has no rows; list the codes that occur")]),
    ]


def _code(value: str, count: int, proposal: Proposal | None) -> tuple[str, str]:
    """The line of a code, with its comment. A name of an event means itself."""
    if value in EVENTS_BY_NAME:
        return f"{scalar(value)}: {value}", f"{count:,}"
    if proposal is None:
        return f"{scalar(value)}: {BLANK}", f"{count:,}"
    return f"{scalar(value)}: {PROPOSED} {proposal.event or 'null'}", f"{count:,}; {proposal.why}"


def _columns(inspected: Inspected) -> list[str]:
    is_lookup = inspected.kind != "events"
    lines: list[tuple[str, str]] = []
    for column, guess, is_used in zip(inspected.columns, inspected.guesses, inspected.is_used, strict=True):
        if column is inspected.code and inspected.kind == "events":
            continue
        seen = f"e.g. {example(next(iter(column.distinct)))}" if column.distinct else "always empty"
        if is_used and guess.meaning and not contains_address(column.name):
            lines.append((f"{scalar(column.name)}: {guess.meaning}", f"{guess.why}; {seen}"))
        elif is_lookup or guess.why or contains_address(column.name) or _is_unnamed(inspected, column):
            reason = guess.why if guess.meaning is None else ""
            if _is_unnamed(inspected, column):
                reason = "its name is blank or duplicated"
            words = ", ".join(filter(None, (seen, reason, "not kept" if is_lookup else "")))
            lines.append((f"# {on_one_line(scalar(column.name), 60)}: ?", words))
    is_empty = all(text.startswith("#") for text, _ in lines)
    return ["columns: {}" if is_empty else "columns:", *_aligned(lines)]


def _is_unnamed(inspected: Inspected, column: Column) -> bool:
    return inspected.table.has_header and column.position in inspected.table.unnamed


def _properties(inspected: Inspected) -> list[str]:
    """The columns without a meaning as commented properties, so that a person chooses what Segment receives."""
    others = [
        column
        for column, is_used in zip(inspected.columns, inspected.is_used, strict=True)
        if not is_used and column is not inspected.code and not _is_unnamed(inspected, column)
    ]
    proposals = [
        one for one in property_proposals(others, inspected.meant("timestamp")) if not contains_address(one.source)
    ]
    if not proposals:
        return []
    lines = [
        (
            f"{scalar(one.source)}: " + (one.name if one.type == "text" else f"{{name: {one.name}, type: {one.type}}}"),
            f"e.g. {example(one.example)}" if one.example is not None else "always empty",
        )
        for one in proposals
    ]
    return [
        *_note(
            "Columns without a meaning: they are kept in raw.events.extra, and not sent. To make one a property of its "
            "events, which Segment receives, remove the # before properties and before its line."
        ),
        "#properties:",
        *(f"#{line}" for line in _aligned(lines)),
    ]


def _aligned(pairs: Sequence[tuple[str, str]]) -> list[str]:
    width = min(max((len(text) for text, _ in pairs), default=0), 50)
    return [f"  {text.ljust(width)}   # {comment}" for text, comment in pairs]
