"""The dialect of a text: format, delimiter, quotes, header. DuckDB's `sniff_csv` fails if a few rows are truncated."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

from pipeline.errors import InspectionRefused
from pipeline.exports.formats.csv_surroundings import are_dashes, without_surroundings
from pipeline.exports.formats.ndjson import NOT_NDJSON, OPENS_DOCUMENT
from pipeline.exports.headers import clean_names, unique_names, unusable
from pipeline.layout_drafting.datetime_formats import moments_of
from pipeline.layout_drafting.file_head import HEAD_BYTES
from pipeline.masking import contains_address

ROWS = 2000
SHOWN_ROWS = 3

_SINGLE_DELIMITERS = (",", ";", "|", "\t")
# Replaces a delimiter of several characters, since the csv module takes one. No text contains it.
_STAND_IN = "\ufdd0"
_MARKS = re.compile(r"""[^\w\s"'@.]{2,24}""")
_MAX_DELIMITER = 5
_FIRST_LINES = 50
# The minimum share of rows with the same number of columns.
_LEAST_CONSISTENCY = 0.5
# The minimum share of quoted values in a file where unbalanced quotes break some rows.
_NEARLY = 0.9
# The maximum share of records with a part of the delimiter in a cell.
_RARE = 0.05
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")


@dataclass(frozen=True)
class Table:
    """The rows and columns of a sample.

    `names` is empty for a file without a header. If `names` is set but `has_header` is false, the header has fewer
    names than the rows have columns. `unnamed` are the positions of columns with a blank or repeated name; `nested`
    those of columns with JSON objects or arrays. `odd_rows` have another number of columns, or are not JSON objects;
    `repeated_headers` counts copies of the header below it, and `loose_quotes` rows with quotes inside a value that are
    not doubled. `swallowing` counts quoted values that contain whole rows.
    """

    format: str
    names: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    first_lines: tuple[str, ...]
    is_whole: bool
    delimiter: str = ","
    quote: str | None = None
    has_header: bool = True
    unnamed: frozenset[int] = frozenset()
    nested: frozenset[int] = frozenset()
    odd_rows: int = 0
    repeated_headers: int = 0
    loose_quotes: int = 0
    swallowing: int = 0

    @property
    def is_delimited(self) -> bool:
        """Whether the rows are delimited text."""
        return self.format == "csv"

    @property
    def has_quotes_inside(self) -> bool:
        """Whether some values contain double quotes."""
        return any('"' in cell for row in self.rows for cell in row if cell)

    @property
    def looked_at(self) -> int:
        """The number of rows in the sample, those that could not be split included."""
        return len(self.rows) + self.odd_rows + self.repeated_headers

    def cells(self, position: int) -> list[str]:
        """The values of one column; a key that a JSON object lacks is empty."""
        return [row[position] or "" for row in self.rows]


def cut(name: str, text: str, is_whole: bool) -> Table:
    """The table of a text; `is_whole`: of the whole file. Raises InspectionRefused: neither a table nor NDJSON."""
    lines = list(io.StringIO(text, newline=""))
    if not is_whole and len(lines) > 1:
        lines.pop()  # the sample may end within a line
    first = next(line.strip() for line in lines if line.strip())
    if OPENS_DOCUMENT.fullmatch(first) and _document(first) is None:
        raise InspectionRefused(f"{name}: is one JSON document; {NOT_NDJSON}")
    if first.startswith("{"):
        return _json_lines(name, lines, is_whole)
    if first.startswith("<") and first.endswith(">"):
        raise InspectionRefused(f"{name}: is XML; exports are delimited text or NDJSON")
    with _fields_of_any_length():
        return _delimited(name, without_surroundings(lines) or lines, is_whole)


_AMBIGUOUS = (
    "each of its first lines repeats a key (perhaps in another case) or contains NaN or Infinity; such lines are "
    "rejected, so have the export written without them"
)


def _json_lines(name: str, lines: Sequence[str], is_whole: bool) -> Table:
    filled = [line.rstrip("\r\n") for line in lines if line.strip()]
    documents = [_document(line) for line in filled[:ROWS]]
    objects = [document for document in documents if document is not None]
    if not objects:
        ambiguous = any(_is_lenient_object(line) for line in filled[:ROWS])
        raise InspectionRefused(
            f"{name}: {_AMBIGUOUS if ambiguous else f'none of its first lines is a JSON object; {NOT_NDJSON}'}"
        )
    # Keys match without regard to case, as a header's names do.
    spellings: dict[str, str] = {}
    for document in objects:
        for key in document:
            spellings.setdefault(key.lower(), key)
    rows = [{key.lower(): _as_text(value) for key, value in document.items()} for document in objects]
    return Table(
        format="ndjson",
        names=tuple(spellings.values()),
        rows=tuple(tuple(row.get(key) for key in spellings) for row in rows),
        first_lines=tuple(filled[:SHOWN_ROWS]),
        is_whole=is_whole and len(filled) <= ROWS,
        nested=frozenset(
            position
            for position, key in enumerate(spellings)
            if any(isinstance(value, dict | list) for value in _values_of(objects, key))
        ),
        odd_rows=len(documents) - len(objects),
    )


