"""The README, taken apart."""

import re
import textwrap
from pathlib import Path

from pipeline.settings import PROJECT_ROOT

README = (PROJECT_ROOT / "README.md").read_text("utf-8")
HOME = "/opt/selligent-to-segment"  # where it says that the project stands in production
FENCED = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<code>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
PROGRAMS = {
    *("make", "python", "pip", "dagster", "dbt", "duckdb", "rm", "cp", "mv", "cd", "sudo", "ssh", "scp", "tar"),
    *("systemctl", "journalctl", "docker", "podman", "git", "curl", "psql", "sqlite3", "chmod", "chown", "install"),
}


def blocks(language: str, text: str) -> list[str]:
    """The blocks of one language, without their indentation."""
    return [textwrap.dedent(found["code"]) for found in FENCED.finditer(text) if found["language"] == language]


def section(title: str) -> str:
    """What stands under a heading, up to the next one."""
    [rest] = README.split(f"# {title}\n")[1:]
    return re.split(r"^##+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]  # a block may have comments


def inline_commands() -> set[str]:
    """What is set as code in running text and in tables, and begins with the name of a program."""
    found = {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", FENCED.sub("", README))}
    return {code for code in found if " " in code and Path(code.split()[0]).name in PROGRAMS}
