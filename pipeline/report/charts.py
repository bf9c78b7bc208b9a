"""The report's pictures: small SVGs that take their colours from the page around them, if there is one.

Matplotlib is imported where something is drawn: its import takes longer than a whole run with nothing to do.
"""

import logging
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from pipeline.report.formatting import at_most, duration, number, short_date
from pipeline.report.numbers import Numbers, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours by meaning; the page has a variable of the same name, for light and for dark.
COLOURS = {
    "card": "#fefefe",
    "ink": "#1f2733",
    "muted": "#667085",
    "grid": "#e4e7ec",
    "delivered": "#bcd3f7",
    "opened": "#5b93e6",
    "clicked": "#1e4e9e",
    "unsubscribed": "#d9a31c",
    "spam": "#c0392f",
    "bounced": "#9c6b4e",
    "good": "#2f9366",
    "waiting": "#e2b13c",
    "dead": "#c43d31",
    "held": "#8c75c9",
    "forgotten": "#98a2b3",
}
_WIDTH = 5.2  # inches of 72 units: as wide as a phone, so that letters stay readable there
_STYLE: dict[Any, object] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.edgecolor": COLOURS["grid"],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "legend.handlelength": 0.9,
    "legend.handleheight": 0.9,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0,
    "figure.facecolor": COLOURS["card"],
}
_IDS = re.compile(r'(\bid="|url\(#|href="#)')
_MOST_LABELS = 6
_FEWEST_BARS = 5
_TEXT_DATES, _TEXT_WIDTH = 12, 20


@dataclass(frozen=True)
class Chart:
    """One picture; `alt` is its text alternative."""

    name: str
    title: str
    alt: str
    query: str
    svg: str

    @property
    def markdown(self) -> str:
        """The picture for Dagster's UI, as a data URL."""
        sized = self.svg.replace("<svg ", '<svg width="560" ', 1)
        return f"![{self.alt}](data:image/svg+xml;base64,{b64encode(sized.encode()).decode()})"


def import_matplotlib() -> None:
    """Import what `draw_charts` needs."""
    # Cron would mail its messages about the cache of fonts.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401


def draw_charts(numbers: Numbers) -> list[Chart]:
    """The pictures for which there is data."""
    import_matplotlib()
    drawn = (funnel_chart(numbers), standing_chart(numbers), lateness_chart(numbers), pace_chart(numbers))
    return [chart for chart in drawn if chart is not None]


def bars_in_text(numbers: Numbers) -> str:
    """Delivered of due events by export date, as a block of text: Dagster's UI shows Markdown of less than 1,000
    characters without a click, and an SVG takes more.
    """
    rows = _by_date(numbers, "due")[-_TEXT_DATES:]
    most = max((row["due"] for row in rows), default=0)
    lines = []
    for row in rows:
        whole = round(_TEXT_WIDTH * row["due"] / most) if most else 0
        full = round(whole * row["delivered"] / row["due"]) if row["due"] else 0
        bar = f"{'█' * full}{'░' * (whole - full)}"
        lines.append(f"{short_date(row['export_date']):>6} {bar:<{_TEXT_WIDTH}} {row['delivered']:,} of {row['due']:,}")
    return "\n".join(["```", *lines, "```"]) if lines else "No events yet."


def funnel_chart(numbers: Numbers) -> Chart | None:
    """Delivered, opened and clicked by export date; below, unsubscribes, complaints and bounces."""
    rows, total = _by_date(numbers, "funnel"), numbers.total("funnel")
    if not rows:
        return None
    good = [("delivered", "delivered"), ("opened_once", "opened"), ("clicked_once", "clicked")]
    bad = [("unsubscribed", "unsubscribed"), ("spam", "spam"), ("bounced", "bounced")]

    def paint(figure: "Figure") -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.5])
        _margins(figure, above=0.3, below=0.28)
        figure.subplots_adjust(hspace=0.34)
        for position, (column, name) in enumerate(good):
            width = 0.82 - 0.18 * position
            upper.bar(range(len(rows)), _values(rows, column), width, color=COLOURS[name], label=name)
        _stack(lower, rows, bad)
        _dates_below(lower, rows)
        for axes in (upper, lower):
            _counts_beside(axes)
            _legend_above(axes)

    alt = (
        f"Bars per export date: {number(total['delivered'])} emails delivered, {number(total['opened_once'])} opened "
        f"and {number(total['clicked_once'])} clicked by people; {number(total['unsubscribed'])} unsubscribes, "
        f"{number(total['spam'])} spam complaints and {number(total['bounced'])} bounces."
    )
    return Chart("funnel", "Emails by export date", alt, "funnel", _svg("funnel", 3.8, paint))


def standing_chart(numbers: Numbers) -> Chart | None:
    """Due events by export date and status."""
    rows, total = _by_date(numbers, "due"), numbers.total("due")
    if not rows:
        return None
    parts = [("delivered", "good"), ("waiting", "waiting"), ("dead", "dead")]
    parts += [(status, status) for status in ("held", "forgotten") if total[status]]

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        _margins(figure, above=0.3, below=0.28)
        _stack(axes, rows, parts)
        _dates_below(axes, rows)
        _counts_beside(axes)
        _legend_above(axes)

    alt = (
        f"Bars per export date: of {number(total['due'])} events that were due, {number(total['delivered'])} are "
        f"delivered, {number(total['waiting'])} waiting, {number(total['dead'])} dead and {number(total['held'])} held."
    )
    return Chart("standing", "Delivery to Segment by export date", alt, "due", _svg("standing", 2.7, paint))


