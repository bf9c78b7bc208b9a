"""The report as one page that needs nothing but itself: no network, no script."""

import os
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from pipeline.masking import masked, printable
from pipeline.report import wording
from pipeline.report.charts import COLOURS, Chart
from pipeline.report.made import Made
from pipeline.report.numbers import Numbers
from pipeline.report.queries import TITLES
from pipeline.report.verdicts import lines
from pipeline.settings import REPORT_DIR
from pipeline.system_errors import naming

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
        name: getattr(wording, name)
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
