"""dbt in a process that ends with its parent, however that ends.

A killed run can't end its dbt itself, and dbt would continue to write to the warehouse beside the next run, which holds
the write lock by then. Started by its path, with `python -P`: a module beside this file has dbt's name.
"""

import ctypes
import os
import signal
import sys
import threading
import time

# The process with which dbt ends.
PARENT = "DBT_PARENT_PROCESS"
_LOOK_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with(parent: int) -> None:
    """End this process when its parent has ended: at once on Linux, else a moment later."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Only Linux sends the signal, and not if the parent ended before it was requested.
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    end_with(int(os.environ[PARENT]))
    from dbt.cli.main import cli

    cli()
