"""A long delivery under fire: a fifth of the answers is wrong, and the process is killed again and again.

    python -m benchmarks.soak [--events N] [--kills N] [--seed N]

In the end Segment's strict double must have exactly the ids that were due, and have dropped none without a word. How
many events came twice is told: those of requests whose answer was lost, or whose sender was killed.
"""

import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.processes import Clone
from pipeline.segment.ledger import Ledger
from pipeline.warehouse import Warehouse
from tests.segment_server import SegmentServer

SHARE_OF_FAULTS = 0.2
# A life ends after so many requests, at random.
_REQUESTS_OF_A_LIFE = (5, 60)
_LOOK_SECONDS = 0.02


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--events", default=1_000_000, show_default=True)
@click.option("--kills", default=20, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(events: int, kills: int, seed: int) -> None:
    """Deliver, be killed, go on, and compare."""
    dice = random.Random(seed)
    started = time.perf_counter()
    with TemporaryDirectory(prefix="soak_") as folder, SegmentServer("benchmark") as server:
        clone = Clone.make(Path(folder) / "copy", Path(folder))
        clone.python("benchmarks.senders", "prepare", str(events))
        clone.python("benchmarks.senders", "cut", "0", str(events))
        server.fail_randomly(SHARE_OF_FAULTS, seed)
        port = server.url.rpartition(":")[2]
        command = [sys.executable, "-m", "benchmarks.senders", "ours", port, str(events)]
        killed = lives = 0
        while True:
            lives += 1
            process = subprocess.Popen(
                command, cwd=clone.folder, env=dict(clone.environment), stdout=subprocess.DEVNULL
            )
            end = server.arrivals + dice.randint(*_REQUESTS_OF_A_LIFE)
            while process.poll() is None:
                if killed < kills and server.arrivals >= end:
                    process.kill()
                    killed += 1
                    break
                time.sleep(_LOOK_SECONDS)
            if process.wait() == 0:
                break
        with Warehouse(clone.environment["WAREHOUSE"], clone.environment["WAREHOUSE_FILES"]).reading() as connection:
            due = {key for (key,) in connection.execute("SELECT id FROM delivery.outbox").fetchall()}
        (standing,) = Ledger(clone.environment["LEDGER"]).standings()
        print(
            f"{events:,} events; {len(server.requests):,} requests, {SHARE_OF_FAULTS:.0%} of them failed; "
            f"{killed} kills, {lives} lives, {time.perf_counter() - started:.0f} s\n"
            f"received = due: {server.received_ids == due}; missing {len(due - server.received_ids):,}; "
            f"dropped without a word {len(server.dropped):,}; came again {sum(server.duplicates.values()):,}\n"
            f"ledger: {standing.delivered:,} delivered, {standing.waiting:,} waiting, {standing.dead:,} dead"
        )
        if server.received_ids != due or server.dropped or standing.dead or standing.waiting:
            raise SystemExit("Something was lost.")


if __name__ == "__main__":
    main()