def _values_of(objects: Iterable[Mapping[str, object]], lowered: str) -> Iterator[object]:
    return (value for document in objects for key, value in document.items() if key.lower() == lowered)


def _document(line: str) -> dict[str, object] | None:
    """The object of a line; None if the loader would reject the line."""
    try:
        document = json.loads(line, object_pairs_hook=_Pairs, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, _Pairs) or len({key.lower() for key, _ in document}) < len(document):
        return None
    return {key: _plain(value) for key, value in document}


def _is_lenient_object(line: str) -> bool:
    """Whether a line is an object apart from repeated keys, NaN or Infinity."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class _Pairs(list[tuple[str, object]]):
    """A JSON object with repeated keys."""


def _plain(value: object) -> object:
    if isinstance(value, _Pairs):
        return {key: _plain(inner) for key, inner in value}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _as_text(value: object) -> str | None:
    """A JSON value as the loader reads it."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class _Split:
    """A text split by one delimiter and one quote: for each record its cells and its lines."""

    delimiter: str
    quote: str | None
    records: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]
    is_whole: bool

    @property
    def width(self) -> int:
        """The usual number of columns."""
        return Counter(map(len, self.records)).most_common(1)[0][0]

    @property
    def consistency(self) -> float:
        """The share of records that have it."""
        return Counter(map(len, self.records)).most_common(1)[0][1] / len(self.records)

    @property
    def score(self) -> tuple[bool, float]:
        """A header with the usual width counts most; then, few columns agree by accident more easily than many."""
        return (len(self.records[0]) == self.width, self.consistency * (1 - 1 / self.width))

    @property
    def swallowing(self) -> int:
        """The number of records over several lines that each have all columns: a sign of stray quotes."""
        marks = self.width - 1
        several = (text.splitlines() for text in self.lines if "\n" in text or "\r" in text)
        return sum(all(line.count(self.delimiter) == marks for line in lines if line) for lines in several)

    def holding(self, text: str) -> float:
        """The share of records with this text in a cell."""
        return sum(any(text in cell for cell in record) for record in self.records) / len(self.records)


def _delimited(name: str, lines: Sequence[str], is_whole: bool) -> Table:
    splits = _likely([split for delimiter in _delimiters(lines) for split in _splits_by(lines, delimiter, is_whole)])
    if not splits:
        raise InspectionRefused(
            f"{name}: no delimiter splits its lines into the same number of columns; "
            "commas, semicolons, pipes, tabs and longer marks such as || were tried"
        )
    return _table(max(splits, key=lambda split: split.score))


def _splits_by(lines: Sequence[str], delimiter: str, is_whole: bool) -> list[_Split]:
    """A text split with the quotes around its values, or without any."""
    plain = _split(lines, delimiter, None, is_whole)
    if plain is None:
        return []
    quoted = (_split(lines, delimiter, quote, is_whole) for quote in ('"', "'"))
    return [split for split in quoted if split and _is_quoted(plain, split, split.quote or "")] or [plain]


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    """Raise the csv module's limit of 128 KB for a value, which the loader doesn't have; it applies to the process."""
    usual = csv.field_size_limit(HEAD_BYTES * 4)
    try:
        yield
    finally:
        csv.field_size_limit(usual)


def _delimiters(lines: Sequence[str]) -> list[str]:
    """The usual delimiters, and every mark of several characters in the first lines."""
    marks: Counter[str] = Counter()
    for line in lines[:_FIRST_LINES]:
        for run in set(_MARKS.findall(line)):
            marks.update(_repeated_marks(run))
    return [*_SINGLE_DELIMITERS, *(mark for mark, _ in marks.most_common(12))]