def lateness_chart(numbers: Numbers) -> Chart | None:
    """Delay from an event to its export, and to its delivery."""
    series = [("exported", "export written", "opened"), ("delivered", "delivered to Segment", "good")]
    bars = numbers.rows("lateness")
    series = [each for each in series if any(row[each[0]] for row in bars)]
    if not series:
        return None
    # From the first bar that is not empty to the last.
    full = [position for position, row in enumerate(bars) if any(row[column] for column, _, _ in series)]
    bars = bars[full[0] : full[-1] + 1]
    medians = {row["what"]: row["median"] for row in numbers.rows("delays")}

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        _margins(figure, above=0.3, below=0.05, beside=1.5)
        thick = 0.8 / len(series)
        for position, (column, name, colour) in enumerate(series):
            all_of_it = sum(_values(numbers.rows("lateness"), column))
            shares = [100 * value / all_of_it for value in _values(bars, column)]
            middles = [bar + (position - (len(series) - 1) / 2) * thick for bar in range(len(bars))]
            axes.barh(middles, shares, thick * 0.92, color=COLOURS[colour], label=name)
            for middle, share in zip(middles, shares, strict=True):
                if share:
                    axes.text(share + 1, middle, _share(share), va="center", fontsize=10, color=COLOURS["muted"])
        axes.set_yticks(range(len(bars)), [at_most(row["at_most"]) for row in bars])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.18 * max(axes.get_xlim()[1], 1))
        axes.set_xticks([])
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        _legend_above(axes)

    words = ", ".join(f"{name} after {duration(medians.get(column))}" for column, name, _ in series)
    alt = f"Shares of events by delay. Median: {words}."
    height = 0.75 + 0.42 * len(bars) * (0.7 + 0.3 * len(series))
    return Chart("lateness", "Delay of events", alt, "lateness", _svg("lateness", height, paint))


def pace_chart(numbers: Numbers) -> Chart | None:
    """Events per second of each delivery."""
    rows = numbers.rows("throughput")[::-1]
    if not rows:
        return None

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        _margins(figure, above=0.1, below=0.45)
        axes.bar(range(len(rows)), _values(rows, "events_per_second"), 0.7, color=COLOURS["good"])
        _labels_below(axes, [f"{short_date(row['began_at'])}\n{row['began_at']:%H:%M}" for row in rows])
        _counts_beside(axes)

    last = rows[-1]
    alt = (
        f"Events per second of the last {len(rows)} deliveries; the newest delivered {number(last['events'])} "
        f"events in {duration(last['seconds'])}, {number(last['events_per_second'])} a second."
    )
    return Chart("pace", "Events per second, by delivery", alt, "throughput", _svg("pace", 2.5, paint))


def _svg(name: str, height: float, paint: "Callable[[Figure], None]") -> str:
    """The picture as an <svg> element: the same bytes for the same numbers, and ids that no other picture has."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(_WIDTH, height))
        paint(figure)
        text = StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = text.getvalue()
    svg = re.sub(r'\b(width|height)="[\d.]+pt" ', "", svg[svg.index("<svg") :], count=2)
    svg = _IDS.sub(rf"\g<1>{name}-", svg)
    for colour, code in COLOURS.items():
        svg = svg.replace(code, f"var(--{colour}, {code})")
    return svg.strip()


def _by_date(numbers: Numbers, name: str) -> list[Row]:
    return [row for row in numbers.rows(name) if row["export_date"] is not None]


def _margins(figure: "Figure", above: float, below: float, beside: float = 0.55) -> None:
    """Margins around the axes, in inches: a layout that measures text takes as long as the whole drawing."""
    height = figure.get_figheight()
    figure.subplots_adjust(left=beside / _WIDTH, right=1 - 0.25 / _WIDTH, bottom=below / height, top=1 - above / height)


def _values(rows: Sequence[Row], column: str) -> list[Any]:
    return [row[column] or 0 for row in rows]


def _share(percents: float) -> str:
    return f"{percents:.0f} %" if percents >= 1 else "< 1 %"


def _stack(axes: "Axes", rows: Sequence[Row], parts: Sequence[tuple[str, str]]) -> None:
    below = [0] * len(rows)
    for column, colour in parts:
        values = _values(rows, column)
        axes.bar(range(len(rows)), values, 0.82, bottom=below, color=COLOURS[colour], label=column)
        below = [low + value for low, value in zip(below, values, strict=True)]


def _dates_below(axes: "Axes", rows: Sequence[Row]) -> None:
    _labels_below(axes, [short_date(row["export_date"]) for row in rows])


def _labels_below(axes: "Axes", labels: Sequence[str]) -> None:
    step = -(-len(labels) // _MOST_LABELS)
    shown = range((len(labels) - 1) % step, len(labels), step)  # the newest is labelled
    axes.set_xticks(list(shown), [labels[position] for position in shown])
    beside = max(_FEWEST_BARS - len(labels), 0) / 2 + 0.6  # a few bars are not widened
    axes.set_xlim(-beside, len(labels) - 1 + beside)


def _counts_beside(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _brief(value)))


def _brief(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}"
    return f"{value:,.0f}"


def _legend_above(axes: "Axes") -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.02), ncols=4)
