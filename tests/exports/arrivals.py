"""Files that arrive again and again: their rows, their dates, and a location that records the fetched ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from pipeline.exports.listing import ExportFile
from pipeline.exports.loading import Loaded
from pipeline.exports.locations import ExportLocation, LocalCopy
from tests.support.export_folder import ZOE

HOUR = timedelta(hours=1)
MONDAY, TUESDAY, WEDNESDAY = date(2024, 6, 10), date(2024, 6, 11), date(2024, 6, 12)
DATED = r"opens_(?P<date>\d{8})(_\d)?\.csv"
JEF = "C-2,jef@example.com,Soldes,2024-06-11T10:00:00\n"
REFUSED = "NOTHING,HERE\n1,2\n"


def zoe(subject: str) -> str:
    """A row of the same person; the same bytes would be loaded once."""
    return ZOE.replace("Soldes", subject)


class WatchedLocation(ExportLocation):
    """Remembers which files were fetched, and can lose one between the look and the reading."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.fetched: list[str] = []
        self.failing: str | None = None

    @contextmanager
    def local(self, file: ExportFile) -> Iterator[LocalCopy]:
        if file.name == self.failing:
            raise ConnectionError("the line went dead")
        self.fetched.append(file.name)
        with super().local(file) as copy:
            yield copy


def names(loaded: Loaded) -> list[tuple[str, str]]:
    """Which files were loaded, and what became of each."""
    return [(file.name, file.status) for file in loaded.files]
