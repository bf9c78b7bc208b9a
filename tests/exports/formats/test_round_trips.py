"""Random files, written as Selligent might write them: every cell arrives as it was, and no row is lost."""

import gzip
import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.exports.layouts import key_of
from pipeline.warehouse.trimming import trimmed
from tests.support.export_folder import CODED, Reader
from tests.support.random_files import FILES, IN_FILES

# A load takes far longer in a DuckLake than in a plain file; what differs between them does so in few examples.
THOROUGHLY = settings(IN_FILES, suppress_health_check=[HealthCheck.too_slow])
BRIEFLY = settings(THOROUGHLY, max_examples=max(FILES // 3, 8))

COLUMNS = {"WHO": "user_id", "ABOUT": "email_subject", "AT": "timestamp"}
USED = {"who", "about", "at", "what"}
NULL_VALUES = ["", "NULL", "n.v.t."]

# No characters that stand for others on the way, nor what no text can hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x1f\ufdd0\ufeff"), max_size=12)
CELL = st.one_of(
    TEXT,
    st.sampled_from(
        [*NULL_VALUES, "null", " ", '"', "''", "a;b|c,d\te", "two\nlines", "two\r\nlines", "\r", "a\rb", "\n\n", "0070"]
    ),
)
# Where nothing is quoted, a letter can't separate columns whose names and values hold it.
MARK = st.sampled_from(",;|\t^ ") | st.characters(
    exclude_categories=["Cs", "L", "N"], exclude_characters="\x00\r\n-\x1f\ufdd0\ufeff"
)
LONG_MARK = st.sampled_from(["||", "~|~", "<#>", ";;;;;", "\t|\t"])
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "windows-1252", "iso-8859-15"]
PACKINGS = ["plain", "gzip", "zip", "zip of two"]
FAULT = st.sampled_from(
    [None, None, None, "unknown code", "unreadable time", "nobody", "skipped", "short", "long", "text after a quote"]
)


@dataclass(frozen=True)
class ExportFile:
    """A file as bytes, the layout that reads it, and what must come out of it."""

    content: bytes
    layout: dict[str, Any]
    rows: list[dict[str, str | None]]
    further: list[dict[str, str | None]]
    events: int
    skipped: int
    rejected: int


@st.composite
def export_files(draw: st.DrawFn) -> ExportFile:
    quote = draw(st.sampled_from(['"', "'", "`", None]))
    delimiter = draw((MARK | LONG_MARK).filter(lambda m: quote not in list(m) and m not in "".join(NULL_VALUES)))
    header = draw(st.booleans())
    encoding = draw(st.sampled_from(ENCODINGS).filter(lambda e: _is_in(delimiter, e)))

    def writable(text: str) -> str:
        """What the encoding has; without quotes, no delimiter and no line break either, nor a part of one."""
        text = text.encode(encoding, "ignore").decode(encoding)
        if quote is not None:
            return text
        return "".join(character for character in text if character not in (*delimiter, "\n")).rstrip("\r")

    def written(cells: list[str]) -> str:
        needed = {*delimiter, quote, "\r", "\n"}
        quoted = (
            [
                f"{quote}{cell.replace(quote, quote * 2)}{quote}" if always or set(cell) & needed else cell
                for cell in cells
            ]
            if quote
            else cells
        )
        return delimiter.join(quoted) + draw(line_end)

    always = draw(st.booleans())
    # Most files end their lines in one way, and few in all.
    line_end = draw(st.sampled_from([st.just("\n"), st.just("\r\n"), st.sampled_from(["\n", "\r\n"])]))
    further_names = draw(
        st.lists(TEXT, max_size=3, unique_by=str.lower).filter(lambda ns: not USED & {*map(str.lower, ns)})
    )
    # What is invisible around a name in a header is no part of it.
    further_names = list({key_of(writable(name)): trimmed(writable(name)) for name in further_names}.values())
    names = draw(st.permutations(["WHO", "WHAT", "ABOUT", "AT", *[n for n in further_names if n.lower() not in USED]]))
    further_names = [name for name in names if name not in {"WHO", "WHAT", "ABOUT", "AT"}]
    rows, lines = [], []
    counts = {"events": 0, "skipped": 0, "rejected": 0}
    for number, fault in enumerate(draw(st.lists(FAULT, max_size=8))):
        if fault == "text after a quote" and quote is None:
            continue
        row = {name: writable(draw(CELL)) for name in names}
        row |= {"WHO": f"C-{number}", "WHAT": "OPEN", "AT": "20240611091510"}
        row |= {
            "unknown code": {"WHAT": "FWD"},
            "unreadable time": {"AT": "20240231091510"},
            "nobody": {"WHO": "NULL"},
            "skipped": {"WHAT": "SENT", "AT": "never"},
        }.get(fault, {})
        cells = [row[name] for name in names]
        if fault == "short":
            cells.pop()
        elif fault == "long":
            cells.append("one more")
        elif fault != "text after a quote":
            rows.append({name: None if cell in NULL_VALUES else cell for name, cell in row.items()})
        counts["events" if fault is None else "skipped" if fault == "skipped" else "rejected"] += 1
        broken = fault == "text after a quote"
        lines.append(f"{quote}a{quote}b{delimiter}{draw(line_end)}" if broken else written(cells))
        lines += draw(st.lists(line_end, max_size=1))
    first = [written(names)] if header else []
    packing = draw(st.sampled_from(PACKINGS))
    cut = draw(st.integers(0, len(lines))) if packing == "zip of two" else len(lines)
    texts = ["".join([*first, *lines[:cut]]), "".join([*(first if draw(st.booleans()) else []), *lines[cut:]])]
    return ExportFile(
        content=packed([text.encode(encoding) for text in texts], packing),
        layout=CODED
        | {"delimiter": delimiter, "quote": quote, "header": header or names, "null_values": NULL_VALUES}
        | {"columns": COLUMNS, "datetime_formats": ["%Y%m%d%H%M%S"], "encoding": encoding},
        rows=rows,
        further=[{name: row[name] for name in further_names} for row in rows],
        **counts,
    )


def _is_in(text: str, encoding: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeEncodeError:
        return False


def packed(texts: list[bytes], packing: str) -> bytes:
    """The texts in one file; of two, the second is packed only by the packing that holds two."""
    if packing == "gzip":
        return gzip.compress(texts[0])
    if packing == "plain":
        return texts[0]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        for number, text in enumerate(texts if packing == "zip of two" else texts[:1]):
            members.writestr(f"part{number}.csv", text)
    return archive.getvalue()


def assert_every_cell_arrives(read: Reader, export: ExportFile) -> None:
    reading = read(export.content, **export.layout)
    in_all = export.events + export.skipped + export.rejected
    assert reading.counts == ("loaded", in_all, export.skipped, export.rejected)
    assert reading.all("row_number", "user_id", "event_code", "email_subject", "timestamp") == [
        (number, row["WHO"], row["WHAT"], row["ABOUT"], row["AT"]) for number, row in enumerate(export.rows, start=1)
    ]
    assert [json.loads(extra or "{}") for extra in reading.all("extra")] == export.further
    assert len(reading.accepted("event")) == export.events
    assert len(reading.rejected) == export.rejected


@THOROUGHLY
@given(export=export_files())
def test_every_cell_of_a_delimited_file_arrives_and_no_row_is_lost(read: Reader, export: ExportFile) -> None:
    assert_every_cell_arrives(read, export)


@BRIEFLY
@given(export=export_files())
def test_every_cell_of_a_delimited_file_arrives_in_a_lake(read_into_lake: Reader, export: ExportFile) -> None:
    assert_every_cell_arrives(read_into_lake, export)


# Names that a layout gives to keys, and that JSON, JSON pointers, JSON paths and SQL all have their own ideas about.
NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6) | st.sampled_from(
    ["", "/", "~", "~1", "a/b", "$", "$.a", "*", "0", "it's", 'say "hi"', "back\\slash", "line", "document", "select"]
)
KEY = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | NAME


def is_no_pointer(name: str) -> bool:
    """Whether a layout means a key by this name, and not the value at a JSON pointer."""
    return len(name) == 1 or not name.startswith("/")


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9, width=32) | CELL,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(KEY, values, max_size=3),
    max_leaves=4,
)


