"""`python -m pipeline upkeep`: the job that keeps the warehouse small, for those who run no service."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.filesize import decimal

from pipeline.automation.job_names import UPKEEP_JOB
from pipeline.commands.run_job import run_job
from pipeline.console import out
from pipeline.errors import NoWarehouse
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse

_NUMBERS: Sequence[tuple[str, str, Callable[[Any], str]]] = (
    ("files of tables", "files", str),
    ("their size", "bytes", decimal),
    ("snapshots", "snapshots", str),
    ("the catalog", "catalog_bytes", decimal),
)


def upkeep(settings: Settings) -> int:
    """Run the job, and print what there was before and after; the exit status.

    Raises:
        NoWarehouse: there is no warehouse yet.
    """
    warehouse = Warehouse.of(settings)
    if not warehouse.exists():
        raise NoWarehouse
    result = run_job(UPKEEP_JOB, f"Upkeep of {warehouse.shown}", {})
    for event in result.get_asset_materialization_events():
        did = {name: entry.value for name, entry in event.materialization.metadata.items()}
        if "did" in did:
            out.print(did["did"])
            continue
        for words, name, shown in _NUMBERS:
            out.print(f"{words:<15} {shown(did[f'{name}_before']):>10} → {shown(did[f'{name}_after'])}")
    return int(not result.success)
