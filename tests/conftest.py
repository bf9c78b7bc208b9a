"""Random tests try the same examples each time, so that a change and not chance decides what fails.

`HYPOTHESIS_PROFILE=searching pytest` tries others. What could not run on this machine is reported, each reason once.
"""

import os
from collections import Counter
from collections.abc import Iterator

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
