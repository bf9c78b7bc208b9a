"""Whether the lines of the reconciliation hold, put together from three ways of counting."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.report.numbers import Numbers, Row

# What is compared; each has a column `reconciles`.
STAGES = ("rows", "events", "due")


@dataclass(frozen=True)
class Line:
    """One export date, or all of them (None), through the stages; a stage is empty where nothing could be asked."""

    export_date: date | None
    rows: Row
    events: Row
    due: Row

    @property
    def holds(self) -> bool:
        """Whether every stage reconciles."""
        return all(stage["reconciles"] for stage in (self.rows, self.events, self.due) if stage)


def lines(numbers: Numbers) -> Sequence[Line]:
    """A line an export date, the newest last, and then the sum."""
    found: dict[str, dict[date | None, Row]] = {}
    for stage in STAGES:
        of_dates = [row for row in numbers.rows(stage) if row.get("event") is None]
        found[stage] = {row["export_date"]: row for row in of_dates}
    days = sorted({day for rows in found.values() for day in rows if day is not None})
    return [Line(day, *(found[stage].get(day, {}) for stage in STAGES)) for day in [*days, None]] if days else []
