"""The report as a marketer sees it: in a browser, on a phone, printed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import open_page
from tests.report.conftest import Reported

PHONE, SCREEN = (390, 844), (1280, 900)


@contextmanager
def shown(browser: Browser, reported: Reported, size: tuple[int, int]) -> Iterator[Page]:
    """The page, which complains of nothing, opens nothing, and asks for nothing but itself."""
    complaints: list[str] = []
    asked: list[str] = []
    address = reported.published().as_uri()
    with open_page(browser, *size) as page:
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        yield page
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [address]


@pytest.mark.parametrize("size", [PHONE, SCREEN], ids=["phone", "screen"])
def test_it_fits_its_screen(browser: Browser, busy: Reported, size: tuple[int, int]) -> None:
    with shown(browser, busy, size) as page:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        charts = page.locator("figure img, figure svg")
        assert charts.count() > 0
        for chart in charts.all():
            box = chart.bounding_box()
            assert box is not None
            assert box["height"] > 50
            assert box["x"] + box["width"] <= size[0]


def test_a_number_leads_to_its_sql(browser: Browser, busy: Reported) -> None:
    with shown(browser, busy, SCREEN) as page:
        number = page.locator("a.n").first
        target = str(number.get_attribute("href"))
        number.click()
        expect(page.locator(target)).to_be_in_viewport()
        expect(page.locator(target).locator("code")).to_contain_text("SELECT")


def test_it_can_be_printed(browser: Browser, busy: Reported) -> None:
    with shown(browser, busy, SCREEN) as page:
        assert page.pdf(format="A4").startswith(b"%PDF")
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") in (
            "rgb(255, 255, 255)",
            "rgba(0, 0, 0, 0)",
        )


def test_an_empty_one_is_a_page_as_well(browser: Browser, nothing: Reported) -> None:
    with shown(browser, nothing, PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
