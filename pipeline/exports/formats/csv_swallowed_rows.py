"""Rows that stray quotes make part of a value: it then contains lines that have all columns of a row."""

from pipeline.exports.formats.rows import FileRows
from pipeline.exports.layouts import Layout
from pipeline.warehouse import literal


def swallowing_rows(rows: FileRows, layout: Layout) -> str:
    """SELECT of `row_number` of the rows in which a quoted value looks like several rows.

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
