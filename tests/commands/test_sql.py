"""`python -m pipeline sql` as it is typed: whatever a value holds, no terminal obeys it, whatever the prompt shows."""

import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from tests.support.warehouses import ducklake_in

# An escape sequence that colours, the same in one character, a bell, and a change of the direction of writing.
HOSTILE = "'a' || chr(27) || '[31mred' || chr(7) || chr(155) || '32m' || chr(8238) || 'z'"
# As the prompt itself writes it, and as `printable` does.
SHOWN = re.compile(r"a(\\e|\\x1b)\[31mred(\\a|\\x07)\\x9b32m\\u202ez")
# The prompt, and the library by which it edits lines, move the cursor and colour what is typed.
_OF_THE_PROMPT = re.compile(r"\x1b\[[\d;]*[A-Za-z]|\x1b\]11;\?\x07")
_ANSWERS = {b"\x1b[6n": b"\x1b[1;80R", b"\x1b]11;?\x07": b"\x1b]11;rgb:0000/0000/0000\x07", b"\x1b[c": b"\x1b[?1;2c"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("lake")
    warehouse = ducklake_in(folder)
    with warehouse.writing() as connection:
        connection.execute("CREATE SCHEMA selligent_marketing_cloud")
        connection.execute(f"CREATE TABLE raw.moods AS SELECT {HOSTILE} AS mood")
    places = {
        "WAREHOUSE": warehouse.location,
        "WAREHOUSE_FILES": warehouse.files,
        "PIPELINE_DATA_DIR": f"{folder}/data",
    }
    without = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return {**without, **places, "TERM": "xterm"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", "sql", *arguments]


_PROMPT = " D "


class Terminal:
    """A terminal that a command runs in; it answers what the prompt asks of it."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], columns: int = 80) -> None:
        ours, theirs = pty.openpty()
        self._ours = ours
        self.seen = ""
        start = f"stty rows 24 cols {columns} && exec {shlex.join(arguments)}"
        self._running = subprocess.Popen(
            ["sh", "-c", start], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)

    def read(self, until: str | None = None, seconds: float = 60) -> str:
        """What is shown up to some words, or to the end."""
        # Of the words, all but the last character may have come before.
        start = max(0, len(self.seen) - len(until or " ") + 1)
        ends_at = time.monotonic() + seconds
        while until is None or until not in self.seen[start:]:
            assert select.select([self._ours], [], [], max(0, ends_at - time.monotonic()))[0], self.seen
            try:
                shown = os.read(self._ours, 65536)
            except OSError:  # Linux: the last who had the terminal open has ended
                shown = b""
            if not shown:
                break
            for asked, answer in _ANSWERS.items():
                os.write(self._ours, answer * shown.count(asked))
            self.seen += shown.decode("utf-8", "replace")
        return self.seen[start:]

    def type(self, line: str, after: str | None = None) -> None:
        """Type a line once the prompt is there; before, it would be thrown away. Behind some words that were read, it
        may have come with them.
        """
        if after is None or _PROMPT not in self.seen.rpartition(after)[2]:
            self.read(until=_PROMPT)
        os.write(self._ours, f"{line}\r".encode())

    def wait(self) -> int:
        self.read()
        os.close(self._ours)
        return self._running.wait(60)

    def hang_up(self) -> None:
        os.close(self._ours)
        self._running.wait(60)


def obeyed(shown: str) -> set[str]:
    """Characters that a terminal obeys, but for those of the prompt and of the end of a line."""
    rest = _OF_THE_PROMPT.sub("", shown)
    return {character for character in rest if not character.isprintable()} - {"\r", "\n"}


@pytest.mark.parametrize("arguments", [(), ("--format", "csv")])
def test_a_terminal_is_shown_no_value_that_it_obeys(environment: Mapping[str, str], arguments: tuple[str, ...]) -> None:
    terminal = Terminal(command(*arguments, "SELECT mood FROM raw.moods"), environment)
    assert terminal.wait() == 0
    assert SHOWN.search(terminal.seen), terminal.seen
    assert not obeyed(terminal.seen)
    assert "\x1b" not in terminal.seen


def test_an_answer_is_as_wide_as_the_terminal(environment: Mapping[str, str]) -> None:
    for columns in (90, 130):
        wide = Terminal(command("SELECT repeat('x', 300) AS x, repeat('y', 300) AS y"), environment, columns)
        assert wide.wait() == 0
        widths = {len(line) for line in wide.seen.splitlines()}
        assert max(widths) == columns


def test_a_dialogue_shows_no_value_that_the_terminal_obeys_in_whatever_mode(environment: Mapping[str, str]) -> None:
    terminal = Terminal(command(), environment)
    answers = {}
    for mode in ("duckbox", "list"):
        terminal.type(f".mode {mode}", after="duckbox-ended" if answers else None)
        terminal.type(f"SELECT mood, '{mode}-' || 'ended' FROM raw.moods;")
        answers[mode] = terminal.read(until=f"{mode}-ended")
    terminal.type(".exit", after="list-ended")
    assert terminal.wait() == 0
    assert [mode for mode, shown in answers.items() if not SHOWN.search(shown)] == [], answers
    assert not obeyed(terminal.seen)
    assert "\x1b[31mred" not in terminal.seen


def test_errors_that_repeat_a_value_are_shown_in_the_same_way(environment: Mapping[str, str]) -> None:
    """On a terminal, in a dialogue, and where stderr goes into a mail."""
    query = "SELECT mood::INTEGER FROM raw.moods"
    terminal = Terminal(command(query), environment)
    assert terminal.wait() == 1
    dialogue = Terminal(command(), environment)
    dialogue.type(f"{query};")
    dialogue.read(until="32m\\u202ez")
    dialogue.hang_up()
    mailed = subprocess.run(command(query), env=environment, capture_output=True, text=True, check=False)
    for shown in (terminal.seen, dialogue.seen, mailed.stderr):
        assert SHOWN.search(shown), shown
        assert not obeyed(shown)
        assert "\x1b[31mred" not in shown


def test_statements_from_another_program_are_answered_in_the_same_way(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command(), env=environment, input="SELECT mood FROM raw.moods;\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert SHOWN.search(done.stdout), done.stdout
    assert not obeyed(done.stdout)


def test_a_reader_that_has_enough_ends_it(environment: Mapping[str, str], tmp_path: Path) -> None:
    query = shlex.join(command("--format", "csv", "SELECT range FROM range(1_000_000)"))
    done = subprocess.run(
        f"({query}; echo $? >{tmp_path}/status) | head -n 2",
        shell=True,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "range\n0\n"
    assert (done.stderr, (tmp_path / "status").read_text()) == ("", "0\n")


def test_a_warehouse_without_event_tables_can_be_asked(environment: Mapping[str, str], tmp_path: Path) -> None:
    """Nothing was modelled yet, or the warehouse is one that `reconcile` has begun."""
    warehouse = ducklake_in(tmp_path)
    with warehouse.writing():
        pass
    places = {"WAREHOUSE": warehouse.location, "WAREHOUSE_FILES": warehouse.files}
    done = subprocess.run(
        command("--format", "csv", "SELECT count(*) AS files FROM raw.export_files"),
        env={**environment, **places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["files", "0"], "")


def test_no_value_is_empty_in_csv(environment: Mapping[str, str]) -> None:
    query = command("--format", "csv", "SELECT NULL AS none, 'NULL' AS word, 1 AS one")
    done = subprocess.run(query, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("none,word,one\n,NULL,1\n", "")


def test_an_answer_can_be_a_parquet_file(environment: Mapping[str, str], tmp_path: Path) -> None:
    query = command("--format", "parquet", "SELECT range AS id, NULL::TIMESTAMPTZ AS since FROM range(100_000);")
    with (tmp_path / "answer.parquet").open("wb") as file:
        done = subprocess.run(query, env=environment, stdout=file, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    written = duckdb.sql(f"SELECT count(*), sum(id), count(since) FROM '{file.name}'").fetchall()
    assert written == [(100_000, 4_999_950_000, 0)]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 2, "--format parquet needs a QUERY"),
        (("SELECT 1 FROM nowhere",), 1, "The query can't be answered: Catalog Error: Table with name nowhere"),
        (("DELETE FROM raw.export_files",), 1, "The query can't be answered"),
    ],
)
def test_without_an_answer_there_is_no_parquet_file(
    environment: Mapping[str, str], arguments: tuple[str, ...], status: int, words: str
) -> None:
    query = command("--format", "parquet", *arguments)
    done = subprocess.run(query, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr


def test_a_described_table_is_a_plain_box(environment: Mapping[str, str]) -> None:
    terminal = Terminal(command("DESCRIBE raw.moods"), environment)
    assert terminal.wait() == 0
    piped = subprocess.run(command("DESCRIBE raw.moods"), env=environment, capture_output=True, text=True, check=False)
    for shown in (terminal.seen, piped.stdout):
        assert re.search("│ mood varchar .*│", shown), shown
        assert "x1b" not in shown
        assert not obeyed(shown)
