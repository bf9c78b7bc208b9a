"""Random files whose records are counted while they are made, so that the count shares nothing with a reader's."""

import gzip
import io
import tarfile
import zipfile
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

# A member of an archive, where it has several, and a line in it.
Place = tuple[str | None, int]

AT = "2024-06-11T09:15:10"
NAMES = ["WHO", "ABOUT", "AT"]
COLUMNS = {"WHO": "user_id", "ABOUT": "email_subject", "AT": "timestamp"}
# A number of rows may stand in a file's name.
FILES = r"opens(_(?P<rows>\d+))?\.csv"
# What looks like nothing, in a column that says who it was.
NOTHINGS = ["", " ", "\x00", "\u200b", "\ufeff", "\u00a0", "\u2060 ", "\x7f"]
# What is around a name or an id and is no part of it.
PADDING = ["   ", "\u200b", "\u00a0", "\x00"]
FOOTERS = ["(3 rows affected)", "3 rows selected.", "(1 row)", "(3 Zeile(n) betroffen)"]


@dataclass
class Text:
    """A text with its records: who is in each event, in order, and on which lines rows stand that are put aside."""

    content: bytes = b""
    people: list[str] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    swallowing: int = 0

    @property
    def rows(self) -> int:
        return len(self.people) + len(self.rejected)


@dataclass(frozen=True)
class CountedFile:
    """A file and what must come of it. `is_damaged`: it may be refused as well. Where it must be, `people` is None."""

    name: str
    content: bytes
    layout: dict[str, Any]
    people: list[str] | None
    rejected: list[Place]
    swallowing: int = 0
    is_damaged: bool = False


class _Writer:
    """Lines of a text, and which line the next one is."""

    def __init__(self, end: str) -> None:
        self.text = Text()
        self.lines: list[bytes] = []
        self._end = end
        self._line = 1

    def line(self, content: str | bytes, end: str | None = None) -> int:
        """Write a line; a line feed in it stands for a line end. Returns the number of its first line."""
        encoded = content.encode() if isinstance(content, str) else content
        self.lines.append(encoded.replace(b"\n", self._end.encode()) + (end or self._end).encode())
        first, self._line = self._line, self._line + encoded.count(b"\n") + 1
        return first

    def event(self, content: str, person: str) -> None:
        self.line(content)
        self.text.people.append(person)

    def put_aside(self, content: str | bytes) -> None:
        self.text.rejected.append(self.line(content))


@dataclass(frozen=True)
class _Style:
    """How the texts of one file are written. `has_strays`: some quotes are never closed, and no others are there."""

    delimiter: str
    quote: str | None
    end: str
    listed: bool
    has_header: bool
    has_strays: bool


_ALWAYS = ["plain", "padded", "nothing", "short", "long", "nul", "blank", "footer", "dashes", "no time", "placeholder"]
_UNQUOTED = ["inch", "invalid"]
_QUOTED = ["quoted", "two lines", "doubled", "text after a quote", "swallowing", "blanks around quotes"]


def _rows(draw: st.DrawFn, style: _Style, writer: _Writer, first: int) -> None:
    kinds = [*_ALWAYS, *_UNQUOTED]
    if style.quote is not None:
        kinds += ["stray"] if style.has_strays else _QUOTED
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=8)), start=first):
        _row(draw, style, writer, kind, f"C-{number}")


