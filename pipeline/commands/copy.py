"""`python -m pipeline copy`: move the warehouse, and the ledger, to other stores."""

import click

from pipeline.finding import counted, plural
from pipeline.settings import load_settings


@click.command(short_help="Move the warehouse, and the ledger, to other stores.")
@click.option("--to", required=True, metavar="WAREHOUSE", help="The new WAREHOUSE.")
@click.option("--files", metavar="WAREHOUSE_FILES", help="The new WAREHOUSE_FILES, for a DuckLake.")
@click.option("--ledger", metavar="LEDGER", help="The new LEDGER; without it, the ledger stays where it is.")
def copy(to: str, files: str | None, ledger: str | None) -> int:
    """Copy the warehouse to another store, compare both, and switch over; the ledger likewise with --ledger."""
    settings = load_settings()
    from pipeline.console import err, out
    from pipeline.models.dbt_runner import in_environment
    from pipeline.orchestration.instance import exclusive, opened_instance
    from pipeline.transfer.move import move

    given = {"WAREHOUSE": to, "WAREHOUSE_FILES": files, "LEDGER": ledger}
    with in_environment({name: value for name, value in given.items() if value is not None}):
        new = load_settings()
    with opened_instance() as instance, exclusive(instance):
        moved = move(settings, new, lambda table, rows: err.print(f"{table}: {counted(rows, 'row')}"))
    out.print(f"Copied and compared: {counted(moved.rows, 'row')} of {moved.tables} tables.")
    if moved.batches is not None:
        out.print(f"Copied and compared: {moved.batches:,} {plural(moved.batches, 'batch', 'batches')} of the ledger.")
    changed = ", ".join(name for name, value in given.items() if value is not None)
    out.print(f"Now set {changed} to the values given here. The former stores are refused by runs, and can be removed.")
    return 0
