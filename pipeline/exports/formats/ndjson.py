"""NDJSON: one JSON object a line. Its keys are the columns, and match without regard to case."""

import re
from collections import defaultdict
from dataclasses import replace
from itertools import product

import duckdb

from pipeline.errors import FileRefused
from pipeline.exports.formats.csv_row_grammar import Grammar
from pipeline.exports.formats.rows import (
    ExportInput,
    FileRows,
    exactly,
    refusing_data_errors,
    stored_as_json,
    without_nulls,
)
from pipeline.exports.formats.text_rows import Scan, TextRows, TextTable, read_texts, reading_options, restored
from pipeline.exports.headers import used_columns
from pipeline.exports.layouts import Layout
from pipeline.exports.transcoding import Text, texts
from pipeline.warehouse import has_rows, literal, one_value

# A character that JSON text can't hold, so that a line stays one column.
_NO_DELIMITER = "\x01"
# The usual keys are those of these lines; only speed depends on it.
_FIRST_LINES = 1000

NO_OBJECT = "the line is not a JSON object"
NOT_A_NUMBER = "the line contains NaN or Infinity, which are not JSON; use null instead"
REPEATED_KEY = "a key occurs more than once in the line's object (ignoring case, if the layout uses it)"

NOT_NDJSON = (
    "one JSON object per line is needed, without commas or brackets around them: jq -c '.[]' makes that of an array, "
    "jq -c . of objects over several lines"
)
# DuckDB reads these words as numbers, in any case. A search for each of them is quicker than a pattern, and a pattern
# for what precedes a number is quicker than leaving strings out: most of these words are in strings.
_WORDS = ["".join(letters) for word in ("nan", "inf") for letters in product(*zip(word, word.upper(), strict=True))]
# A line that begins an array of objects, an object of which nothing follows, or one that holds such an array.
OPENS_DOCUMENT = re.compile(r"\[\s*(\{.*)?|\{(.*[\[{])?", re.DOTALL)
# Valid JSON that begins so is an object; to ask for its type costs a second parse.
_NO_OBJECT = (
    "document IS NULL OR NOT (starts_with(line, '{') OR starts_with(ltrim(line, ' ' || chr(9) || chr(13)), '{'))"
)
_STRINGS = r'"(?:[^"\\]|\\.)*"'
_HAS_WORD = (
    f"({' OR '.join(f'contains(line, {literal(word)})' for word in _WORDS)}) "
    f"AND regexp_matches(line, '(?i)[^a-z\"](?:nan|inf)') "
    f"AND regexp_matches(regexp_replace(line, {literal(_STRINGS)}, '', 'g'), '(?i)nan|inf')"
)


def read(file: ExportInput) -> FileRows | None:
    """Read NDJSON; None where it has no lines at all. Raises as `FileFormat.read` does."""
    found = texts(file.path, file.layout, file.folder)
    if not found:
        return None
    table = TextTable(
        texts=found,
        columns=1,
        header=None,
        scan=_scan,
        grammar=lambda checked: Grammar.of_lines(file.layout, checked=checked),
    )
    rows = read_texts(file, table)
    if rows is None:
        return None
    with refusing_data_errors(file.layout):
        _note_keys(file.connection, rows)
        return _with_keys(file.connection, rows, file.layout)


def _scan(text: Text, repaired: bool) -> Scan:
    query = (
        f"read_csv({exactly(text.path)}, auto_detect = false, columns = {{line: 'VARCHAR'}}, "
        f"delim = {literal(_NO_DELIMITER)}, quote = '', escape = '', header = false, {reading_options(text)})"
    )
    return Scan(restored(query, ["line"], {}, repaired=repaired), columns={}, extra="NULL", text="line")


