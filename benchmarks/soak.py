"""A long delivery with faults: a fifth of the responses is wrong, and the process is killed repeatedly.

    python -m benchmarks.soak [--events N] [--kills N] [--seed N] [--no-clock-jumps]

The wrong responses include rejections by a server other than Segment, responses without an end, and bytes that drip.
After each kill, the clock of sender and server jumps forward or back by two or four hours, by means of `faketime` (a
package of that name in Debian and Ubuntu).

In the end, the fake Segment server must have received exactly the ids that were due, and silently dropped none. The
output includes the number of events that arrived twice: those whose response was lost or whose sender was killed.
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
# A dripping response lasts as long as an exchange may, which would be a minute by default. The fake server checks every
# message, so that a response can take more than a second, and a sender that gives up sends its batch twice.
EXCHANGE_SECONDS = 5
# Never behind the real time: the monotonic clock moves too, and would be negative soon after a boot.
OFFSETS = (timedelta(0), timedelta(hours=2), timedelta(hours=4))
# Each process is killed after a random number of requests.
_REQUESTS_BEFORE_KILL = (5, 60)
_POLL_SECONDS = 0.02


class Clock:
    """The machine's time, shifted by the last jump."""

    def __init__(self) -> None:
        self.offset = timedelta(0)
        self.jumps = 0

    def now(self) -> datetime:
        """The shifted time."""
        return datetime.now(UTC) + self.offset

    def jump(self, dice: random.Random) -> None:
        """Change to another offset."""
        self.offset = dice.choice([offset for offset in OFFSETS if offset != self.offset])
        self.jumps += 1

    def environment(self) -> Mapping[str, str]:
        """The environment variables with which a process sees this time."""
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
    """Deliver with kills and faults, and compare what arrived with what was due."""
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
        command = [sys.executable, "-m", "benchmarks.senders", "pipeline", port, str(events), str(EXCHANGE_SECONDS)]
        killed = processes = 0
        while True:
            processes += 1
            process = subprocess.Popen(
                command,
                cwd=clone.folder,
                env={**clone.environment, **clock.environment()},
                stdout=subprocess.DEVNULL,
            )
            end = server.arrivals + dice.randint(*_REQUESTS_BEFORE_KILL)
            while process.poll() is None:
                if killed < kills and server.arrivals >= end:
                    process.kill()
                    killed += 1
                    break
                time.sleep(_POLL_SECONDS)
            if process.wait() == 0:
                break
            if clock_jumps:
                # What the killed sender had sent must be read first: the server drops events whose `sentAt` is far from
                # its clock.
                server.wait_until_idle()
                clock.jump(dice)
        with Warehouse(clone.environment["WAREHOUSE"], clone.environment["WAREHOUSE_FILES"]).reading() as connection:
            due = {key for (key,) in connection.execute("SELECT id FROM delivery.outbox").fetchall()}
        (standing,) = Ledger(clone.environment["LEDGER"]).standings()
        print(
            f"{events:,} events; {len(server.requests):,} requests, {SHARE_OF_FAULTS:.0%} of them failed; "
            f"{killed} kills, {processes} processes, {clock.jumps} clock jumps, {time.perf_counter() - started:.0f} s\n"
            f"received = due: {server.received_ids == due}; missing {len(due - server.received_ids):,}; "
            f"silently dropped {dict(server.dropped) or 'none'}; duplicates {sum(server.duplicates.values()):,}\n"
            f"ledger: {standing.delivered:,} delivered, {standing.waiting:,} waiting, {standing.dead:,} dead"
        )
        if server.received_ids != due or server.dropped or standing.dead or standing.waiting:
            raise SystemExit("Events were lost.")


if __name__ == "__main__":
    main()
