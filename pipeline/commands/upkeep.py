"""`python -m pipeline upkeep`: the job that keeps the warehouse small, for installations without the service."""

from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.filesize import decimal

from pipeline.errors import NoWarehouse
from pipeline.settings import load_settings

_NUMBERS: Sequence[tuple[str, str, Callable[[Any], str]]] = (
    ("files of tables", "files", str),
    ("their size", "bytes", decimal),
    ("snapshots", "snapshots", str),
    ("the catalog", "catalog_bytes", decimal),
)


@click.command(short_help="Keep the warehouse small and quick.")
def upkeep() -> int:
    """Keep the warehouse small and quick: merge small files, expire old snapshots, remove orphaned files."""
    settings = load_settings()
    from pipeline.automation.job_names import UPKEEP_JOB
    from pipeline.commands.run_job import run_job
    from pipeline.console import out
    from pipeline.warehouse import Warehouse

    warehouse = Warehouse.of(settings)
    if not warehouse.exists():
        raise NoWarehouse
    result = run_job(UPKEEP_JOB, f"Upkeep of {warehouse.shown}", {})
    for event in result.get_asset_materialization_events():
        metadata = {name: entry.value for name, entry in event.materialization.metadata.items()}
        if "result" in metadata:
            out.print(metadata["result"])
            continue
        for words, name, shown in _NUMBERS:
            out.print(f"{words:<15} {shown(metadata[f'{name}_before']):>10} → {shown(metadata[f'{name}_after'])}")
    return int(not result.success)