# What a line ends in, instead of the bracket that closes it: it is broken off, repeats a key, or has a number that is
# none; None where it is whole.
FAULTS = [None, None, None, "", ', WHO: "C-0"}', ', "infinite": -Infinity}']


@dataclass(frozen=True)
class JsonFile:
    """Lines of JSON, the layout that reads them, and what must come out of each: None where it is put aside."""

    content: bytes
    columns: dict[str, str]
    lines: list[str]
    expected: list[tuple[str, str | None, dict[str, Any]] | None]


@st.composite
def json_files(draw: st.DrawFn) -> JsonFile:
    who, when, about = draw(st.lists(NAME.filter(is_no_pointer), min_size=3, max_size=3, unique_by=key_of))
    taken = {who.lower(), when.lower(), about.lower()}
    further_keys = st.dictionaries(KEY.filter(lambda key: key.lower() not in taken), VALUE, max_size=5)
    lines: list[str] = []
    expected: list[tuple[str, str | None, dict[str, Any]] | None] = []
    for number, fault in enumerate(draw(st.lists(st.sampled_from(FAULTS), max_size=5))):
        further, subject = draw(further_keys), draw(CELL)
        spelled = draw(st.sampled_from([str, str.swapcase])) if who.isascii() else str
        document = {spelled(who): f"C-{number}", about: subject, when: "2024-06-11T09:15:10"}
        pairs = draw(st.permutations([*further.items(), *document.items()]))
        line = json.dumps(dict(pairs), ensure_ascii=draw(st.booleans()))
        lines.append(line[:-1] + fault.replace("WHO", json.dumps(who)) if fault is not None else line)
        expected.append(None if fault is not None else (f"C-{number}", subject or None, further))
    content = "".join(f"{line}\n" for line in lines).encode("utf-8-sig" if draw(st.booleans()) else "utf-8")
    return JsonFile(
        content=gzip.compress(content) if draw(st.booleans()) else content,
        columns={who: "user_id", when: "timestamp", about: "email_subject"},
        lines=lines,
        expected=expected,
    )


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def assert_every_key_arrives(read: Reader, export: JsonFile) -> None:
    reading = read(export.content, format="ndjson", columns=export.columns)
    if export.lines and not any(_is_json(line) for line in export.lines):
        assert reading.counts == ("refused", 0, 0, 0)
        return
    assert reading.counts == ("loaded", len(export.lines), 0, export.expected.count(None))
    numbered = enumerate(zip(export.lines, export.expected, strict=True), start=1)
    assert [(line, text) for line, _, text in reading.rejected] == [
        (number, line) for number, (line, expected) in numbered if expected is None
    ]
    understood = reading.accepted("user_id", "email_subject", "extra")
    assert [(user_id, subject, json.loads(extra or "{}")) for user_id, subject, extra in understood] == [
        row for row in export.expected if row is not None
    ]


