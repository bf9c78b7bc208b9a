"""`python -m pipeline ui`: Dagster's UI and daemon."""

import os
import signal
import socket
import sys

import click

from pipeline.errors import SettingsError
from pipeline.settings import PROJECT_ROOT, load_settings


@click.command()
@click.option("--port", default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; the UI has no login.")
@click.option(
    "--workspace",
    default="workspace.yaml",
    show_default=True,
    metavar="FILE",
    help="Dagster's list of code locations, such as one for each brand; relative to the project's folder.",
)
def ui(port: int, host: str, workspace: str) -> None:
    """Dagster's UI on this machine, daemon included."""
    environment = dict(os.environ)  # without credentials of this file of settings: each code location has its own
    locations = PROJECT_ROOT / workspace
    if not locations.is_file():
        raise SettingsError(f"--workspace: {locations}: there is no such file")
    load_settings()
    _check_port(host, port)
    from pipeline.orchestration.dagster_home import dagster_home
    from pipeline.orchestration.instance import fail_dead_runs, opened_instance

    environment |= {"DAGSTER_HOME": str(dagster_home())}
    with opened_instance() as instance:  # after a crash of the machine, Dagster would still show them as running
        fail_dead_runs(instance)
    environment.setdefault("DAGSTER_UI_URL", f"http://127.0.0.1:{port}")  # where an alert's link leads
    os.chdir(PROJECT_ROOT)
    # A shell script starts background processes with SIGINT ignored, and Dagster would inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What takes the command's place is a package of its own; a user of this one need not install it.
    quiet = ["-W", "ignore:Function `dev_command` is superseded:FutureWarning"]
    arguments = ["dagster", "dev", "-w", str(locations), "-h", host, "-p", str(port)]
    os.execve(sys.executable, [sys.executable, *quiet, "-m", *arguments], environment)


def _check_port(host: str, port: int) -> None:
    """Raise SettingsError for an address that can't be listened on: Dagster would start its daemon all the same, and
    report that it serves.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server would, right after another ended
            probe.bind((host, port))
    except OSError as error:
        raise SettingsError(f"--port: {host}:{port} can't be used: {error.strerror}; name another port") from None
