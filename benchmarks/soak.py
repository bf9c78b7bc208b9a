"""A long delivery under fire: a fifth of the answers is wrong, and the process is killed again and again.

    python -m benchmarks.soak [--events N] [--kills N] [--seed N] [--no-clock-jumps]

Among the wrong answers are rejections by another server than Segment, answers without an end, and drips. After each
kill the clock of this machine, as the sender and the server see it, jumps forward or back by two or four hours; that is
done by `faketime`, of the package of that name (Debian, Ubuntu).

In the end Segment's strict double must have exactly the ids that were due, and have dropped none without a word. The
report has the number of events that came twice: those of requests whose answer was lost, or whose sender was killed.
"""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.processes import Clone
from pipeline.ledger import Ledger
from pipeline.warehouse import Warehouse
from tests.fakes.segment_faults import DRIPS, EVERY_KIND, WITHOUT_END, EarlyHints
from tests.fakes.segment_server import SegmentServer

SHARE_OF_FAULTS = 0.2
FAULTS = (*EVERY_KIND, *WITHOUT_END, *DRIPS, EarlyHints())
# A drip lasts as long as an exchange may, which is a minute otherwise.
EXCHANGE_SECONDS = 1
# Never behind the true time: the monotonic clock is moved as well, and that of a young machine would be negative.
OFFSETS = (timedelta(0), timedelta(hours=2), timedelta(hours=4))
# A life ends after so many requests, at random.
_REQUESTS_OF_A_LIFE = (5, 60)
_LOOK_SECONDS = 0.02
# What a killed sender had sent has been read by then.
_CALM_SECONDS = 0.5


class Clock:
    """The time as this machine has it, wrong by as much as the last jump made it."""

    def __init__(self) -> None:
        self.offset = timedelta(0)
        self.jumps = 0

    def now(self) -> datetime:
        """The wrong time."""
        return datetime.now(UTC) + self.offset

    def jump(self, dice: random.Random) -> None:
        """To another offset."""
        self.offset = dice.choice([offset for offset in OFFSETS if offset != self.offset])
        self.jumps += 1

    def environment(self) -> Mapping[str, str]:
        """What makes a process see it."""
        if not self.offset:
            return {}
        preload = subprocess.run(
            ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True
        )
        return {"LD_PRELOAD": preload.stdout.strip(), "FAKETIME": f"{self.offset.total_seconds():+.0f}"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--events", default=1_000_000, show_default=True)
@click.option("--kills", default=20, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--clock-jumps/--no-clock-jumps", default=True, show_default=True, help="set the clock at each kill")
def main(events: int, kills: int, seed: int, clock_jumps: bool) -> None:
    """Deliver, be killed, go on, and compare."""
    if clock_jumps and shutil.which("faketime") is None:
        raise click.UsageError("faketime is not installed; without it, use --no-clock-jumps")
    dice, clock = random.Random(seed), Clock()
    started = time.perf_counter()
    with TemporaryDirectory(prefix="soak_") as folder, SegmentServer("benchmark", clock=clock.now) as server:
        clone = Clone.make(Path(folder) / "copy", Path(folder))
        clone.python("benchmarks.senders", "prepare", str(events))
        clone.python("benchmarks.senders", "cut", "0", str(events))
        server.fail_randomly(SHARE_OF_FAULTS, seed, FAULTS)
        port = server.url.rpartition(":")[2]
        command = [sys.executable, "-m", "benchmarks.senders", "ours", port, str(events), str(EXCHANGE_SECONDS)]
        killed = lives = 0
        while True:
            lives += 1
            process = subprocess.Popen(
                command,
                cwd=clone.folder,
                env={**clone.environment, **clock.environment()},
                stdout=subprocess.DEVNULL,
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
            if clock_jumps:
                time.sleep(_CALM_SECONDS)
                server.wait_for_requests(server.arrivals)
                clock.jump(dice)
        with Warehouse(clone.environment["WAREHOUSE"], clone.environment["WAREHOUSE_FILES"]).reading() as connection:
            due = {key for (key,) in connection.execute("SELECT id FROM delivery.outbox").fetchall()}
        (standing,) = Ledger(clone.environment["LEDGER"]).standings()
        print(
            f"{events:,} events; {len(server.requests):,} requests, {SHARE_OF_FAULTS:.0%} of them failed; "
            f"{killed} kills, {lives} lives, {clock.jumps} jumps of the clock, {time.perf_counter() - started:.0f} s\n"
            f"received = due: {server.received_ids == due}; missing {len(due - server.received_ids):,}; "
            f"dropped without a word {len(server.dropped):,}; came again {sum(server.duplicates.values()):,}\n"
            f"ledger: {standing.delivered:,} delivered, {standing.waiting:,} waiting, {standing.dead:,} dead"
        )
        if server.received_ids != due or server.dropped or standing.dead or standing.waiting:
            raise SystemExit("Something was lost.")


if __name__ == "__main__":
    main()
