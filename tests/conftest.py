"""Random tests try the same examples each time, so that a change and not chance decides what fails.

`HYPOTHESIS_PROFILE=searching pytest` tries others. What could not run on this machine is reported, each reason once.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser

from tests.browser.chromium import chromium, installed
from tests.support.needed import is_lacking

pytest_plugins = ["tests.fakes.fixtures"]

# Without a deadline: how long an example takes depends on what else the machine does.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("searching", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# A shell may have the tests ignore signals, such as those that it starts in the background; so would what they start.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the stories, and of these with the files that tell most: no worker ends long after the others."""
    stories = Path(__file__).parent / "end_to_end"
    sizes = {path: path.stat().st_size for path in {item.path for item in items} if path.parent == stories}
    items.sort(key=lambda item: -sizes.get(item.path, 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("skipped")
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports)
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{reason} ({count} tests skipped)", yellow=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not installed():
        is_lacking("Chromium is not installed: the pages were not checked (Debian: `apt-get install chromium`)")
    with chromium() as found:
        yield found
