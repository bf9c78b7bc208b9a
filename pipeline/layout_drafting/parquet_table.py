"""The sample of a Parquet file, which has to be there as a whole: its columns are described at its end."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.errors import FileRefused, InspectionRefused
from pipeline.exports.formats.parquet import sample
from pipeline.layout_drafting.dialect import ROWS, SHOWN_ROWS, Table
from pipeline.layout_drafting.file_head import whole_file


def parquet_table(name: str, file: str) -> Table:
    """The first rows of a Parquet file, a path or a URL.

    Raises:
        InspectionRefused: the file is damaged, or can't be read.
    """
    with TemporaryDirectory() as folder:
        try:
            found = sample(whole_file(file, Path(folder) / "export"), Path(folder), ROWS)
        except FileRefused as error:
            raise InspectionRefused(f"{name}: {error}") from None
    shown = [dict(zip(found.names, row, strict=True)) for row in found.rows[:SHOWN_ROWS]]
    return Table(
        format="parquet",
        names=found.names,
        rows=found.rows,
        first_lines=tuple(json.dumps(row, ensure_ascii=False) for row in shown),
        is_whole=found.rows_in_file <= len(found.rows),
        nested=found.nested,
    )
