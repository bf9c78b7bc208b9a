"""`python -m pipeline backup`: a consistent copy of the warehouse's catalog and the ledger, while runs go on."""

from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.finding import counted, plural
from pipeline.settings import load_settings

_MB = 1_000_000


@click.command(short_help="Back up warehouse and ledger while runs go on.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--files", is_flag=True, help="Copy the Parquet files of the tables, too; known ones are not copied again."
)
@click.option("--keep", type=click.IntRange(min=1), metavar="NUMBER", help="Remove all but so many newest backups.")
def backup(folder: Path, files: bool, keep: int | None) -> int:
    """Back up the warehouse and the ledger to a new folder in DIR, while runs go on."""
    settings = load_settings()
    from pipeline.console import out
    from pipeline.transfer.backup import back_up

    done = back_up(settings, folder.absolute(), datetime.now(UTC), with_files=files, keep=keep)
    manifest = done.manifest
    out.print(
        f"{done.path}: {counted(sum(manifest.rows.values()), 'row')} of {counted(len(manifest.rows), 'table')}, and "
        f"{manifest.batches:,} {plural(manifest.batches, 'batch', 'batches')} of the ledger."
    )
    if manifest.parquet_files:
        listed = f"{counted(manifest.parquet_files, 'Parquet file')} ({manifest.parquet_bytes / _MB:,.1f} MB)"
        out.print(
            f"{listed}: {done.copied:,} copied now, the others before."
            if files
            else f"{listed}: listed, not copied. The backup can be restored while WAREHOUSE_FILES has them: upkeep "
            "removes merged files, a day after it merged them at the earliest. --files copies them."
        )
    if done.removed:
        out.print(f"Removed: {counted(done.removed, 'earlier backup')}.")
    return 0
