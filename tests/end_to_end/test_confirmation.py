"""What Segment kept is asked of Segment, and put beside what was delivered."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from starlette.responses import Response

from tests.end_to_end.project import Project, copied_to
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.fakes.public_api_server import FILTERED, RECEIVED, Happened, PublicApiServer
from tests.fakes.segment_server import SegmentServer

TOKEN = "sgp_Tk9x-token-secret"
ROWS = [
    "ann,m1,c1,SENT,,2024-06-10T07:00:00Z",
    "ann,m1,c1,VIEW,,2024-06-10T08:00:00Z",
    "bob,m1,c1,VIEW,,2024-06-10T08:00:00Z",
]
CHECK = dg.AssetCheckKey(dg.AssetKey(["delivery", "confirmation"]), "segment_kept_what_was_delivered")


@dataclass(frozen=True)
class FirstRun:
    """A project that has delivered and asked for the first time: its folder, Segment, and what happened."""

    folder: Path
    segment: SegmentServer
    ended: "subprocess.CompletedProcess[str]"
    asked: Sequence[object]


@pytest.fixture(scope="module")
def first_run(place: Path, parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstRun]:
    folder = tmp_path_factory.mktemp("first-run") / "project"
    with SegmentServer() as segment:
        with PublicApiServer(TOKEN) as public_api, copied_to(place, parsed, folder) as copied:
            project = confirmed_by(public_api, copied.delivering_to(segment.url))
            ended = project.with_files({"log_20240611.csv": log(ROWS)}, LAYOUTS).command("run")
        yield FirstRun(folder, segment, ended, list(public_api.asked))


@pytest.fixture
def public_api() -> Iterator[PublicApiServer]:
    with PublicApiServer(TOKEN) as server:
        yield server


@pytest.fixture
def segment(first_run: FirstRun) -> SegmentServer:
    return first_run.segment


@pytest.fixture
def confirming(first_run: FirstRun, public_api: PublicApiServer, place: Path, tmp_path: Path) -> Iterator[Project]:
    """A project that has delivered, and asks this server from now on."""
    with copied_to(place, first_run.folder, tmp_path / "project") as project:
        yield confirmed_by(public_api, project.delivering_to(first_run.segment.url))


def confirmed_by(public_api: PublicApiServer, project: Project) -> Project:
    project.settings |= {
        "SEGMENT_PUBLIC_API": public_api.url,
        "SEGMENT_PUBLIC_API_TOKEN": TOKEN,
        "SEGMENT_SOURCE_ID": "source-1",
    }
    return project


@dataclass(frozen=True)
class Shown:
    """What Dagster shows of the newest confirmation."""

    passed: bool
    severity: str
    sentence: str
    metadata: dict[str, object]


def shown(project: Project) -> Shown:
    with dg.DagsterInstance.from_config(str(project.data / "dagster")) as instance:
        (record,) = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=1)
        event = instance.get_latest_materialization_event(CHECK.asset_key)
    assert record.event is not None
    assert event is not None
    assert event.asset_materialization is not None
    evaluation = record.event.dagster_event.event_specific_data  # type: ignore[union-attr]
    metadata = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    return Shown(evaluation.passed, evaluation.severity.value, evaluation.description, metadata)


def three_hours_pass(project: Project) -> datetime:
    """Everything was delivered three hours ago: the ledger says so, and the test did not wait."""
    then = datetime.now(UTC) - timedelta(hours=3)
    engine = sa.create_engine(project.environment["LEDGER"])
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE batches SET first_attempt_at = :then, delivered_at = :then"),
            {"then": then.strftime("%Y-%m-%d %H:%M:%S.%f")},
        )
    engine.dispose()
    return then


def files_with(folder: Path, secret: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_what_segment_received_is_confirmed_when_it_has_counted(
    first_run: FirstRun, confirming: Project, segment: SegmentServer, public_api: PublicApiServer
) -> None:
    """The run itself is too early to know; asked again later, Segment has all three."""
    assert first_run.ended.returncode == 0, first_run.ended.stderr
    found = shown(confirming)
    assert found.passed
    assert found.sentence.startswith("Not yet confirmed: 3 events delivered since ")
    assert first_run.asked == []

    public_api.feed(segment, three_hours_pass(confirming))
    assert confirming.materialize("delivery/confirmation", "2024-06-11")
    found = shown(confirming)
    assert found.passed
    assert found.sentence.startswith("Segment received all 3 events that were delivered from ")
    numbers = ("delivered", "received", "discarded", "missing", "more")
    assert [found.metadata[number] for number in numbers] == [3, 3, 0, 0, 0]
    assert "| email_opened | 2 | 2 | 0 | 0 | 0 | 0 |" in str(found.metadata["by_event"])
    assert set(public_api.statuses) == {200}
    assert not segment.duplicates
    assert files_with(confirming.folder, TOKEN) == []


def test_an_event_that_segment_dropped_without_a_word_is_shown_with_its_reason(
    confirming: Project, segment: SegmentServer, public_api: PublicApiServer
) -> None:
    """All three got their 200; the source's tracking plan does not know who opens an email."""
    then = three_hours_pass(confirming)
    names = [message["event"] for message in segment.messages.values()]
    assert sorted(names) == ["Email Delivered", "Email Opened", "Email Opened"]
    public_api.record(
        Happened(RECEIVED, "Email Delivered", then),
        Happened(RECEIVED, "Email Opened", then),
        Happened(FILTERED, "Email Opened", then, reason="unplanned"),
    )
    assert confirming.materialize("delivery/confirmation", "2024-06-11")
    found = shown(confirming)
    assert (found.passed, found.severity) == (False, "WARN")
    assert "discarded 1 email_opened for unplanned (" in found.sentence
    assert "| email_opened | 2 | 1 | 0 | 1 unplanned | 0 | 0 |" in str(found.metadata["by_event"])


def test_a_public_api_that_fails_warns_and_fails_no_run(confirming: Project, public_api: PublicApiServer) -> None:
    three_hours_pass(confirming)
    public_api.answer_next(Response(f"unknown token {TOKEN}", 401))
    done = confirming.command("run", "--from", "2024-06-11", "--to", "2024-06-11")
    assert done.returncode == 0
    assert "unknown token ***. Check SEGMENT_PUBLIC_API_TOKEN" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    found = shown(confirming)
    assert (found.passed, found.severity) == (False, "WARN")
    assert files_with(confirming.folder, TOKEN) == []


def test_without_a_token_it_says_that_confirmation_is_off(confirming: Project, segment: SegmentServer) -> None:
    project = Project(confirming.folder).delivering_to(segment.url)
    assert project.materialize("delivery/confirmation", "2024-06-11")
    found = shown(project)
    assert found.passed
    assert found.metadata["confirmation"] == "off"
    assert found.sentence == (
        "Confirmation is off: set SEGMENT_PUBLIC_API_TOKEN and SEGMENT_SOURCE_ID to compare with Segment's counts."
    )
