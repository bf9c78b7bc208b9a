"""Dagster's UI as an engineer has it: started by the command, used by clicking."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType

import requests
from playwright.sync_api import Page, expect
from urllib3.util import Retry

from tests.browser.chromium import PATIENCE
from tests.end_to_end.project import Project


class DagsterUi:
    """`python -m pipeline ui` for a project, until it is stopped as Ctrl-C stops it."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def __enter__(self) -> "DagsterUi":
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = self._project.folder / "ui.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "ui", "--port", str(port)],
                env=self._project.environment,
                cwd=self._project.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _answer(f"{self.url}/server_info")
        except requests.RequestException as error:
            self._stop()
            raise AssertionError(self.log.read_text()) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)
        self._process.wait(PATIENCE / 1000)

    def open_group(self, page: Page, group: str) -> None:
        """The graph of one group of assets."""
        page.goto(f"{self.url}/locations/selligent_to_segment/asset-groups/{group}")

    def open_graph(self, page: Page, groups: Sequence[str]) -> None:
        """The graph of everything, with these groups unfolded."""
        unfolded = "%2C".join(f"global%40global%3A{group}" for group in groups)
        page.goto(f"{self.url}/asset-groups?expanded={unfolded}")

    def open_materialization(self, page: Page, asset: str, date: str) -> None:
        """What an asset said of one date."""
        page.goto(f"{self.url}/assets/{asset}?view=partitions&partition={date}")

    def open_check(self, page: Page, asset: str, check: str) -> None:
        """What one check of an asset found last."""
        page.goto(f"{self.url}/assets/{asset}?view=checks&checkDetail={check}")

    def expect_run(self, page: Page, status: str) -> None:
        """Wait until a run has ended like that."""
        page.goto(f"{self.url}/runs")
        expect(page.get_by_text(status, exact=True)).to_be_visible()

    def materialize(self, page: Page, asset: str, date: str) -> None:
        """Click until a run of this asset and date is launched."""
        page.goto(f"{self.url}/assets/{asset}")
        # With dots it knows already that there are dates to choose from.
        page.get_by_role("button", name="Materialize…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("Show all partitions").click()
        dialog.get_by_placeholder("ex: ").fill(date)
        dialog.get_by_placeholder("ex: ").press("Tab")
        dialog.get_by_role("button", name="Launch").click()
        expect(page.get_by_text("Launched run")).to_be_visible()


def _answer(url: str) -> None:
    """Wait until there is somebody."""
    with requests.Session() as session:
        session.mount(
            "http://", requests.adapters.HTTPAdapter(max_retries=Retry(200, backoff_factor=0.1, backoff_max=1))
        )
        session.get(url, timeout=30).raise_for_status()
