"""An engineer's first minutes in Dagster's UI."""

from collections import defaultdict
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.definitions import defs
from tests.browser.chromium import open_page
from tests.browser.dagster_ui import DagsterUi
from tests.end_to_end.project import Project

DATE = "2024-06-11"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    # The graph draws what is in sight, so all of it has to be.
    with open_page(browser, 1600, 3000) as page:
        yield page


@pytest.fixture(scope="module")
def loaded(browser: Browser, ui: DagsterUi) -> None:
    """`raw/events` was materialized by clicking."""
    with open_page(browser, 1600, 1200) as page:
        ui.materialize(page, "raw/events", DATE)
        ui.expect_run(page, "Success")


def test_the_graph_shows_every_asset(ui: DagsterUi, page: Page) -> None:
    groups: dict[str, set[str]] = defaultdict(set)
    for spec in defs.resolve_all_asset_specs():
        groups[spec.group_name or ""].add(spec.key.path[-1])
    assert set(groups) == {"raw", "staging", "segment", "delivery", "warehouse"}
    for group, assets in groups.items():
        ui.open_group(page, group)
        for asset in assets:
            expect(page.locator("foreignObject", has_text=f"{asset}Latest event")).to_be_visible()


def test_a_run_of_the_command_line_is_in_the_timeline_and_shows_its_dates(ui: DagsterUi, page: Page) -> None:
    page.goto(f"{ui.url}/overview/activity/timeline")
    job = "/locations/selligent_to_segment/jobs/selligent_to_segment"
    expect(page.locator(f"[href='{job}']")).to_be_visible()
    page.goto(f"{ui.url}/runs")
    expect(page.get_by_text("dates: 2024-06-12 to 2024-06-13")).to_be_visible()
    expect(page.get_by_text("lock")).to_have_count(0)
    expect(page.get_by_role("dialog")).to_have_count(0)  # of a new user, who would be asked for an address


def test_the_launchpad_shows_what_can_be_changed(ui: DagsterUi, page: Page) -> None:
    page.goto(f"{ui.url}/locations/selligent_to_segment/jobs/selligent_to_segment/playground")
    for line in ("reload: false", "full_refresh: false"):
        expect(page.get_by_text(line)).to_be_visible()


def test_a_run_of_the_command_line_is_executed_again_in_the_ui(ui: DagsterUi, page: Page, project: Project) -> None:
    before = project.query("SELECT * FROM raw.events ORDER BY ALL")
    page.goto(f"{ui.url}/runs")
    page.get_by_text("dates: 2024-06-12 to 2024-06-13").locator("xpath=preceding::a[1]").click()
    first = page.url
    page.get_by_role("button", name="Re-execute all").click()
    page.wait_for_url(lambda url: url != first)
    ui.expect_run(page, "Success")
    assert project.query("SELECT * FROM raw.events ORDER BY ALL") == before


def test_the_first_line_of_a_failure_is_its_reason(ui: DagsterUi, page: Page, project: Project) -> None:
    reason = "SELLIGENT_EXPORTS: there is no folder /nowhere"
    done = project.command("run", "--select", "raw/events", "--to", "2024-06-10", SELLIGENT_EXPORTS="/nowhere")
    assert f"failed: raw: {reason}" in done.stderr
    page.goto(f"{ui.url}/runs")
    page.get_by_text("partition: 2024-06-10").locator("xpath=preceding::a[1]").click()
    for event in ("STEP_FAILURE", "RUN_FAILURE"):
        shown = page.get_by_text(event, exact=True).locator(f"xpath=following::*[contains(., 'Failure: {reason}')][1]")
        expect(shown).to_be_visible()
    expect(page.get_by_text("DagsterExecutionStepExecutionError")).to_have_count(0)


def test_the_report_shows_a_chart_without_a_click(ui: DagsterUi, page: Page) -> None:
    ui.open_materialization(page, "delivery/report", "2024-06-13")
    chart = page.locator("tr").filter(has=page.get_by_text("delivered_of_due", exact=True))
    expect(chart).to_contain_text("12 Jun ░░░░░░░░░░░░░░░░░░░░ 0 of 2")


@pytest.mark.parametrize(("date", "rows"), [("2024-06-12", "2"), ("2024-06-13", "1")])
def test_each_date_of_a_range_has_its_own_number_of_rows(ui: DagsterUi, page: Page, date: str, rows: str) -> None:
    for asset in ("raw/events", "segment/tracks"):
        ui.open_materialization(page, asset, date)
        row = page.locator("tr").filter(has=page.get_by_text("dagster/partition_row_count", exact=True))
        expect(row.get_by_text(rows, exact=True)).to_be_visible()


@pytest.mark.usefixtures("loaded")
def test_a_materialization_shows_its_numbers_and_rows_without_names(
    ui: DagsterUi, page: Page, project: Project
) -> None:
    assert project.query(
        "SELECT event, count(*) FROM raw.events WHERE event IS NOT NULL AND export_date = ? GROUP BY ALL ORDER BY ALL",
        [DATE],
    ) == [
        ("Email Delivered", 2),
        ("Email Opened", 1),
    ]
    ui.open_materialization(page, "raw/events", DATE)
    for name, number in (("rows", "4"), ("rejected", "1"), ("suppressed", "0")):
        row = page.locator("tr").filter(has=page.get_by_text(name, exact=True))
        expect(row.get_by_text(number, exact=True)).to_be_visible()
    page.get_by_text("[Show Markdown]").click()
    preview = page.get_by_role("dialog")
    expect(preview).to_contain_text("a***")
    expect(preview).not_to_contain_text("ann")


@pytest.mark.usefixtures("loaded")
def test_a_check_that_fails_is_seen_and_says_what_to_do(ui: DagsterUi, page: Page, project: Project) -> None:
    with project.warehouse.writing() as connection:
        connection.execute("DELETE FROM raw.rejected_rows")
    ui.materialize(page, "raw/events", DATE)
    ui.expect_run(page, "Failure")
    ui.open_check(page, "raw/events", "every_row_is_accounted_for")
    expect(page.get_by_text("log_20240611.csv had 4 rows, but 3 events + 0 skipped + 0 rejected")).to_be_visible()
    expect(page.get_by_text("Materialize raw/events for these dates with `reload: true`.")).to_be_visible()
