"""Numbers, durations and dates formatted for people."""

from datetime import date, datetime

_UNITS = (("days", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def number(value: float | None) -> str:
    """1,234; a dash for None."""
    return "–" if value is None else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """12.3 %; two digits more where it would round to zero."""
    if value is None:
        return "–"
    shown = f"{value:.1%}" if value == 0 or abs(value) >= 0.01 else f"{value:.2%}"
    return shown.replace("%", "\u00a0%")


def duration(seconds: float | None) -> str:
    """A duration in the largest unit of which it has at least one."""
    if seconds is None:
        return "–"
    unit, size = next(((unit, size) for unit, size in _UNITS if abs(seconds) >= size), _UNITS[-1])
    shown = f"{seconds / size:.1f}".removesuffix(".0")
    return f"{shown}\u00a0{unit}"


def at_most(seconds: int | None) -> str:
    """The label of a bar of delays."""
    if seconds is None:
        return "more than 30 days"
    return "before the event" if seconds < 0 else f"up to {duration(seconds)}".replace("1\u00a0days", "1\u00a0day")


def moment(value: datetime | None) -> str:
    """A UTC timestamp to the second."""
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


def short_date(value: date) -> str:
    """`11 Jun`."""
    return f"{value.day} {value:%b}"


def event_words(table: str) -> str:
    """`email_link_clicked` as words."""
    return table.removeprefix("email_").replace("_", " ")
