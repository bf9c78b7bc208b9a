"""The report as one page that needs nothing but itself: no network, no script."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from pipeline import __version__
from pipeline.catalog import LIBRARY_NAME
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_copy import mirror
from pipeline.masking import masked, printable
from pipeline.orchestration.system_errors import naming
from pipeline.report import formatting
from pipeline.report.charts import COLOURS, Chart, draw_charts
from pipeline.report.numbers import Numbers, lines, newest_dates, read_numbers
from pipeline.report.queries import TITLES
from pipeline.settings import REPORT_DIR, Settings
from pipeline.warehouse import Warehouse


@dataclass(frozen=True)
class Made:
    """What stands at the foot of a report."""

    at: datetime
    warehouse: str
    source: str
    schema: str
    region: str
    dry_run: bool
    version: str

    @classmethod
    def of(cls, settings: Settings, now: datetime) -> "Made":
        """Of these settings, at this moment."""
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
        """Each with what it is called."""
        return (
            ("Made", f"{self.at:%Y-%m-%d %H:%M:%S} UTC"),
            ("Warehouse", self.warehouse),
            ("Source", f"{self.source} (schema {self.schema})"),
            ("Region", self.region),
            ("Delivery", "dry run: nothing is sent" if self.dry_run else "to Segment"),
            ("Program", f"{LIBRARY_NAME} {self.version}"),
        )


PAGE = REPORT_DIR / "index.html"
_TEMPLATES = Path(__file__).parent / "templates"


def render(numbers: Numbers, charts: Sequence[Chart], made: Made) -> str:
    """The page. Whatever comes from outside (names of files, reasons) is escaped."""
    # Imported here, as Matplotlib is: a run that has nothing to do makes no page.
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
    }
    return environment.get_template("page.html.j2").render(
        numbers=numbers,
        # Markup: ours, not text from outside; Matplotlib escapes the words in it.
        charts={chart.name: (chart, Markup(chart.svg)) for chart in charts},  # noqa: S704
        made=made,
        lines=lines(numbers),
        titles=TITLES,
        colours=COLOURS,
    )


def _shown(value: object) -> object:
    """Text without addresses, and without characters that don't show or turn the direction of what follows."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(masked(value), kept="\n\u00a0")
    return value


def write(page: str, path: Path = PAGE) -> Path:
    """Put the page where it belongs in one go: whoever has it open never reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    with naming(path):
        unfinished.write_text(page, "utf-8")
        unfinished.replace(path)
    return path


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
