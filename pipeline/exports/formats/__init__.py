"""The formats of export files. A format is one module of this package and one entry of `FORMATS`."""

from collections.abc import Mapping
from typing import Protocol

from pipeline.exports.formats import csv, ndjson, parquet
from pipeline.exports.formats.rows import ExportInput, FileRows
from pipeline.exports.layouts import Format


class FileFormat(Protocol):
    """How files of one format are read."""

    def read(self, file: ExportInput) -> FileRows | None:
        """Read a file; None where it has no rows at all. The connection may have no warehouse attached.

        Raises:
            FileRefused: the file can't be read as this format.
            duckdb.Error: the disk, the memory or the warehouse failed.
        """


FORMATS: Mapping[Format, FileFormat] = {"csv": csv, "ndjson": ndjson, "parquet": parquet}