def _note_keys(connection: duckdb.DuckDBPyConnection, rows: TextRows) -> None:
    """Write the keys of the objects to `json_shapes` in `temp`; FileRefused where no line is an object."""
    shapes = f"SELECT TRY(json_keys(line)) AS keys FROM {rows.rows}"
    # Most lines have the same keys in the same order: to compare them costs half of what grouping costs.
    usual = one_value(connection, f"SELECT mode(keys) FROM ({shapes} LIMIT {_FIRST_LINES})")
    connection.execute("CREATE OR REPLACE TEMP TABLE json_shapes (keys VARCHAR[])")
    connection.execute(
        "INSERT INTO temp.json_shapes SELECT CAST($1 AS VARCHAR[]) UNION ALL "
        f"SELECT DISTINCT keys FROM ({shapes}) WHERE keys IS DISTINCT FROM CAST($1 AS VARCHAR[])",
        [usual],
    )
    first = connection.execute(
        f"SELECT line, json_valid(line) FROM {rows.rows} WHERE line IS NOT NULL ORDER BY row_number LIMIT 1"
    ).fetchone()
    is_object = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' END"
    has_object = has_rows(connection, f"SELECT 1 FROM {rows.rows} WHERE {is_object} LIMIT 1")
    if not has_object and (rows.unread or first is not None):
        raise FileRefused(f"none of its lines is a JSON object; {NOT_NDJSON}")
    if first is not None and not first[1] and OPENS_DOCUMENT.fullmatch(first[0].strip()):
        raise FileRefused(f"line 1 opens a JSON document that continues on further lines; {NOT_NDJSON}")


def _with_keys(connection: duckdb.DuckDBPyConnection, rows: TextRows, layout: Layout) -> TextRows:
    """The rows with their columns: a key in all its spellings. An ambiguous or invalid row has only `extra`."""
    used = [column for column in used_columns(layout) if not layout.is_pointer(column)]
    further = [key for key in layout.declared if not layout.is_pointer(key)]
    spelled = _spelled_keys(connection, [*used, *further])
    lowered = ", ".join(f"lower({literal(column)})" for column in used) or "NULL"

    def repeats(keys: str) -> str:
        """SQL for whether a key is repeated; keys that the layout uses are compared without regard to case."""
        compared = f"list_transform({keys}, lambda k: CASE WHEN lower(k) IN ({lowered}) THEN lower(k) ELSE k END)"
        return f"len({keys}) <> len(list_distinct({compared}))"

    faults = {NO_OBJECT: _NO_OBJECT, NOT_A_NUMBER: _HAS_WORD}
    if has_rows(connection, f"SELECT 1 FROM temp.json_shapes WHERE {repeats('keys')} LIMIT 1"):
        faults[REPEATED_KEY] = repeats("json_keys(document)")
    fault = " ".join(f"WHEN {found} THEN {literal(reason)}" for reason, found in faults.items())
    mapped = [(column, key) for column in used for key in sorted(spelled[column]) or [column]]
    # Properties stay in the rest of the object: their text is kept, whatever their type makes of it.
    properties = [(column, key) for column in further for key in sorted(spelled[column]) or [column]]
    paths = [(column, "/" + key.replace("~", "~0").replace("/", "~1")) for column, key in [*mapped, *properties]]
    paths += [(pointer, pointer) for pointer in layout.pointers]
    wanted = ", ".join(literal(path) for _, path in paths)
    removal = f"json_object({', '.join(f'{literal(key)}, NULL' for _, key in mapped)})"
    read = f"""(
        SELECT * EXCLUDE (document), document ->> [{wanted}] AS found, json_merge_patch(document, {removal}) AS rest
        FROM (
            SELECT * REPLACE (CASE WHEN json_fault IS NULL THEN document END AS document) FROM (
                SELECT *, CASE {fault} END AS json_fault
                FROM (SELECT *, TRY_CAST(line AS JSON) AS document FROM {rows.rows} WHERE line IS NOT NULL)
            )
        )
    )"""
    values: dict[str, list[str]] = defaultdict(list)
    for position, (column, _) in enumerate(paths, start=1):
        values[column].append(f"found[{position}]")
    columns = {column: without_nulls(f"coalesce({', '.join(found)}, NULL)", layout) for column, found in values.items()}
    return replace(
        rows,
        rows=read,
        stored_text=stored_as_json(layout),
        columns=columns,
        extra="CASE WHEN json_fault IS NOT NULL THEN to_json(line) WHEN rest <> '{}' THEN rest END",
        fault="json_fault",
    )


def _spelled_keys(connection: duckdb.DuckDBPyConnection, used: list[str]) -> dict[str, set[str]]:
    """How the lines spell the keys that a layout uses. There can be any number of other keys; they are left out."""
    spelled: dict[str, set[str]] = defaultdict(set)
    if not used:  # by JSON pointers only
        return spelled
    wanted = ", ".join(f"({literal(column)})" for column in used)
    found = connection.execute(
        "SELECT DISTINCT wanted.name, key FROM (SELECT unnest(keys) AS key FROM temp.json_shapes) "
        f"JOIN (VALUES {wanted}) AS wanted(name) ON lower(key) = lower(wanted.name)"
    ).fetchall()
    for column, key in found:
        spelled[column].add(key)
    return spelled
