"""The report as one HTML page without scripts or external resources."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
from markupsafe import Markup

from pipeline import __version__
from pipeline.catalog import LIBRARY_NAME
from pipeline.export_dates import ExportDates
from pipeline.finding import counted
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.masking import masked, printable
from pipeline.report import formatting
from pipeline.report.charts import COLOURS, Chart, bars_in_text, draw_charts, import_matplotlib
from pipeline.report.numbers import Numbers, lines, newest_dates, read_numbers
from pipeline.report.queries import TITLES
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse


@dataclass(frozen=True)
class Provenance:
    """When and from what a report was made."""

    at: datetime
    warehouse: str
    source: str
    schema: str
    region: str
    dry_run: bool
    version: str

    @classmethod
    def of(cls, settings: Settings, now: datetime) -> "Provenance":
        """The provenance of a report made with these settings at `now`."""
        return cls(
            at=now,
            warehouse=Warehouse.of(settings).shown,
            source=settings.segment_source_name,
            schema=settings.schema_name,
            region=settings.segment_region,
            dry_run=not settings.delivers,
            version=__version__,
        )

    def facts(self) -> Sequence[tuple[str, str]]:
        """Labels and values, as the page shows them."""
        return (
            ("Created", f"{self.at:%Y-%m-%d %H:%M:%S} UTC"),
            ("Warehouse", self.warehouse),
            ("Source", f"{self.source} (schema {self.schema})"),
            ("Region", self.region),
            ("Delivery", "dry run: nothing is sent" if self.dry_run else "to Segment"),
            ("Version", f"{LIBRARY_NAME} {self.version}"),
        )


_TEMPLATES = Path(__file__).parent / "templates"


def render(numbers: Numbers, charts: Sequence[Chart], provenance: Provenance) -> str:
    """The page as HTML. Text from outside (file names, reasons) is escaped."""
    # Imported here, as Matplotlib is: a run with nothing to do makes no page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(formatting, name)
        for name in ("number", "percent", "duration", "at_most", "moment", "short_date", "event_words")
    } | {"counted": counted}
    return environment.get_template("page.html.j2").render(
        numbers=numbers,
        # Markup: generated here, and Matplotlib escapes the text in it.
        charts={chart.name: (chart, Markup(chart.svg)) for chart in charts},  # noqa: S704
        provenance=provenance,
        lines=lines(numbers),
        titles=TITLES,
        colours=COLOURS,
    )


def _shown(value: object) -> object:
    """Text without addresses, invisible characters and marks that reverse the direction of text."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(masked(value), kept="\n\u00a0")
    return value


@dataclass(frozen=True)
class Report:
    """The page as HTML, its charts, one of them in text, and its export dates (None: there are none yet)."""

    page: str
    charts: Sequence[Chart]
    bars: str
    dates: ExportDates | None


def make_report(connection: duckdb.DuckDBPyConnection, ledger: Ledger, settings: Settings, now: datetime) -> Report:
    """The page about the newest export dates, whatever the dates of the run, over a connection for writing.

    The ledger's copies of these dates are updated first: a delivery that was killed, or a replay, may have changed them
    since the last run.
    """
    if (dates := newest_dates(connection)) is not None:
        mirror_into(connection, ledger, dates)
    with ThreadPoolExecutor(1) as pool:
        importing = pool.submit(import_matplotlib)  # a third of a second, while DuckDB computes
        numbers = read_numbers(connection, settings.schema_name)
        importing.result()
    charts = draw_charts(numbers)
    page = render(numbers, charts, Provenance.of(settings, now))
    return Report(page, charts, bars_in_text(numbers), dates)
