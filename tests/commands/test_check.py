"""`python -m pipeline check` as it is typed: a line a point, and no store is created."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pipeline.preflight.points import Outcome
from pipeline.preflight.stores import store_points
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import Warehouse
from tests.end_to_end.tiny_exports import CAMPAIGNS, LAYOUT, log
from tests.fakes.public_api_server import PublicApiServer
from tests.fakes.segment_server import SegmentServer
from tests.fakes.sftp import Sftp
from tests.support.warehouses import ducklake_in, plain_file_in

KEY = "Zk4tQ9vLr2Xw7Hn1Bc6Ym3Ps8Dg5Jf0A"
TOKEN = "sgp_Tk9x-token-secret"
ROWS = ["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"]


@pytest.fixture
def segment() -> Iterator[SegmentServer]:
    with SegmentServer(KEY, strict_auth=True) as server:
        yield server


@pytest.fixture
def public_api() -> Iterator[PublicApiServer]:
    with PublicApiServer(TOKEN) as server:
        server.source = {**server.source, "writeKeys": [KEY]}
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """An installation that is complete but for its stores, which its first run creates."""
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts" / "log.yml").write_text(LAYOUT)
    (tmp_path / "exports").mkdir()
    for name in ("log_20240611.csv", "log_20240612.csv"):
        (tmp_path / "exports" / name).write_text(log(ROWS))
    return {
        "PIPELINE_DATA_DIR": f"{tmp_path}/data",
        "SELLIGENT_EXPORTS": f"{tmp_path}/exports",
        "SELLIGENT_LAYOUTS": f"{tmp_path}/layouts",
        "WAREHOUSE": f"ducklake:sqlite:{tmp_path}/stores/warehouse.sqlite",
        "WAREHOUSE_FILES": f"{tmp_path}/stores/warehouse",
        "LEDGER": f"sqlite:///{tmp_path}/stores/ledger.sqlite",
    }


def command(settings: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    words = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(words, env={**kept, **settings}, capture_output=True, text=True, check=False)


def check(settings: Mapping[str, str], *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit status, and the outcome and the sentence of each point by its subject."""
    done = command(settings, "check", *arguments)
    assert done.stderr == ""
    assert KEY not in done.stdout
    assert TOKEN not in done.stdout
    points = {}
    for line in done.stdout.splitlines():
        outcome, _, rest = line.partition(" ")
        subject, _, sentence = rest.strip().partition(": ")
        points[subject] = outcome, sentence
    return done.returncode, points


def outcomes(points: Mapping[str, tuple[str, str]], outcome: str) -> dict[str, str]:
    return {subject: sentence for subject, (found, sentence) in points.items() if found == outcome}


def test_a_usable_installation_passes_and_the_test_event_arrives(
    settings: dict[str, str], segment: SegmentServer, tmp_path: Path
) -> None:
    settings |= {"SEGMENT_WRITE_KEY": KEY, "SEGMENT_ENDPOINT": segment.url}
    status, points = check(settings)
    assert status == 0
    assert outcomes(points, "ok")["layout log.yml"] == "matches 2 files, the newest of 2024-06-12"
    assert outcomes(points, "ok")["SELLIGENT_EXPORTS"] == f"{tmp_path}/exports contains 2 files"
    assert outcomes(points, "warning").keys() == {"SEGMENT_ENDPOINT"}
    assert segment.messages == {}
    assert not (tmp_path / "stores").exists()

    status, points = check(settings, "--send-test")
    [message] = segment.messages.values()
    assert (status, message["event"], message["properties"]) == (0, "Selligent Pipeline Test", {"test": True})
    assert message["messageId"] in points["test event"][1]
    assert segment.dropped == {}


def test_every_wrong_setting_has_a_line(settings: dict[str, str]) -> None:
    wrong = {"SEGMENT_REGION": "ue", "LEDGER": "here", "SEGMENT_PUBLIC_API_TOKEN": TOKEN}
    status, points = check({**settings, **wrong})
    assert status == 1
    assert points == {
        "SEGMENT_REGION": ("failed", "'ue' is not 'us' or 'eu'"),
        "SEGMENT_SOURCE_ID": ("failed", "is missing, and SEGMENT_PUBLIC_API_TOKEN is set; set both or neither"),
        "LEDGER": ("failed", "is not a SQLAlchemy URL such as sqlite:///data/ledger.sqlite"),
    }


