"""dagster.yaml and the settings of the workers, loaded by Dagster and Celery themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster_celery.launcher import CeleryRunLauncher

from pipeline.orchestration.instance import dagster_home
from tests.deploy.files import DAGSTER, FOLDER, SERVICES
from tests.fakes.postgres import PASSWORD, Postgres

BROKER, RESULTS = "redis://127.0.0.1:1/0", "redis://127.0.0.1:1/1"


@pytest.fixture
def home(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of Dagster with this configuration and an empty database."""
    written = SERVICES["daemon"]["environment"]["DAGSTER_POSTGRES_URL"]
    address = f"127.0.0.1:{postgres.port}/{postgres.create(f'dagster_{os.getpid()}')}"
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", written.replace("pipeline@postgres/dagster", f"zoe@{address}"))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("CELERY_BROKER_URL", BROKER)
    monkeypatch.setenv("CELERY_RESULT_BACKEND", RESULTS)
    shutil.copy(FOLDER / "dagster.yaml", tmp_path)
    return tmp_path


def test_dagster_keeps_runs_in_postgresql_and_starts_them_through_celery(home: Path) -> None:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def idle() -> None:
        nothing()

    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert idle.execute_in_process(instance=instance, tags={"dagster/partition": "2024-06-11"}).success
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS]
        launcher = instance.run_launcher
        assert isinstance(launcher, CeleryRunLauncher)
        assert (launcher.broker, launcher.backend) == (BROKER, RESULTS)
        limits = instance.get_concurrency_config().run_queue_config
        assert limits is not None
        assert limits.max_concurrent_runs == DAGSTER["concurrency"]["runs"]["max_concurrent_runs"]
        assert limits.tag_concurrency_limits == DAGSTER["concurrency"]["runs"]["tag_concurrency_limits"]
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
    assert not list(home.glob("**/*.db"))


def test_limits_are_those_of_one_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    of_one_machine = yaml.safe_load((dagster_home() / "dagster.yaml").read_text("utf-8"))
    # A run may wait for a worker as long as another run takes.
    waiting = DAGSTER["run_monitoring"]["start_timeout_seconds"]
    assert waiting > of_one_machine["run_monitoring"].pop("start_timeout_seconds")
    for name, section in of_one_machine.items():
        ours = {key: value for key, value in DAGSTER[name].items() if key != "start_timeout_seconds"}
        assert ours == section, name


def test_workers_reserve_no_runs_and_keep_the_state_of_the_longest() -> None:
    program = (
        "from dagster_celery.app import app; conf = app.conf; "
        "print(conf.broker_url, conf.result_backend, conf.worker_disable_prefetch, conf.result_expires)"
    )
    names = {"CELERY_BROKER_URL": BROKER, "CELERY_RESULT_BACKEND": RESULTS, "PYTHONPATH": str(FOLDER)}
    environment = os.environ | names
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    broker, results, reserves_none, kept = done.stdout.split()
    assert (broker, results, reserves_none) == (BROKER, RESULTS, "True")
    assert int(kept) > DAGSTER["run_monitoring"]["max_runtime_seconds"]
