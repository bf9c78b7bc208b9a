"""The members of a zip archive that are exports, and the limits of an archive."""

import stat
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO

from pipeline.errors import FileRefused
from pipeline.exports.file_signatures import EXCEL

# Text compresses to a tenth, and to a hundredth if all rows are alike. A higher ratio is a zip bomb.
MAX_RATIO = 250
MAX_UNPACKED_BYTES = 256 << 30
# Below this size the ratio does not count: a file of one row, repeated, is not a bomb.
HARMLESS_BYTES = 64 << 20
# A year of hourly files. Each member becomes a temporary file.
MAX_MEMBERS = 10_000
# The list of so many members, with names of 150 bytes and extra fields. It is read into memory as a whole.
_MAX_DIRECTORY_BYTES = 4 << 20
# The end of the directory, a fixed record and a comment (APPNOTE.TXT 4.3.16).
_END, _END_BYTES, _MAX_COMMENT_BYTES = b"PK\x05\x06", 22, 0xFFFF
# The size is in zip64's own end (4.3.14), whose offset is in its locator.
_LOCATOR, _LOCATOR_BYTES, _IN_ZIP64 = b"PK\x06\x07", 20, 0xFFFFFFFF
_LOCAL_HEADER_BYTES = 30

_READ_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_METHODS = {
    1: "Shrink",
    2: "Reduce",
    3: "Reduce",
    4: "Reduce",
    5: "Reduce",
    6: "Implode",
    9: "Deflate64",
    10: "Implode",
    93: "Zstandard",
    94: "MP3",
    95: "xz",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    99: "AES encryption",
}
_STRONG_ENCRYPTION, _PATCHED = 0x40, 0x20

# Files that senders put beside an export: left out by name, unless nothing else is left.
_ABOUT = {"readme", "leesmij", "lisezmoi", "liesmich", "manifest", "license", "licence", "changelog", "checksums"}
_ABOUT |= {"md5sums", "sha1sums", "sha256sums", "_success"}
_ABOUT_ENDINGS = {".md5", ".sha1", ".sha256", ".sha512", ".sfv", ".md", ".pdf", ".html", ".htm", ".asc", ".sig"}


@dataclass(frozen=True)
class Members:
    """The exports of an archive, in the order of their names, and the names of the other members."""

    texts: Sequence[zipfile.ZipInfo]
    left_out: Sequence[str]


def ensure_small_directory(file: IO[bytes]) -> None:
    """Raise FileRefused for a list of members that is longer than any export's."""
    size = file.seek(0, 2)
    start = max(size - _END_BYTES - _MAX_COMMENT_BYTES - _LOCATOR_BYTES, 0)
    file.seek(start)
    tail = file.read()
    end = tail.rfind(_END)
    if end >= 0 and len(tail) - end >= _END_BYTES:
        listed: int = struct.unpack_from("<L", tail, end + 12)[0]
        locator = tail[max(end - _LOCATOR_BYTES, 0) : end]
        if listed == _IN_ZIP64 and locator.startswith(_LOCATOR):
            file.seek(min(struct.unpack_from("<Q", locator, 8)[0] + 40, size))
            field = file.read(8)
            listed = struct.unpack("<Q", field)[0] if len(field) == 8 else 0
        if listed > _MAX_DIRECTORY_BYTES:
            raise FileRefused(f"lists {listed:,} bytes of members, which is more than {MAX_MEMBERS:,} members need")
    file.seek(0)


def members_of(archive: zipfile.ZipFile, packed_bytes: int) -> Members:
    """The members of an archive of so many bytes, which share one budget and no bytes, or else FileRefused."""
    infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
    if any(info.filename == "[Content_Types].xml" for info in infos):
        raise FileRefused(EXCEL)
    if len(infos) > MAX_MEMBERS:
        raise FileRefused(f"contains {len(infos):,} members; up to {MAX_MEMBERS:,} are read")
    for info in infos:
        _refuse_member(info)
    _refuse_overlaps(infos)
    most = most_bytes(packed_bytes)
    if sum(info.file_size for info in infos) > most:
        raise FileRefused(too_much(most))
    infos = sorted((info for info in infos if not _is_scrap(info.filename)), key=lambda info: info.filename)
    texts = [info for info in infos if not _is_about(info.filename)]
    if not texts:
        return Members(infos, [])
    return Members(texts, [info.filename for info in infos if _is_about(info.filename)])


def most_bytes(packed_bytes: int) -> int:
    """How much a file of so many bytes may unpack to."""
    return min(max(packed_bytes * MAX_RATIO, HARMLESS_BYTES), MAX_UNPACKED_BYTES)


def too_much(most: int) -> str:
    """The reason to refuse what unpacks to more."""
    return f"unpacks to more than {most / 1e6:,.0f} MB, which no export of its size does"


def _refuse_member(info: zipfile.ZipInfo) -> None:
    inside, windows = PurePosixPath(info.filename), PureWindowsPath(info.filename)
    if inside.is_absolute() or windows.drive or ".." in (*inside.parts, *windows.parts):
        raise FileRefused(f"contains {info.filename!r}, a path outside of the archive; nothing of it is read")
    if info.flag_bits & (0x1 | _STRONG_ENCRYPTION) or info.compress_type == 99:
        raise FileRefused(f"contains {info.filename!r}, which has a password; have it sent without one")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise FileRefused(f"contains {info.filename!r}, which is a link; have the file itself packed")
    if info.compress_type not in _READ_METHODS or info.flag_bits & _PATCHED:
        method = _METHODS.get(info.compress_type, f"number {info.compress_type}")
        raise FileRefused(
            f"contains {info.filename!r}, packed by a method ({method}) that is not supported; use Deflate"
        )


def _refuse_overlaps(infos: Sequence[zipfile.ZipInfo]) -> None:
    end, before = 0, ""
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise FileRefused(
                f"contains {before!r} and {info.filename!r} in the same bytes, as only an archive made to "
                "fill disks does"
            )
        end, before = info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size, info.filename


def _is_scrap(name: str) -> bool:
    """Whether a member is metadata of the packing program."""
    path = PurePosixPath(name)
    return path.parts[:1] == ("__MACOSX",) or path.name.startswith("._") or path.name == ".DS_Store"


def _is_about(name: str) -> bool:
    path = PurePosixPath(name)
    return path.stem.lower() in _ABOUT or path.suffix.lower() in _ABOUT_ENDINGS or path.name.startswith(".")