def test_a_wrong_layout_does_not_hide_the_others(settings: dict[str, str], tmp_path: Path) -> None:
    layouts = tmp_path / "layouts"
    (layouts / "campaigns.yml").write_text(CAMPAIGNS)
    (layouts / "broken.yml").write_text("name: broken\nkind: event\n")
    (tmp_path / "exports" / "notes.txt").write_text("hello")
    status, points = check(settings)
    assert "files" not in points, "the broken layout may match it"
    assert status == 1
    assert "broken.yml: " in outcomes(points, "failed")["layouts"]
    assert points["layout log.yml"][0] == "ok"
    assert outcomes(points, "warning")["layout campaigns.yml"].startswith("matches no file")

    (layouts / "broken.yml").unlink()
    status, points = check(settings)
    assert status == 0
    assert points["files"][1].startswith("1 file ignored ('notes.txt'): no layout matches its name")


def test_the_newest_file_of_each_layout_is_read_if_asked_for(settings: dict[str, str], tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    (tmp_path / "layouts" / "campaigns.yml").write_text(CAMPAIGNS)
    (exports / "campaigns_20240611.csv").write_text("ID,NAME\nc1,Welcome\n")
    (exports / "log_20240612.csv").write_text(log([*ROWS * 30, "ann,m1,c1,VIEW,,yesterday"]))
    _, points = check(settings)
    assert not [subject for subject in points if subject.startswith("rows of")]

    status, points = check(settings, "--read")
    assert status == 0
    assert points["rows of layout campaigns"] == (
        "ok",
        "campaigns_20240611.csv has 1 row of campaigns, 0 skipped, 0 rejected",
    )
    outcome, sentence = points["rows of layout log"]
    assert (outcome, sentence.partition(" (")[0]) == (
        "ok",
        "log_20240612.csv has 30 rows of events, 0 skipped, 1 rejected",
    )
    assert "(the first in line 32: the date-time 'yesterday' in column WHEN cannot be read as ISO 8601" in sentence
    assert not (tmp_path / "stores").exists()


def test_a_newest_file_that_a_run_would_warn_of_or_refuse_is_reported(settings: dict[str, str], tmp_path: Path) -> None:
    newest = tmp_path / "exports" / "log_20240612.csv"
    newest.write_text(log(ROWS).replace("WHO", "CUSTOMER", 1))
    status, points = check(settings, "--read")
    outcome, sentence = points["rows of layout log"]
    assert (status, outcome) == (0, "warning")
    assert "the file has no column 'WHO'" in sentence

    newest.write_bytes(b"\x00\x01")
    status, points = check(settings, "--read")
    assert status == 1
    assert points["rows of layout log"][0] == "failed"
    assert points["rows of layout log"][1].startswith("log_20240612.csv is refused: ")


def test_a_file_of_several_layouts_is_counted_for_each_of_them(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "layouts" / "campaigns.yml").write_text(CAMPAIGNS.replace("campaigns_", "log_"))
    status, points = check(settings)
    assert status == 0
    matching = "matches 2 files, the newest of 2024-06-12"
    assert {points[f"layout {name}.yml"] for name in ("log", "campaigns")} == {("ok", matching)}
    assert points["SELLIGENT_EXPORTS"][1].endswith("contains 2 files")


def test_files_before_the_first_export_date_are_one_line(settings: dict[str, str]) -> None:
    _, points = check({**settings, "FIRST_EXPORT_DATE": "2024-07-01"})
    found = outcomes(points, "warning")
    assert found["layout log.yml"] == "none of the 2 files with such a name can be loaded, see below"
    assert found["files"] == (
        "2 files ignored ('log_20240611.csv', 'log_20240612.csv'): its name says 2024-06-11, which is before "
        "FIRST_EXPORT_DATE (2024-07-01)"
    )


def test_two_layouts_with_one_name_fail(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "layouts" / "other.yml").write_text(LAYOUT.replace("log_", "other_"))
    status, points = check(settings)
    assert status == 1
    assert outcomes(points, "failed") == {
        "layouts": "other.yml: name: 'log' is already the name of another layout",
    }


def test_a_property_of_another_type_than_its_column_fails(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "stores").mkdir()
    warehouse = ducklake_in(tmp_path / "stores")
    with warehouse.writing() as connection:
        connection.execute("INSERT INTO raw.properties VALUES ('Email Opened', 'link', 'link', 'integer')")
    (tmp_path / "layouts" / "log.yml").write_text(f"{LAYOUT}properties: {{LINK: link}}\n")
    status, points = check({**settings, "WAREHOUSE": warehouse.location, "WAREHOUSE_FILES": warehouse.files})
    assert status == 1
    assert "'link' is text, and the event tables have it as integer" in points["layouts"][1]


def test_the_report_is_tried_out_and_nothing_is_left(
    settings: dict[str, str], known_sftp: Sftp, tmp_path: Path
) -> None:
    _, points = check(settings)
    assert points["REPORT"] == ("ok", f"{tmp_path}/data/report does not exist yet; the first run creates it")
    (tmp_path / "pages").mkdir()
    _, points = check({**settings, "REPORT": f"{tmp_path}/pages"})
    assert points["REPORT"] == ("ok", f"{tmp_path}/pages is the folder of the report page, and can be written")

    shown = f"sftp://127.0.0.1:{known_sftp.port}/pages/"
    settings["REPORT"] = known_sftp.url("/pages")
    status, points = check(settings)
    assert (status, points["REPORT"]) == (0, ("ok", f"{shown} does not exist yet; the first run creates it"))
    assert list(known_sftp.folder.iterdir()) == []
    (known_sftp.folder / "pages").mkdir()
    assert check(settings)[1]["REPORT"] == ("ok", f"{shown} can be written")
    assert list((known_sftp.folder / "pages").iterdir()) == []

    settings["REPORT"] = known_sftp.url("/pages", password="wrong")
    status, points = check(settings)
    assert (status, points["REPORT"][0]) == (1, "failed")
    assert points["REPORT"][1].startswith(f"{shown} can't be reached (PermissionError: the login was refused")


def test_places_that_do_not_exist_fail(settings: dict[str, str], tmp_path: Path) -> None:
    missing = {"SELLIGENT_EXPORTS": f"{tmp_path}/nowhere", "SELLIGENT_SUPPRESSED": f"{tmp_path}/people.csv"}
    status, points = check({**settings, **missing})
    assert status == 1
    assert points["SELLIGENT_EXPORTS"] == ("failed", f"there is no folder {tmp_path}/nowhere")
    assert points["SELLIGENT_SUPPRESSED"][0] == "failed"


def test_a_warehouse_of_other_settings_fails(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "stores").mkdir()
    warehouse = ducklake_in(tmp_path / "stores")
    with warehouse.writing() as connection:
        connection.execute("INSERT INTO raw.origin VALUES ('message_id_namespace', 'example.com')")
    stores = {"WAREHOUSE": warehouse.location, "WAREHOUSE_FILES": warehouse.files}
    status, points = check({**settings, **stores})
    assert status == 1
    assert "MESSAGE_ID_NAMESPACE: the warehouse was created with 'example.com'" in points["WAREHOUSE"][1]
    status, points = check({**settings, **stores, "MESSAGE_ID_NAMESPACE": "example.com"})
    assert (status, points["WAREHOUSE"][0]) == (0, "ok")


def test_a_warehouse_that_a_run_has_open_is_not_waited_for(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "stores").mkdir()
    warehouse = plain_file_in(tmp_path / "stores")
    with warehouse.writing():
        holder = Path(sys.executable).resolve().name
        status, points = check({**settings, "WAREHOUSE": warehouse.location})
        words = f"{warehouse.location} is locked by process {os.getpid()} ({holder}), as by a run; check again when it"
    assert (status, points["WAREHOUSE"]) == (0, ("warning", f"{words} has ended"))


@pytest.mark.parametrize(
    ("source", "subject", "outcome", "words"),
    [
        ({}, "SEGMENT_WRITE_KEY", "ok", "is a key of the source 'Selligent'"),
        ({"enabled": False}, "SEGMENT_SOURCE_ID", "failed", "'Selligent' is disabled, and its events are lost"),
        ({"writeKeys": ["another"]}, "SEGMENT_WRITE_KEY", "failed", "is no key of the source 'Selligent'"),
        ({"writeKeys": None}, "SEGMENT_SOURCE_ID", "failed", "does not have the documented shape"),
    ],
)
def test_the_source_is_looked_up_with_a_token(
    settings: dict[str, str],
    public_api: PublicApiServer,
    source: Mapping[str, object],
    subject: str,
    outcome: str,
    words: str,
) -> None:
    public_api.source = {**public_api.source, **source}
    settings |= {
        "SEGMENT_WRITE_KEY": KEY,
        "SEGMENT_PUBLIC_API": public_api.url,
        "SEGMENT_PUBLIC_API_TOKEN": TOKEN,
        "SEGMENT_SOURCE_ID": "source-1",
    }
    status, points = check(settings)
    assert points[subject][0] == outcome
    assert words in points[subject][1]
    assert status == int(outcome == "failed")


@pytest.mark.parametrize(("token", "source"), [("wrong-token", "source-1"), (TOKEN, "source-2")])
def test_a_source_that_is_not_found_fails(
    settings: dict[str, str], public_api: PublicApiServer, token: str, source: str
) -> None:
    settings |= {
        "SEGMENT_PUBLIC_API": public_api.url,
        "SEGMENT_PUBLIC_API_TOKEN": token,
        "SEGMENT_SOURCE_ID": source,
    }
    status, points = check(settings)
    assert (status, points["SEGMENT_SOURCE_ID"][0]) == (1, "failed")
    assert "Check SEGMENT_" in points["SEGMENT_SOURCE_ID"][1]


@pytest.mark.parametrize("key", [KEY[:-1], f"{KEY}x", "Zk4tQ9vLr2Xw7Hn1Bc6Ym3Ps8Dg5Jf-A"])
def test_a_key_of_another_form_is_a_warning_here_and_in_a_run(
    settings: dict[str, str], key: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    settings |= {"SEGMENT_WRITE_KEY": key, "SELLIGENT_EXPORTS": f"{tmp_path}/empty"}
    done = command(settings, "run")
    assert (done.returncode, done.stderr.count("SEGMENT_WRITE_KEY: has ")) == (0, 1)
    assert key not in done.stderr + done.stdout
    status, points = check(settings)
    assert status == 0
    assert points["SEGMENT_WRITE_KEY"][0] == "warning"
    assert f"has {len(key)} characters" in points["SEGMENT_WRITE_KEY"][1]
    assert key not in str(points)


def test_a_test_event_that_is_refused_fails(settings: dict[str, str], segment: SegmentServer) -> None:
    wrong = "Zk4tQ9vLr2Xw7Hn1Bc6Ym3Ps8Dg5Jf0B"
    status, points = check({**settings, "SEGMENT_WRITE_KEY": wrong, "SEGMENT_ENDPOINT": segment.url}, "--send-test")
    assert (status, points["test event"][0]) == (1, "failed")
    assert "Check SEGMENT_WRITE_KEY and SEGMENT_REGION" in points["test event"][1]
    assert wrong not in str(points)


def test_a_lost_ledger_fails(settings: dict[str, str], tmp_path: Path) -> None:
    assert check(settings)[0] == 0
    with Warehouse(settings["WAREHOUSE"], f"{tmp_path}/stores/warehouse/").writing() as connection:
        assert check(settings)[1]["LEDGER"][0] == "ok"
        connection.execute("INSERT INTO delivery.outbox (id, export_date) VALUES (uuid(), DATE '2024-06-11')")
    status, points = check(settings)
    assert (status, points["LEDGER"][0]) == (1, "failed")
    assert "does not exist, and the warehouse has events that were due" in points["LEDGER"][1]
    assert not (tmp_path / "stores" / "ledger.sqlite").exists()


def test_a_store_that_can_not_be_created_fails(
    settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the file system, since a superuser may write everywhere."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    points = {point.subject: point for point in store_points(load_settings())}
    assert {point.outcome for point in points.values()} == {Outcome.FAILED}
    assert points["LEDGER"].sentence == f"{tmp_path} can't be written; change its owner or mode, or the setting"
