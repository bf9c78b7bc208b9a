"""Files that arrive again and again: their rows, their dates, and a location that records the fetched ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from pipeline.export_dates import ExportDates
from pipeline.exports.discovery import Discovered, KnownFiles, Look, Watch, known_files
from pipeline.exports.listing import ExportFile
from pipeline.exports.loading import Loaded, load
from pipeline.exports.locations import ExportLocation, LocalCopy
from tests.support.export_folder import LOADABLE, NOW, ZOE, Desk

HOUR = timedelta(hours=1)
BEHIND, AHEAD = timedelta(hours=-2), timedelta(hours=3)
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


class Looking:
    """One process that looks again and again; time passes as it sleeps, and is that of no clock on the wall."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.seconds = 1_000.0
        self.slept: list[float] = []
        self.meanwhile: list[tuple[str, str, timedelta]] = []
        self.during_sleep: Callable[[], None] = lambda: None
        self.watch = Watch(lambda: self.seconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        for name, content, clock in self.meanwhile:
            self.desk.put(name, content, NOW + clock)
        self.during_sleep()

    def known(self) -> KnownFiles:
        return known_files(self.desk.connection)

    def loadable(self) -> ExportDates:
        return ExportDates(LOADABLE.first, (NOW + AHEAD).date())

    def discover(self) -> Discovered:
        return self.look().settled(self.known)

    def look(self) -> Look:
        return Look(self.desk.location, self.desk.layouts, self.watch, self.loadable, self.sleep)

    def load(self) -> Loaded:
        """Load what the first listing has, and commit what the second one does."""
        look, known = self.look(), self.known()
        return load(self.desk.connection, self.desk.location, look.first, lambda: look.settled(lambda: known), now=NOW)
