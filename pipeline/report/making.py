"""The report made: read, drawn, written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.report.charts import Chart, draw_charts
from pipeline.report.made import Made
from pipeline.report.numbers import newest_dates, read_numbers
from pipeline.report.page import PAGE, render, write
from pipeline.segment.ledger import Ledger
from pipeline.segment.mirror import mirror
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse


@dataclass(frozen=True)
class Report:
    """Where the page is, and its pictures."""

    path: Path
    charts: Sequence[Chart]


def make_report(warehouse: Warehouse, ledger: Ledger, settings: Settings, now: datetime, path: Path = PAGE) -> Report:
    """Write the page over the newest export dates, whichever dates a run was of.

    The ledger's copies of all these dates are brought up to date first: a delivery that was killed, or a replay, may
    have changed what no run has looked at since.
    """
    with warehouse.reading() as connection:
        dates = newest_dates(connection)
    if dates is not None:
        mirror(warehouse, ledger, dates)
    with warehouse.reading() as connection:
        numbers = read_numbers(connection, settings.schema_name)
    charts = draw_charts(numbers)
    return Report(write(render(numbers, charts, Made.of(settings, now)), path), charts)
