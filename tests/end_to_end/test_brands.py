"""Several brands in one installation, as docs/operations.md describes it."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.docs.documents import OPERATIONS, blocks, section
from tests.end_to_end.copying import Copy
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.end_to_end.ui_process import running_ui
from tests.fakes.segment_server import SegmentServer

DOCUMENTED = section(OPERATIONS, "Several brands")
BRANDS = ("acme", "bravo")
# The same people, emails and times: ids differ all the same.
ROWS = ["ann,m1,c1,SENT,,2024-06-10T08:00:00Z", "ann,m1,c1,VIEW,,2024-06-10T09:00:00Z"]
JOB = {"repositoryName": "__repository__", "jobName": "selligent_to_segment"}
LOCATIONS = """{
    workspaceOrError { ... on Workspace { locationEntries {
        name locationOrLoadError { __typename ... on PythonError { message } }
    } } }
    assetNodes { assetKey { path } repository { location { name } } }
}"""
LAUNCH = """mutation($parameters: ExecutionParams!) { launchRun(executionParams: $parameters) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
} }"""
RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status tags { key value } } } }"
RUNS = """{ runsOrError { ... on Runs { results {
    status tags { key value } repositoryOrigin { repositoryLocationName }
} } } }"""


def documented(language: str) -> tuple[str, str]:
    """The only block of a language: the file that its first line names, and its text."""
    [block] = blocks(language, DOCUMENTED)
    return block.splitlines()[0].removeprefix("# "), block


@pytest.fixture
def servers() -> Any:
    with (
        SegmentServer("key-of-acme", strict_auth=True) as acme,
        SegmentServer("key-of-bravo", strict_auth=True) as bravo,
    ):
        yield {"acme": acme, "bravo": bravo}


def set_up(copied: Copy, servers: Mapping[str, SegmentServer], rows: Mapping[str, list[str]]) -> None:
    """What the documents say, for two brands; exports, layouts and endpoints are the test's own."""
    (copied.folder / "brands").mkdir()
    for brand in BRANDS:
        for language in ("dotenv", "python"):
            name, text = documented(language)
            if language == "dotenv":
                text = text.replace("# SEGMENT_WRITE_KEY=", f"SEGMENT_WRITE_KEY=key-of-{brand}")
                text = text.replace("/srv/selligent", "brands/files") + f"SEGMENT_ENDPOINT={servers[brand].url}\n"
            path = copied.folder / name.replace("acme", brand)
            path.write_text(text.replace("Acme", brand.title()).replace("acme", brand), "utf-8")
        folder = copied.folder / "brands" / "files" / brand
        for files, kind in (({"log_20240611.csv": log(rows[brand])}, "out"), (LAYOUTS, "layouts")):
            (folder / kind).mkdir(parents=True)
            for file, content in files.items():
                (folder / kind / file).write_text(content, "utf-8")
    name, text = documented("yaml")
    assert [entry["python_file"]["location_name"] for entry in yaml.safe_load(text)["load_from"]] == list(BRANDS)
    (copied.folder / name).write_text(text, "utf-8")


def ask(url: str, query: str, **variables: Any) -> Any:
    answer = requests.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer
    return answer["data"]


def statuses(url: str) -> list[tuple[str, str]]:
    """Of each run in the UI, its brand, which is its code location, and its status."""
    runs = ask(url, RUNS)["runsOrError"]["results"]
    for run in runs:
        assert {"key": "pipeline/brand", "value": run["repositoryOrigin"]["repositoryLocationName"]} in run["tags"]
    return sorted(
        (tag["value"], run["status"]) for run in runs for tag in run["tags"] if tag["key"] == "pipeline/brand"
    )


def until_ended(url: str, run: str) -> str:
    pause = threading.Event()
    for _ in range(600):
        status = str(ask(url, RUN, id=run)["runOrError"]["status"])
        if status in ("SUCCESS", "FAILURE", "CANCELED"):
            return status
        pause.wait(0.5)
    return "still active"


