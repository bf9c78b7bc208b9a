"""`python -m pipeline status`, and the table that it and `run` print."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.report.summary import Line


@click.command()
def status() -> int:
    """Per export date and event: rows loaded, rejected, modelled, delivered, waiting, dead, held."""
    settings = load_settings()
    from pipeline.ledger import Ledger
    from pipeline.ledger.warehouse_pairing import check_pair
    from pipeline.report.summary import summary
    from pipeline.warehouse import Warehouse

    with Warehouse.of(settings).reading() as connection:
        ledger = Ledger(settings.ledger)
        check_pair(connection, ledger)
        show(summary(connection, ledger, None), by_date=True)
    return 0


def show(lines: "Sequence[Line]", *, by_date: bool) -> None:
    """Print the numbers by event, or by export date and event, with a sum below."""
    from rich.table import Table

    from pipeline.console import out
    from pipeline.report.summary import KEY, NUMBERS, totals

    rows: dict[tuple[str, ...], list[Line]] = defaultdict(list)
    for line in lines:
        rows[(str(line.export_date), line.event) if by_date else (line.event,)].append(line)
    total = totals(lines)
    table = Table(show_footer=True, box=None, pad_edge=False)
    for key in KEY if by_date else KEY[1:]:
        table.add_column(key.replace("_", " "), footer="" if table.columns else "all", no_wrap=True)
    for number in NUMBERS:
        table.add_column(number, footer=f"{total[number]:,}", justify="right")
    for keys, of_keys in rows.items():
        numbers = totals(of_keys)
        table.add_row(*keys, *(f"{numbers[number]:,}" for number in NUMBERS))
    out.print(table)
