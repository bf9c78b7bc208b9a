"""NDJSON as a relation: one JSON object a line; its keys are columns, and match without regard to case."""

import json
from collections import defaultdict
from collections.abc import Sequence

from pipeline.exports.layouts import Layout
from pipeline.exports.reading import Source, exactly, reading_options, restoring, used_columns
from pipeline.exports.texts import Text
from pipeline.warehouse import literal

# A character that JSON text can't hold, so that a line stays one column.
_NO_DELIMITER = "\x01"
_KEY_SAMPLE_LINES = 1000
_KEY_SAMPLE_BYTES = 1 << 20


def ndjson_source(text: Text, layout: Layout, *, mended: bool) -> Source:
    """A text of one JSON object a line. Keys match without regard to case, as a header's names do."""
    scan = (
        f"read_csv({exactly(text.path)}, auto_detect = false, columns = {{line: 'VARCHAR'}}, "
        f"delim = {literal(_NO_DELIMITER)}, quote = '', escape = '', header = false, {reading_options(text)})"
    )
    if restored := restoring(layout, mended=mended):
        scan = f"(SELECT {restored('line')} AS line FROM {scan})"
    document = "CASE WHEN json_valid(line) AND json_type(line) = 'OBJECT' THEN CAST(line AS JSON) END"
    nulls = ", ".join(literal(value) for value in layout.null_values)

    def value(spellings: Sequence[str]) -> str:
        pointers = (literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in spellings)
        extracted = f"coalesce({', '.join(f'document ->> {pointer}' for pointer in pointers)}, NULL)"
        return f"CASE WHEN {extracted} IN ({nulls}) THEN NULL ELSE {extracted} END" if nulls else extracted

    spelled = _spelled_keys(text)
    keys = {column: sorted(spelled.get(column.lower(), {column})) for column in used_columns(layout)}
    removal = f"json_object({', '.join(f'{literal(key)}, NULL' for spellings in keys.values() for key in spellings)})"
    rest = f"json_merge_patch(document, {removal})"
    return Source(
        scan=scan,
        derived=f", {document} AS document",
        columns={column: value(spellings) for column, spellings in keys.items()},
        extra=f"CASE WHEN document IS NULL THEN to_json(line) WHEN {rest} = '{{}}' THEN NULL ELSE {rest} END",
        text="line",
        first_row_line=1,
        fault="CASE WHEN document IS NULL THEN 'the line is no JSON object' END",
    )


def _spelled_keys(text: Text) -> dict[str, set[str]]:
    """How the text spells its keys, by their lower case; its first lines tell."""
    spelled: dict[str, set[str]] = defaultdict(set)
    with text.path.open("r", encoding="utf-8-sig", errors="replace") as file:
        lines = [file.readline(_KEY_SAMPLE_BYTES) for _ in range(_KEY_SAMPLE_LINES)]
    for line in lines:
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            continue
        for key in document if isinstance(document, dict) else ():
            spelled[key.lower()].add(key)
    return spelled
