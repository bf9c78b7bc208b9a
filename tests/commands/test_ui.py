"""An address that is in use is refused before Dagster starts."""

import socket

from click.testing import CliRunner

from pipeline.commands.ui import ui
from pipeline.errors import SettingsError


def test_a_port_that_is_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(ui, ["--port", str(port)])
    assert isinstance(done.exception, SettingsError)
    assert str(done.exception) == f"--port: 127.0.0.1:{port} can't be used: Address already in use; name another port"
