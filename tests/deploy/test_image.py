"""The Dockerfile: what it copies and installs, and as whom it runs."""

import re
import tomllib
from fnmatch import fnmatch

from pipeline.settings import PROJECT_ROOT
from tests.deploy.files import DOCKERFILE, FOLDER, HELM, OURS, SERVICES

EXTRAS = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def copied() -> list[str]:
    """What the image has of the project's folder."""
    lines = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split()]


def test_what_is_copied_exists_and_is_handed_to_the_builder() -> None:
    lines = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    handed = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    for name in copied():
        assert (PROJECT_ROOT / name).exists(), name
        assert any(pattern == name or pattern.startswith(f"{name}/") for pattern in handed), name
    assert not any(fnmatch("deploy/.env", pattern) or fnmatch(".env", pattern) for pattern in handed)
    for file in ("deploy/dagster.yaml", "deploy/workspace.yaml", "deploy/dagster_celery_config.py"):
        assert any(fnmatch(file, pattern) for pattern in handed), file


def test_extras_exist_and_versions_are_pinned() -> None:
    [installed] = re.findall(r'^ARG EXTRAS="([\w,]+)"$', DOCKERFILE, re.MULTILINE)
    assert installed.split(",") == ["postgres", "s3", "cluster"]
    [on_kubernetes] = re.findall(
        r"^# .*--build-arg EXTRAS=([\w,]+)", (FOLDER / "helm-values.yaml").read_text("utf-8"), re.M
    )
    assert {*installed.split(","), *on_kubernetes.split(",")} <= set(EXTRAS)
    assert re.findall("pip install.*", DOCKERFILE) == ['pip install --no-cache-dir -c constraints.txt -e ".[$EXTRAS]"']
    assert re.findall(r"^FROM (.+)$", DOCKERFILE, re.MULTILINE) == ["python:3.12-slim"]
    assert "://" not in DOCKERFILE


def test_it_runs_as_a_user_that_owns_only_the_data() -> None:
    [user] = re.findall(r"--uid (\d+)", DOCKERFILE)
    assert re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE) == ["selligent"]
    assert HELM["dagsterDaemon"]["podSecurityContext"]["runAsUser"] == int(user)
    assert f"User {user} has to be able to read them" in (FOLDER / "example.env").read_text("utf-8")
    # Before the first line of that user, everything is installed; after it, only data/ is written.
    assert (
        DOCKERFILE.index("pip install")
        < DOCKERFILE.index("USER selligent")
        < DOCKERFILE.index("pipeline.models.manifest")
    )


def test_dagsters_home_is_where_its_configuration_is() -> None:
    [home] = re.findall(r"DAGSTER_HOME=(\S+)", DOCKERFILE)
    assert home == HELM["global"]["dagsterHome"] == "/app/data/dagster"
    assert "install -d -o selligent -g selligent -m 700 data data/dagster" in DOCKERFILE
    for name in OURS:
        assert f"./dagster.yaml:{home}/dagster.yaml:ro" in SERVICES[name]["volumes"]
        assert "data:/app/data" in SERVICES[name]["volumes"]
