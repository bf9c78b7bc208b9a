"""`python -m pipeline ui`: Dagster's UI and daemon."""

import os
import signal
import sys

import click

from pipeline.settings import PROJECT_ROOT, load_settings


@click.command()
@click.option("--port", default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; the UI has no login.")
def ui(port: int, host: str) -> None:
    """Dagster's UI on this machine, daemon included."""
    load_settings()
    from pipeline.orchestration.instance import fail_dead_runs, opened_instance

    with opened_instance() as instance:  # after a crash of the machine, Dagster would still show them as running
        fail_dead_runs(instance)
    os.environ.setdefault("DAGSTER_UI_URL", f"http://127.0.0.1:{port}")  # where an alert's link leads
    os.chdir(PROJECT_ROOT)
    # A shell script starts background processes with SIGINT ignored, and Dagster would inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments = ["dagster", "dev", "-w", "workspace.yaml", "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", *arguments])
