"""The export in an OpenPGP file: alone, inside or around a zip or gzip."""

import gzip
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import IO

from pipeline.errors import FileRefused, FileUnreadable
from pipeline.exports.archives import bounded, opened_zip, unpacking
from pipeline.exports.file_names import without_pgp_ending
from pipeline.exports.file_signatures import GZIP_MAGIC, HEAD_BYTES, ZIP_MAGICS, is_encrypted
from pipeline.openpgp import SecretKey, decrypted_stream
from pipeline.orchestration.system_errors import naming

_CHUNK_BYTES = 1 << 20
_NO_KEY = (
    "is encrypted with PGP, and SELLIGENT_PGP_KEY is not set; set it to a file with the secret key that it is "
    "encrypted for"
)
_TWICE = "is encrypted twice; decrypt it once"


def decrypted(path: Path, name: str, folder: Path, key: SecretKey | None) -> Path:
    """The file without encryption: `path` itself if nothing in it is encrypted, else a file in `folder`.

    A zip with encrypted members becomes a zip without them. Nothing is returned before its integrity is verified.

    Raises:
        FileRefused: it is damaged, cut off, not secure or no encrypted message; or as an archive is refused.
        FileUnreadable: there is no key for it, or no space on the disk.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if is_encrypted(head, name):
        return _decrypt(path, folder / "decrypted", key)
    if head.startswith(GZIP_MAGIC) and is_encrypted(_head_in_gzip(path), name.lower().removesuffix(".gz")):
        with unpacking(), gzip.open(path, "rb") as packed:
            encrypted = _write(bounded(packed, path.stat().st_size), folder / "encrypted")
        return _decrypt(encrypted, folder / "decrypted", key)
    if head.startswith(ZIP_MAGICS):
        return _decrypt_members(path, folder, key)
    return path


def _decrypt(path: Path, target: Path, key: SecretKey | None) -> Path:
    if key is None:
        raise FileUnreadable(_NO_KEY)
    with decrypted_stream(path, key) as stream:
        _write(bounded(stream, path.stat().st_size), target)
    with target.open("rb") as file:
        if is_encrypted(file.read(HEAD_BYTES)):
            raise FileRefused(_TWICE)
    return target


def _write(source: IO[bytes], target: Path) -> Path:
    with naming(target), source, target.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK_BYTES)
    return target


def _head_in_gzip(path: Path) -> bytes:
    """Empty if it can't be unpacked: it is refused when it is read."""
    try:
        with gzip.open(path, "rb") as packed:
            return packed.read(HEAD_BYTES)
    except (EOFError, OSError, zlib.error):
        return b""


def _decrypt_members(path: Path, folder: Path, key: SecretKey | None) -> Path:
    """The zip itself if no member is encrypted, else a zip of the same members, decrypted and not compressed."""
    with path.open("rb") as file, opened_zip(file) as (archive, _):
        members = [info for info in archive.infolist() if not info.filename.endswith("/")]
        encrypted = {info.filename for info in members if is_encrypted(_head_of(archive, info), info.filename)}
        if not encrypted:
            return path
        target = folder / "decrypted.zip"
        with naming(target), zipfile.ZipFile(target, "w") as copy:
            for info in members:
                with bounded(archive.open(info), path.stat().st_size) as member:
                    if info.filename not in encrypted:
                        _copy_member(member, copy, info.filename)
                        continue
                    try:
                        content = _decrypt(_write(member, folder / "encrypted"), folder / "decrypted", key)
                    except (FileRefused, FileUnreadable) as error:
                        raise type(error)(f"contains {info.filename!r}, which {error}") from None
                    copy.write(content, without_pgp_ending(info.filename))
        return target


def _head_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as member:
        return member.read(HEAD_BYTES)


def _copy_member(member: IO[bytes], copy: zipfile.ZipFile, name: str) -> None:
    with copy.open(name, "w", force_zip64=True) as target:
        shutil.copyfileobj(member, target, _CHUNK_BYTES)
