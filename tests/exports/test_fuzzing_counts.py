"""Files whose records were counted while they were made: what is loaded, put aside and refused is exactly that.

    FUZZ_FILES=3400 FUZZ_SEED=7 pytest -n0 -s tests/exports/test_fuzzing_counts.py

As in `test_fuzzing`, the settings say how many files, and which.
"""

import gzip
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from pipeline.errors import InspectionRefused
from pipeline.export_dates import ExportDates
from pipeline.layout_drafting.inspection import inspect
from tests.exports.counted_files import (
    AT,
    COLUMNS,
    NAMES,
    CountedFile,
    delimited_files,
    gzipped,
    json_files,
    tarred,
    zipped,
)
from tests.exports.test_fuzzing import SEED, WILDLY, assert_nothing_is_lost
from tests.support.export_folder import Desk, Reader, Reading
from tests.support.random_files import FILES

# A folder has several files, and what is inspected is loaded in other tests: of each, fewer are made.
SOME = settings(WILDLY, max_examples=max(FILES // 5, 10))
FEW = settings(WILDLY, max_examples=max(FILES // 100, 2))


@pytest.fixture(autouse=True, scope="module")
def seed_shown() -> None:
    print(f"\nFUZZ_SEED={SEED}")


def assert_as_counted(reading: Reading, made: CountedFile) -> None:
    assert_nothing_is_lost(reading)
    if reading.file.status == "refused":
        assert made.people is None or made.is_damaged, reading.file.reason
        assert made.is_damaged or (reading.file.reason or "").isprintable()
        return
    assert made.people is not None, "it had to be refused"
    assert reading.accepted("user_id") == made.people
    places = []
    for line, reason, _ in reading.rejected:
        member = reason.partition(": ")[0].removeprefix("in ") if reason.startswith("in ") else None
        places.append((member, line))
    assert sorted(places, key=repr) == sorted(made.rejected, key=repr)
    rows = len(made.people) + len(made.rejected)
    assert (reading.file.rows, reading.file.rejected) == (rows, len(made.rejected))
    assert reading.file.records == rows
    assert reading.file.suspect_rows == made.swallowing


@seed(SEED)
@WILDLY
@given(made=delimited_files())
def test_records_are_those_that_were_written(read: Reader, made: CountedFile) -> None:
    assert_as_counted(read(made.content, made.name, **made.layout), made)


@seed(SEED)
@WILDLY
@given(made=json_files())
def test_lines_of_json_are_those_that_were_written(read: Reader, made: CountedFile) -> None:
    assert_as_counted(read(made.content, made.name, **made.layout), made)


@seed(SEED)
@SOME
@given(made=delimited_files() | json_files())
def test_a_draft_is_made_or_refused_in_words(tmp_path_factory: pytest.TempPathFactory, made: CountedFile) -> None:
    path = tmp_path_factory.mktemp("inspected") / made.name
    path.write_bytes(made.content)
    try:
        assert inspect(str(path))
    except InspectionRefused as refused:
        assert str(refused).isprintable()


# Quotes anywhere


def records_in(content: str, quote: str, delimiter: str, columns: int) -> tuple[int, int, int]:
    """How many records of so many columns a text has, how many of more, and how many others; one character at a time.

    A record is all of its cells, or, where its quotes don't allow for that, the rest of its line.
    """
    good = more = others = at = 0
    while at < len(content):
        end, cells = _record_at(content, at, quote, delimiter)
        if end is None:
            others += 1
            end = content.find("\n", at)
            at = len(content) if end < 0 else end + 1
            continue
        if content[at:end].strip("\n"):
            good += cells == columns
            more += cells > columns
            others += cells < columns
        at = end
    return good, more, others


def _record_at(content: str, at: int, quote: str, delimiter: str) -> tuple[int | None, int]:
    cells = 1
    while True:
        start = at
        while content[start : start + 1] == " ":
            start += 1
        if content[start : start + 1] == quote:
            at = start + 1
            while content[at : at + 1] != quote or content[at + 1 : at + 2] == quote:
                if at >= len(content):
                    return None, 0
                at += 2 if content[at] == quote else 1
            at += 1
            while content[at : at + 1] == " ":
                at += 1
        else:
            while at < len(content) and content[at] not in (delimiter, "\n"):
                at += 1
        if at == len(content) or content[at] == "\n":
            return min(at + 1, len(content)), cells
        if content[at] != delimiter:
            return None, 0
        cells, at = cells + 1, at + 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('a,b\n"a\nb",c\n', (2, 0, 0)),
        ('"a"b,c\nd,e\n', (1, 0, 1)),
        ('a,"b\nc,d', (1, 0, 1)),
        ('a, "b""\n" \n\n\nc\n', (1, 0, 1)),
        ('5" x,b\na,b,\n', (1, 1, 0)),
    ],
)
def test_the_reader_of_this_test_counts_rightly(content: str, expected: tuple[int, int, int]) -> None:
    assert records_in(content, '"', ",", 2) == expected


PIECES = ['"', '"', '""', ",", ",", "\n", "\n", "\r\n", " ", "x", '"x"', '5"', 'x,"y"\n', '"a\nb",c\n', "ü", "x,y\n"]


@seed(SEED)
@WILDLY
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=25))
def test_quotes_and_line_breaks_anywhere_make_as_many_records(read: Reader, pieces: list[str]) -> None:
    content = "x,y\n" + "".join(pieces)
    reading = read(
        content, quote='"', delimiter=",", header=["WHO", "AT"], columns={"WHO": "user_id", "AT": "timestamp"}
    )
    assert_nothing_is_lost(reading)
    good, more, others = records_in(content.replace("\r\n", "\n"), '"', ",", 2)
    assert reading.file.rows == good + more + others
    assert good <= len(reading.rows) <= good + more  # an empty cell behind the last column is none


