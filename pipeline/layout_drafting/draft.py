"""The draft of a layout as YAML: a guess for each key with its evidence, and placeholders for what can't be guessed.

A placeholder is invalid in a layout, so a draft with placeholders is refused and never loads.
"""

from collections.abc import Iterable

from pipeline.finding import counted
from pipeline.layout_drafting.datetime_formats import Moments, moments_of
from pipeline.layout_drafting.dialect import Table
from pipeline.layout_drafting.drafted_columns import column_lines, optional_lines
from pipeline.layout_drafting.drafted_event import event_lines
from pipeline.layout_drafting.file_head import Head
from pipeline.layout_drafting.inspected import Inspected
from pipeline.layout_drafting.open_points import open_points
from pipeline.layout_drafting.yaml_lines import BLANK, PROPOSED, line, note, scalar
from pipeline.masking import example, on_one_line

_SHOWN_NAMES = {"\t": "a tab"}


def draft(inspected: Inspected) -> str:
    """The draft as YAML."""
    body = [
        *_name(inspected),
        *_text(inspected),
        *(_times(inspected) if inspected.kind == "events" else _times_of_lookup(inspected)),
        *(event_lines(inspected) if inspected.kind == "events" else []),
        *column_lines(inspected),
        *optional_lines(inspected),
    ]
    points = open_points(inspected)
    steps = [text for number, point in enumerate(points, 1) for text in note(point, f"{number}. ", "   ")]
    return "\n".join([*_top(inspected, body), *body, "", "# Open points:", *steps]) + "\n"


def _top(inspected: Inspected, body: Iterable[str]) -> list[str]:
    table = inspected.table
    rows = f"all of its {table.looked_at:,} rows" if table.is_whole else f"its first {table.looked_at:,} rows"
    rows = rows if table.looked_at else "its header alone: it has no rows"
    lines = note(
        f"A draft, made from {rows}. All of it is guessed: read each line before you use it. The open points are "
        "listed at its end."
    )
    refused = _refused_keys(body)
    if inspected.missing:
        refused.append("columns")
    if refused:
        lines += note(f"Until they are settled, this layout is refused, because of: {', '.join(refused)}.")
    if table.odd_rows:
        what = "with another number of columns" if table.is_delimited else "that are not JSON objects"
        lines += note(f"Rows {what}, which will be rejected: {table.odd_rows:,}.")
    lines += ["#", *note(f"File: {on_one_line(inspected.head.name, 200)}{_packing(inspected.head)}")]
    if table.first_lines:
        lines += [f"# Its first rows, with addresses masked{', shown unchanged' if table.is_delimited else ''}:"]
        lines += [f"#   {on_one_line(line, 400)}" for line in table.first_lines]
    return lines


def _refused_keys(body: Iterable[str]) -> list[str]:
    """The keys with a placeholder, or with a proposal that has to be verified."""
    keys: dict[str, None] = {}
    key = ""
    for text in body:
        if not text.startswith((" ", "#")):
            key = text.partition(":")[0]
        if not text.startswith("#") and any(f": {word}" in text.partition(" # ")[0] for word in (BLANK, PROPOSED)):
            keys[key] = None
    return list(keys)


def _packing(head: Head) -> str:
    if head.packing is None:
        return ""
    inside = f", which contains {on_one_line(head.member, 100)}" if head.member else ""
    further = f" and {head.further_members} more, not read" if head.further_members else ""
    return f" ({head.packing}{inside}{further})"


def _name(inspected: Inspected) -> list[str]:
    pattern = inspected.file_name
    return [
        *line("name", scalar(pattern.name)),
        *line(
            "files",
            scalar(pattern.files, "'"),
            "the whole file name, without .gz and .zip",
            *(on_one_line(note, 200) for note in pattern.notes),
        ),
        *line("kind", inspected.kind, inspected.why_kind),
    ]


def _text(inspected: Inspected) -> list[str]:
    table, decoded = inspected.table, inspected.decoded
    if decoded is None:
        return [*line("format", table.format, "columns by name"), *_nulls(inspected)]
    encoding = line("encoding", decoded.encoding, on_one_line(decoded.why, 300))
    if not table.is_delimited:
        return [*line("format", "ndjson", "one JSON object per line"), *encoding, *_nulls(inspected)]
    width = len(inspected.columns)
    separates = f"{_SHOWN_NAMES.get(table.delimiter, '')}: splits the rows into {width} columns".removeprefix(": ")
    return [
        *line("format", "csv"),
        *encoding,
        *line("delimiter", scalar(table.delimiter, "'"), separates),
        *_quote(table),
        *_header(inspected),
        *_nulls(inspected),
    ]


