"""Uvicorn for servers of tests: it starts and stops at once, and its connections can be broken."""

import asyncio
import contextlib
import socket
import threading

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

# A connection is accepted in one turn of the event loop and gets its protocol in a later one.
_ACCEPTING_TURNS = 10


class _Protocol(H11Protocol):
    """Uvicorn's HTTP protocol, which lets the application reach the connection in order to break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Uvicorn(uvicorn.Server):
    """Uvicorn that reports when it is up and stops on request, instead of polling ten times a second."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
            )
        )
        self.state = app.state
        self.up = threading.Event()

    async def main_loop(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.state.stopping = asyncio.Event()
        self.up.set()
        await self.state.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self._drained()

    async def _drained(self) -> None:
        """Until there is no connection. One that waits to be accepted becomes one within a few turns of the loop."""
        idle_turns = 0
        while idle_turns < _ACCEPTING_TURNS:
            is_idle = not self.server_state.connections and not self.server_state.tasks
            idle_turns = idle_turns + 1 if is_idle else 0
            await asyncio.sleep(0.001)

    def drain(self, timeout: float) -> None:
        """Wait until every connection is closed and its requests are handled. Raises TimeoutError."""
        asyncio.run_coroutine_threadsafe(self._drained(), self.loop).result(timeout)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.state.stopping.set)
