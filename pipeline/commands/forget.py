"""`python -m pipeline forget`: erase people from this warehouse and its ledger, and verify the erasure."""

import click

from pipeline.settings import load_settings

_SHOWN_FILES = 10


@click.command(short_help="Erase the people of SELLIGENT_SUPPRESSED, and verify it.")
def forget() -> int:
    """Erase the people of SELLIGENT_SUPPRESSED from this warehouse and its ledger, and verify it."""
    settings = load_settings()
    from rich.table import Table

    from pipeline.console import out
    from pipeline.erasure.erase import erase

    locations = erase(settings)
    table = Table(box=None, pad_edge=False)
    table.add_column("location", no_wrap=True)
    for number in ("removed", "still found"):
        table.add_column(number, justify="right")
    for location in locations:
        table.add_row(location.name, f"{location.removed:,}", f"{location.found:,}")
    out.print(table)
    for path in [path for location in locations for path in location.files][:_SHOWN_FILES]:
        out.print(f"Found in {path}")
    left = ", ".join(location.name for location in locations if location.found)
    out.print(f"Still found, review by hand: {left}" if left else "Nothing was found.")
    return int(bool(left))