def _quote(table: Table) -> list[str]:
    if table.quote is None:
        if table.has_quotes_inside:
            return line(
                "quote", "null", "CHECK: values contain quotes, but few are enclosed in them; if they are, use '\"'"
            )
        return line("quote", "null", "no value of the sample is quoted; if some can be, use '\"'")
    loose = f"rows with quotes inside that are not doubled: {table.loose_quotes:,}" if table.loose_quotes else ""
    holding = f"CHECK: quoted values that contain whole rows: {table.swallowing:,}; use null if these are rows"
    return line(
        "quote",
        scalar(table.quote, '"' if table.quote == "'" else "'"),
        "encloses values",
        loose,
        holding if table.swallowing else "",
    )


def _header(inspected: Inspected) -> list[str]:
    table = inspected.table
    if table.has_header:
        again = f"CHECK: the header row occurs {counted(table.repeated_headers, 'more time')} and is rejected"
        return line("header", "true", "the first row looks like names", again if table.repeated_headers else "")
    names = ", ".join(scalar(column.name) for column in inspected.columns)
    why = "The first row contains values, so these names are made up; replace them with your own:"
    if table.names:
        why = "The header repeats a name or lacks one, so the names are listed here:"
    return [*note(why), f"header: [{names}]"]


def _nulls(inspected: Inspected) -> list[str]:
    if not inspected.nulls:
        return []
    values = ", ".join(scalar(value, "'") for value in ("", *(value for value, _ in inspected.nulls)))
    counts = ", ".join(f"{example(value)} occurs {counted(count, 'time')}" for value, count in inspected.nulls)
    return line("null_values", f"[{values}]", counts)


def _times(inspected: Inspected) -> list[str]:
    moments, column = inspected.moments, inspected.meant("timestamp")
    lines = []
    if inspected.timezone is not None:
        lines += line("timezone", scalar(inspected.timezone))
    elif moments is None:
        lines += line("timezone", BLANK, "the time zone of date-times without an offset, such as Europe/Brussels")
    elif moments.with_word and moments.with_word == moments.without_offset:
        lines += line("timezone", "UTC", "the date-times end in the word UTC or GMT")
    elif moments.without_offset:
        some = "some date-times" if moments.with_offset else "the date-times"
        lines += line("timezone", BLANK, f"{some} have no offset: give their time zone, such as Europe/Brussels")
    else:
        lines += note("timezone: omitted, since every date-time has an offset; a time in the file's name is then UTC")
    if moments is None or column is None or not column.values:
        return lines
    seen = f"such as {example(next(value for value in column.values if moments_of([value])))}"
    misfits = f"values that don't fit and will be rejected: {moments.misfits:,}" if moments.misfits else ""
    if not moments.formats:
        return lines + note("; ".join(filter(None, (f"datetime_formats: omitted, this is ISO 8601, {seen}", misfits))))
    lines += _doubt(inspected, moments)
    formats = ", ".join(scalar(text, "'") for text in (moments.exchanged if inspected.month_first else moments.formats))
    return lines + line("datetime_formats", f"[{formats}]", seen, misfits)


def _doubt(inspected: Inspected, moments: Moments) -> list[str]:
    """A note for the reader to decide between day and month, if the sample is ambiguous."""
    if not inspected.is_order_open:
        return []
    exchanged = ", ".join(scalar(text, "'") for text in moments.exchanged)
    lines = note(
        "CHECK: day or month first? No number in the sample is above 12, so it can't decide. Day first is assumed; "
        "month first would be:"
    )
    named = f"; the file's name says {inspected.file_name.date}" if inspected.file_name.date else ""
    return [*lines, f"#   datetime_formats: [{exchanged}]{named}"]


def _times_of_lookup(inspected: Inspected) -> list[str]:
    if not inspected.file_name.has_time:
        return []
    return note(
        "timezone: omitted, so the time in the file's name is UTC; if it is not, give its zone, such as Europe/Brussels"
    )
