"""Child processes in copies of the project, with their seconds and peak memory."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from pipeline.settings import PROJECT_ROOT, Settings

_COPIED = ("pipeline", "dbt_project", "examples/layouts", "benchmarks")
_LAYOUTS = Path(__file__).parent / "layouts"
_LOOK_SECONDS = 0.2
# getrusage counts bytes on macOS, kilobytes on Linux.
_MAXRSS_PER_MB = 1 << 20 if sys.platform == "darwin" else 1 << 10


@dataclass(frozen=True)
class Finished:
    """A successful process. `worked` are processor seconds, children included. Peaks are resident memory in MB;
    `children` is that of the largest child process, and `together` the largest sum of all processes at one moment.
    """

    output: str
    seconds: float
    worked: float
    peak: int
    peak_of_children: int
    peak_together: int

    @property
    def answer(self) -> Any:
        """The last line of its output, as JSON."""
        return json.loads(self.output.splitlines()[-1])


@dataclass(frozen=True)
class Clone:
    """A new copy of the project, without `.env`, without `data/`, and with only the settings given here."""

    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def make(cls, folder: Path, exports: Path, source: Path = PROJECT_ROOT) -> "Clone":
        """Copy the program of `source`, and the layout of generated files. Warehouse, ledger and Dagster home will be
        in the copy's `data/`.
        """
        for name in _COPIED:
            shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(_LAYOUTS, folder / "layouts")
        settings = {name.upper() for name in Settings.model_fields} | {
            "DAGSTER_HOME",
            "PIPELINE_ENV_FILE",
            "PYTHONPATH",
            "PYTHONDONTWRITEBYTECODE",  # each run would compile the program
        }
        kept = {name: value for name, value in os.environ.items() if name not in settings and name[:4] != "DBT_"}
        given = {
            "SELLIGENT_EXPORTS": str(exports),
            "SELLIGENT_LAYOUTS": str(folder / "layouts"),
            "WAREHOUSE": f"ducklake:sqlite:{folder}/data/warehouse.sqlite",
            "WAREHOUSE_FILES": f"{folder}/data/warehouse/",
            "LEDGER": f"sqlite:///{folder}/data/ledger.sqlite",
            "DAGSTER_HOME": f"{folder}/data/dagster",
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        (folder / "data").mkdir()
        return cls(folder, kept | given)

    def python(self, module: str, *arguments: str) -> Finished:
        """Run a module of the copy."""
        return self.run([sys.executable, "-m", module, *arguments])

    def run(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
        """Run a program in the copy until it ends.

        Raises:
            RuntimeError: it failed; the message has its output.
        """
        values = {**self.environment, **(environment or {})}
        with TemporaryFile() as output, TemporaryFile() as log:
            started = time.perf_counter()
            process = subprocess.Popen(arguments, cwd=self.folder, env=values, stdout=output, stderr=log)
            watch = _Watch(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            watch.stop()
            printed, logged = _text(output), _text(log)
        if process.returncode != 0:
            raise RuntimeError(f"{arguments[:4]} exited with {process.returncode}:\n{(printed + logged)[-4000:]}")
        worked = usage.ru_utime + usage.ru_stime
        peak = usage.ru_maxrss // _MAXRSS_PER_MB
        return Finished(printed, seconds, worked, peak, watch.of_children >> 10, max(peak, watch.together >> 10))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


class _Watch(threading.Thread):
    """Records the peak memory of all descendants of a process in kB, each by itself and with the process together (on
    Linux; elsewhere it records nothing).

    `getrusage` is unsuitable for grandchildren: a child inherits the peak of the process that forked it.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.of_children = self.together = 0
        self._stopped = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            memory = _memory_from(self._pid)
            self.together = max(self.together, sum(now for now, _ in memory.values()))
            self.of_children = max(
                self.of_children, *(peak for pid, (_, peak) in memory.items() if pid != self._pid), 0
            )

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _memory_from(ancestor: int) -> dict[int, tuple[int, int]]:
    """Resident memory and its peak in kB, of a process and its descendants."""
    parents: dict[int, int] = {}
    memory: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        except OSError:  # ended meanwhile
            continue
        pid = int(path.parent.name)
        parents[pid] = int(lines["PPid"])
        now, peak = (int(lines.get(name, "0 kB").split()[0]) for name in ("VmRSS", "VmHWM"))
        memory[pid] = (now, peak)

    def descends(pid: int) -> bool:
        while pid != ancestor and pid in parents:
            pid = parents[pid]
        return pid == ancestor

    return {pid: sizes for pid, sizes in memory.items() if descends(pid)}
