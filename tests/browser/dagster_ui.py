"""Dagster's UI as an engineer has it: used by clicking."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.end_to_end.project import Project
from tests.end_to_end.ui_process import running_ui


@dataclass(frozen=True)
class DagsterUi:
    """The pages of a UI that runs."""

    url: str

    def open_group(self, page: Page, group: str) -> None:
        """The graph of one group of assets."""
        page.goto(f"{self.url}/locations/selligent_to_segment/asset-groups/{group}")

    def open_graph(self, page: Page, groups: Sequence[str]) -> None:
        """The graph of everything, with these groups unfolded."""
        unfolded = "%2C".join(f"global%40global%3A{group}" for group in groups)
        page.goto(f"{self.url}/asset-groups?expanded={unfolded}")

    def open_materialization(self, page: Page, asset: str, date: str) -> None:
        """What an asset reported for one date."""
        page.goto(f"{self.url}/assets/{asset}?view=partitions&partition={date}")

    def open_check(self, page: Page, asset: str, check: str) -> None:
        """What one check of an asset found last."""
        page.goto(f"{self.url}/assets/{asset}?view=checks&checkDetail={check}")

    def expect_run(self, page: Page, status: str) -> None:
        """Wait until the run of this page has ended like that."""
        expect(page.get_by_text(status, exact=True)).to_be_visible()

    def materialize(self, page: Page, asset: str, date: str) -> None:
        """Click until a run of this asset and date is launched, and look at it."""
        # Where a date is chosen, the dialog has it chosen, too, however often the page makes it anew while it loads.
        self.open_materialization(page, asset, date)
        # With dots it knows already that there are dates to choose from.
        page.get_by_role("button", name="Materialize…").click()
        page.get_by_role("dialog").get_by_role("button", name="Launch 1 run").click()
        expect(page.get_by_text("Launched run")).to_be_visible()
        page.get_by_role("link", name="View", exact=True).and_(page.locator("[href^='/runs/']")).click()


@contextmanager
def dagster_ui(project: Project) -> Iterator[DagsterUi]:
    """`python -m pipeline ui` of a project."""
    with running_ui([sys.executable, "-m", "pipeline", "ui"], project.folder, project.environment) as url:
        yield DagsterUi(url)
