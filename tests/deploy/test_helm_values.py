"""helm-values.yaml: it agrees with dagster.yaml and with the settings. The chart itself is not installed here."""

import re
from importlib import import_module

from pipeline.settings import Settings
from tests.deploy.files import DAGSTER, FOLDER, HELM, SERVICES

TEXT = (FOLDER / "helm-values.yaml").read_text("utf-8")
[DEPLOYMENT] = HELM["dagster-user-deployments"]["deployments"]
LAUNCHER = HELM["runLauncher"]["config"]["k8sRunLauncher"]


def test_limits_are_those_of_the_other_deployment() -> None:
    limits = HELM["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert limits["maxConcurrentRuns"] == DAGSTER["concurrency"]["runs"]["max_concurrent_runs"]
    assert limits["tagConcurrencyLimits"] == DAGSTER["concurrency"]["runs"]["tag_concurrency_limits"]
    monitoring = HELM["dagsterDaemon"]["runMonitoring"]
    assert monitoring["enabled"]
    assert monitoring["cancelTimeoutSeconds"] == DAGSTER["run_monitoring"]["cancel_timeout_seconds"]
    longest = LAUNCHER["runK8sConfig"]["jobSpecConfig"]["activeDeadlineSeconds"]
    assert longest == DAGSTER["run_monitoring"]["max_runtime_seconds"]
    assert (HELM["telemetry"], HELM["additionalInstanceConfig"]["nux"]) == (DAGSTER["telemetry"], DAGSTER["nux"])


def test_storage_is_reached_with_psycopg_2() -> None:
    scheme = HELM["postgresql"]["postgresqlScheme"]
    assert SERVICES["daemon"]["environment"]["DAGSTER_POSTGRES_URL"].startswith(f"{scheme}://")
    assert "postgresqlPassword" not in HELM["postgresql"]


def test_all_processes_have_one_image_and_runs_have_the_settings_of_the_code_server() -> None:
    images = [HELM["dagsterWebserver"]["image"], HELM["dagsterDaemon"]["image"], DEPLOYMENT["image"]]
    assert images[0] == images[1] == images[2]
    assert DEPLOYMENT["includeConfigInLaunchedRuns"] == {"enabled": True}
    assert LAUNCHER["runK8sConfig"]["podSpecConfig"]["securityContext"] == DEPLOYMENT["podSecurityContext"]
    option, module = DEPLOYMENT["dagsterApiGrpcArgs"]
    assert option == "--module-name"
    assert import_module(module).defs


def test_the_objects_that_it_needs_are_listed_with_settings_that_exist() -> None:
    listed = set(re.findall(r"^# +(?:Secret|ConfigMap) ([\w-]+)", TEXT, re.MULTILINE))
    used = {HELM["global"]["postgresqlSecretName"], *(volume["configMap"]["name"] for volume in DEPLOYMENT["volumes"])}
    used |= {source["name"] for source in (*DEPLOYMENT["envConfigMaps"], *DEPLOYMENT["envSecrets"])}
    assert listed == used
    of_others = {"PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "EXTRAS"}
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b|\b(?:WAREHOUSE|REPORT|LEDGER)\b", TEXT)) | {"PGPASSWORD"}
    assert named - of_others <= {field.upper() for field in Settings.model_fields}
    assert DEPLOYMENT["volumeMounts"][0]["mountPath"] == SERVICES["code"]["environment"]["SELLIGENT_LAYOUTS"]
