"""Random rows as CSV and as Parquet become the same events: an event's id is made of nothing else."""

import csv
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from tests.exports.formats.test_round_trips import CELL, THOROUGHLY
from tests.support.export_folder import CODED, CODED_COLUMNS, Reader

NAMES = ["WHAT", "CUSTOMER", "MAIL", "OPENED_AT", "DEVICE", "it's/~"]
TIMES = st.sampled_from(
    ["2024-06-11T09:15:10", "2024-06-11 09:15:10.25+02", "2024-10-27 02:30:00", "2024-03-31 02:30:00", "never", None]
)
# A NULL of Parquet is an empty cell of CSV.
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["OPEN", "CLICK", "SENT", "FWD", None]),
        st.sampled_from(["C-1", " c-1\u200b", "", None]),
        st.sampled_from(["zoe@example.com", None]),
        TIMES,
        CELL | st.none(),
        CELL | st.none(),
    ),
    min_size=1,
    max_size=8,
)


def as_csv(rows: list[tuple[str | None, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([NAMES, *rows])
    return text.getvalue().encode()


def as_parquet(rows: list[tuple[str | None, ...]], group: int) -> bytes:
    columns = ", ".join(f'unnest($c{position}::VARCHAR[]) AS "{name}"' for position, name in enumerate(NAMES))
    values = {f"c{position}": [row[position] for row in rows] for position in range(len(NAMES))}
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "rows.parquet"
        connection.execute("CREATE TABLE rows AS SELECT " + columns, values)
        connection.execute(f"COPY rows TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {group})")
        return path.read_bytes()


def stored(read: Reader, content: bytes, **changes: Any) -> tuple[Any, list[dict[str, Any]], list[tuple[str, int]]]:
    reading = read(content, **changes, **CODED, columns=CODED_COLUMNS)
    of_file = {"export_date", "file", "export", "exported_at", "loaded_at"}
    rows = [
        {name: json.loads(value) if name == "extra" and value else value for name, value in row.items()}
        for row in reading.rows
    ]
    return reading.counts, [{name: row[name] for name in row.keys() - of_file} for row in rows], reading.reasons


@THOROUGHLY
@given(rows=ROWS, nulls=st.sampled_from([[""], ["", "NULL", "n.v.t."]]), group=st.sampled_from([2048, 4096]))
def test_the_same_rows_become_the_same_events(
    read: Reader, rows: list[tuple[str | None, ...]], nulls: list[str], group: int
) -> None:
    of_csv = stored(read, as_csv(rows), null_values=nulls)
    of_parquet = stored(read, as_parquet(rows, group), format="parquet", null_values=nulls)
    assert of_parquet == of_csv