def _repeated_marks(run: str) -> list[str]:
    """The delimiters that a run of marks can be: empty cells repeat the delimiter, as in `~|~~|~`."""
    lengths = [length for length in range(2, _MAX_DELIMITER + 1) if len(run) % length == 0]
    return [run[:length] for length in lengths if run[:length] * (len(run) // length) == run]


def _split(lines: Sequence[str], delimiter: str, quote: str | None, is_whole: bool) -> _Split | None:
    stand_in = delimiter if len(delimiter) == 1 else _STAND_IN
    marked = (line.replace(delimiter, stand_in) for line in lines)
    reader = csv.reader(
        marked, delimiter=stand_in, quotechar=quote, quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    )
    try:
        found = [record for record in islice(_records(reader, lines), ROWS + 2) if record[0]]
    except csv.Error:
        return None
    # A quoted value may continue after the end of the sample, and the header is not a row.
    whole = is_whole and len(found) <= ROWS + 1
    if not whole and len(found) > 1:
        found = found[:-1]
    if not found:
        return None
    cells = tuple(tuple(cell.replace(stand_in, delimiter) for cell in record) for record, _ in found)
    return _Split(delimiter, quote, cells, tuple(text for _, text in found), whole)


def _records(reader: Iterator[list[str]], lines: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    end = 0
    for record in reader:
        start, end = end, reader.line_num  # type: ignore[attr-defined]
        yield record, "".join(lines[start:end]).rstrip("\r\n")


def _likely(splits: Sequence[_Split]) -> list[_Split]:
    """The splits with mostly rows of the same width; without delimiters that are only a part of a longer one."""
    likely = [split for split in splits if split.width > 1 and split.consistency >= _LEAST_CONSISTENCY]
    return [
        split
        for split in likely
        if not any(
            split.delimiter in longer.delimiter
            and split.delimiter != longer.delimiter
            and longer.consistency >= split.consistency
            and longer.holding(split.delimiter) < _RARE
            for longer in likely
        )
    ]


def _is_quoted(plain: _Split, quoted: _Split, quote: str) -> bool:
    """Whether the quotes are around values, and not inside them."""
    if quoted.width < 2 or quoted.consistency < plain.consistency * _NEARLY:  # a quote may be missing somewhere
        return False
    cells = [cell for record in plain.records for cell in record if cell]
    around = sum(len(cell) > 1 and cell.startswith(quote) and cell.endswith(quote) for cell in cells)
    opening = sum(cell.startswith(quote) for cell in cells) - around
    closing = sum(cell.endswith(quote) for cell in cells) - around
    if quoted.consistency < plain.consistency and around < _NEARLY * len(cells):
        return False
    # A value with the delimiter opens in one cell and closes in another.
    if around + min(opening, closing) <= abs(opening - closing):
        return False
    # If few values are quoted and swallow rows, the quotes are part of the texts.
    if quoted.swallowing and around * 2 < len(plain.records):
        return False
    # Apostrophes are common in texts.
    return quote == '"' or around + opening + closing > len(cells) / 2


def _table(split: _Split) -> Table:
    width = split.width
    has_names = _are_names(split.records, width)
    first = tuple(clean_names(split.records[0]))
    repeated = unusable(first)
    named = [cell or f"column_{number}" for number, cell in enumerate((*first, *[""] * (width - len(first))), 1)]
    above = 1 + are_dashes(split.records[1] if len(split.records) > 1 else ()) if has_names else 0
    records, lines = split.records[above:], split.lines[above:]
    fitting = [record for record in records if len(record) == width]
    rows = tuple(record for record in fitting if not has_names or record != split.records[0])
    table = Table(
        format="csv",
        names=tuple(unique_names(named)) if has_names else (),
        rows=rows[:ROWS],
        first_lines=lines[:SHOWN_ROWS],
        is_whole=split.is_whole,
        delimiter=split.delimiter,
        quote=split.quote,
        has_header=has_names and len(first) == width,
        unnamed=frozenset(
            position for position, name in enumerate(first) if has_names and (not name or name.lower() in repeated)
        ),
        odd_rows=len(records) - len(fitting),
        repeated_headers=len(fitting) - len(rows),
        swallowing=split.swallowing if split.quote else 0,
    )
    return replace(table, loose_quotes=_loose_quotes(lines, split)) if split.quote else table


def _loose_quotes(lines: Sequence[str], split: _Split) -> int:
    """The number of rows that only a lenient reader can read."""
    stand_in = split.delimiter if len(split.delimiter) == 1 else _STAND_IN
    loose = 0
    for line in lines:
        marked = io.StringIO(line.replace(split.delimiter, stand_in), newline="")
        try:
            list(csv.reader(marked, delimiter=stand_in, quotechar=split.quote, strict=True))
        except csv.Error:
            loose += 1
    return loose


def _are_names(records: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the first row has names: none looks like a value or is repeated below."""
    first = clean_names(records[0])
    named = [cell for cell in first if cell]
    # Each line, or each but the header, may end with a delimiter; and some columns may have no name.
    if len(first) not in (width, width - 1) or len(named) * 2 < width or any(map(_is_value, named)):
        return False
    others = [record for record in records[1:] if list(record) != list(records[0])]
    return not any(
        cell and cell.strip() == name for record in others for cell, name in zip(record, first, strict=False)
    )


def _is_value(cell: str) -> bool:
    return contains_address(cell) or _NUMBER.fullmatch(cell) is not None or moments_of([cell]) is not None
