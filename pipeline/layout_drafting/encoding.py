"""The encoding of a sample: by a byte order mark, by a valid decoding as UTF-8, or a guess."""

import codecs
import re
from dataclasses import dataclass

from charset_normalizer import from_bytes

from pipeline.errors import InspectionRefused
from pipeline.exports.transcoding import BOMS, wide_encoding
from pipeline.layout_drafting.file_head import Head

_USUAL = "cp1252"
# A zero byte as a whole value, and not a part of binary data.
_NULS_ALONE = re.compile(r"(?:^|[,;|\t\"])\0+(?:[,;|\t\"\r\n]|\Z)", re.MULTILINE)
# The plausible settings of an export in Europe; a wider choice only adds exotic names for the same bytes.
_PLAUSIBLE = [_USUAL, "iso8859_15", "cp1250", "iso8859_2", "cp1251", "cp1253", "cp1254", "cp1257", "cp850", "mac_roman"]
_NAMES = {"iso8859_15": "iso-8859-15", "iso8859_2": "iso-8859-2", "mac_roman": "mac-roman"}
# The detector's scores differ by less than this for codecs that read a text equally well.
_EQUAL_MESS, _EQUAL_COHERENCE = 0.02, 0.05
_DETECTOR_BYTES = 64 * 1024
# With this many valid characters per broken one, the text is damaged UTF-8, not another encoding.
_VALID_PER_BROKEN = 10


@dataclass(frozen=True)
class Decoded:
    """The text, its encoding, and the reason for it."""

    text: str
    encoding: str
    why: str


def decode(head: Head) -> Decoded:
    """The text of a head. Raises InspectionRefused: the bytes are no text."""
    decoded = _by_mark(head) or _by_zeros(head) or _as_utf8(head) or _as_broken_utf8(head) or _detected(head)
    if "\0" in decoded.text:
        if not _NULS_ALONE.search(decoded.text):
            raise InspectionRefused(f"{head.name}: is not text (it contains zero bytes)")
        why = (
            f"{decoded.why}; CHECK: zero bytes in place of values, as bcp writes empty strings; they are read as empty"
        )
        decoded = Decoded(decoded.text.replace("\0", ""), decoded.encoding, why)
    if not decoded.text.strip():
        raise InspectionRefused(f"{head.name}: is empty")
    return decoded


def _read(head: Head, encoding: str, errors: str = "strict") -> str:
    """Decode a head, which may end within a character."""
    return codecs.getincrementaldecoder(encoding)(errors).decode(head.content, final=head.is_whole)


def _by_mark(head: Head) -> Decoded | None:
    for mark, encoding in BOMS.items():
        if head.content.startswith(mark):
            text = _read(head, encoding, "replace").removeprefix("\ufeff")
            return Decoded(text, encoding, "the file starts with its byte order mark")
    return None


def _by_zeros(head: Head) -> Decoded | None:
    encoding = wide_encoding(head.content)
    if encoding is None:
        return None
    zeros = "every other byte is" if encoding.startswith("utf-16") else "three of four bytes are"
    return Decoded(_read(head, encoding, "replace"), encoding, f"there is no byte order mark, but {zeros} zero")


def _as_utf8(head: Head) -> Decoded | None:
    try:
        text = _read(head, "utf-8")
    except UnicodeDecodeError:
        return None
    if text.isascii():
        return Decoded(
            text, "utf-8", "the sample is plain ASCII, which most encodings share; ask which encoding exports have"
        )
    return Decoded(text, "utf-8", f"the whole sample is valid UTF-8; it reads {_evidence(text)}")


def _as_broken_utf8(head: Head) -> Decoded | None:
    text = _read(head, "utf-8", "replace")
    broken = text.count("\ufffd")
    valid = sum(1 for character in text if not character.isascii()) - broken
    if valid < broken * _VALID_PER_BROKEN:
        return None
    return Decoded(text, "utf-8", f"but {broken} characters are broken; their rows will be rejected")


def _detected(head: Head) -> Decoded:
    # Only lines with a character beyond ASCII are evidence.
    lines = [line for line in head.content.splitlines() if not line.isascii()]
    sample = b"\n".join(dict.fromkeys(lines))[:_DETECTOR_BYTES]
    # The name of an encoding in the text is not a declaration.
    matches = from_bytes(sample, cp_isolation=_PLAUSIBLE, preemptive_behaviour=False)
    best = matches.best()
    scores = {codec: (match.chaos, match.coherence) for match in matches for codec in match.could_be_from_charset}
    if best is None:  # no codec reads it cleanly, and this one reads nearly everything
        chosen, equal = _USUAL, []
    else:
        equal = [
            codec
            for codec, (mess, coherence) in scores.items()
            if mess <= best.chaos + _EQUAL_MESS and coherence >= best.coherence - _EQUAL_COHERENCE
        ]
        chosen = _USUAL if _USUAL in equal else best.encoding
    text = _read(head, chosen, "replace")
    others = [_name(codec) for codec in equal if codec != chosen]
    doubt = f"; {', '.join(others)} would do as well" if others else ""
    return Decoded(text, _name(chosen), f"a guess: check that {_evidence(text)} read well{doubt}")


def _name(codec: str) -> str:
    return _NAMES.get(codec, codec.replace("cp125", "windows-125"))


def _evidence(text: str) -> str:
    """A few words that a wrong encoding would garble."""
    words = dict.fromkeys(word for word in re.findall(r"[^\W\d_]{2,}", text) if not word.isascii())
    shown = list(words)[:3] or list(dict.fromkeys(re.findall(r"[^\x00-\x7f]", text)))[:3]
    return ", ".join(map(repr, shown))
