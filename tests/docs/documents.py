"""The project's documents, split into their parts."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pipeline.settings import PROJECT_ROOT

DOCUMENTS = {
    path.relative_to(PROJECT_ROOT).as_posix(): path.read_text("utf-8")
    for path in (*sorted(PROJECT_ROOT.glob("*.md")), *sorted((PROJECT_ROOT / "docs").glob("*.md")))
}
README, LAYOUTS, TABLES = "README.md", "docs/layouts.md", "docs/tables.md"
QUERIES, OPERATIONS, REFERENCE = "docs/queries.md", "docs/operations.md", "docs/reference.md"
ARCHITECTURE, SCALING = "docs/architecture.md", "docs/scaling.md"

HOME = "/opt/selligent-to-segment"  # the project's folder in production, as docs/operations.md has it
FENCED = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<code>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
PROGRAMS = {
    *("make", "python", "pip", "dagster", "dbt", "duckdb", "rm", "cp", "mv", "cd", "sudo", "ssh", "scp", "tar"),
    *("systemctl", "journalctl", "docker", "podman", "git", "curl", "psql", "sqlite3", "chmod", "chown", "install"),
}


def blocks(language: str, text: str) -> list[str]:
    """The blocks of one language, without their indentation."""
    return [textwrap.dedent(found["code"]) for found in FENCED.finditer(text) if found["language"] == language]


def prose(document: str) -> str:
    """A document without its blocks."""
    return FENCED.sub("", DOCUMENTS[document])


def headings(document: str) -> list[str]:
    """The headings of a document, in order."""
    return re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)


def section(document: str, title: str) -> str:
    """The text below a heading, up to the next one."""
    [rest] = DOCUMENTS[document].split(f"# {title}\n")[1:]
    return re.split(r"^##+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]  # `# ` alone: a comment in a block


def table_rows(text: str) -> list[list[str]]:
    """The cells of the rows of a text's tables, without their headers."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    borders = [number for number, row in enumerate(rows) if set("".join(row)) <= set("-: ")]
    return [row for number, row in enumerate(rows) if number not in borders and number + 1 not in borders]


def code_spans(text: str) -> Iterator[str]:
    """Text in backticks, on one line."""
    return (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text))


def inline_commands() -> set[str]:
    """The code in the running text and the tables of all documents that starts with the name of a program."""
    found = {code for document in DOCUMENTS for code in code_spans(prose(document))}
    return {code for code in found if " " in code and Path(code.split()[0]).name in PROGRAMS}
