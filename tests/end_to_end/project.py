"""A user's project in a temporary folder: its settings, its exports, and the commands as a user types them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.settings import PROJECT_ROOT, Settings
from pipeline.warehouse import Warehouse
from tests.end_to_end.forked import run_module
from tests.end_to_end.stores import Store, default_store

SCHEMA = "selligent_marketing_cloud"
TABLES = (
    "email_delivered",
    "email_opened",
    "email_link_clicked",
    "email_marked_as_spam",
    "email_bounced",
    "email_unsubscribed",
)


@dataclass
class Project:
    """Everything below `folder`; nothing outside it is written."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    store: Store = field(default_factory=default_store)

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    @property
    def layouts(self) -> Path:
        return self.folder / "layouts"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def warehouse(self) -> Warehouse:
        settings = {**self.store.settings(self.folder), **self.settings}
        return Warehouse(settings["WAREHOUSE"], settings["WAREHOUSE_FILES"])

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            "SELLIGENT_EXPORTS": str(self.exports),
            "SELLIGENT_LAYOUTS": str(self.layouts),
            **self.store.settings(self.folder),
            "DAGSTER_HOME": str(self.data / "dagster"),
            "PIPELINE_DATA_DIR": str(self.data),
            "SEGMENT_EVENTS_PER_SECOND": "0",
        }
        unwanted = ("SEGMENT_WRITE_KEY", "SEGMENT_PUBLIC_API_TOKEN", "SEGMENT_SOURCE_ID", "COLUMNS")
        clean = {name: value for name, value in os.environ.items() if name not in unwanted}
        return {**clean, **ours, **self.settings}

    @property
    def of_the_pipeline(self) -> dict[str, str]:
        """What of the environment is a setting."""
        return {name: value for name, value in self.environment.items() if name.lower() in Settings.model_fields}

    def with_examples(self) -> "Project":
        """The exports and layouts that the project ships."""
        shutil.copytree(PROJECT_ROOT / "examples" / "exports", self.exports)
        shutil.copytree(PROJECT_ROOT / "examples" / "layouts", self.layouts)
        return self

    def with_files(self, exports: Mapping[str, str], layouts: Mapping[str, str]) -> "Project":
        """These exports and layouts."""
        for folder, files in ((self.exports, exports), (self.layouts, layouts)):
            folder.mkdir(exist_ok=True)
            for name, text in files.items():
                (folder / name).write_text(text, "utf-8")
        return self

    def delivering_to(self, url: str) -> "Project":
        """With the strict server as Segment."""
        self.settings |= {"SEGMENT_ENDPOINT": url, "SEGMENT_WRITE_KEY": "test-key"}
        return self

    def command(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """`python -m pipeline …`, from another folder than the project's, as cron does."""
        return run_module("pipeline", arguments, {**self.environment, **settings}, self.folder)

    def killed(self, place: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The same, dead as soon as the function at `place` has done its work."""
        return run_module("tests.end_to_end.kill_process", [place, *arguments], self.environment, PROJECT_ROOT)

    def start(self, *arguments: str, **settings: str) -> "subprocess.Popen[bytes]":
        """The same, not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            env={**self.environment, **settings},
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *arguments: str, **settings: str) -> str:
        """`python -m pipeline run`, which must go well; what it printed."""
        done = self.command("run", *arguments, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def materialize(self, assets: str, first: str, last: str = "", *, config: str = "{}", **settings: str) -> bool:
        """One asset alone, or several, for a range of dates, as the UI would."""
        arguments = [assets, first, last or first, config]
        environment = {**self.environment, **settings}
        done = run_module("tests.end_to_end.materialize", arguments, environment, PROJECT_ROOT)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.returncode == 0

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Rows of the warehouse."""
        with self.warehouse.reading() as connection:
            return connection.execute(statement, list(parameters)).fetchall()

    def ids(self, table: str = "tracks") -> set[str]:
        """The ids in one of the event tables."""
        return {str(row[0]) for row in self.query(f"SELECT id FROM {SCHEMA}.{table}")}

    def lose(self, *stores: str) -> None:
        """Remove the database of the `warehouse`, of the `ledger`, or of both."""
        for store in stores:
            for path in self.folder.glob(f"{store}.*"):
                path.unlink()

    def snapshot(self) -> int:
        """A number that changes with every change of any table: that of DuckLake's newest snapshot."""
        if not self.warehouse.is_ducklake:
            return Path(self.warehouse.location).stat().st_mtime_ns
        return int(str(self.query("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')")[0][0]))


# Prepares a project by what a function does to one that has never run; a fixture has it.
Prepare = Callable[[Callable[[Project], object]], Path]


@contextmanager
def copied_to(place: Path, prepared: Path, kept: Path) -> Iterator[Project]:
    """A copy of a prepared project at its place; at the end it goes to `kept`."""
    shutil.copytree(prepared, place)
    default_store().copy(place)
    try:
        yield Project(place)
    finally:
        place.rename(kept)