# Many files of one date

JEF = f"C-2,Soldes,{AT}\n"
HEADER = ",".join(NAMES) + "\n"
_ODD_NAMES = [
    *(b"opens_\xe9.csv", b"opens_\xff\xfe.csv", b"[/opens_b].csv", b"opens_\x1b[31m.csv", b"opens_\n.csv"),
    *(b"opens_\x01\x07\x7f.csv", b"opens_'.csv", b'opens_".csv', b"opens_{{ x }}.csv", b"opens_%s.csv", b"opens_*.csv"),
    *(b"opens_" + b"x" * 245 + b".csv", b"opens_\\xe9.csv", "opens_\u202e\u200b.csv".encode(), b"opens_<b>|`.csv"),
    *(b"opens_ .csv", b"sub [/]\xe8/opens_\xe8.csv"),
]


def _odd_name(desk: Desk, draw: st.DrawFn, number: int) -> None:
    name = draw(st.sampled_from(_ODD_NAMES)) if number else b"opens_0.csv"
    folder, _, base = name.rpartition(b"/")
    base = base[:240] + b"%d" % number
    path = desk.folder / os.fsdecode(folder) / os.fsdecode(base)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes((HEADER + JEF.replace("Soldes", f"Sale {number}")).encode())


def _link(desk: Desk, draw: st.DrawFn, number: int) -> None:
    target = draw(
        st.sampled_from([f"opens_bad_{number}.csv", "nothing", "/etc/hostname", "/dev/zero", "/proc/self/mem"])
    )
    (desk.folder / f"opens_bad_{number}.csv").symlink_to(target)


def _pipe(desk: Desk, draw: st.DrawFn, number: int) -> None:
    os.mkfifo(desk.folder / f"opens_bad_{number}.csv")


def _socket(desk: Desk, draw: st.DrawFn, number: int) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(desk.folder)  # a socket's path may have 107 bytes
        listening.bind(f"opens_bad_{number}.csv")
        os.chdir(before)


def _refused(desk: Desk, draw: st.DrawFn, number: int) -> None:
    content = (HEADER + JEF).encode()
    bad: list[Callable[[], bytes]] = [
        lambda: gzip.compress(content)[:-9],
        lambda: gzip.compress(content) + b"x",
        lambda: gzip.compress(gzip.compress(content)),
        lambda: tarred(content),
        lambda: zipped({"a.csv": tarred(content)}),
        lambda: zipped({"../a.csv": content}),
        lambda: zipped({"a.csv": content})[:-40],
        lambda: ",".join([*NAMES, *(f"X{column}" for column in range(598))]).encode() + b"\n",
        lambda: b"NOTHING,HE\x00RE\n1,2\n",
        lambda: b"[/b],[red]\n1,2\n",
        lambda: f"zoe@example.com,Soldes,{AT}\n".encode(),
        lambda: "WHO,ABOUT,AT\nC-1,a,b\n".encode("utf-16-le"),
        lambda: b"\x00" * 5_000,
        lambda: b"WHO,WHO,AT\n1,2,3\n",
        lambda: b'WHO,"AB\n',
        lambda: b"PK\x03\x04" + b"\xff" * 100,
        lambda: b"\x1f\x8b" + bytes(40),
    ]
    made = draw(st.sampled_from(bad))()
    (desk.folder / f"opens_bad_{number}.csv").write_bytes(made)


