"""The queries and statements for analysts work as the documents have them."""

import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

import pytest
import requests
from duckdb_extensions import import_extension

from pipeline.settings import PROJECT_ROOT
from tests.docs.documents import DOCUMENTS, QUERIES, blocks, section
from tests.end_to_end.project import SCHEMA, TABLES, Project
from tests.warehouse.test_comments import comments_of, uncommented

ATTACHING = blocks("sql", section(QUERIES, "Connect other tools"))
SQL = [block for text in DOCUMENTS.values() for block in blocks("sql", text) if block not in ATTACHING]
# Those that ask for earlier states, which a plain DuckDB file does not have.
OF_DUCKLAKE = pytest.mark.stores("sqlite", "servers")


def test_there_are_ten_questions() -> None:
    assert len(blocks("sql", section(QUERIES, "Ten questions"))) == 10


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(query, id=f"query_{number}", marks=OF_DUCKLAKE if " AT (" in query or "ducklake" in query else ())
        for number, query in enumerate(SQL, 1)
    ],
)
def test_a_query_of_the_documents_answers(examples: Project, query: str) -> None:
    with examples.warehouse.reading() as connection:
        connection.execute(f"USE lake.{SCHEMA}")
        answer = connection.execute(query).fetchall()
    assert answer
    assert all(any(value is not None for value in row) for row in answer)


def test_the_prompt_answers_the_first_of_them(examples: Project) -> None:
    done = examples.command("sql", SQL[0])
    assert done.returncode == 0, done.stderr
    assert "NL_2024_06_weekly" in done.stdout


@pytest.mark.stores("sqlite", "servers")
def test_time_travel_goes_to_a_version_and_to_a_moment(examples: Project) -> None:
    count = f"SELECT count(*) FROM {SCHEMA}.tracks"
    filled = examples.query("SELECT snapshot_id, snapshot_time FROM ducklake_snapshots('lake') ORDER BY 1")
    newest, moment = filled[-1]
    assert isinstance(moment, datetime)
    assert examples.query(f"{count} AT (VERSION => {newest})") == [(4326,)]
    assert examples.query(f"{count} AT (TIMESTAMP => TIMESTAMPTZ '{moment.astimezone(UTC).isoformat()}')") == [(4326,)]
    first = examples.query("SELECT min(snapshot_id) FROM ducklake_snapshots('lake') WHERE snapshot_id > 0")[0][0]
    assert examples.query(f"SELECT count(*) FROM raw.events AT (VERSION => {first})") == [(0,)]


@pytest.mark.stores("sqlite")
def test_duckdbs_own_command_line_attaches_as_the_documents_say(examples: Project, tmp_path: Path) -> None:
    """Without INSTALL, which would download what is installed already."""
    for name in ("ducklake", "sqlite_scanner"):
        import_extension(name)
    [attaching] = ATTACHING
    assert attaching.startswith("INSTALL ducklake; INSTALL sqlite;\n")
    start = tmp_path / "attach.sql"
    start.write_text(attaching.partition("\n")[2].replace("LOAD sqlite;", "LOAD sqlite_scanner;"), "utf-8")
    (tmp_path / "data").symlink_to(examples.folder, target_is_directory=True)
    duckdb = Path(sys.executable).with_name("duckdb")
    done = subprocess.run(
        [str(duckdb), "-csv", "-noheader", "-init", str(start), "-c", "SELECT count(*) FROM tracks; DROP TABLE tracks"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "4326"
    assert "read-only" in done.stderr


def test_python_reads_as_the_documents_say(examples: Project) -> None:
    [code] = blocks("python", section(QUERIES, "Connect other tools"))
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(len(opens))"],
        env=examples.environment,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1255\n", done.stderr


def test_the_documentation_has_every_table_with_its_columns_and_is_served_until_a_signal(examples: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {**examples.environment, "BROWSER": "true", "PYTHONUNBUFFERED": "1"}  # no browser is opened
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "docs", "--port", str(port)],
        env=environment,
        cwd=examples.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        printed = list(takewhile(lambda line: "Press Ctrl+C" not in line, serving.stdout))
        assert serving.poll() is None, "".join(printed)
        page = requests.get(f"{url}/index.html", timeout=30)
        catalog = requests.get(f"{url}/catalog.json", timeout=30).json()
        manifest = requests.get(f"{url}/manifest.json", timeout=30).json()
        serving.terminate()
        ended, _ = serving.communicate()
    assert "Stopped" in ended
    assert serving.returncode == 128 + signal.SIGTERM
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=30)
    assert page.headers["Content-Type"] == "text/html"
    columns = {node["metadata"]["name"]: set(node["columns"]) for node in catalog["nodes"].values()}
    assert set(columns) == {*TABLES, "tracks", "events", "event_rows", "event_details"}
    assert {"link_id", "link_name"} < columns["email_link_clicked"]
    sources = {(node["metadata"]["schema"], node["metadata"]["name"]) for node in catalog["sources"].values()}
    assert sources >= {("raw", "export_files"), ("raw", "events"), ("delivery", "events"), ("delivery", "batches")}
    overview = manifest["docs"]["doc.selligent_to_segment.__overview__"]["block_contents"]
    assert overview.startswith("# Selligent → DuckDB → Segment")


def test_the_documentation_can_be_built_before_the_first_run_and_creates_no_warehouse(project: Project) -> None:
    done = project.command("docs", "--no-serve")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project.data / "docs" / "manifest.json").exists()
    assert not project.warehouse.exists()


def test_every_table_of_a_filled_warehouse_has_its_comments(examples: Project) -> None:
    assert uncommented(comments_of(examples.warehouse)) == []
