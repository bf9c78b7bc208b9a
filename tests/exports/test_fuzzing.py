"""Files that something happened to, and files that are noise: no run ends, and no row goes uncounted.

    FUZZ_FILES=3400 FUZZ_SEED=7 pytest -n0 -s tests/exports/test_fuzzing.py

Each of the tests reads so many files. The seed is printed, so that what was found can be found again.
"""

import gzip
import os
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.exports.formats.test_round_trips import ExportFile, export_files
from tests.support.export_folder import CODED, Reader, Reading
from tests.support.random_files import FILES

SEED = int(os.environ.get("FUZZ_SEED", "1"))
WILDLY = settings(
    deadline=None,
    max_examples=FILES,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=False,
    phases=[Phase.generate, Phase.shrink],
)
# What breaks readers: ends of lines, quotes, delimiters, marks, halves of characters, bytes that no text has.
SPLINTERS = [b'"', b"'", b"\n", b"\r", b"\r\n", b",", b";", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc3"]
SPLINTERS += [b'""', b'"\n', b"\x1f"]

UNQUOTED: dict[str, Any] = {"quote": None, "delimiter": ";"}
QUOTED: dict[str, Any] = {"quote": '"', "delimiter": ","}
LINES: dict[str, Any] = {"format": "ndjson"}


@pytest.fixture(autouse=True, scope="module")
def print_seed() -> None:
    print(f"\nFUZZ_SEED={SEED}")


@st.composite
def mutilated(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes after some accidents."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 30)))
        splinter = draw(st.sampled_from(SPLINTERS) | st.binary(max_size=4))
        content = draw(
            st.sampled_from(
                [
                    content[:start] + splinter + content[start:],
                    content[:start] + splinter + content[end:],
                    content[:start] + content[end:],
                    content[:end] + content[start:],
                    content[:start],
                ]
            )
        )
    return content


def rows_of(reading: Reading) -> int:
    return len(reading.rows) + len(reading.lookups) + sum(1 for _ in reading.rejected)


def assert_nothing_is_lost(reading: Reading) -> None:
    file = reading.file
    if file.status == "refused":
        assert file.reason
        assert not reading.rows and not reading.rejected
        return
    assert file.status == "loaded"
    not_understood = sum(row["rejected_because"] is not None for row in reading.rows)
    skipped = sum(row["event"] is None and row["rejected_because"] is None for row in reading.rows)
    assert file.skipped == skipped
    assert file.rejected == len(reading.rejected)
    assert file.rows == len(reading.rows) - not_understood + len(reading.rejected)
    places = [
        (line, reason.partition(": ")[0] if reason.startswith("in ") else "") for line, reason, _ in reading.rejected
    ]
    assert len(set(places)) == len(places)
    assert all(text is not None and reason for _, reason, text in reading.rejected)


def lines_of(content: bytes) -> list[bytes]:
    """Lines that are not blank, as an editor shows them."""
    ends = rb"\r\n|\n" if b"\n" in content else rb"\r"
    return [line for line in re.split(ends, content) if line.strip(b"\r")]


@seed(SEED)
@WILDLY
@given(data=st.data())
def test_whatever_happens_to_a_file_its_rows_are_counted(read: Reader, data: st.DataObject) -> None:
    export: ExportFile = data.draw(export_files())
    assert_nothing_is_lost(read(data.draw(mutilated(export.content)), **export.layout))


@seed(SEED)
@WILDLY
@given(
    content=st.lists(st.sampled_from(SPLINTERS) | st.binary(max_size=6) | st.just(b"C-1,OPEN,2024-06-11")).map(
        b"".join
    ),
    changes=st.sampled_from([UNQUOTED, QUOTED, LINES]),
    header=st.booleans(),
    packed=st.booleans(),
)
def test_noise_is_counted_or_refused(
    read: Reader, content: bytes, changes: dict[str, Any], header: bool, packed: bool
) -> None:
    changes = changes | {"header": header or ["CUSTOMER", "MAIL", "SUBJECT", "OPENED_AT"]}
    assert_nothing_is_lost(read(gzip.compress(content) if packed else content, **changes))


@seed(SEED)
@WILDLY
@given(data=st.data())
def test_where_nothing_is_quoted_each_line_is_a_row(read: Reader, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.sampled_from(["C-1;OPEN;2024-06-11T09:15:10", "C-2;SENT;", "x", ";;", "C-3;FWD;\rz"])))
    ends = data.draw(st.lists(st.sampled_from(["\n", "\r\n"]), min_size=len(rows), max_size=len(rows)))
    content = "".join(row + end for row, end in zip(rows, ends, strict=True)).encode()
    content = data.draw(mutilated(content))
    if content.startswith((b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"PK")):
        return  # by such a beginning, it is no UTF-8 any more
    reading = read(
        content,
        **CODED,
        **UNQUOTED,
        header=["WHO", "WHAT", "AT"],
        columns={"WHO": "user_id", "AT": "timestamp"},
    )
    assert_nothing_is_lost(reading)
    if reading.file.status == "loaded":
        assert reading.file.rows == len(lines_of(content.removeprefix(b"\xef\xbb\xbf")))


# Pieces of lines of JSON: what opens, closes, repeats, is no number, can't be seen, or is half of something.
JSON_SPLINTERS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"NaN",
    b"-inf",
]
JSON_SPLINTERS += [b'"WHO"', b'"who": null', b'"WHO":"\xe2\x80\x8b"', b'"AT": "2024-06-11T09:15:10"', b"\x00", b"\xff"]
JSON_SPLINTERS += [b'{"WHO":"C-1","AT":"1900-01-01T00:00:00"}\n', b'{"Who":"C-1","WHO":"C-2"}\n', b'{"x":' * 50]


@seed(SEED)
@WILDLY
@given(
    pieces=st.lists(st.sampled_from(JSON_SPLINTERS) | st.binary(max_size=4), max_size=20),
    first=st.sampled_from([b"", b'{"WHO":"C-0","AT":"2024-06-11T09:15:10"}\n']),
    packed=st.booleans(),
)
def test_noise_among_lines_of_json_is_counted_or_refused(
    read: Reader, pieces: list[bytes], first: bytes, packed: bool
) -> None:
    content = first + b"".join(pieces)
    reading = read(
        gzip.compress(content) if packed else content,
        **LINES,
        columns={"WHO": "user_id", "AT": "timestamp"},
    )
    assert_nothing_is_lost(reading)
    if first:
        assert reading.counts[:1] == ("loaded",)
        assert reading.accepted("user_id")[0] == "C-0"
