"""What a loss of power may not undo: the system calls of a whole run, as strace saw them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.warehouse import CATALOG
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.support.needed import is_lacking

ROWS = [f"C-{n},7743,5120,VIEW,,2024-06-10T07:{n % 60:02}:00Z" for n in range(300)]
STRACE = ["strace", "-f", "-y", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-o"]
SYNC = re.compile(r"f(?:data)?sync\(\d+<(?P<path>[^>]+)>\)\s*=\s*0")


def synced_by(project: Project, folder: Path) -> set[str]:
    """Run, and return every file and folder that was put on the disk."""
    if shutil.which("strace") is None:
        is_lacking("strace is not installed")
    trace = folder / "trace.txt"
    done = subprocess.run(
        [*STRACE, str(trace), sys.executable, "-m", "pipeline", "run"],
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {found["path"] for found in SYNC.finditer(trace.read_text())}


@pytest.mark.stores("sqlite")
def test_every_file_that_the_catalog_knows_is_on_the_disk(project: Project, tmp_path: Path) -> None:
    """Those that dbt wrote, too, and the folders that list them; catalog and ledger as well."""
    project.with_files({"log_20240611.csv": log(ROWS)}, LAYOUTS)
    synced = synced_by(project, tmp_path)
    listed = project.query(
        f"SELECT path FROM {CATALOG}.ducklake_data_file UNION ALL SELECT path FROM {CATALOG}.ducklake_delete_file"
    )
    names = {Path(str(path)).name for (path,) in listed}
    files = {path for path in (project.folder / "warehouse").rglob("*.parquet") if path.name in names}
    assert len(files) == len(names) > 5
    assert {str(path) for path in files} <= synced
    assert {str(path.parent) for path in files} <= synced
    for database in ("warehouse.sqlite", "ledger.sqlite"):
        assert f"{project.folder}/{database}-wal" in synced
