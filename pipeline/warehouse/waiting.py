"""Waiting for a plain DuckDB file that another process has open."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.console import err
from pipeline.errors import WarehouseLocked
from pipeline.finding import counted

# Steps of a run open the file for moments; only a longer wait is worth a line.
_SILENT_SECONDS = 1.0
_REPEAT_SECONDS = 60.0


@dataclass(frozen=True)
class Patience:
    """How long to wait for the file, and how often to try, in seconds."""

    longest: float = 3600.0
    between: float = 0.2
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep  # which a signal ends

    def wait_for(self, attach: Callable[[], None]) -> None:
        """Call `attach` until it finds the file free; a line on stderr names the holder.

        Raises:
            WarehouseLocked: the file is still locked after the longest wait.
        """
        since = self.clock()
        show_at = since + _SILENT_SECONDS
        while True:
            try:
                attach()
                return
            except WarehouseLocked as locked:
                now = self.clock()
                if now - since >= self.longest:
                    raise
                if now >= show_at:
                    minutes = int(now - since) // 60
                    so_far = f", {counted(minutes, 'minute')} so far" if minutes else ""
                    err.print(f"{locked.held}; waiting for it{so_far}. Ctrl+C ends the wait.", style="yellow")
                    show_at = now + _REPEAT_SECONDS
            self.sleep(self.between)


PATIENT = Patience()
IMPATIENT = Patience(longest=0.0)
