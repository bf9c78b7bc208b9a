"""FTP servers on loopback, which show one folder to one user; with TLS by a certificate authority of their own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import trustme
from OpenSSL import SSL
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.log import logger
from pyftpdlib.servers import FTPServer

# With characters that a URL has a use for.
PASSWORD = "ftp/hunter2@#%:é"
USER = "zoe"
AUTHORITY = trustme.CA()


@dataclass
class Behaviour:
    """What a server does otherwise than as it should."""

    # Data connections break off after so many bytes; None: never.
    cut_after: int | None = None
    # It reports that on the control connection; else it stays silent, as one whose machine is gone.
    reports_cuts: bool = True
    # Whether a file can be renamed over another one.
    renames_over_files: bool = True
    # Commands that it does not know.
    unknown: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Ftp:
    """`folder` is what the server shows as /."""

    folder: Path
    port: int
    behaviour: Behaviour
    scheme: str
    _server: FTPServer
    host: str = "127.0.0.1"

    def url(self, path: str = "/", password: str = PASSWORD) -> str:
        return f"{self.scheme}://{USER}:{quote(password, safe='')}@{self.host}:{self.port}{path}"

    def hang_up(self) -> None:
        """Close all connections, as servers do with idle ones."""
        done = threading.Event()

        def close() -> None:
            for handler in list(self._server.ioloop.socket_map.values()):
                if isinstance(handler, FTPHandler):
                    handler.close()
            done.set()

        self._server.ioloop.call_later(0, close)
        assert done.wait(30)


def _breaking(base: Any, behaviour: Behaviour) -> Any:
    class Breaking(base):  # type: ignore[misc]
        sent = 0

        def send(self, data: bytes) -> int:
            if behaviour.cut_after is None:
                return int(super().send(data))
            if self.sent >= behaviour.cut_after:
                if behaviour.reports_cuts:
                    self._resp = ("426 Connection closed; transfer aborted.", logger.warning)
                self.close()
                return 0
            number = int(super().send(data[: behaviour.cut_after - self.sent]))
            self.sent += number
            return number

    return Breaking


@contextmanager
def ftp_server(folder: Path, *, tls: bool = True, host: str = "127.0.0.1", port: int = 0) -> Iterator[Ftp]:
    """A server for the block, whose certificate is for `host`."""
    behaviour = Behaviour()
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(folder), perm="elradfmw")
    base: Any = TLS_FTPHandler if tls else FTPHandler

    class Handler(base):  # type: ignore[misc]
        dtp_handler = _breaking(TLS_DTPHandler if tls else DTPHandler, behaviour)

        def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
            if cmd in behaviour.unknown:
                self.respond(f'500 Command "{cmd}" not understood.')
            elif cmd == "RNTO" and (folder / arg.strip("/")).exists() and not behaviour.renames_over_files:
                self.respond("550 A file with that name exists.")
            else:
                super().pre_process_command(line, cmd, arg)

    Handler.authorizer = authorizer
    Handler.use_sendfile = False  # what is sent has to pass through `send`
    Handler.auth_failed_timeout = 0
    Handler.unicode_errors = "surrogateescape"
    if tls:
        certificate = AUTHORITY.issue_cert(host)
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        with certificate.private_key_and_cert_chain_pem.tempfile() as path:
            context.use_certificate_chain_file(path)
            context.use_privatekey_file(path)
        context.set_session_id(b"ftp")
        Handler.ssl_context = context
        Handler.certfile = "given by the context"
        Handler.tls_control_required = Handler.tls_data_required = True
    server = FTPServer(("127.0.0.1", port), Handler, ioloop=IOLoop())
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            server.serve_forever(timeout=0.02, blocking=False)
        server.close_all()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Ftp(folder, server.address[1], behaviour, "ftps" if tls else "ftp", server)
    finally:
        stopped.set()
        thread.join()
