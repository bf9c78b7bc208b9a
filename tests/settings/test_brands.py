"""Brands have a file of settings each: what belongs to one is kept apart, and what two have in common is refused."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import PROJECT_ROOT, Settings, export_credentials
from pipeline.settings.paths import brand_of
from tests.settings.environment import SECRET, Environment

ACME = "SEGMENT_SOURCE_NAME=Acme\nMESSAGE_ID_NAMESPACE=acme.example.com\n"


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """The settings of the brand `acme`, whose file a test may write."""
    environment = Environment(monkeypatch, tmp_path / "acme.env")
    monkeypatch.setattr("pipeline.settings.settings.BRAND", "acme")
    environment.env_file.write_text(ACME, "utf-8")
    return environment


# Names


@pytest.mark.parametrize(
    ("file", "brand"),
    [
        (".env", ""),
        ("brands/acme.env", "acme"),
        ("brands/.env.acme", "acme"),
        ("brands/acme/.env", "acme"),
        ("acme-2_b.env", "acme-2_b"),
        ("/etc/selligent/acme", "acme"),
    ],
)
def test_a_brand_is_named_by_its_file(file: str, brand: str) -> None:
    assert brand_of(PROJECT_ROOT / file) == brand


@pytest.mark.parametrize("file", ["brands/a b.env", "brands/é.env", "brands/a.b.env", "brands/-.env", "brands/../a/.x"])
def test_a_file_that_names_no_brand_is_refused(file: str) -> None:
    with pytest.raises(SettingsError, match=r"^--env-file: .* names no brand; rename it to something such as brands/"):
        brand_of(PROJECT_ROOT / file)


def of_process(tmp_path: Path, file: str) -> Mapping[str, str]:
    """Folders and settings as a process has them whose variable names this file."""
    program = (
        "import json; from pipeline.settings import *; from pipeline.orchestration.asset_keys import REPORT, UPKEEP; "
        "s = load_settings(); print(json.dumps({'data': str(DATA_DIR), 'installation': str(INSTALLATION_DIR), "
        "'warehouse': s.warehouse, 'files': s.warehouse_files, 'ledger': s.ledger, 'exports': s.selligent_exports, "
        "'report': REPORT.to_user_string(), 'upkeep': UPKEEP.to_user_string()}))"
    )
    names = {name.upper() for name in Settings.model_fields} | {"PIPELINE_DATA_DIR", "DAGSTER_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in names} | {"PIPELINE_ENV_FILE": file}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_what_belongs_to_a_brand_is_in_its_folder_and_its_keys_begin_with_it(tmp_path: Path) -> None:
    (tmp_path / "acme.env").write_text(f"{ACME}SELLIGENT_EXPORTS=exports\n", "utf-8")
    stores = PROJECT_ROOT / "data" / "brands" / "acme"
    assert of_process(tmp_path, str(tmp_path / "acme.env")) == {
        "data": str(stores),
        "installation": str(PROJECT_ROOT / "data"),
        "warehouse": f"ducklake:sqlite:{stores}/warehouse.sqlite",
        "files": f"{stores}/warehouse/",
        "ledger": f"sqlite:///{stores}/ledger.sqlite",
        "exports": str(PROJECT_ROOT / "exports"),  # relative to the project, not to the file or the current folder
        "report": "acme/delivery/report",
        "upkeep": "acme/warehouse/upkeep",
    }


# The command line


def refused(tmp_path: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        env={**os.environ, "PIPELINE_DATA_DIR": str(tmp_path / "data"), "DAGSTER_HOME": str(tmp_path / "home")},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "home").exists()
    return done.stderr


@pytest.mark.parametrize("command", [["run"], ["status"], ["inspect", "README.md"], ["ui"], ["upkeep"], ["sql", "x"]])
def test_a_file_that_is_not_there_is_refused_before_any_command(tmp_path: Path, command: list[str]) -> None:
    assert refused(tmp_path, "--env-file", "brands/none.env", *command) == (
        f"--env-file: {PROJECT_ROOT}/brands/none.env: there is no such file\n"
    )


def test_a_file_with_a_line_that_is_no_setting_is_refused_without_the_line(tmp_path: Path) -> None:
    (tmp_path / "acme.env").write_text(f"{ACME}{SECRET} SEGMENT_REGION=eu\n", "utf-8")
    words = refused(tmp_path, "--env-file", str(tmp_path / "acme.env"), "run")
    assert words.startswith("acme.env: line 3 can't be parsed; write a setting as NAME=value")
    assert SECRET not in words


def test_a_wrong_setting_and_a_wrong_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "acme.env").write_text(f"{ACME}SEGMENT_REGION=asia\n", "utf-8")
    assert "SEGMENT_REGION: 'asia'" in refused(tmp_path, "--env-file", str(tmp_path / "acme.env"), "run")
    assert "names no brand" in refused(tmp_path, "--env-file", "brands/a b.env", "run")
    assert "Is a directory" in refused(tmp_path, "--env-file", str(tmp_path), "run")


# Settings


def test_a_brand_has_its_own_namespace(acme: Environment) -> None:
    assert acme.load().message_id_namespace == "acme.example.com"
    acme.env_file.write_text("SEGMENT_SOURCE_NAME=Acme\n", "utf-8")
    assert acme.load().message_id_namespace == "Acme"
    acme.env_file.write_text("SEGMENT_REGION=eu\n", "utf-8")
    assert acme.refusal().startswith("MESSAGE_ID_NAMESPACE: is missing; each brand needs one of its own")


def test_a_file_that_disappears_is_an_error_and_no_default(acme: Environment) -> None:
    acme.env_file.unlink()
    assert acme.refusal() == f"--env-file: {acme.env_file}: there is no such file"


def test_the_environment_of_all_brands_may_not_contradict_the_file_of_one(acme: Environment) -> None:
    acme.env_file.write_text(f"{ACME}segment_region=us\n", "utf-8")
    assert acme.load(SEGMENT_REGION="us", SEGMENT_CONNECTIONS="2").segment_connections == 2
    assert acme.refusal(SEGMENT_REGION="eu") == (
        "SEGMENT_REGION: the environment and acme.env differ; a setting of a brand belongs into its file only"
    )
    assert acme.load(SEGMENT_REGION="").segment_region == "us"


def test_credentials_of_a_brand_come_before_those_of_the_environment(
    acme: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of another brand")
    acme.env_file.write_text(f"{ACME}AWS_ACCESS_KEY_ID=of-acme\n", "utf-8")
    export_credentials()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "of-acme"


OWN = {
    "SEGMENT_WRITE_KEY": SECRET,
    "MESSAGE_ID_NAMESPACE": "acme.example.com",
    "WAREHOUSE": "ducklake:sqlite:data/shared.sqlite",
    "WAREHOUSE_FILES": "data/shared/",
    "LEDGER": "sqlite:///data/shared.sqlite",
    "REPORT": "data/shared-report",
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("in_folders", [False, True], ids=["files", "folders"])
def test_what_two_brands_have_in_common_by_oversight_is_refused(
    acme: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, in_folders: bool
) -> None:
    other, shown = tmp_path / "bravo.env", "bravo.env"
    if in_folders:
        (tmp_path / "acme").mkdir()
        (tmp_path / "bravo").mkdir()
        acme = Environment(monkeypatch, tmp_path / "acme" / ".env")
        other, shown = tmp_path / "bravo" / ".env", "bravo/.env"
    acme.env_file.write_text(f"{ACME}{name}={OWN[name]}\n", "utf-8")
    other.write_text("MESSAGE_ID_NAMESPACE=bravo.example.com\n", "utf-8")
    acme.load()
    spelled = OWN[name].replace("data/", "./data/")  # compared as what they mean
    other.write_text(f"MESSAGE_ID_NAMESPACE=bravo.example.com\n{name}={spelled}\n", "utf-8")
    assert acme.refusal() == f"{name}: {shown} has the same; each brand needs one of its own"


def test_a_store_that_the_environment_sets_for_all_brands_is_refused(acme: Environment, tmp_path: Path) -> None:
    (tmp_path / "bravo.env").write_text("MESSAGE_ID_NAMESPACE=bravo.example.com\n", "utf-8")
    assert acme.refusal(LEDGER="sqlite:///data/ledger.sqlite") == (
        "LEDGER: bravo.env has the same; each brand needs one of its own"
    )


@pytest.mark.parametrize("text", ["SEGMENT_REGION: eu\n", "SEGMENT_REGION=asia\n", "\udcff"])
def test_a_brand_runs_though_the_file_of_another_is_wrong(acme: Environment, tmp_path: Path, text: str) -> None:
    (tmp_path / "bravo.env").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert acme.load().segment_source_name == "Acme"
