"""compose.yaml: what it starts, in which order, with which settings, and who can reach it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.settings import PROJECT_ROOT, SECRETS, Settings, load_settings
from tests.deploy.files import COMPOSE, DAGSTER, FOLDER, OURS, SERVICES, example_env, interpolated, variables
from tests.fakes.postgres import Postgres
from tests.fakes.s3 import S3

# What other programs read: libpq, AWS's libraries, Dagster and Celery.
OF_OTHERS = {
    *("PGPASSWORD", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    *("DAGSTER_POSTGRES_URL", "DAGSTER_UI_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"),
}
FILLED_IN = example_env() | {"POSTGRES_PASSWORD": "pg", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}


def test_all_parts_of_a_deployment_are_there() -> None:
    assert set(SERVICES) == {"postgres", "redis", "s3", "setup", "code", "webserver", "daemon", "worker"}
    assert OURS == ["setup", "code", "webserver", "daemon", "worker"]
    for name in OURS:
        build = SERVICES[name]["build"]
        assert (FOLDER / build["context"]).resolve() == PROJECT_ROOT
        assert (PROJECT_ROOT / build["dockerfile"]).is_file()
        program = SERVICES[name]["command"][0]
        assert shutil.which(program, path=f"{Path(sys.executable).parent}:/bin"), program


def test_other_images_are_of_one_version() -> None:
    for name in set(SERVICES) - set(OURS):
        assert re.fullmatch(r"[a-z/]+:\d[\w.-]*", SERVICES[name]["image"]), name


def test_a_service_starts_when_those_that_it_needs_are_healthy() -> None:
    for name, service in SERVICES.items():
        assert name == "setup" or service["healthcheck"]["test"]
        for needed, how in service.get("depends_on", {}).items():
            condition = "service_completed_successfully" if needed == "setup" else "service_healthy"
            assert how["condition"] == condition, (name, needed)
            # A service with a profile may not be there.
            assert how.get("required", True) == ("profiles" not in SERVICES[needed]), (name, needed)
            assert needed == "setup" or "test" in SERVICES[needed]["healthcheck"]
        assert service["restart"] == ("on-failure" if name == "setup" else "unless-stopped")


def test_only_the_webserver_is_reachable_and_only_from_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"webserver": ["127.0.0.1:${UI_PORT:-3000}:3000"]}


def test_stores_are_in_named_volumes_and_mounted_files_exist() -> None:
    mounted = [volume.split(":", 1)[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {name for name in mounted if name.isalnum()} == set(COMPOSE["volumes"])
    files = {name for name in mounted if name.startswith("./")}
    assert files == {"./create_databases.sql", "./dagster.yaml"}
    assert all((FOLDER / name).is_file() for name in files)


def test_there_are_as_many_workers_as_runs_at_once() -> None:
    worker = SERVICES["worker"]
    assert worker["deploy"]["replicas"] == DAGSTER["concurrency"]["runs"]["max_concurrent_runs"]
    assert worker["command"][-4:-2] == ["--concurrency", "1"]
    assert {name for name in SERVICES if "deploy" in SERVICES[name]} == {"worker"}


@pytest.mark.parametrize("name", OURS)
def test_a_service_has_settings_that_exist_and_are_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SERVICES[name]["environment"]
    assert set(environment) - OF_OTHERS <= {field.upper() for field in Settings.model_fields}
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    # As compose does it: first the file, then what the service itself has.
    for variable, value in (FILLED_IN | environment).items():
        monkeypatch.setenv(variable, interpolated(value, FILLED_IN))
    settings = load_settings()
    assert settings.warehouse == "ducklake:postgres:host=postgres dbname=lake user=pipeline"
    assert (settings.warehouse_files, settings.report) == ("s3://selligent/lake/", "s3://selligent/report/")
    assert (settings.selligent_exports, str(settings.selligent_layouts)) == ("/srv/exports", "/srv/layouts")
    assert not settings.delivers


def test_all_services_have_the_same_settings() -> None:
    first, *others = (SERVICES[name] for name in OURS)
    for other in others:
        assert [first[key] for key in ("image", "environment", "env_file", "volumes")] == [
            other[key] for key in ("image", "environment", "env_file", "volumes")
        ]


def test_no_file_contains_a_secret() -> None:
    written = example_env()
    secret = {name for name in written if name.lower() in SECRETS or re.search("PASSWORD|KEY|TOKEN", name)}
    secret -= {"SELLIGENT_EXPORTS"}  # a URL may contain a password; this one is empty
    assert secret >= {"POSTGRES_PASSWORD", "AWS_SECRET_ACCESS_KEY", "SEGMENT_WRITE_KEY", "ALERT_WEBHOOK"}
    assert {name: written[name] for name in secret if written[name]} == {}
    for path in FOLDER.iterdir():
        assert path.name == ".env" or not re.search(r"://[^/\s@]+:[^/\s@]+@", path.read_text("utf-8")), path
    ignored = subprocess.run(["git", "check-ignore", "deploy/.env"], cwd=PROJECT_ROOT, check=False, capture_output=True)
    assert ignored.returncode == 0 or not (PROJECT_ROOT / ".git").exists()


def test_the_example_of_settings_names_only_what_is_read() -> None:
    text = (FOLDER / "compose.yaml").read_text("utf-8")
    known = {field.upper() for field in Settings.model_fields} | OF_OTHERS | variables(text) | {"COMPOSE_PROFILES"}
    assert set(example_env()) <= known
    assert [example_env()["COMPOSE_PROFILES"]] == SERVICES["s3"]["profiles"]
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required <= set(example_env())
    assert not [value for value in example_env().values() if "#" in value], "a comment would be a part of the value"


def test_the_databases_that_the_urls_name_are_created(postgres: Postgres) -> None:
    settings = SERVICES["worker"]["environment"]
    named = {settings[name].rpartition("/")[2] for name in ("LEDGER", "DAGSTER_POSTGRES_URL")}
    named |= set(re.findall(r"dbname=(\w+)", settings["WAREHOUSE"]))
    script = (FOLDER / "create_databases.sql").read_text("utf-8")
    # Under other names: other tests use this server.
    for statement in re.findall(r"^CREATE DATABASE \w+;", script, re.MULTILINE):
        postgres.create(re.sub(r"CREATE DATABASE (\w+);", r"compose_\1", statement))
    engine = sa.create_engine(sa.make_url(postgres.url("postgres")).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT datname FROM pg_database WHERE datname LIKE 'compose_%'")).scalars()
        assert set(found) == {f"compose_{name}" for name in named}
    engine.dispose()


def test_missing_buckets_are_created_and_present_ones_are_left(s3: S3) -> None:
    settings = {"WAREHOUSE_FILES": "s3://compose-lake/files/", "REPORT": "s3://compose-report/"}
    environment = os.environ | s3.environment | settings
    for _ in range(2):
        program = [sys.executable, str(FOLDER / "create_bucket.py")]
        subprocess.run(program, env=environment, cwd=PROJECT_ROOT, check=True)
        s3.client.put_object(Bucket="compose-lake", Key="kept", Body=b"")
    buckets = {bucket["Name"] for bucket in s3.client.list_buckets()["Buckets"]}
    assert {"compose-lake", "compose-report"} <= buckets
    assert s3.keys("compose-lake") == {"kept"}
