"""A run under an open umask, over an export whose codes and names a terminal, a page or Markdown would obey."""

import os
import stat
from pathlib import Path

from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS, log

HOSTILE = "[/b]\x1b]0;x\x07<script>alert(1)</script>"
ROWS = [
    "ann,m1,c1,SENT,,2024-06-10T08:00:00Z",
    f"bob,m1,c1,{HOSTILE},,2024-06-10T09:00:00Z",
    "zoe,m1,c1,[bold]zoe@example.com,,2024-06-10T10:00:00Z",
]


def open_to_others(folder: Path) -> list[str]:
    return [
        f"{path} {stat.S_IMODE(path.stat().st_mode):o}"
        for path in (folder, *folder.rglob("*"))
        if not path.is_symlink() and path.stat().st_mode & 0o077
    ]


def test_what_a_run_writes_is_for_its_user_alone_and_nothing_in_it_is_obeyed(unparsed: Project) -> None:
    project = unparsed.with_files({"log_20240611.csv": log(ROWS), "[red]\x1b[2J<b>.csv": "x\n"}, LAYOUTS)
    before = os.umask(0o000)
    try:
        done = project.command("run")
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stdout + done.stderr

    # The progress, the warnings of checks, and the summary.
    assert "[/b]\\x1b]0;x\\x07<script>" in done.stderr
    assert "[red]\\x1b[2J<b>.csv" in done.stderr
    assert "can't be displayed" not in done.stderr
    assert not {"\x1b", "\x07"} & set(done.stdout + done.stderr)
    assert "zoe@example.com" not in done.stdout + done.stderr

    page = (project.data / "report" / "index.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "\x1b" not in page

    # dbt, DuckDB, SQLite and Dagster write below data/ and beside it, some of it in processes of their own.
    assert list((project.data / "dry_run").rglob("*.json"))
    stored = [project.data, *project.folder.glob("warehouse*"), *project.folder.glob("ledger*")]
    assert [path for folder in stored for path in open_to_others(folder)] == []