def test_two_brands_are_delivered_to_their_own_sources_and_are_in_one_ui_without_mixing(
    copied: Copy, servers: Mapping[str, SegmentServer]
) -> None:
    set_up(copied, servers, {"acme": ROWS, "bravo": [*ROWS, "bob,m1,c1,VIEW,,2024-06-10T09:00:00Z"]})
    data = copied.folder / "data"

    # One brand from the command line: nothing of the other is touched.
    [commands] = blocks("sh", DOCUMENTED)
    done = copied.sh(commands)
    assert len(servers["acme"].messages) == 2
    assert servers["bravo"].requests == []
    assert "acme/delivery/report" in done.stderr
    assert [path.name for path in sorted((data / "brands").iterdir())] == ["acme"]
    assert not list(data.glob("*.sqlite"))

    # Both in one UI; the other one runs there, in a process that the daemon starts.
    workspace = documented("yaml")[0]
    started = [".venv/bin/python", "-m", "pipeline", "ui", "--workspace", workspace]
    with running_ui(started, copied.folder, copied.environment) as url:
        shown = ask(url, LOCATIONS)
        entries = shown["workspaceOrError"]["locationEntries"]
        assert [(entry["name"], entry["locationOrLoadError"]) for entry in entries] == [
            (brand, {"__typename": "RepositoryLocation"}) for brand in BRANDS
        ]
        keys = {tuple(node["assetKey"]["path"]) for node in shown["assetNodes"]}
        assert {key[0] for key in keys} == set(BRANDS)
        assert all(
            node["repository"]["location"]["name"] == node["assetKey"]["path"][0] for node in shown["assetNodes"]
        )
        assert {key[1:] for key in keys if key[0] == "acme"} == {key[1:] for key in keys if key[0] == "bravo"}
        assert statuses(url) == [("acme", "SUCCESS")]

        selector = {**JOB, "repositoryLocationName": "bravo"}
        tags = [{"key": "dagster/partition", "value": "2024-06-11"}]
        launched = ask(url, LAUNCH, parameters={"selector": selector, "executionMetadata": {"tags": tags}})
        assert launched["launchRun"]["__typename"] == "LaunchRunSuccess", launched
        assert until_ended(url, launched["launchRun"]["run"]["runId"]) == "SUCCESS"
        assert statuses(url) == [("acme", "SUCCESS"), ("bravo", "SUCCESS")]

    assert len(servers["bravo"].messages) == 3
    assert len(servers["acme"].messages) == 2
    assert not servers["acme"].received_ids & servers["bravo"].received_ids
    assert not servers["acme"].dropped
    assert not servers["bravo"].dropped
    for brand, events in (("acme", "2"), ("bravo", "3")):
        status = copied.sh(f".venv/bin/python -m pipeline --env-file brands/{brand}.env status").stdout
        assert status.splitlines()[-1].split() == ["all", events, "0", events, events, "0", "0", "0"]
        count = f"SELECT count(*) AS n FROM {brand}.tracks"
        done = copied.sh(f".venv/bin/python -m pipeline --env-file brands/{brand}.env sql --format csv '{count}'")
        assert done.stdout == f"n\n{events}\n"
    assert {path.name for path in (data / "brands" / "bravo").iterdir()} >= {"dbt", "ledger.sqlite", "report"}
    assert {path.name for path in data.iterdir()} == {"brands", "dagster"}

    _check_that_oversights_are_refused(copied, servers)


def _check_that_oversights_are_refused(copied: Copy, servers: Mapping[str, SegmentServer]) -> None:
    def refusal(brand: str, command: str = "run") -> str:
        done = copied.sh(f".venv/bin/python -m pipeline --env-file brands/{brand}.env {command} 2>&1 || echo status $?")
        assert done.stdout.endswith("\nstatus 2\n"), done.stdout
        return done.stdout

    before, requests_before = _files(copied.folder / "data"), [len(server.requests) for server in servers.values()]
    (copied.folder / "brands" / "broken.env").write_text("SEGMENT_REGION: eu\n", "utf-8")
    assert "broken.env: line 1 can't be parsed" in refusal("broken")
    assert "brands/missing.env: there is no such file" in refusal("missing")
    # The stores of another brand, when its file is no longer beside this one.
    acme = copied.folder / "brands" / "acme.env"
    stores = (
        "WAREHOUSE=ducklake:sqlite:data/brands/acme/warehouse.sqlite\nLEDGER=sqlite:///data/brands/acme/ledger.sqlite"
    )
    stores += "\nWAREHOUSE_FILES=data/brands/acme/warehouse\n"
    renamed = copied.folder / "brands" / "renamed.env"
    renamed.write_text(acme.read_text("utf-8") + stores, "utf-8")
    words = refusal("renamed")
    assert "SEGMENT_WRITE_KEY: acme.env has the same; each brand needs one of its own" in words
    assert "MESSAGE_ID_NAMESPACE: acme.env has the same; each brand needs one of its own" in words
    acme.rename(acme.with_suffix(".old"))
    assert "WAREHOUSE: belongs to the brand 'acme', and these are the settings of the brand 'renamed'" in (
        refusal("renamed")
    )
    assert _files(copied.folder / "data") == before
    # Where it was renamed on purpose, the remedy works.
    renaming = ".venv/bin/python -m pipeline --env-file brands/renamed.env"
    assert "belong together" in copied.sh(f"{renaming} reconcile").stdout
    assert "There is nothing new" in copied.sh(f"{renaming} run").stdout
    assert [len(server.requests) for server in servers.values()] == requests_before


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.suffix in (".sqlite", ".parquet", ".json", ".html")}
