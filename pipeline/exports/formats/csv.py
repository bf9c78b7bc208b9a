"""Delimited text. Python reads only the header; DuckDB reads the rows."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.exports.formats.csv_row_grammar import Grammar
from pipeline.exports.formats.csv_surroundings import framed, header_of, trailer_in
from pipeline.exports.formats.rows import ExportInput, FileRows, exactly, unmapped
from pipeline.exports.formats.text_rows import Scan, TextTable, read_texts, reading_options, restored
from pipeline.exports.headers import refuse_too_many, unique_names, usable_names
from pipeline.exports.layouts import Layout, key_of
from pipeline.exports.transcoding import UNIT_SEPARATOR, Text, delimiter_of, texts
from pipeline.warehouse import literal, quoted


def read(file: ExportInput) -> FileRows | None:
    """Read a delimited text; None where it has no rows at all. Raises as `FileFormat.read` does."""
    found = texts(file.path, file.layout, file.folder, quote=file.layout.quote, delimiter=file.layout.delimiter)
    if not found:
        return None
    layout = _with_header(file, found[0])
    found = [
        framed(text, layout, file.folder / f"{number}.framed.txt", found[0] if number else None)
        for number, text in enumerate(found)
    ]
    names = layout.header if layout.header is not True else header_of(found[0], layout)[0]
    columns = len(names or [""])
    table = TextTable(
        texts=found,
        columns=columns,
        header=layout if layout.header is True else None,
        scan=lambda text, repaired: _scan(text, layout, repaired=repaired),
        grammar=lambda checked: Grammar.of_delimited(layout, columns, checked=checked),
    )
    rows = read_texts(file, table)
    if rows is None:
        return None
    suspect = None
    if layout.quote is not None and rows.reading.has_line_breaks:
        suspect = _swallowing_rows(rows, layout)
    trailer = trailer_in(found, layout, len(rows.columns))
    return replace(rows, stored_text=_stored_text(rows, layout), suspect_rows=suspect, trailer=trailer)


def _with_header(file: ExportInput, first: Text) -> Layout:
    """The layout; for a later part of an export without a header of its own, with the names of the first part."""
    if file.first_part is None or file.layout.header is not True:
        return file.layout
    folder = file.folder / "first_part"
    folder.mkdir()
    with file.first_part() as path:
        found = texts(path, file.layout, folder, quote=file.layout.quote, delimiter=file.layout.delimiter)
        names = header_of(found[0], file.layout)[0] if found else None
    if names is None or header_of(first, file.layout)[0] == names:
        return file.layout
    return file.layout.model_copy(update={"header": unique_names(names)})


def _scan(text: Text, layout: Layout, *, repaired: bool) -> Scan | None:
    if isinstance(layout.header, list):
        names = layout.header
        refuse_too_many(names)
    else:
        cells, line = header_of(text, layout)
        if cells is None:
            return None
        names = usable_names(cells, layout, line)
    variables = [f"c{position}" for position in range(len(names))]
    types = ", ".join(f"{name}: 'VARCHAR'" for name in variables)
    # DuckDB wants at least one text for NULL; this one is in no file.
    nulls = ", ".join(literal(value) for value in layout.null_values or ["\x1a\x1a"])
    quote = literal(layout.quote or "")
    query = (
        f"read_csv({exactly(text.path)}, auto_detect = false, columns = {{{types}}}, "
        f"delim = {literal(delimiter_of(layout))}, quote = {quote}, escape = {quote}, "
        f"header = {str(layout.header is True).lower()}, nullstr = [{nulls}], {reading_options(text)})"
    )
    stand_ins = {UNIT_SEPARATOR: literal(layout.delimiter)} if delimiter_of(layout) != layout.delimiter else {}
    columns = dict(zip(names, variables, strict=True))
    return Scan(
        query=restored(query, variables, stand_ins, repaired=repaired),
        columns=columns,
        extra=unmapped(columns, layout),
        text=_joined(variables, layout),
    )


def _joined(variables: Sequence[str], layout: Layout) -> str:
    """SQL for the text of a row, to find it by: the values, quoted as in the file."""
    values = [f"coalesce({variable}, '')" for variable in variables]
    if layout.quote is not None:
        quote, doubled = literal(layout.quote), literal(layout.quote * 2)
        values = [f"{quote} || replace({value}, {quote}, {doubled}) || {quote}" for value in values]
    return f"concat_ws({literal(layout.delimiter)}, {', '.join(values)})"


def _stored_text(rows: FileRows, layout: Layout) -> str:
    """SQL over `raw.events` for the values of a row in the order of the file."""
    meanings = {key_of(column): quoted(meaning) for column, meaning in layout.columns.items()}
    if layout.event_column:
        meanings.setdefault(key_of(layout.event_column), "event_code")
    stored = []
    for name in rows.columns:
        pointer = literal("/" + name.replace("~", "~0").replace("/", "~1"))
        stored.append(f"coalesce({meanings.get(key_of(name), f'extra ->> {pointer}')}, '')")
    return f"concat_ws({literal(layout.delimiter)}, {', '.join(stored)})"


def _swallowing_rows(rows: FileRows, layout: Layout) -> str:
    """SELECT of `row_number` of the rows in which a quoted value looks like several rows, as stray quotes make them.

    A value of three lines or more: each line between its first and last has as many delimiters as a row. Of two: both
    have as many as their part of a row lacks; with two columns, too many texts do.
    """
    columns = list(rows.columns.values())
    delimiter, most = literal(layout.delimiter), len(columns) - 1
    if most == 0:
        return "SELECT row_number FROM (SELECT NULL AS row_number) WHERE false"
    broken = " OR ".join(f"contains({column}, chr(10))" for column in columns)
    of_line = f"(length(line) - length(replace(line, {delimiter}, ''))) // {len(layout.delimiter)}"
    return f"""
        WITH values_of_rows AS (
            SELECT row_number, unnest([{", ".join(columns)}]) AS value, unnest(range({len(columns)})) AS position
            FROM (SELECT row_number, {", ".join(columns)} FROM {rows.rows} WHERE {broken})
        ),
        counted AS (
            SELECT row_number, position, list_transform(string_split(value, chr(10)), lambda line: {of_line}) AS found
            FROM values_of_rows WHERE contains(value, chr(10))
        )
        SELECT DISTINCT row_number FROM counted
        WHERE CASE
            WHEN len(found) > 2 THEN list_min(found[2:-2]) = {most} AND list_max(found[2:-2]) = {most}
            ELSE {most} > 1 AND found[1] = {most} - position AND found[2] = position
        END
    """
