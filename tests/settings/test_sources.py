"""Settings come from the environment or from `.env`; what is not set has its default."""

import os
from datetime import date
from pathlib import Path

import pytest

from pipeline.settings import PROJECT_ROOT, Settings
from tests.settings.environment import NAMES, Environment


def test_every_setting_of_the_contract_has_its_default(environment: Environment) -> None:
    found = environment.load()
    assert found.model_dump() == {
        "selligent_exports": f"{PROJECT_ROOT}/examples/exports",
        "selligent_layouts": PROJECT_ROOT / "examples" / "layouts",
        "selligent_suppressed": None,
        "selligent_follow_links": False,
        "selligent_pgp_key": None,
        "selligent_pgp_passphrase": None,
        "first_export_date": date(2024, 1, 1),
        "segment_source_name": "Selligent Marketing Cloud",
        "segment_write_key": None,
        "segment_region": "us",
        "segment_endpoint": "https://api.segment.io",
        "segment_events_per_second": 1000,
        "segment_backfill_events_per_second": None,
        "segment_connections": 8,
        "segment_integrations": None,
        "segment_public_api": "https://api.segmentapis.com",
        "segment_public_api_token": None,
        "segment_source_id": None,
        "message_id_namespace": "Selligent Marketing Cloud",
        "segment_anonymous_id": "email",
        "segment_traits_email": "plain",
        "segment_bots": "send",
        "segment_identify": False,
        "warehouse": f"ducklake:sqlite:{PROJECT_ROOT}/data/warehouse.sqlite",
        "warehouse_files": f"{PROJECT_ROOT}/data/warehouse/",
        "ledger": f"sqlite:///{PROJECT_ROOT}/data/ledger.sqlite",
        "alert_webhook": None,
        "report": f"{PROJECT_ROOT}/data/report",
        "keep_snapshots_days": 30,
        "keep_runs_days": 90,
    }
    assert found.schema_name == "selligent_marketing_cloud"
    assert not found.delivers


def test_paths_are_relative_to_the_project_wherever_a_command_is_started(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    found = environment.load(
        SELLIGENT_EXPORTS="in",
        SELLIGENT_LAYOUTS="layouts",
        SELLIGENT_SUPPRESSED="suppressed.csv",
        WAREHOUSE="ducklake:sqlite:lake.sqlite",
        WAREHOUSE_FILES="files",
        LEDGER="sqlite:///ledger.sqlite",
        REPORT="pages/",
    )
    assert found.selligent_exports == f"{PROJECT_ROOT}/in"
    assert found.selligent_layouts == PROJECT_ROOT / "layouts"
    assert found.selligent_suppressed == f"{PROJECT_ROOT}/suppressed.csv"
    assert found.warehouse == f"ducklake:sqlite:{PROJECT_ROOT}/lake.sqlite"
    assert found.warehouse_files == f"{PROJECT_ROOT}/files/"
    assert found.ledger == f"sqlite:///{PROJECT_ROOT}/ledger.sqlite"
    assert found.report == f"{PROJECT_ROOT}/pages"
    assert environment.load(WAREHOUSE="lake.duckdb").warehouse == f"{PROJECT_ROOT}/lake.duckdb"


def test_absolute_paths_and_urls_stay_as_they_are(environment: Environment) -> None:
    found = environment.load(
        SELLIGENT_EXPORTS="/in",
        SELLIGENT_LAYOUTS="/layouts",
        WAREHOUSE="ducklake:sqlite:/lake.sqlite",
        WAREHOUSE_FILES="/files/",
        LEDGER="sqlite:////ledger.sqlite",
    )
    assert (found.selligent_exports, found.selligent_layouts) == ("/in", Path("/layouts"))
    assert (found.warehouse, found.warehouse_files) == ("ducklake:sqlite:/lake.sqlite", "/files/")
    assert found.ledger == "sqlite:////ledger.sqlite"
    for url in ("sftp://user@host/out", "s3://bucket/prefix", "abfs://container/prefix"):
        assert environment.load(SELLIGENT_EXPORTS=url).selligent_exports == url
        assert environment.load(SELLIGENT_SUPPRESSED=url).selligent_suppressed == url
        assert environment.load(REPORT=url).report == url
    assert environment.load(REPORT=f"file://{PROJECT_ROOT}/pages").report == f"{PROJECT_ROOT}/pages"
    for url in ("s3://bucket/files", "s3://bucket/files/"):
        assert environment.load(WAREHOUSE_FILES=url).warehouse_files == "s3://bucket/files/"


# Where settings come from


def test_credentials_of_places_are_handed_on_to_those_who_read_them(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AZURE_STORAGE_ACCOUNT_NAME", "OTHER_KEY"):
        monkeypatch.setenv(name, "to be put back")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    environment.env_file.write_text(
        "AWS_REGION=us-east-1\nAWS_ACCESS_KEY_ID=zoe\nAZURE_STORAGE_ACCOUNT_NAME=acme\nOTHER_KEY=1\n"
    )
    environment.load()
    assert os.environ["AWS_REGION"] == "eu-west-1", "the environment counts for more"
    assert (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AZURE_STORAGE_ACCOUNT_NAME"]) == ("zoe", "acme")
    assert "OTHER_KEY" not in os.environ


def test_settings_are_read_from_the_env_file(environment: Environment) -> None:
    environment.env_file.write_text("SEGMENT_SOURCE_NAME='My Shop'\nSEGMENT_WRITE_KEY=abcdefgh\nUNKNOWN_TO_US=1\n")
    found = environment.load()
    assert (found.segment_source_name, found.schema_name, found.delivers) == ("My Shop", "my_shop", True)


def test_the_environment_wins_over_the_env_file(environment: Environment) -> None:
    environment.env_file.write_text("SEGMENT_REGION=eu\nSEGMENT_CONNECTIONS=2\n")
    found = environment.load(SEGMENT_REGION="us")
    assert (found.segment_region, found.segment_connections) == ("us", 2)


def test_faults_of_the_env_file_are_told_too(environment: Environment) -> None:
    environment.env_file.write_text("SEGMENT_REGION=mars\nKEEP_SNAPSHOTS_DAYS=0\n")
    assert environment.refusal() == ("SEGMENT_REGION: 'mars' is not 'us' or 'eu'; KEEP_SNAPSHOTS_DAYS: '0' is below 1")


def test_the_env_file_lies_beside_pyproject() -> None:
    assert Settings.model_config["env_file"] == PROJECT_ROOT / ".env"
    assert (PROJECT_ROOT / "pyproject.toml").exists()


def test_a_setting_that_is_set_to_nothing_has_its_default(environment: Environment) -> None:
    found = environment.load(**dict.fromkeys(NAMES, ""))
    assert (found.segment_write_key, found.segment_connections) == (None, 8)
    assert found.segment_endpoint == "https://api.segment.io"


def test_settings_are_read_anew_each_time(environment: Environment) -> None:
    assert [environment.load(SEGMENT_CONNECTIONS=number).segment_connections for number in "23"] == [2, 3]


def test_a_change_takes_effect_at_once_and_without_one_nothing_is_read_again(environment: Environment) -> None:
    """A long run of the service sees a new key in `.env`; a run asks for its settings dozens of times."""
    environment.env_file.write_text("SEGMENT_REGION=eu\n", "utf-8")
    first = environment.load()
    assert environment.load() is first
    environment.env_file.write_text("SEGMENT_REGION=us\n", "utf-8")
    assert environment.load().segment_region == "us"
    assert environment.load(SEGMENT_CONNECTIONS="3").segment_connections == 3
