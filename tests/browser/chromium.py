"""The browser that the tests look through: Chromium as the system has it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",  # a container's root has none
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
)
# The menu is out of the way. Nothing else is set: a pop-up for new users would be in the way of every click.
_SETTLED = "localStorage.setItem('large-screen-nav-open', 'false')"
PATIENCE = 120_000  # milliseconds: an answer is awaited, and what takes longer than this is broken
expect.set_options(timeout=PATIENCE)


def installed() -> str | None:
    """Where it is; None where there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser: Browser, width: int, height: int) -> Iterator[Page]:
    """An empty page of that many pixels, in a profile of its own."""
    context = browser.new_context(viewport={"width": width, "height": height})
    context.add_init_script(_SETTLED)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()  # or Dagster's page would go on asking for news
