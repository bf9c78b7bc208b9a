"""`python -m pipeline sql`: DuckDB's own prompt on the warehouse, read-only."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TextIO

import click

from pipeline.commands import output_filter
from pipeline.commands.output_filter import lines_of, pass_on, safe_lines
from pipeline.errors import WarehouseError
from pipeline.settings import Settings, load_settings

# The prompt's own colours are escapes, too, which are removed from values. DESCRIBE obeys only `.highlight`.
_CLEAR_LINE = "\r\x1b[K"
_WITHOUT_COLOURS = (".highlight off", ".highlight_results off", ".highlight_errors off")


@click.command(short_help="A SQL prompt on the warehouse, read-only.")
@click.argument("query", required=False)
@click.option(
    "--format",
    "output",
    type=click.Choice(["box", "csv", "json", "markdown", "parquet"]),
    help="Output format of the result; parquet needs a QUERY, and a file or a pipe to go to.",
)
def sql(query: str | None, output: str | None) -> int:
    """A SQL prompt on the warehouse, read-only, that blocks no run; or the answer to one QUERY."""
    if output == "parquet":
        if query is None or sys.stdout.isatty():
            raise click.UsageError(
                "--format parquet needs a QUERY and a redirected output, as in: sql … > answer.parquet"
            )
        return _write_parquet(query)
    return open_prompt(load_settings(), query, output)


def _write_parquet(query: str) -> int:
    """Write the answer to stdout as a Parquet file; raises WarehouseError: no warehouse, or no answer."""
    from duckdb import Error

    from pipeline import connect
    from pipeline.orchestration.system_errors import naming

    with connect() as connection, TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.parquet"
        try:
            with naming(answer):
                connection.sql(query).write_parquet(str(answer))
        except Error as error:
            raise WarehouseError(f"The query can't be answered: {str(error).splitlines()[0]}") from None
        with answer.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    return 0


def open_prompt(settings: Settings, query: str | None, output: str | None = None) -> int:
    """Open the prompt, or run one query; its exit status. Raises WarehouseError: no warehouse, or no `duckdb`."""
    from pipeline.orchestration.system_errors import naming
    from pipeline.warehouse import ALIAS, Warehouse, has_rows, literal, quoted, readable

    warehouse = readable(Warehouse.of(settings)).warehouse
    of_models = f"database_name = {literal(ALIAS)} AND schema_name = {literal(settings.schema_name)}"
    with warehouse.reading() as connection:  # which reports clearly what is wrong, if anything
        has_models = has_rows(connection, f"SELECT 1 FROM duckdb_schemas() WHERE {of_models}")
    prompt = shutil.which("duckdb", path=str(Path(sys.executable).parent)) or shutil.which("duckdb")
    if prompt is None:
        raise WarehouseError("There is no `duckdb` command; `make run` installs it.")
    is_dialogue = query is None and sys.stdin.isatty() and sys.stdout.isatty()
    with TemporaryDirectory() as folder:
        # A file, since every user of the machine can read the arguments of a process.
        start = Path(folder) / "start.sql"
        start.touch(mode=0o600)
        statements = [*warehouse.attach_statements(read_only=True), "SET TimeZone = 'UTC'"]
        if has_models:
            statements.append(f"USE {ALIAS}.{quoted(settings.schema_name)}")
        lines = [*_display(is_dialogue), *(f"{statement};" for statement in statements)]
        # Secrets of servers answer, which would stand before the result.
        lines = [".mode trash", *lines, f".mode {output or 'duckbox'}"]
        if output == "csv":
            lines.append(".nullvalue ''")
        with naming(start):
            start.write_text("\n".join(lines) + "\n", "utf-8")
        # Not by -init, which prints what it reads to stderr; -no-init ignores the user's own settings of the prompt.
        arguments = [prompt, "-cmd", f".read '{start}'", *([f"-{output}"] if output else [])]
        arguments += ["-bail", "-no-init", "-c", query] if query is not None else []
        return _run(arguments, output, is_dialogue=is_dialogue)


def _display(is_dialogue: bool) -> Sequence[str]:
    if is_dialogue:
        return (*_WITHOUT_COLOURS, ".pager on")
    if sys.stdout.isatty():  # which the prompt does not see, since its output passes through this program
        return (*_WITHOUT_COLOURS, f".maxwidth {shutil.get_terminal_size().columns}")
    return _WITHOUT_COLOURS


def _run(arguments: Sequence[str], output: str | None, *, is_dialogue: bool) -> int:
    """Run DuckDB's prompt with safe output; in a dialogue it writes to the terminal itself, results through a pager."""
    pager = shlex.join([sys.executable, "-m", output_filter.__name__, *([output] if output else [])])
    running = subprocess.Popen(
        arguments,
        stdout=None if is_dialogue else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "DUCKDB_PAGER": pager},
    )
    assert running.stderr is not None
    errors = Thread(target=_pass_errors_on, args=(lines_of(running.stderr), is_dialogue), daemon=True)
    errors.start()
    with running:
        if running.stdout is not None:
            try:
                pass_on(lines_of(running.stdout), output, sys.stdout)
            except BrokenPipeError:  # its reader has closed it
                running.terminate()
                # Else Python would fail once more at its exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 0
        running.wait()
        errors.join()
    return running.returncode


def _pass_errors_on(lines: TextIO, is_dialogue: bool) -> None:
    """Copy errors, which repeat values, line by line. In a dialogue, the next prompt may be on the line already."""
    for line in safe_lines(lines):
        sys.stderr.write(_CLEAR_LINE + line if is_dialogue else line)
        sys.stderr.flush()
