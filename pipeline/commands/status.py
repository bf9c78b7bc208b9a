"""`python -m pipeline status`, and the table that it and `run` print."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pipeline.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd


@click.command()
def status() -> int:
    """Per export date and event: rows loaded, rejected, modelled, delivered, waiting, dead."""
    settings = load_settings()
    from pipeline.ledger import Ledger
    from pipeline.ledger.warehouse_pairing import check_pair
    from pipeline.report.summary import KEY, summary
    from pipeline.warehouse import Warehouse

    with Warehouse.of(settings).reading() as connection:
        ledger = Ledger(settings.ledger)
        check_pair(connection, ledger)
        show(summary(connection, ledger, None), KEY)
    return 0


def show(table: "pd.DataFrame", keys: Sequence[str]) -> None:
    """Print the numbers by `keys`, with a sum below."""
    from rich.table import Table

    from pipeline.console import out
    from pipeline.report.summary import NUMBERS

    shown = Table(show_footer=True, box=None, pad_edge=False)
    shown.add_column(keys[0].replace("_", " "), footer="all", no_wrap=True)
    for key in keys[1:]:
        shown.add_column(key.replace("_", " "), no_wrap=True)
    for number in NUMBERS:
        shown.add_column(number, footer=f"{int(table[number].sum()):,}", justify="right")
    grouped = table.groupby(list(keys), sort=False, as_index=False)[NUMBERS].sum()
    for row in grouped.itertuples(index=False):
        shown.add_row(*(str(value) for value in row[: len(keys)]), *(f"{value:,}" for value in row[len(keys) :]))
    out.print(shown)
