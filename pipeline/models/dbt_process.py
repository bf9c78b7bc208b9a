"""dbt in a process that ends with the one that started it, however that ends.

A run that is killed can't end its dbt itself, and dbt would go on to write to the warehouse beside the next run, which
has the writer's turn by then. Started by its path, with `python -P`: beside this file lies a module of dbt's name.
"""

import ctypes
import os
import signal
import sys
import threading
import time

# The process that dbt is to end with.
PARENT = "DBT_PARENT_PROCESS"
_LOOK_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with(parent: int) -> None:
    """End this process as soon as its parent has ended: at once where the system is Linux, else a moment later."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The signal comes from Linux only, and never where the parent had ended before it was asked for.
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    end_with(int(os.environ[PARENT]))
    from dbt.cli.main import cli

    cli()