def _row(draw: st.DrawFn, style: _Style, writer: _Writer, kind: str, who: str) -> None:
    q, d = style.quote or '"', style.delimiter

    def cells(*values: str) -> str:
        return d.join(values)

    if kind == "plain":
        writer.event(cells(who, "Soldes", AT), who)
    elif kind == "padded":
        padded = who + draw(st.sampled_from(PADDING))
        writer.event(cells(padded, "Soldes", AT), padded)
    elif kind == "nothing":
        nothing = draw(st.sampled_from(NOTHINGS))
        writer.put_aside(cells(nothing, "Soldes", AT))
    elif kind == "short":
        writer.put_aside(cells(who, "half"))
    elif kind == "long":
        writer.put_aside(cells(who, "Soldes", AT, "one", "more"))
    elif kind == "nul":
        writer.event(cells(who, "Sol\x00des", AT), who)
    elif kind == "blank":
        writer.line("")
    elif kind == "footer":  # with a row behind it, it ends nothing
        writer.put_aside(draw(st.sampled_from(FOOTERS)))
        writer.event(cells(who, "Soldes", AT), who)
    elif kind == "dashes":  # behind a row, they are under no header
        writer.event(cells(who, "Soldes", AT), who)
        writer.put_aside(cells("---", "----", "---"))
    elif kind == "no time":
        writer.put_aside(cells(who, "Soldes", "soon"))
    elif kind == "placeholder":
        day = draw(st.sampled_from(["1900-01-01", "1753-01-01", "9998-01-01"]))
        writer.event(cells(who, "Soldes", f"{day}T00:00:00"), who)
    elif kind == "inch":
        writer.event(cells(who, f"5{q} screen", AT), who)
    elif kind == "invalid":
        writer.put_aside(cells(who, "caf", AT).encode().replace(b"caf", b"caf\xe9"))
    elif kind == "quoted":
        writer.event(cells(f"{q}{who}{q}", f"{q}a{d}b{q}", AT), who)
    elif kind == "two lines":
        writer.event(cells(who, f"{q}two\n\nlines{q}", AT), who)
    elif kind == "doubled":
        writer.event(cells(who, f"{q}say {q}{q}no{q}{q}{q}", AT), who)
    elif kind == "blanks around quotes":
        blank = "" if d == " " else " "
        writer.event(cells(who, f"{blank}{q}Soldes{q}{blank}", AT), who)
    elif kind == "text after a quote":
        writer.put_aside(cells(who, f"{q}a{q}b", AT))
    elif kind == "stray":
        writer.put_aside(cells(who, f"{q}open", AT))
    elif kind == "swallowing":
        inner = "".join(cells(f"S-{n}", "Soldes", AT) + "\n" for n in range(draw(st.integers(0, 2))))
        writer.event(cells(who, f"{q}open", AT) + "\n" + inner + cells("S-9", f"close{q}", AT), who)
        writer.text.swallowing += 1


def _text(draw: st.DrawFn, style: _Style, *, first: int = 0, trailer: str | None = None) -> Text:
    writer = _Writer(style.end)
    if draw(st.booleans()) and style.quote != "=":
        for above in draw(st.lists(st.sampled_from(["", "  ", "\ufeff"]), max_size=2)):
            writer.line(above)
        if not writer.lines and draw(st.booleans()):
            writer.line(f"sep={style.delimiter}")
    if style.has_header:
        padding = draw(st.sampled_from(["", *PADDING]))
        writer.line(style.delimiter.join(name + padding for name in NAMES))
        if draw(st.booleans()):
            writer.line(style.delimiter.join("-" * 8 for _ in NAMES))
    _rows(draw, style, writer, first)
    if trailer is not None:
        writer.put_aside(trailer)
    ending = draw(st.sampled_from(["", "", "unended", "footer", "ctrl-z", "ctrl-z behind a footer", "blank"]))
    if "footer" in ending:
        writer.line("")
        writer.line(draw(st.sampled_from(FOOTERS)))
    if ending == "blank":
        writer.line("")
    content = b"".join(writer.lines)
    if ending == "unended":
        content = content.removesuffix(style.end.encode())
    writer.text.content = content + (b"\x1a" if "ctrl-z" in ending else b"")
    return writer.text


# Archives: how they are packed, and whether one has to be refused.


