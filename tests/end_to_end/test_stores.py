"""The same story in each store gives the same tables and the same deliveries."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.settings import PROJECT_ROOT
from tests.end_to_end.project import SCHEMA, TABLES, Project, copied_to
from tests.end_to_end.stores import IN_DUCKDB, IN_SQLITE, Servers, Store
from tests.end_to_end.tiny_exports import LAYOUT, log
from tests.fakes.postgres import Postgres
from tests.fakes.s3 import S3
from tests.fakes.segment_server import SegmentServer

_MODELS = ",".join(["staging/event_rows", "staging/events", *(f"segment/{table}" for table in (*TABLES, "tracks"))])
_FULL_REFRESH = json.dumps({"ops": {"models": {"config": {"full_refresh": True}}}})
# Without the times at which something was done.
_COMPARED = {
    "raw.export_files": "export_date, name, layout, status, reason, rows, skipped, rejected, suppressed, sha256",
    "raw.events": "* EXCLUDE (loaded_at)",
    "raw.rejected_rows": "* EXCLUDE (loaded_at)",
    "raw.lookups": "* EXCLUDE (loaded_at)",
    "staging.event_rows": "* EXCLUDE (loaded_at)",
    "staging.events": "* EXCLUDE (received_at, written_at)",
    **{f"{SCHEMA}.{table}": "* EXCLUDE (received_at, uuid_ts)" for table in (*TABLES, "tracks")},
    "delivery.outbox": "* EXCLUDE (cut_at)",
    "delivery.events": "id, event, export_date, status, attempts, reason",
}

Content = Mapping[str, tuple[object, ...]]


@pytest.fixture
def stores(postgres: Postgres, s3_environment: S3) -> Mapping[str, Store]:
    return {"SQLite": IN_SQLITE, "PostgreSQL and S3": Servers(postgres, s3_environment), "a DuckDB file": IN_DUCKDB}


def live(project: Project) -> None:
    """Days one after the other, overlaps, late events, a dead event, a correction, a suppressed person, a rebuild."""
    examples = PROJECT_ROOT / "examples"
    shutil.copytree(examples / "layouts", project.layouts)
    (project.layouts / "log.yml").write_text(LAYOUT, "utf-8")
    project.exports.mkdir()

    def arrive(pattern: str) -> None:
        for path in (examples / "exports").glob(pattern):
            shutil.copy(path, project.exports)

    ann, bob = "ann,m1,c1,CLICK,l1,2024-06-10T08:00:00Z", "bob,m1,c1,CLICK,l1,2024-06-10T09:00:00Z"
    zoe, late = "zoe,m1,c1,VIEW,,2024-06-11T10:00:00Z", "kim,m1,c1,VIEW,,2024-06-09T10:00:00Z"
    heavy = f"max,m1,{'c' * 40_000},VIEW,,2024-06-11T10:00:00Z"
    arrive("*_20240611*")
    (project.exports / "log_20240611_0600.csv").write_text(log([ann, bob]), "utf-8")
    project.run()
    arrive("*_20240613*")
    (project.exports / "log_20240612_0600.csv").write_text(log([bob, zoe, late, heavy, "broken"]), "utf-8")
    project.run()
    arrive("*_20240612*")  # a day late
    (project.exports / "log_20240611_0600.csv").write_text(log([bob, "eve,m1,c1,SENT,,2024-06-10T08:00:00Z"]), "utf-8")
    project.run()

    (project.folder / "suppressed.csv").write_text("user_id\nzoe\n", "utf-8")
    project.settings["SELLIGENT_SUPPRESSED"] = str(project.folder / "suppressed.csv")
    forgotten = project.command("forget")
    assert forgotten.returncode == 0, forgotten.stdout + forgotten.stderr
    assert project.materialize(_MODELS, "2024-06-11", "2024-06-13", config=_FULL_REFRESH)
    project.run("--from", "2024-06-11", "--to", "2024-06-13")
    upkeep = project.command("upkeep")
    assert upkeep.returncode == 0, upkeep.stdout + upkeep.stderr
    assert "There is nothing new" in project.run()


def content(project: Project) -> Content:
    """The number of rows in each table, and a hash of all of them."""
    return {
        table: project.query(
            "SELECT count(*), md5(string_agg(line, chr(10) ORDER BY line)) "
            f"FROM (SELECT CAST(compared AS VARCHAR) AS line FROM (SELECT {columns} FROM {table}) AS compared)"
        )[0]
        for table, columns in _COMPARED.items()
    }


@pytest.mark.timeout(1800)
def test_every_store_has_the_same_tables_and_delivers_the_same_events(
    stores: Mapping[str, Store], parsed: Path, place: Path, tmp_path: Path
) -> None:
    tables: dict[str, Content] = {}
    received: dict[str, set[str]] = {}
    for name, store in stores.items():
        with SegmentServer() as segment, copied_to(place, parsed, tmp_path / name) as project:
            project.store = store
            live(project.delivering_to(segment.url))
            tables[name], received[name] = content(project), segment.received_ids
            assert not segment.dropped
            assert not segment.duplicates
    expected, *others = tables.values()
    assert all(rows for table, (rows, _) in expected.items())
    for other in others:
        assert other == expected
    assert len(received["SQLite"]) > 4326
    assert received["SQLite"] == received["PostgreSQL and S3"] == received["a DuckDB file"]
