"""A delimited text as a relation. Python reads its header and nothing else of it."""

from collections.abc import Sequence

from pipeline.exports.formats.csv_surroundings import header_of
from pipeline.exports.formats.relation import Source, exactly, reading_options, restoring
from pipeline.exports.headers import refuse_too_many, usable_names, used_columns
from pipeline.exports.layouts import Layout, key_of
from pipeline.exports.transcoding import Text, delimiter_of
from pipeline.warehouse import literal


def csv_source(text: Text, layout: Layout, *, mended: bool) -> Source | None:
    """A delimited text; None where it has no rows at all.

    Raises:
        FileRefused: the header lacks what the layout can't do without, or repeats a name.
    """
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
    # DuckDB wants at least one text for NULL; this one stands in no file.
    nulls = ", ".join(literal(value) for value in layout.null_values or ["\x1a\x1a"])
    quote = literal(layout.quote or "")
    scan = (
        f"read_csv({exactly(text.path)}, auto_detect = false, columns = {{{types}}}, "
        f"delim = {literal(delimiter_of(layout))}, quote = {quote}, escape = {quote}, "
        f"header = {str(layout.header is True).lower()}, nullstr = [{nulls}], {reading_options(text)})"
    )
    if restored := restoring(layout, mended=mended):
        scan = f"(SELECT {', '.join(f'{restored(name)} AS {name}' for name in variables)} FROM {scan})"
    columns = dict(zip(names, variables, strict=True))
    known = {key_of(column) for column in used_columns(layout)}
    rest = {name: variable for name, variable in columns.items() if key_of(name) not in known}
    pairs = ", ".join(f"{literal(name)}, {variable}" for name, variable in rest.items())
    return Source(
        scan=scan,
        columns=columns,
        extra=f"json_object({pairs})" if rest else "CAST(NULL AS JSON)",
        text=_joined(variables, layout),
        first_row_line=2 if layout.header is True else 1,
    )


def _joined(variables: Sequence[str], layout: Layout) -> str:
    """SQL for the row's text, for people to find it by: the values, quoted as in the file."""
    values = [f"coalesce({variable}, '')" for variable in variables]
    if layout.quote is not None:
        quote, doubled = literal(layout.quote), literal(layout.quote * 2)
        values = [f"{quote} || replace({value}, {quote}, {doubled}) || {quote}" for value in values]
    return f"concat_ws({literal(layout.delimiter)}, {', '.join(values)})"