@THOROUGHLY
@given(export=json_files())
def test_every_key_of_a_json_line_arrives_and_no_line_is_lost(read: Reader, export: JsonFile) -> None:
    assert_every_key_arrives(read, export)


@BRIEFLY
@given(export=json_files())
def test_every_key_of_a_json_line_arrives_in_a_lake(read_into_lake: Reader, export: JsonFile) -> None:
    assert_every_key_arrives(read_into_lake, export)


# A row that is understood, one that is not, one that can't be read.
KINDS = st.sampled_from(["C-1,zoe@example.com,2024-06-11T09:15:10", ",,2024-06-11T09:15:10", "half"])


@THOROUGHLY
@given(rows=st.lists(KINDS, max_size=30), header=st.booleans(), line_end=st.sampled_from(["\n", "\r\n"]))
def test_every_rejected_row_is_found_at_its_line(read: Reader, rows: list[str], header: bool, line_end: str) -> None:
    names = ["CUSTOMER", "MAIL", "OPENED_AT"]
    lines = [",".join(names), *rows] if header else rows
    reading = read(
        "".join(line + line_end for line in lines),
        header=header or names,
        columns={"CUSTOMER": "user_id", "MAIL": "email", "OPENED_AT": "timestamp"},
    )
    first = 2 if header else 1
    assert reading.lines == [number for number, row in enumerate(rows, start=first) if not row.startswith("C-1")]