def gzipped(content: bytes, *cuts: int) -> bytes:
    """A gzip of several members, cut at these shares of 100 of the text; it may be inside of a character."""
    places = sorted(len(content) * cut // 100 for cut in cuts)
    pieces = zip([0, *places], [*places, len(content)], strict=True)
    return b"".join(gzip.compress(content[start:end]) for start, end in pieces)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def tarred(content: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        info = tarfile.TarInfo("opens.csv")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


BESIDE = {"README.txt": b"Export of June.\n", "__MACOSX/._a.csv": b"\x00\x05", "a.md5": b"0" * 32, "sub/": b""}
_REFUSED = {
    "bytes behind gzip": lambda content: gzip.compress(content) + b"garbage",
    "gzip in gzip": lambda content: gzip.compress(gzip.compress(content)),
    "zip in gzip": lambda content: gzip.compress(zipped({"a.csv": content})),
    "gzip in zip": lambda content: zipped({"a.csv.gz": gzip.compress(content)}),
    "tar": tarred,
    "tar in gzip": lambda content: gzip.compress(tarred(content)),
    "cut gzip": lambda content: gzip.compress(content)[:-5],
    "cut zip": lambda content: zipped({"a.csv": content})[:-30],
}
_WHOLE = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "gzip of members": lambda content: gzipped(content, 0, 30, 55),
    "gzip and zeros": lambda content: gzip.compress(content) + bytes(512),
    "zip": lambda content: zipped({"a.csv": content}),
    "stored": lambda content: zipped({"a.csv": content}, zipfile.ZIP_STORED),
    "bzip2 and more": lambda content: zipped(BESIDE | {"in/a.csv": content}, zipfile.ZIP_BZIP2),
}


def _packed(draw: st.DrawFn, content: bytes) -> tuple[bytes, str, bool, bool]:
    """The content in some package: bytes, what the name ends in, whether it is to be refused, whether it may be."""
    way = draw(st.sampled_from(["plain", "plain", "plain", *_WHOLE, *_WHOLE, *_REFUSED]))
    if way in _REFUSED:
        return _REFUSED[way](content), "", True, False
    whole = _WHOLE[way](content)
    if way == "plain" or draw(st.integers(0, 5)) != 0:
        return whole, draw(st.sampled_from(["", ".gz", ".ZIP"])), False, False
    place = draw(st.integers(4, len(whole) - 1))  # without its first bytes, it is no archive
    flipped = bytes([whole[place] ^ draw(st.integers(1, 255))])
    return whole[:place] + flipped + whole[place + 1 :], ".gz", False, True


@st.composite
def delimited_files(draw: st.DrawFn) -> CountedFile:
    """Delimited texts with all that stands around rows, packed or not."""
    quote = draw(st.sampled_from(['"', '"', "'", None]))
    style = _Style(
        delimiter=draw(st.sampled_from([",", ";", "|", "\t", "~", "||"])),
        quote=quote,
        end=draw(st.sampled_from(["\n", "\n", "\r\n", "\r", "\r\r\n"])),
        listed=draw(st.booleans()),
        has_header=True,
        has_strays=draw(st.integers(0, 3)) == 0,
    )
    if style.listed and draw(st.booleans()):
        style = _Style(**{**style.__dict__, "has_header": False})
    layout = {"files": FILES, "delimiter": style.delimiter, "quote": quote, "columns": COLUMNS}
    layout["header"] = NAMES if style.listed else True
    if draw(st.integers(0, 3)) == 0:
        return _several_members(draw, style, layout)
    promised = draw(st.sampled_from([None, None, "right", "wrong"]))
    trailer = f"TRAILER{style.delimiter}3" if promised and draw(st.booleans()) else None
    text = _text(draw, style, trailer=trailer)
    content, ending, is_refused, is_damaged = _packed(draw, text.content)
    rows = text.rows - (trailer is not None) + (4 if promised == "wrong" else 0)
    return CountedFile(
        f"opens{'_' + str(rows) if promised else ''}.csv{ending}",
        content,
        layout,
        None if is_refused or promised == "wrong" else text.people,
        [(None, line) for line in text.rejected],
        text.swallowing,
        is_damaged,
    )


def _several_members(draw: st.DrawFn, style: _Style, layout: dict[str, Any]) -> CountedFile:
    members: dict[str, Text] = {}
    for number in range(draw(st.integers(2, 3))):
        own = style
        if number and style.has_header and draw(st.booleans()):
            own = _Style(**{**style.__dict__, "has_header": False})
        members[f"{number}.csv"] = _text(draw, own, first=10 * number)
    beside = draw(st.sampled_from([{}, BESIDE]))
    return CountedFile(
        "opens.csv.zip",
        zipped(beside | {name: text.content for name, text in members.items()}),
        layout,
        [person for text in members.values() for person in text.people],
        [(name, line) for name, text in members.items() for line in text.rejected],
        sum(text.swallowing for text in members.values()),
    )


# Lines of JSON, each with whether it is an event; None: it is no record at all.

_JSON: list[tuple[str, bool | None]] = [
    ('{"WHO":"#","AT":"@"}', True),
    ('{"who":"#","at":"@"}', True),
    ('{"Who":"#","ABOUT":"NaN and Infinity","At":"@"}', True),
    ('{"WHO":"#","AT":"@","x":{"y":1,"WHO":"C-0","AT":"never"}}', True),
    ('{"AT":"@","x":[{"a":1},[]],"WHO":"#","big":123456789012345678901234567890}', True),
    ('  {"WHO":"#", "AT":"@"}\t', True),
    ('{"WHO":"#","AT":"@","":"","/":1,"~1":2}', True),
    ('{"WHO":"#\\u200b","AT":"@"}', True),
    ('{"WHO":"#","AT":"@","x":1,"X":2}', True),
    ('{"WHO":"#","AT":"@","WHO":"C-0"}', False),
    ('{"WHO":"#","AT":"@","who":"C-0"}', False),
    ('{"WHO":"#","AT":"@","x":1,"x":2}', False),
    ('{"WHO":NaN,"AT":"@"}', False),
    ('{"WHO":"#","AT":"@","x":[nan]}', False),
    ('{"WHO":"#","AT":"@","x":-Infinity}', False),
    ('{"WHO":"#","AT":"@","x":"NaN","y":-inf}', False),
    ('{"WHO":"\\u0000","AT":"@"}', False),
    ('{"WHO":" \\u200b\\ufeff","AT":"@"}', False),
    ('{"WHO":null,"AT":"@"}', False),
    ('{"WHO":"#","AT":null}', False),
    ('{"WHO":"#","AT":"yesterday"}', False),
    ('{"x":{"WHO":"#","AT":"@"}}', False),
    ("{}", False),
    ("[]", False),
    ('[{"WHO":"#","AT":"@"}]', False),
    ("null", False),
    ('"#"', False),
    ("17", False),
    ("NaN", False),
    ("   ", False),
    ("{", False),
    ('{"WHO":"#","AT":"@"', False),
    ('{"WHO":"#","AT":"@"},', False),
    ('{"WHO":"#","AT":"@",}', True),  # DuckDB takes a comma too many
    ('{"WHO":"#","AT":"@"}{"WHO":"#","AT":"@"}', False),
    ("{'WHO':'#','AT':'@'}", False),
    ('{"WHO":"#","AT":"@"} // no', False),
    ('{"WHO":"#\\ud800","AT":"@"}', False),
    ('{"WHO":"#\x00","AT":"@"}', False),
    ('{"WHO":"#\udce9","AT":"@"}', False),  # a byte that is no UTF-8
    ('{"x":' * 40, False),
    ("", None),
    ("", None),
]
_USUAL = '{"WHO":"#","AT":"@"}'


@st.composite
def json_files(draw: st.DrawFn) -> CountedFile:
    """Lines of JSON, some of them after more than a thousand others, packed or not."""
    writer = _Writer(draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])))
    usual = draw(st.sampled_from([1, 1, 1, 2, 3, 1_000, 1_001]))
    kinds = [(_USUAL, True)] * usual + draw(st.lists(st.sampled_from(_JSON), max_size=10))
    for number, (pattern, is_event) in enumerate(kinds):
        line = pattern.replace("#", f"C-{number}").replace("@", AT).encode("utf-8", "surrogateescape")
        if is_event is None:
            writer.line(line)
        elif is_event:
            writer.line(line)
            writer.text.people.append(f"C-{number}" + ("\u200b" if "u200b" in pattern else ""))
        else:
            writer.put_aside(line)
    content, ending, is_refused, is_damaged = _packed(draw, b"".join(writer.lines))
    return CountedFile(
        "opens.csv" + ending,
        content,
        {"files": FILES, "format": "ndjson", "columns": COLUMNS},
        None if is_refused else writer.text.people,
        [(None, line) for line in writer.text.rejected],
        0,
        is_damaged,
    )
