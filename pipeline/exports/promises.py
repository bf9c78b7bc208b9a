"""What the name of a file, or its ready marker, announces about its content, and whether that is so."""

import hashlib
from pathlib import Path

from pipeline.errors import FileRefused
from pipeline.exports.archives import Piece, pieces
from pipeline.exports.formats.csv_surroundings import is_end_marker, states_row_count
from pipeline.exports.formats.rows import FileRows
from pipeline.exports.locations import ExportLocation
from pipeline.exports.matching import MatchedFile, Promise, promise_of_marker
from pipeline.exports.row_writer import WrittenRows
from pipeline.exports.transcoding import CHUNK_BYTES

# More than any ready marker contains.
_MARKER_BYTES = 10_000


def promise_of(location: ExportLocation, matched: MatchedFile) -> Promise:
    """What is announced of a file: by its name first. Raises as `ExportLocation.local` does for its ready marker."""
    if matched.marker is None:
        return matched.promise
    with location.local(matched.marker) as marker, marker.path.open("rb") as file:
        marked = promise_of_marker(file.read(_MARKER_BYTES).decode("ascii", "replace"))
    named = matched.promise
    return Promise(rows=marked.rows if named.rows is None else named.rows, md5=named.md5 or marked.md5)


def check_md5(came: Path, path: Path, promised: str) -> None:
    """Compare the MD5 of the file as it came or decrypted, or of the text inside, with the promised one. It is meant to
    detect damage, not forgery.

    Raises:
        FileRefused: none of them is the promised one.
    """
    whole = [Piece(None, lambda: came.open("rb")), Piece(None, lambda: path.open("rb"))]
    for piece in (*whole[came == path :], *pieces(path)):
        with piece.open() as stream:
            digest = hashlib.md5(usedforsecurity=False)
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
        if digest.hexdigest() == promised:
            return
    raise FileRefused(f"the file does not match the expected MD5 ({promised}); have it sent again")


def has_promised_rows(promised: int, written: WrittenRows, rows: FileRows | None) -> bool:
    """Whether a file has the promised number of rows; a rejected trailer is none of them."""
    if rows is None or rows.trailer is None or not written.rejected:
        return written.rows == promised
    if is_end_marker(rows.trailer):
        return written.rows == promised + 1
    return written.rows == promised or (written.rows == promised + 1 and states_row_count(rows.trailer, promised))
