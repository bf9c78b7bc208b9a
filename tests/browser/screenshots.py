"""The pictures of the documents, taken with the examples.

python -m tests.browser.screenshots
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, FloatRect, expect

from pipeline.settings import PROJECT_ROOT
from tests.browser.chromium import chromium, open_page
from tests.browser.dagster_ui import DagsterUi, dagster_ui
from tests.end_to_end.project import Project
from tests.fakes.segment_server import SegmentServer

DOCS = PROJECT_ROOT / "docs"
GROUPS = ("segment", "delivery")  # unfolded; with all of them the letters would be too small


def main() -> None:
    """Deliver the examples to a test server, and take the pictures."""
    DOCS.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="screenshots_") as folder, SegmentServer() as segment, chromium() as browser:
        project = Project(Path(folder)).with_examples()
        project.settings |= {"SEGMENT_ENDPOINT": segment.url, "SEGMENT_WRITE_KEY": "screenshots"}
        project.run()
        report(browser, project)
        with dagster_ui(project) as ui:
            graph(browser, ui)
            materialization(browser, ui)


def report(browser: Browser, project: Project) -> None:
    """The upper part of the report."""
    with open_page(browser, 1200, 1045) as page:
        page.goto((project.data / "report" / "index.html").as_uri())
        page.screenshot(path=DOCS / "report.png")


def graph(browser: Browser, ui: DagsterUi) -> None:
    """The assets from left to right, the first ones folded into their groups."""
    # Tall enough for all of it, since only what is in sight is drawn; then cut to what there is.
    with open_page(browser, 2600, 2400) as page:
        ui.open_graph(page, GROUPS)
        page.get_by_role("button", name="Hide navigation").click()
        page.get_by_placeholder("Jump to…").locator("xpath=following::button[1]").click()  # the tree of names
        for name in ("tracks", "report"):
            expect(page.locator("foreignObject", has_text=f"{name}Latest event")).to_be_visible()
        expect(page.get_by_text("Loading...")).to_have_count(0)
        boxes = [box for node in page.locator("foreignObject").all() if (box := node.bounding_box())]
        left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
        right = max(box["x"] + box["width"] for box in boxes)
        bottom = max(box["y"] + box["height"] for box in boxes)
        clip = FloatRect(x=left - 40, y=top - 100, width=right - left + 80, height=bottom - top + 130)
        page.screenshot(path=DOCS / "graph.png", clip=clip)


def materialization(browser: Browser, ui: DagsterUi) -> None:
    """What the report shows of one date in Dagster's UI."""
    with open_page(browser, 1500, 1000) as page:
        ui.open_materialization(page, "delivery/report", "2024-06-13")
        page.get_by_role("button", name="Hide navigation").click()
        shown = page.locator("tr").filter(has=page.get_by_text("delivered_of_due", exact=True))
        expect(shown).to_contain_text(" of ")
        expect(page.get_by_text("Loading")).to_have_count(0)
        page.screenshot(path=DOCS / "materialization.png")


if __name__ == "__main__":
    main()
