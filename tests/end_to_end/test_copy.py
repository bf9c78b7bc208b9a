"""Warehouse and ledger move to other stores and back, and nothing is lost or sent twice."""

import shlex
from pathlib import Path

from pipeline.commands.copy import copy
from pipeline.transfer.tables import Contents
from tests.docs.documents import OPERATIONS, blocks, section
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import ANN, BOB, EVE, LAYOUTS, log
from tests.fakes import postgres as postgres_server
from tests.fakes.postgres import Postgres
from tests.fakes.segment_server import SegmentServer

OWN = "('raw', 'staging', 'delivery', 'selligent_marketing_cloud')"


def contents(project: Project) -> dict[str, Contents]:
    """The rows and hashes of all tables, but for that with the marks of a move."""
    found = {}
    for schema, table in project.query(
        f"SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name IN {OWN}"
    ):
        if table != "origin":
            [(rows, hashes)] = project.query(
                f"SELECT count(*), coalesce(sum(hash(CAST(to_json(t) AS VARCHAR))), 0) FROM {schema}.{table} AS t"
            )
            found[f"{schema}.{table}"] = Contents(int(str(rows)), int(str(hashes)))
    return found


def test_everything_moves_to_a_server_and_back(
    delivering: Project, segment: SegmentServer, postgres: Postgres, tmp_path: Path
) -> None:
    home = delivering.with_files({"log_20240611.csv": log([ANN, BOB])}, LAYOUTS)
    home.run()
    before = contents(home)
    assert before["staging.events"].rows == 2

    name = home.folder.name.replace("_", "-")
    away = Project(home.folder, dict(home.settings))
    away.settings |= {
        "WAREHOUSE": f"ducklake:postgres:{postgres.dsn(postgres.create(f'c-{name}'))}",
        "WAREHOUSE_FILES": f"{tmp_path}/away/",
        "LEDGER": postgres.url(postgres.create(f"l-{name}")),
    }
    to_the_server = (
        *("copy", "--to", away.warehouse.location, "--files", away.warehouse.files),
        *("--ledger", away.settings["LEDGER"]),
    )
    assert home.killed("pipeline.transfer.move:copy_table", *to_the_server).returncode == 9
    refused = away.command("run")
    assert refused.returncode == 2
    assert "is an incomplete copy; call `python -m pipeline copy` again" in refused.stderr
    assert "There is nothing new." in home.run()

    copied = home.command(*to_the_server)
    assert copied.returncode == 0, copied.stderr
    assert f"Copied and compared: {sum(each.rows for each in before.values()):,} rows of {len(before)} tables." in (
        copied.stdout
    )
    assert "Now set WAREHOUSE, WAREHOUSE_FILES, LEDGER to the values given here." in copied.stdout
    assert postgres_server.PASSWORD not in copied.stdout + copied.stderr
    assert contents(away) == before
    moved = home.command("run")
    assert (moved.returncode, moved.stderr) == (
        2,
        "WAREHOUSE: was moved to a DuckLake with its catalog in PostgreSQL; set WAREHOUSE to it, or copy it back\n",
    )
    assert "There is nothing new." in away.run()
    away.with_files({"log_20240612.csv": log([ANN, EVE])}, {})
    away.run()
    assert len(segment.received_ids) == 3

    back = away.command(
        *("copy", "--to", home.warehouse.location, "--files", home.warehouse.files),
        *("--ledger", home.environment["LEDGER"]),
    )
    assert back.returncode == 0, back.stderr
    assert contents(home) == contents(away)
    assert "There is nothing new." in home.run()
    assert segment.received_ids == home.ids()
    assert not segment.duplicates


def test_the_command_of_the_documents_has_the_options_that_there_are() -> None:
    [command] = blocks("sh", section(OPERATIONS, "Move to another store"))
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "pipeline", "copy"]
    assert {word for word in words if word.startswith("--")} == {
        option for parameter in copy.params for option in parameter.opts
    }


def test_what_a_copy_would_overwrite_is_refused(project: Project, tmp_path: Path) -> None:
    project.with_files({"log_20240611.csv": log([ANN])}, LAYOUTS).run()
    other = Project(tmp_path, {**project.settings, "WAREHOUSE": f"{tmp_path}/other.duckdb"})
    other.exports.mkdir()
    other.with_files({"log_20240611.csv": log([BOB])}, LAYOUTS).run()
    before = contents(other)

    into_another = project.command("copy", "--to", other.warehouse.location)
    assert (into_another.returncode, into_another.stderr) == (2, "--to: contains another warehouse; name a new one\n")
    onto_itself = project.command("copy", "--to", project.warehouse.location)
    assert (onto_itself.returncode, onto_itself.stderr) == (2, "--to: is the warehouse itself; name another one\n")
    its_ledger = project.command("copy", "--to", f"{tmp_path}/new.duckdb", "--ledger", other.environment["LEDGER"])
    assert its_ledger.returncode == 2
    assert "LEDGER: the copy would replace the batches of another warehouse" in its_ledger.stderr
    wrong = project.command("copy", "--to", "somewhere")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("WAREHOUSE: is not one of ducklake:sqlite:FILE")
    assert contents(other) == before
    assert "There is nothing new." in other.run()
    assert "There is nothing new." in project.run()
