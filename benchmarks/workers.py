"""Dates an hour by one Celery worker, and by several: PostgreSQL, Redis and S3 on this machine, as in `deploy/`.

    python -m benchmarks.workers [--dates N] [--rows N] [--workers N]

Every worker has its own home and data folder. All files are there before the daemon starts, and its sensor requests a
run for each. A server that only answers receives the events. The time is that from the start of the first run to the
end of the last one, as Dagster records them.
"""

from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import click
from tenacity import Retrying, stop_after_delay, wait_fixed

from benchmarks.generate import generate
from benchmarks.stub_server import serving
from tests.fakes.postgres import Postgres, postgres_server
from tests.fakes.redis import redis_server
from tests.fakes.s3 import S3, s3_server
from tests.support.cluster import Cluster, stopping

_FIRST_DAY = date(2024, 6, 11)
_LAYOUTS = Path(__file__).parent / "layouts"
_LATE_SHARE = 100
_SECONDS_A_DATE = 300


def seconds(folder: Path, postgres: Postgres, s3: S3, dates: int, rows: int, workers: int) -> float:
    """Seconds that so many workers take for new exports of `rows` each."""
    exports, name = folder / "exports", uuid4().hex
    for number in range(dates):
        day = _FIRST_DAY + timedelta(days=number)
        generate(exports / f"ACME_interactions_{day:%Y%m%d}_0600.csv", rows, day - timedelta(days=1), late=_LATE_SHARE)
    with ExitStack() as stack:
        port, redis = stack.enter_context(serving()), stack.enter_context(redis_server())
        settings = {
            "SELLIGENT_EXPORTS": str(exports),
            "SELLIGENT_LAYOUTS": str(_LAYOUTS),
            "WAREHOUSE": f"ducklake:postgres:{postgres.dsn(postgres.create(f'lake_{name}'))}",
            "WAREHOUSE_FILES": f"s3://{s3.bucket('lake')}/lake/",
            "LEDGER": postgres.url(postgres.create(f"ledger_{name}")),
            "SEGMENT_ENDPOINT": f"http://127.0.0.1:{port}",
            "SEGMENT_WRITE_KEY": "benchmark-key",
            "SEGMENT_EVENTS_PER_SECOND": "0",
        }
        cluster = stack.enter_context(stopping(Cluster(folder, postgres, s3, redis, settings, workers)))
        for number in range(workers):
            cluster.start_worker(f"worker{number}")
        cluster.start_daemon()
        for attempt in Retrying(stop=stop_after_delay(_SECONDS_A_DATE * dates), wait=wait_fixed(2), reraise=True):
            with attempt:
                runs = cluster.runs()
                assert [status for _, status, *_ in runs].count("SUCCESS") == dates, cluster.logs()
    began = min(start for *_, start, _ in runs if start is not None)
    return max(end for *_, end in runs if end is not None) - began


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--dates", default=20, show_default=True)
@click.option("--rows", default=20_000, show_default=True, help="Rows of each export.")
@click.option("--workers", default=2, show_default=True)
def main(dates: int, rows: int, workers: int) -> None:
    """Compare one worker with several."""
    with postgres_server() as postgres, s3_server() as s3:
        rates: list[float] = []
        for number in (1, workers):
            with TemporaryDirectory(prefix="workers_") as folder:
                rates.append(dates / seconds(Path(folder), postgres, s3, dates, rows, number) * 3600)
            click.echo(f"{number} worker(s): {rates[-1]:,.0f} dates an hour of {rows:,} rows each")
    click.echo(f"ratio: {rates[1] / rates[0]:.2f}")


if __name__ == "__main__":
    main()
