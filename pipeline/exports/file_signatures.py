"""The type of a file by its first bytes, whatever its name; for the loader and `inspect`."""

import base64
import binascii

from pipeline.errors import FileRefused
from pipeline.exports.file_names import PGP_ENDINGS

# The length of a tar header, which is the longest signature.
HEAD_BYTES = 512

PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")

PGP_SIGNED = "is signed with PGP and not encrypted; have it encrypted, or sent as it is"
_PGP_OTHER = "is a PGP key or signature, not an export"
EXCEL = "is an Excel workbook; have the export written as delimited text"
TAR = "is a tar archive; only zip and gzip are read, with the exports directly inside"
_PACKED_WITH = "is compressed with {}; only zip and gzip are read"
_FOREIGN = {
    b"-----BEGIN PGP SIGNED MESSAGE": PGP_SIGNED,
    b"-----BEGIN PGP MESSAGE": PGP_SIGNED,  # the encrypted ones are decrypted before
    b"-----BEGIN PGP": _PGP_OTHER,
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
_PGP_ARMOR = b"-----BEGIN PGP MESSAGE"
# Not in text, in any encoding of one byte or UTF-8.
_NO_TEXT = frozenset(range(1, 9)) | frozenset(range(14, 26))


def refuse_foreign(head: bytes) -> None:
    """Raise FileRefused for a file with the signature of another type, such as Excel or tar."""
    for magic, reason in _FOREIGN.items():
        if head.startswith(magic):
            raise FileRefused(reason)
    if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS:
        raise FileRefused(_PACKED_WITH.format("bzip2"))
    if _is_tar(head):
        raise FileRefused(TAR)
    if _is_signed(head):
        raise FileRefused(PGP_SIGNED)


def is_encrypted(head: bytes, name: str = "") -> bool:
    """Whether a file is an encrypted OpenPGP message, armored or binary: by its first bytes, or by its name if it is
    neither text nor any other OpenPGP message.
    """
    start = head.lstrip()
    if start.startswith(_PGP_ARMOR):
        return not _is_signed(_binary(start))
    if _begins_encrypted(head):
        return True
    return name.lower().endswith(PGP_ENDINGS) and not _NO_TEXT.isdisjoint(head) and not _is_signed(head)


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


def _begins_encrypted(head: bytes) -> bool:
    """Whether a binary OpenPGP message begins with an encrypted session key, whose version is after the length
    (RFC 9580, sections 4.2, 5.1 and 5.3).
    """
    if len(head) < 4:
        return False
    versions = {
        0x84: head[2] == 3,
        0x85: head[3] == 3,
        0x8C: head[2] in (4, 5),
        0xC1: 3 in head[2:4] or 6 in head[2:4],
        0xC3: head[2] in (4, 5, 6),
    }
    return versions.get(head[0], False)


def _is_signed(head: bytes) -> bool:
    """Whether a binary OpenPGP message begins with a signature, or is compressed, as `gpg --sign` does (RFC 9580,
    sections 5.4 and 5.6). Encrypted messages are compressed inside.
    """
    if len(head) < 4:
        return False
    versions = {0x90: head[1:3] == b"\x0d\x03", 0xA3: head[1] in (1, 2, 3), 0xC4: head[2] in (3, 6)}
    return versions.get(head[0], False)


def _binary(armored: bytes) -> bytes:
    """The beginning of an armored message: base64 after a blank line (RFC 9580, section 6.2)."""
    body = armored.replace(b"\r", b"").partition(b"\n\n")[2].replace(b"\n", b"")
    try:
        return base64.b64decode(body[: min(len(body), 64) // 4 * 4])
    except binascii.Error:
        return b""
