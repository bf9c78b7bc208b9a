"""The type of a file by its first bytes, whatever its name; for the loader and `inspect`."""

from pipeline.errors import FileRefused

# The length of a tar header, which is the longest signature.
HEAD_BYTES = 512

PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")

PGP = "is encrypted or signed with PGP; decrypt it first"
EXCEL = "is an Excel workbook; have the export written as delimited text"
TAR = "is a tar archive; only zip and gzip are read, with the exports directly inside"
_PACKED_WITH = "is compressed with {}; only zip and gzip are read"
_FOREIGN = {
    b"-----BEGIN PGP": PGP,
    b"\xd0\xcf\x11\xe0": EXCEL,
    b"%PDF": "is a PDF; have the export written as delimited text",
    b"PARE": "is an encrypted Parquet file; have the export written without encryption",
    b"SQLite format 3\0": "is an SQLite database; have the export written as delimited text",
    b"\x89PNG\r\n": "is an image; have the export written as delimited text",
    b"PK\x07\x08": "is one part of a zip archive that was split; have it sent in one piece",
    b"7z\xbc\xaf\x27\x1c": _PACKED_WITH.format("7-Zip"),
    b"Rar!\x1a\x07": _PACKED_WITH.format("RAR"),
    b"\xfd7zXZ\x00": _PACKED_WITH.format("xz"),
    b"\x28\xb5\x2f\xfd": _PACKED_WITH.format("Zstandard"),
    b"\x04\x22\x4d\x18": _PACKED_WITH.format("LZ4"),
    b"LZIP\x01": _PACKED_WITH.format("lzip"),
    b"\x1f\x9d": _PACKED_WITH.format("compress"),
    b"MSCF\0\0\0\0": _PACKED_WITH.format("Cabinet"),
}
# A word can begin with BZh, so the magic of the block, pi or its root, is required, too.
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
_TAR_CHECKSUM = slice(148, 156)
# PGP messages have many signatures, but these file names.
_PGP_NAMES = (".pgp", ".gpg", ".asc")
# Not in text, in any encoding of one byte or UTF-8.
_NO_TEXT = frozenset(range(1, 9)) | frozenset(range(14, 26))


def refuse_foreign(head: bytes, name: str = "") -> None:
    """Raise FileRefused for a file with the signature of another type, such as Excel, PGP or tar."""
    for magic, reason in _FOREIGN.items():
        if head.startswith(magic):
            raise FileRefused(reason)
    if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS:
        raise FileRefused(_PACKED_WITH.format("bzip2"))
    if _is_tar(head):
        raise FileRefused(TAR)
    if _is_openpgp(head) or (name.lower().endswith(_PGP_NAMES) and not _NO_TEXT.isdisjoint(head)):
        raise FileRefused(PGP)


def refuse_packed_again(head: bytes) -> None:
    """Raise FileRefused for an archive inside an archive."""
    if head.startswith((GZIP_MAGIC, *ZIP_MAGICS)):
        raise FileRefused("is compressed twice; decompress it once")


def _is_tar(head: bytes) -> bool:
    """Whether a tar header begins here: it contains the sum of its bytes in octal digits (POSIX, pax)."""
    if len(head) < HEAD_BYTES:
        return False
    header = head[:HEAD_BYTES]
    digits = header[_TAR_CHECKSUM].strip(b" \0")
    if not digits or not set(digits) <= set(b"01234567"):
        return False
    return int(digits, 8) == sum(header) - sum(header[_TAR_CHECKSUM]) + 8 * ord(" ")


def _is_openpgp(head: bytes) -> bool:
    """Whether a binary OpenPGP message begins here: an encrypted session key or a signature, with its version after
    the length (RFC 9580, sections 4.2, 5.1, 5.3 and 5.4), or a compressed message (5.6).
    """
    if len(head) < 4:
        return False
    versions = {
        0x84: head[2] == 3,
        0x85: head[3] == 3,
        0x8C: head[2] in (4, 5),
        0x90: head[1:3] == b"\x0d\x03",
        0xA3: head[1] in (1, 2, 3),
        0xC1: 3 in head[2:4] or head[2] == 6,
        0xC3: head[2] in (4, 5, 6),
        0xC4: head[1:3] == b"\x0d\x03",
    }
    return versions.get(head[0], False)
