"""Files of which very many rows are none: DuckDB held 1 kB for each missing value, and lost rejects where no row is."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.export_folder import FEWER, HEADER, NAMES, ZOE, Reader

MORE = "the row has more columns than the header"


def test_rows_that_break_off_in_a_wide_file_are_put_aside(read: Reader) -> None:
    """The file has half a megabyte; with 1,000 such rows DuckDB took 600 MB."""
    names = [*NAMES, *(f"X{number}" for number in range(496))]
    whole = ZOE.strip() + ",x" * 496 + "\n"
    content = ",".join(names) + "\n" + whole + "C-2,half\n" * 5_000 + whole + whole.strip() + ",more\n"
    reading = read(content)
    assert reading.counts == ("loaded", 5_003, 0, 5_001)
    assert reading.accepted("user_id") == ["C-1", "C-1"]
    assert reading.lines == [*range(3, 5_003), 5_004]
    assert reading.reasons == [FEWER] * 5_000 + [MORE]


def test_rows_without_end_behind_an_open_quote_are_put_aside(read: Reader) -> None:
    lines = 400_000
    reading = read(HEADER + ZOE + ZOE.replace("Soldes", '"' + "some text, without an end\n" * lines) + ZOE)
    # What remains of the row that the quote is in is one more line.
    assert reading.counts == ("loaded", lines + 3, 0, lines + 1)
    assert reading.accepted("user_id") == ["C-1", "C-1"]
    assert reading.lines == [*range(3, lines + 4)]


@pytest.mark.parametrize(("quote", "rows"), [('"', 900_000), (None, 60_000)])
def test_a_layout_with_another_delimiter_puts_every_row_aside(read: Reader, quote: str | None, rows: int) -> None:
    """Of more than 32 MB without a row, DuckDB lost the last rejects, and the file was called inconsistent."""
    reading = read(ZOE * rows, header=NAMES, delimiter=";", quote=quote)
    assert reading.counts == ("loaded", rows, 0, rows)
    assert reading.lines == [*range(1, rows + 1)]


def test_rows_in_another_encoding_are_put_aside(read: Reader) -> None:
    good, bad = ZOE.encode(), ZOE.replace("Soldes", "Ete").encode().replace(b"Ete", b"\xe9t\xe9")
    reading = read(HEADER.encode() + (good + bad) * 200_000 + b"half\n")
    assert reading.counts == ("loaded", 400_001, 0, 200_001)
    assert reading.lines == [*range(3, 400_003, 2), 400_002]
    assert reading.reasons[0] == "the row is not valid utf-8"
    assert len(reading.accepted("user_id")) == 200_000


def test_lines_of_json_in_another_encoding_are_put_aside(read: Reader) -> None:
    good = b'{"WHO":"C-1","AT":"2024-06-11T09:15:10"}\n'
    columns = {"WHO": "user_id", "AT": "timestamp"}
    reading = read(good + b'{"WHO":"\xe9"}\n' * 200_000 + good, format="ndjson", columns=columns)
    assert reading.counts == ("loaded", 200_002, 0, 200_000)
    assert reading.lines == [*range(2, 200_002)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_odd_rows_among_many_faults_are_what_they_are_elsewhere(read: Reader, end: str) -> None:
    """Values of several lines, an empty cell too many, blank lines, doubled quotes, a carriage return, an inch."""
    odd = [
        'C-2,"a\nb",c,2024-06-11T09:15:10\n',
        "C-3,a,b,2024-06-11T09:15:10,\n",
        "\n",
        'C-4,"say ""no""",5" x,2024-06-11T09:15:10\n',
        'C-5,"a"b,c,2024-06-11T09:15:10\n',
        'C-6,"a\n\nb",c\n',
        'C-7,"a,b",c,2024-06-11T09:15:10\n',
    ]
    content = HEADER + "x\n" * 40_000 + "".join(odd) + "x\n" * 20_000
    reading = read(content.replace("\n", end))
    assert reading.counts == ("loaded", 60_006, 0, 60_002)
    assert reading.accepted("user_id") == ["C-2", "C-3", "C-4", "C-7"]
    assert [line for line in reading.lines if 40_001 < line < 40_012] == [40_007, 40_008]
    assert reading.lines[-1] == 60_011


def test_memory_does_not_grow_with_missing_values(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from pipeline.warehouse import Warehouse
from tests.support.export_folder import NAMES, ZOE, Reader
folder = Path(sys.argv[1])
names = [*NAMES, *(f"X{number}" for number in range(296))]
with Warehouse(f"{folder}/warehouse.duckdb", "").writing() as connection:
    reading = Reader(connection, folder)(",".join(names) + "\\n" + "C-2,half\\n" * 10_000)
    assert reading.counts == ("loaded", 10_000, 0, 10_000), reading.file
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 600_000, done.stdout  # in kB; 3 GB before
