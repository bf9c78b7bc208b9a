"""What a step reports of its files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from pipeline.export_dates import ExportDates
from pipeline.exports.assets import files_as_markdown, raw
from pipeline.exports.export_files import LoadedFile
from pipeline.exports.listing import ExportFile
from pipeline.exports.loading import Loaded
from pipeline.exports.locations import ExportLocation, LocalCopy
from pipeline.exports.raw_writing import RawWriting
from pipeline.exports.resources import Exports
from pipeline.orchestration.executor import in_process
from pipeline.orchestration.long_steps import Progress
from pipeline.orchestration.metadata import PARTITION_ROWS
from pipeline.orchestration.partitions import WAREHOUSE_WRITERS, tags_of
from pipeline.orchestration.resources import WarehouseResource
from pipeline.orchestration.run_locks import turn_of
from pipeline.settings import load_settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.waiting import Patience
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.settings.environment import Environment
from tests.support.warehouses import plain_file_in
from tests.warehouse.test_readers_and_writer import another_process

DAY = date(2024, 6, 11)


def test_files_are_told_in_a_table() -> None:
    loaded = Loaded(
        [
            LoadedFile("opens.csv", DAY, "events", "loaded", 12_345, 1_000, 7, 2, layout="opens"),
            LoadedFile(
                "bounces.csv", DAY, None, "refused", reason="line 1: the header has no column 'A|B'", layout="all"
            ),
        ],
        unchanged=3,
    )
    assert files_as_markdown(loaded).splitlines() == [
        "| date | file | layout | status | rows | skipped | rejected | suppressed | reason |",
        "| --- | --- | --- | --- | --: | --: | --: | --: | --- |",
        "| 2024-06-11 | opens.csv | opens | loaded | 12,345 | 1,000 | 7 | 2 |  |",
        "| 2024-06-11 | bounces.csv | all | refused | 0 | 0 | 0 | 0 | line 1: the header has no column 'A\\|B' |",
    ]


def test_a_name_does_not_break_the_table() -> None:
    table = files_as_markdown(Loaded([LoadedFile("a|b.csv", DAY, "events", "loaded")], 0))
    assert "| a\\|b.csv |" in table


def test_a_step_without_files_has_a_sentence() -> None:
    assert files_as_markdown(Loaded([], 4)) == "No file is new or changed."


def test_a_step_tells_how_many_rows_its_tables_have_whether_it_read_them_now_or_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z", "bob,m1,c1,WHAT,,2024-06-10T08:00:00Z", "too,few"]
    project = Project(tmp_path).with_files(
        {"log_20240611.csv": log(rows), "campaigns_20240611.csv": "ID,NAME\nc1,June\n"}, LAYOUTS
    )
    Environment(monkeypatch, tmp_path / ".env").load(**project.of_the_pipeline)
    for read in (3, 0):
        done = dg.materialize(
            [raw], partition_key=f"{DAY}", resources={"exports": Exports(), "warehouse": WarehouseResource()}
        )
        reported = {
            materialization.asset_key.path[-1]: {
                name: materialization.metadata[name].value for name in ("dagster/partition_row_count", "rows")
            }
            for materialization in done.asset_materializations_for_node("raw")
            if materialization.asset_key.path[-1] in ("events", "rejected_rows", "lookups")
        }
        assert {table: numbers["dagster/partition_row_count"] for table, numbers in reported.items()} == {
            "events": 2,
            "rejected_rows": 2,
            "lookups": 1,
        }
        assert reported["events"]["rows"] == read


def test_each_date_of_a_range_has_its_own_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, bob = "ann,m1,c1,VIEW,,2024-06-10T08:00:00Z", "bob,m1,c1,VIEW,,2024-06-10T08:00:00Z"
    project = Project(tmp_path).with_files(
        {"log_20240611.csv": log([ann, bob]), "log_20240613.csv": log([ann])}, LAYOUTS
    )
    Environment(monkeypatch, tmp_path / ".env").load(**project.of_the_pipeline)
    noted: list[tuple[float, int, str, str]] = []
    monkeypatch.setattr(Progress, "note", lambda _progress, *values: noted.append(values))
    done = dg.materialize(
        [raw],
        tags=tags_of(ExportDates(DAY, DAY + timedelta(days=2))),
        resources={"exports": Exports(), "warehouse": WarehouseResource()},
    )
    assert {
        materialization.partition: materialization.metadata[PARTITION_ROWS].value
        for materialization in done.asset_materializations_for_node("raw")
        if materialization.asset_key.path[-1] == "events"
    } == {"2024-06-11": 2, "2024-06-12": 0, "2024-06-13": 1}
    assert [values[1:] for values in noted] == [
        (2, "rows", "1 of 2 files and 2 rows"),
        (3, "rows", "2 of 2 files and 3 rows"),
    ]
    assert noted[-1][0] == 1.0


class _ForOthers(ExportLocation):
    """A location in which others work while a file is on its way."""

    def __init__(self, folder: Path, meanwhile: Callable[[], None]) -> None:
        super().__init__(str(folder))
        self._meanwhile = meanwhile

    @contextmanager
    def local(self, file: ExportFile) -> Iterator[LocalCopy]:
        self._meanwhile()
        with super().local(file) as copy:
            yield copy


def test_other_steps_and_commands_write_while_a_file_is_on_its_way_and_their_changes_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person is suppressed meanwhile, too: the list is read once the step has its turn."""
    rows = ["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z", "bob,m1,c1,VIEW,,2024-06-10T08:00:00Z"]
    project = Project(tmp_path, {"SELLIGENT_SUPPRESSED": str(tmp_path / "suppressed.csv")})
    project.with_files({"log_20240611.csv": log(rows)}, LAYOUTS)
    (tmp_path / "suppressed.csv").write_text("user_id\n")
    Environment(monkeypatch, tmp_path / ".env").load(**project.of_the_pipeline)
    settings = load_settings()
    taken: list[bool] = []

    def meanwhile() -> None:
        turn, _ = turn_of(WAREHOUSE_WRITERS, settings)
        taken.append(turn.take("another step"))
        with Warehouse.of(settings).writing() as connection:
            connection.execute("INSERT INTO raw.origin VALUES ('written', 'meanwhile')")
        turn.leave()
        (tmp_path / "suppressed.csv").write_text("user_id\nbob\n")

    monkeypatch.setattr(Exports, "location", lambda _: _ForOthers(Path(settings.selligent_exports), meanwhile))
    job = dg.define_asset_job("job", [raw])
    resources = {"exports": Exports(), "warehouse": WarehouseResource()}
    definitions = dg.Definitions(assets=[raw], jobs=[job], resources=resources, executor=in_process)
    found = definitions.resolve_job_def("job")
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(found, tags=tags_of(ExportDates(DAY, DAY)))
        assert execute_run(InMemoryJob(found), run, instance).success
    assert taken == [True]
    with Warehouse.of(settings).reading() as connection:
        assert connection.execute("SELECT user_id FROM raw.events").fetchall() == [("ann",)]
        assert connection.execute("SELECT value FROM raw.origin WHERE name = 'written'").fetchall() == [("meanwhile",)]
    turn, _ = turn_of(WAREHOUSE_WRITERS, settings)
    assert turn.take("the next step")
    turn.leave()


def test_what_is_known_of_a_plain_file_is_read_as_soon_as_no_one_has_it_open(tmp_path: Path) -> None:
    warehouse = plain_file_in(tmp_path)
    with warehouse.writing() as connection:
        connection.execute("INSERT INTO raw.export_files (name, status) VALUES ('opens.csv', 'loaded')")
    waits: list[float] = []
    with another_process(warehouse, "writing") as holder:

        def wait(seconds: float) -> None:
            waits.append(seconds)
            holder.kill()

        patient = replace(warehouse, patience=Patience(sleep=wait))
        writing = RawWriting(dg.build_asset_context(), load_settings(), patient, [], Progress())
        assert [name for _, name in writing.known_before()] == ["opens.csv"]
    assert waits
