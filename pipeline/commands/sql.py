"""`python -m pipeline sql`: DuckDB's own prompt on the warehouse, read-only."""

import os
import shutil
import subprocess
import sys
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.commands.answers import pass_on
from pipeline.errors import WarehouseError
from pipeline.settings import Settings
from pipeline.system_errors import naming
from pipeline.warehouse import ALIAS, Warehouse, quoted


def sql(settings: Settings, query: str | None, output: str | None = None) -> int:
    """Open the prompt, or answer one query, in a format as the prompt calls them; the exit status of the prompt.

    Raises:
        WarehouseError: there is no warehouse, or no `duckdb` beside this Python.
    """
    warehouse = Warehouse.of(settings)
    with warehouse.reading():
        pass  # says clearly what is wrong, where something is
    prompt = shutil.which("duckdb", path=str(Path(sys.executable).parent)) or shutil.which("duckdb")
    if prompt is None:
        raise WarehouseError("There is no `duckdb` command; `make run` installs it.")
    with TemporaryDirectory() as folder:
        # A file, since a password in an argument could be read by every user of the machine.
        start = Path(folder) / "start.sql"
        start.touch(mode=0o600)
        statements = [*warehouse.attach_statements(read_only=True), "SET TimeZone = 'UTC'"]
        statements.append(f"USE {ALIAS}.{quoted(settings.schema_name)}")
        with naming(start):
            start.write_text(";\n".join(statements) + ";\n", "utf-8")
        # Not by -init, which says on stderr what it reads, and keeps the user's own settings of the prompt out.
        arguments = [prompt, "-cmd", f".read '{start}'", *([f"-{output}"] if output else [])]
        arguments += ["-bail", "-no-init", "-c", query] if query else []
        if query is None or (output is None and sys.stdout.isatty()):  # fitted to the width of the terminal
            return subprocess.run(arguments, check=False).returncode
        answer = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert answer.stdout is not None
        with answer, TextIOWrapper(answer.stdout, "utf-8", errors="replace", newline="") as lines:
            try:
                pass_on(lines, output, sys.stdout)
                sys.stdout.flush()
            except BrokenPipeError:  # its reader has what it wanted
                answer.terminate()
                # Else Python would find so again at its end.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 0
        return answer.returncode
