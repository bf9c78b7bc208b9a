"""Tables for a person at a terminal."""

from collections.abc import Sequence

import pandas as pd
from rich.table import Table

from pipeline.console import out
from pipeline.report.summary import NUMBERS


def show(table: pd.DataFrame, keys: Sequence[str]) -> None:
    """Numbers per `keys`, with a sum below."""
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
