"""The inspection of one file, from its bytes to the draft of its layout."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from pipeline.errors import FileRefused, InspectionRefused
from pipeline.exports.file_signatures import PARQUET_MAGIC
from pipeline.exports.formats.parquet import sample
from pipeline.filesystems.temporary_files import temporary_folder
from pipeline.layout_drafting.column_meanings import Guess, guesses
from pipeline.layout_drafting.dialect import ROWS, SHOWN_ROWS, Table, cut
from pipeline.layout_drafting.draft import draft
from pipeline.layout_drafting.encoding import decode
from pipeline.layout_drafting.event_codes import Candidate, candidates, code_column
from pipeline.layout_drafting.file_head import Head, IsEncrypted, decrypted_copy, read_head, whole_file
from pipeline.layout_drafting.file_name_pattern import name_pattern
from pipeline.layout_drafting.inspected import Inspected
from pipeline.layout_drafting.layout_kind import kind_of, refuse_aggregates
from pipeline.layout_drafting.nested_values import with_nested
from pipeline.layout_drafting.sample_columns import Column, columns_of, null_values
from pipeline.openpgp import SecretKey


def inspect(file: str, key: Callable[[], SecretKey | None] = lambda: None) -> str:
    """The draft of a layout for a file, a path or a URL, as YAML. `key` is asked for if it is encrypted.

    Raises InspectionRefused: it is no export, or can't be decrypted.
    """
    return draft(inspected(file, key))


def inspected(file: str, key: Callable[[], SecretKey | None] = lambda: None) -> Inspected:
    """What an inspection of a file finds, as in `inspect`."""
    with temporary_folder() as folder:
        try:
            return _find_out(file, read_head(file))
        except IsEncrypted:
            path, name = decrypted_copy(file, folder, key)
        return _find_out(str(path), read_head(str(path), name=name))


def _find_out(file: str, head: Head) -> Inspected:
    if head.content.startswith(PARQUET_MAGIC):
        decoded, table = None, _parquet_table(head.name, file)
    else:
        decoded = decode(head)
        table = cut(head.name, decoded.text, head.is_whole)
    file_name = name_pattern(head.name, table.looked_at if table.is_whole else None)
    nulls = null_values(table)
    columns = with_nested(columns_of(table, [value for value, _ in nulls]))
    found = candidates(columns)
    code = code_column(found)
    guessed = guesses(columns, code, file_name.name, len(table.rows))
    found = [one for one in found if one.column is code or guessed[one.column.position].meaning is None]
    meanings = {guess.meaning: column for column, guess in zip(columns, guessed, strict=True) if guess.meaning}
    refuse_aggregates(head.name, columns, meanings)
    kind, why_kind = kind_of(meanings, guessed, code)
    if any(guessed[position].meaning for position in table.unnamed):
        table = replace(table, has_header=False)  # a list can give each column a name of its own
    if not table.names:
        named = _named(columns, guessed, code)
        code = named[code.position] if code else None
        found = [Candidate(named[one.column.position], one.rank) for one in found]
        columns = named
    return Inspected(head, decoded, table, columns, nulls, code, found, guessed, kind, why_kind, file_name)


def _parquet_table(name: str, file: str) -> Table:
    """The first rows of a Parquet file, of which the whole is needed: its columns are described at its end."""
    with temporary_folder() as folder:
        try:
            found = sample(whole_file(file, folder / "export"), folder, ROWS)
        except FileRefused as error:
            raise InspectionRefused(f"{name}: {error}") from None
    shown = [dict(zip(found.names, row, strict=True)) for row in found.rows[:SHOWN_ROWS]]
    return Table(
        format="parquet",
        names=found.names,
        rows=found.rows,
        first_lines=tuple(json.dumps(row, ensure_ascii=False) for row in shown),
        is_whole=found.rows_in_file <= len(found.rows),
        nested=found.nested,
    )


def _named(columns: Sequence[Column], guessed: Sequence[Guess], code: Column | None) -> list[Column]:
    """Name the columns of a file without a header by their meaning or position."""
    return [
        replace(column, name="event_code" if column is code else guess.meaning or f"column_{column.position + 1}")
        for column, guess in zip(columns, guessed, strict=True)
    ]
