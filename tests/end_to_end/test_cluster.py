"""Two workers with nothing in common but servers give what one machine gives, whatever fails meanwhile."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from pipeline.catalog import EVENTS
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.fakes.postgres import Postgres
from tests.fakes.redis import is_installed, redis_server
from tests.fakes.s3 import S3
from tests.fakes.segment_server import SegmentServer
from tests.support.cluster import Cluster, stopping
from tests.support.needed import is_lacking

# Each date takes some seconds; the suite has few of them.
DATES = int(os.environ.get("CLUSTER_DATES", "6"))
FIRST = date(2024, 6, 11)
EVENTS_PER_SECOND = 60
TABLES = ("tracks", *(event.table for event in EVENTS))
# As often as this, a worker dies or the server restarts; each leaves at most one batch for each connection in flight.
INTERRUPTIONS, CONNECTIONS = 2, 8

WHAT = ("SENT", "VIEW", "CLICK")


def exports() -> Mapping[str, str]:
    """An export for each date: events of the day before, a third of those of the last export once more, and some that
    are late by up to a week. Campaigns get their names in the middle, and one of them another name at the end.
    """
    files: dict[str, str] = {}
    before: list[str] = []
    for number in range(DATES):
        day = FIRST + timedelta(days=number)
        rows = [
            f"user{n},m{n % 3},c{n % 2},{WHAT[n % 3]},l1,{day - timedelta(days=1)}T08:{n % 60:02}:00Z"
            for n in range(90)
        ]
        late = [f"late{n},m1,c1,VIEW,,{day - timedelta(days=n % 7 + 1)}T22:{number % 60:02}:00Z" for n in range(10)]
        files[f"log_{day:%Y%m%d}_0600.csv"] = log([*before[::3], *rows, *late])
        before = rows
    files[f"campaigns_{FIRST + timedelta(days=DATES // 2):%Y%m%d}.csv"] = "ID,NAME\nc0,Spring\nc1,Summer\n"
    files[f"campaigns_{FIRST + timedelta(days=DATES - 1):%Y%m%d}.csv"] = "ID,NAME\nc1,Autumn\n"
    return files


@pytest.fixture
def cluster(postgres: Postgres, s3: S3, tmp_path: Path) -> Iterator[tuple[Cluster, SegmentServer]]:
    if not is_installed():
        is_lacking("Redis is not installed: no worker was started (Debian: `apt-get install redis-server`)")
    name = uuid4().hex
    bucket = s3.bucket("team")
    layouts = tmp_path / "layouts"
    layouts.mkdir()
    for file, text in LAYOUTS.items():
        (layouts / file).write_text(text, "utf-8")
    for file, text in exports().items():
        s3.client.put_object(Bucket=bucket, Key=f"exports/{file}", Body=text.encode())
    with SegmentServer("test-key") as segment, redis_server() as redis:
        settings = {
            "SELLIGENT_EXPORTS": f"s3://{bucket}/exports",
            "SELLIGENT_LAYOUTS": str(layouts),
            "WAREHOUSE": f"ducklake:postgres:{postgres.dsn(postgres.create(f'lake_{name}'))}",
            "WAREHOUSE_FILES": f"s3://{bucket}/lake/",
            "LEDGER": postgres.url(postgres.create(f"ledger_{name}")),
            "REPORT": f"s3://{bucket}/report/",
            "SEGMENT_ENDPOINT": segment.url,
            "SEGMENT_WRITE_KEY": "test-key",
            "SEGMENT_EVENTS_PER_SECOND": str(EVENTS_PER_SECOND),
            "SEGMENT_BACKFILL_EVENTS_PER_SECOND": str(EVENTS_PER_SECOND),
            "SEGMENT_CONNECTIONS": str(CONNECTIONS),
        }
        folder = tmp_path / "machines"
        folder.mkdir()
        with stopping(Cluster(folder, postgres, s3, redis, settings)) as cluster:
            yield cluster, segment


def succeeded(cluster: Cluster) -> set[str]:
    return {partition for partition, status, *_ in cluster.runs() if status == "SUCCESS"}


def wait_for_dates(cluster: Cluster, number: int) -> None:
    """Until the runs of so many dates have succeeded. What has ended by itself is started again."""
    for attempt in Retrying(stop=stop_after_delay(120 * DATES), wait=wait_fixed(1), reraise=True):
        with attempt:
            cluster.restart_ended()
            assert len(succeeded(cluster)) >= number, f"{cluster.runs()}\n{cluster.logs()}"


def rows(text: str) -> list[list[str]]:
    """The rows of a CSV text, sorted, without its header."""
    return sorted(list(csv.reader(io.StringIO(text)))[1:])


@pytest.mark.timeout(1800)  # minutes on a quiet machine, and more beside another test
def test_two_workers_give_what_one_machine_gives(
    cluster: tuple[Cluster, SegmentServer], postgres: Postgres, tmp_path: Path
) -> None:
    machines, segment = cluster
    alone = Project(tmp_path / "alone")
    alone.folder.mkdir()
    alone.with_files(exports(), LAYOUTS).run()

    for worker in ("one", "two"):
        machines.start_worker(worker)
    machines.start_daemon()
    wait_for_dates(machines, DATES // 4)
    machines.kill("one")
    machines.start_worker("one")
    wait_for_dates(machines, DATES // 2)
    postgres.restart()
    wait_for_dates(machines, DATES)

    for table in TABLES:
        query = f"SELECT * EXCLUDE (received_at, uuid_ts) FROM selligent_marketing_cloud.{table}"
        found = rows(machines.pipeline("sql", "--format", "csv", query))
        expected = rows(alone.command("sql", "--format", "csv", query).stdout)
        differing = [row for row in expected if row not in found] + [row for row in found if row not in expected]
        assert (len(found), differing[:3]) == (len(expected), []), table
        assert expected or table not in ("tracks", "email_delivered", "email_opened", "email_link_clicked")
    ids = rows(machines.pipeline("sql", "--format", "csv", "SELECT id FROM selligent_marketing_cloud.tracks"))
    assert segment.received_ids == {row[0] for row in ids}
    assert not segment.dropped

    batches = rows(machines.pipeline("sql", "--format", "csv", "SELECT id, batch_id FROM delivery.outbox"))
    in_flight = {batch for event, batch in batches if event in segment.duplicates}
    assert len(in_flight) <= INTERRUPTIONS * CONNECTIONS
    assert_no_date_was_built_twice_at_once(machines)
    assert_the_limit_was_kept(segment)


def assert_no_date_was_built_twice_at_once(machines: Cluster) -> None:
    of_dates: dict[str, list[tuple[float, float]]] = {}
    for partition, _status, began, ended in machines.runs():
        if began is not None and ended is not None:
            of_dates.setdefault(partition, []).append((began, ended))
    for runs in of_dates.values():
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(sorted(runs)))


def assert_the_limit_was_kept(segment: SegmentServer) -> None:
    """In every minute, at most 5 % more than the maximum. Requests without an answer have no number of events."""
    arrived: Counter[datetime] = Counter()
    for request in segment.requests:
        arrived[request.time.astimezone(UTC)] += request.events or 0
    for start in arrived:
        minute = sum(events for time, events in arrived.items() if start <= time < start + timedelta(minutes=1))
        assert minute <= EVENTS_PER_SECOND * 60 * 1.05