_ENTRIES = [_odd_name, _odd_name, _link, _pipe, _socket, _refused, _refused, _refused]


@seed(SEED)
@SOME
@given(data=st.data())
def test_no_file_stops_another(read: Reader, data: st.DataObject) -> None:
    desk, written = read.desk(files="(?s).*opens_.*", header=True, columns=COLUMNS)
    entries = data.draw(st.lists(st.sampled_from(_ENTRIES), min_size=1, max_size=8))
    for number, entry in enumerate(entries):
        data.draw(st.composite(lambda draw, entry=entry, number=number: entry(desk, draw, number))())
    for path in sorted(desk.folder.rglob("*")):
        if not path.is_dir():
            os.utime(path, (written.timestamp(), written.timestamp()), follow_symlinks=False)
    loaded = desk.load(ExportDates(written.date() - timedelta(days=1), written.date() + timedelta(days=1)))
    good = sum(entry is _odd_name for entry in entries)
    assert len(loaded.files) == len(entries)
    assert [file.rows for file in loaded.files if file.status == "loaded"] == [1] * good, loaded.files
    assert all(file.reason for file in loaded.files if file.status != "loaded")
    assert all(file.reason.isprintable() for file in loaded.files if file.reason)
    stored = desk.connection.execute(
        "SELECT count(*) FROM raw.events WHERE export_date = ? AND event IS NOT NULL", [written.date()]
    ).fetchone()
    assert stored == (good,)


# What costs a lot, and so is done a few times only


@seed(SEED)
@FEW
@given(
    megabytes=st.sampled_from([1, 2, 3, 31, 32, 33, 40, 68]),
    quote=st.sampled_from(["", '"']),
    break_every=st.sampled_from([0, 0, 80, 100_000]),
    end=st.sampled_from(["\n", "\r\n"]),
    pack=st.sampled_from([None, gzipped]),
)
def test_a_long_row_is_put_aside_and_counted(
    read: Reader, megabytes: int, quote: str, break_every: int, end: str, pack: Callable[[bytes], bytes] | None
) -> None:
    filling = "x" * (break_every or 1) + ("\n" if break_every and quote else "")
    value = quote + filling * (megabytes * 1_000_000 // len(filling)) + quote
    content = HEADER + JEF + f"C-1,{value},{AT}\n" + JEF + "half\n" + f"C-3,5 in,{AT}\n"
    packed = content.replace("\n", end).encode()
    reading = read(pack(packed) if pack else packed, files=r"opens\.csv", columns=COLUMNS)
    assert_nothing_is_lost(reading)
    is_long = len(value.replace("\n", end)) + len(AT) + 6 > 2_000_000
    breaks = value.count("\n")
    assert reading.file.rows == 5
    assert reading.lines == ([3, 5 + breaks] if is_long else [5 + breaks])
    assert reading.accepted("user_id") == (["C-2", "C-2", "C-3"] if is_long else ["C-2", "C-1", "C-2", "C-3"])


@seed(SEED)
@FEW
@given(
    columns=st.sampled_from([3, 99, 100, 101, 599, 600, 601, 700, 3_000]),
    rows=st.integers(0, 300),
    listed=st.booleans(),
    wrong=st.sampled_from([-1, 0, 1]),
)
def test_wide_files_are_loaded_or_refused(read: Reader, columns: int, rows: int, listed: bool, wrong: int) -> None:
    names = [*NAMES, *(f"X{number}" for number in range(columns - 3))]
    row = f"C-1,Soldes,{AT}" + ",x" * (columns - 3)
    odd = row + ",x" if wrong > 0 else row.rpartition(",")[0] if wrong else row
    content = "" if listed else ",".join(names) + "\n"
    content += f"{row}\n" * rows + f"{odd}\n"
    reading = read(content, header=names if listed else True, columns=COLUMNS, files=r"opens\.csv")
    assert_nothing_is_lost(reading)
    if columns > 600:
        assert reading.counts == ("refused", 0, 0, 0)
    else:
        assert reading.counts == ("loaded", rows + 1, 0, abs(wrong))
