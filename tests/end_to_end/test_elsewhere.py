"""Nothing on this machine but the program: exports on SFTP or in S3, catalog and ledger in PostgreSQL, files in S3."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.settings import PROJECT_ROOT
from tests.end_to_end.project import SCHEMA, Project
from tests.end_to_end.test_main_job import EVENTS
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.fakes import postgres as postgres_server
from tests.fakes import s3 as s3_server
from tests.fakes import sftp as sftp_server
from tests.fakes.door import door
from tests.fakes.postgres import Postgres
from tests.fakes.s3 import S3
from tests.fakes.segment_server import SegmentServer
from tests.fakes.sftp import Sftp

SECRETS = (
    postgres_server.PASSWORD,
    s3_server.SECRET_KEY,
    sftp_server.PASSWORD,
    quote(sftp_server.PASSWORD, safe=""),
    "test-key",
)

_ONE_CLICK = """CUSTOMER_KEY|CONTENT_ID|INTERACTION|LINK_ID|INTERACTION_DT
CRM-of-the-test|7745|CLICK|4|2024-06-14T05:00:00
"""


@pytest.fixture
def elsewhere(
    unparsed: Project, segment: SegmentServer, postgres: Postgres, s3_environment: S3, known_sftp: Sftp, home: Path
) -> Iterator[Project]:
    """A project that keeps nothing of its own, and whose exports come by SFTP."""
    delivering = unparsed.delivering_to(segment.url)
    name = delivering.folder.name.replace("_", "-")
    shutil.copytree(PROJECT_ROOT / "examples" / "layouts", delivering.layouts)
    shutil.copytree(PROJECT_ROOT / "examples" / "exports", known_sftp.folder / "out")
    delivering.settings |= {
        "WAREHOUSE": f"ducklake:postgres:{postgres.dsn(postgres.create(f'lake-{name}'))}",
        "SELLIGENT_EXPORTS": known_sftp.url("/out"),
        "LEDGER": postgres.url(postgres.create(f"ledger-{name}")),
        "REPORT": known_sftp.url("/reports"),
        "WAREHOUSE_FILES": f"s3://{s3_environment.bucket(name)}/lake/",
    }
    yield delivering


def test_the_examples_arrive_by_whatever_way(
    elsewhere: Project, segment: SegmentServer, s3: S3, known_sftp: Sftp
) -> None:
    out = known_sftp.folder / "out"
    out.rename(known_sftp.folder / "later")
    out.mkdir()
    nothing = elsewhere.command("run")
    assert nothing.returncode == 0
    assert "There is nothing to load in sftp://127.0.0.1:" in nothing.stdout
    out.rmdir()
    (known_sftp.folder / "later").rename(out)

    first = elsewhere.command("run")
    output = first.stdout
    assert "all                    4,379        28     4,326      4,326        0     0" in output
    assert segment.received_ids == elsewhere.ids()
    assert not segment.dropped
    assert not segment.duplicates
    page = known_sftp.folder / "reports" / "index.html"
    assert f"The report: sftp://127.0.0.1:{known_sftp.port}/reports/index.html\n" in output
    assert "Every number reconciles" in page.read_text("utf-8")
    counted = {table: len(elsewhere.ids(table)) for table in EVENTS}
    assert counted == EVENTS

    # Another machine with the same settings has the same tables and the same ledger.
    other = Project(elsewhere.folder / "another-machine", dict(elsewhere.settings))
    other.folder.mkdir()
    shutil.copytree(elsewhere.layouts, other.layouts)
    requests = len(segment.requests)
    assert "There is nothing new" in other.run()
    assert len(segment.requests) == requests
    assert other.command("sql", f"SELECT 4 * count(*) FROM {SCHEMA}.email_bounced").stdout.count("372") == 1
    assert other.command("sql", "--format", "csv", "SELECT 1 AS one").stdout == "one\n1\n"

    # A further export, from a place of another kind.
    bucket = s3.bucket(f"exports-{elsewhere.folder.name.replace('_', '-')}")
    for path in sorted((PROJECT_ROOT / "examples" / "exports").iterdir()):
        s3.client.upload_file(str(path), bucket, f"out/{path.name}")
    s3.client.put_object(Bucket=bucket, Key="out/ACME_interactions_20240614_0600.csv", Body=_ONE_CLICK.encode())
    output = other.run(SELLIGENT_EXPORTS=f"s3://{bucket}/out", REPORT=f"s3://{bucket}/reports")
    assert f"The report: s3://{bucket}/reports/index.html\n" in output
    assert "reports/index.html" in s3.keys(bucket)
    assert "4,327" in output
    assert segment.received_ids == elsewhere.ids()

    other.settings["SELLIGENT_SUPPRESSED"] = f"s3://{bucket}/suppressed.csv"
    s3.client.put_object(Bucket=bucket, Key="suppressed.csv", Body=b"user_id\nCRM-of-the-test\n")
    forgotten = other.command("forget")
    assert forgotten.returncode == 0, forgotten.stdout + forgotten.stderr
    assert "Nothing was found." in forgotten.stdout
    assert len(elsewhere.ids()) == 4326

    written = [text.encode() for done in (nothing, first, forgotten) for text in (done.stdout, done.stderr)]
    written += [
        path.read_bytes() for path in elsewhere.folder.rglob("*") if path.is_file() and "sftp" not in path.parts
    ]
    assert len(written) > 20
    for secret in SECRETS:
        assert not [text for text in written if secret.encode() in text]


def test_a_server_that_turns_dbt_away_is_reported_without_its_password(unparsed: Project, postgres: Postgres) -> None:
    """It answered the step itself, and then had too many clients."""
    project = unparsed.with_files({"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}, LAYOUTS)
    database = postgres.create(f"lake-{project.folder.name.replace('_', '-')}")

    def dbt_builds() -> bool:
        """After dbt parsed its project."""
        noted = project.data / "dbt" / "dbt.log"
        return noted.exists() and noted.read_text("utf-8").count("Running with dbt=") == 2

    with door(postgres.port, is_shut=dbt_builds) as way:
        through = replace(postgres, port=way.port)
        project.settings["WAREHOUSE"] = f"ducklake:postgres:{through.dsn(database)}"
        done = project.command("run")
    assert done.returncode != 0
    assert "failed: models: " in done.stderr
    assert "Unable to connect to Postgres" in done.stderr
    written = [done.stdout.encode(), done.stderr.encode()]
    written += [path.read_bytes() for path in project.folder.rglob("*") if path.is_file()]
    assert len([text for text in written if b"Unable to connect to Postgres" in text]) > 2
    assert not [text for text in written if postgres_server.PASSWORD.encode() in text]
