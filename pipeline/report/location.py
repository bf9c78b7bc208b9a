"""Where the report page is written: REPORT, a folder or a URL."""

from pathlib import Path

from pipeline.errors import LocationError
from pipeline.filesystems.destination import Destination
from pipeline.orchestration.system_errors import naming, words_of_error
from pipeline.settings import REPORT_PAGE, Settings

_SETTING = "REPORT"


def destination_of(settings: Settings) -> Destination:
    """The folder or URL of the page."""
    return Destination(settings.report, _SETTING)


def publish(page: str, settings: Settings) -> str:
    """Write the page to REPORT, where it replaces the former one; its location, without a login.

    Raises:
        LocationError: it can't be written; the former page, if any, is still there.
        SettingsError: a package for the location is not installed.
    """
    destination = destination_of(settings)
    shown = destination.shown(REPORT_PAGE)
    try:
        with naming(Path(shown)):
            destination.write(REPORT_PAGE, page.encode())
    except OSError as error:
        raise LocationError(f"{_SETTING}: {words_of_error(error, settings)}") from None
    return shown
