"""The commands of docs/scaling.md, as far as they can be tried without servers."""

import re
import subprocess

from pipeline.settings import PROJECT_ROOT
from tests.deploy.files import HELM, SERVICES
from tests.docs.documents import DOCUMENTS, SCALING, blocks, code_spans, section, table_rows

COMMANDS = "".join(blocks("sh", DOCUMENTS[SCALING]))


def test_blocks_are_sh() -> None:
    subprocess.run(["bash", "-n"], input=COMMANDS, text=True, check=True)


def test_services_and_files_of_commands_exist() -> None:
    stopped = {
        name for line in re.findall(r"^docker compose stop ([a-z ]+)", COMMANDS, re.MULTILINE) for name in line.split()
    }
    called = set(re.findall(r"^docker compose exec (?:-T )?(\w+)", COMMANDS, re.MULTILINE))
    assert stopped == {"daemon", "worker", "code", "webserver"}
    assert called | set(re.findall(r"--scale (\w+)=", COMMANDS)) == {"worker", "postgres"}
    assert stopped | called <= set(SERVICES)
    for file in re.findall(r"deploy/[\w.-]+|(?<=cp )\S+", COMMANDS):
        assert (PROJECT_ROOT / "deploy" / file.removeprefix("deploy/")).is_file(), file


def test_the_chart_and_the_image_are_of_the_installed_version() -> None:
    pinned = (PROJECT_ROOT / "constraints.txt").read_text("utf-8")
    [chart] = re.findall(r"--version ([\d.]+)", COMMANDS)
    assert f"\ndagster=={chart}\n" in pinned
    image = HELM["dagsterWebserver"]["image"]
    named = re.findall(rf"{re.escape(image['repository'])}(\S*)", COMMANDS)
    assert named == [f":{image['tag']}"] * 2
    created = re.findall(r"create (?:configmap|secret generic) ([\w-]+)", COMMANDS)
    assert sorted(created) == sorted(
        ["selligent-to-segment-layouts", *["selligent-to-segment"] * 2, "dagster-postgresql"]
    )


def test_what_is_shared_has_settings_of_the_services() -> None:
    named = [name for row in table_rows(section(SCALING, "What is shared")) for name in code_spans(row[2])]
    stores = [name for name in named if name.isupper() and name != "PIPELINE_DATA_DIR"]
    assert set(stores) <= set(SERVICES["worker"]["environment"])
