"""Parquet: columns by name, and their values as DuckDB writes them as text.

A file is read by a separate DuckDB instance, so that damage in it can't invalidate the connection of the warehouse.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import duckdb

from pipeline.errors import FileRefused
from pipeline.exports.archives import Piece, is_packed, pieces
from pipeline.exports.file_signatures import PARQUET_MAGIC
from pipeline.exports.formats.rows import (
    ExportInput,
    FileRows,
    exactly,
    numbered,
    refusing_data_errors,
    stored_as_json,
    unmapped,
    without_nulls,
)
from pipeline.exports.headers import refuse_unusable
from pipeline.exports.layouts import Layout, key_of
from pipeline.masking import on_one_line
from pipeline.warehouse import literal, one_value
from pipeline.warehouse.in_memory import in_memory

_NESTED = {"array", "list", "map", "struct", "union", "variant"}
_SHOWN_LENGTH = 200


@dataclass(frozen=True)
class _Table:
    """Parquet files as one table: `scan` is SQL for its rows, in columns `c0`, `c1` … with the `names`; `texts` is SQL
    for their values as text. `nested` are the positions of columns whose values become JSON.
    """

    scan: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    nested: frozenset[int]


@dataclass(frozen=True)
class _ParquetRows(FileRows):
    """`pieces` has the number of rows before each file of an archive, and its name; a line is a position in a file."""

    pieces: tuple[tuple[int, str | None], ...] = ()

    def located(self, rows: str) -> str:
        """SQL for some rows (a column `row_number`), with their `line` and `piece` in place of the number."""
        starts = ", ".join(f"({start}, {literal(name)})" for start, name in self.pieces)
        return (
            "SELECT located.* EXCLUDE (row_number), row_number - start AS line, piece "
            f"FROM ({rows}) AS located ASOF JOIN (VALUES {starts}) AS pieces(start, piece) ON row_number > start"
        )


def read(file: ExportInput) -> FileRows | None:
    """Read a Parquet file; None where it is an archive with no file in it.

    Raises:
        FileRefused: it is not a Parquet file, is damaged, or lacks a column that the layout requires.
        duckdb.Error: the machine failed.
    """
    found = pieces(file.path)
    if not found:
        return None
    paths = _unpacked(found, file.folder) if is_packed(file.path) else [file.path]
    for path in paths:
        _refuse_other_files(path)
    target = file.kept / "rows.parquet"
    threads = one_value(file.connection, "SELECT current_setting('threads')")
    with in_memory(file.folder / "spill", threads) as reader:
        with _refusing_damage(file.folder, file.path):
            for path in paths:
                refuse_unusable(_top_level_names(reader, path), file.layout)
            table = _table(reader, paths)
            records = [_rows_in_footer(reader, path) for path in paths]
            # All values are read once before they are written, to distinguish a damaged file from a full disk.
            reader.execute(f"SELECT {', '.join(f'count(c{n})' for n in range(len(table.names)))} FROM {table.scan}")
        texts = ", ".join(f"{without_nulls(text, file.layout)} AS c{n}" for n, text in enumerate(table.texts))
        with refusing_data_errors(file.layout):
            reader.execute(f"COPY (SELECT {texts} FROM {table.scan}) TO {literal(str(target))} (FORMAT parquet)")
    columns = {name: f"c{position}" for position, name in enumerate(table.names)}
    pairs = ", ".join(f"{literal(name)}, {variable}" for name, variable in columns.items())
    return _ParquetRows(
        rows=numbered(target),
        columns=columns | _nested_values(table, columns, file.layout),
        extra=unmapped(columns, file.layout),
        text=f"CAST(json_object({pairs}) AS VARCHAR)",
        stored_text=stored_as_json(file.layout),
        records=sum(records),
        counted_by="its footer",
        pieces=tuple(zip([0, *accumulate(records)], [piece.name for piece in found], strict=False)),
    )


def _nested_values(table: _Table, columns: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """SQL for the values inside of nested columns that JSON pointers of the layout name, by pointer."""
    nested = {key_of(name): columns[name] for position, name in enumerate(table.names) if position in table.nested}
    values = {}
    for source in layout.pointers:
        key, slash, path = source[1:].partition("/")
        column = nested.get(key_of(key.replace("~1", "/").replace("~0", "~")))
        if slash and column is not None:
            values[source] = without_nulls(f"({column} ->> {literal(slash + path)})", layout)
    return values


@dataclass(frozen=True)
class Sample:
    """The first rows of a Parquet file as text; `rows_in_file` is the total number of rows, `nested` as in `_Table`."""

    names: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    nested: frozenset[int]
    rows_in_file: int


def sample(path: Path, folder: Path, most: int) -> Sample:
    """At most `most` rows of a Parquet file, or of the first one in an archive; FileRefused where it is damaged."""
    inner = _unpacked(pieces(path)[:1], folder)[0] if is_packed(path) else path
    with in_memory(folder / "spill", 1) as reader, _refusing_damage(folder, path):
        table = _table(reader, [inner])
        rows = reader.execute(f"SELECT {', '.join(table.texts)} FROM {table.scan} LIMIT {most}").fetchall()
        return Sample(table.names, tuple(rows), table.nested, _rows_in_footer(reader, inner))


def _unpacked(found: Sequence[Piece], folder: Path) -> list[Path]:
    paths = []
    for number, piece in enumerate(found):
        paths.append(folder / f"{number}.parquet")
        with piece.open() as source, paths[-1].open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    return paths


def _refuse_other_files(path: Path) -> None:
    """Raise FileRefused for what does not begin as a Parquet file."""
    with path.open("rb") as file:
        if file.read(len(PARQUET_MAGIC)) != PARQUET_MAGIC:
            raise FileRefused("is not a Parquet file, although its layout has format: parquet")


@contextmanager
def _refusing_damage(folder: Path, path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:  # a damaged file can raise many kinds of DuckDB errors
        words = str(error).strip().partition("\n")[0].replace(f"{folder}/", "").replace(str(path), "it")
        raise FileRefused(
            f"can't be read as parquet, so it is cut off or damaged: {on_one_line(words, _SHOWN_LENGTH)}; have it sent "
            "again"
        ) from None


def _table(reader: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> _Table:
    """Parquet files as one table; columns with the same name are one column."""
    files = f"read_parquet([{', '.join(map(exactly, paths))}], union_by_name = true, hive_partitioning = false)"
    found = reader.sql(f"FROM {files}")
    kinds = [kind.id for kind in found.types]
    return _Table(
        scan=f"{files} AS files({', '.join(f'c{position}' for position in range(len(kinds)))})",
        names=tuple(found.columns),
        texts=tuple(_text(f"c{position}", kind) for position, kind in enumerate(kinds)),
        nested=frozenset(position for position, kind in enumerate(kinds) if kind in _NESTED),
    )


def _text(column: str, kind: str) -> str:
    """SQL for a value as text. Some writers don't mark their texts as such; DuckDB takes them for bytes."""
    if kind in _NESTED:
        return f"CAST(to_json({column}) AS VARCHAR)"
    if kind == "blob":
        return f"coalesce(TRY(decode({column})), CAST({column} AS VARCHAR))"
    return f"CAST({column} AS VARCHAR)"


def _rows_in_footer(reader: duckdb.DuckDBPyConnection, path: Path) -> int:
    return int(one_value(reader, f"SELECT num_rows FROM parquet_file_metadata({exactly(path)})"))


def _top_level_names(reader: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """The names of a file's columns as they are in its schema; DuckDB renames those that repeat another."""
    nodes = iter(reader.execute(f"SELECT name, num_children FROM parquet_schema({exactly(path)})").fetchall())

    def children(count: int | None) -> list[str]:
        names = []
        for _ in range(count or 0):
            name, grandchildren = next(nodes)
            children(grandchildren)
            names.append(name)
        return names

    return children(next(nodes)[1])
