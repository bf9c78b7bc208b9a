"""A proxy for a server that can be shut while connections are open."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial


@dataclass
class Door:
    """Pass connections to `port` on to the server, until it is shut."""

    is_shut: Callable[[], bool]
    _loop: asyncio.AbstractEventLoop
    port: int = 0
    _inside: set[asyncio.StreamWriter] = field(default_factory=set)

    def shut(self) -> None:
        """Refuse new connections and close open ones."""
        self.is_shut = lambda: True
        asyncio.run_coroutine_threadsafe(self._put_out(), self._loop).result()

    async def _put_out(self) -> None:
        inside = list(self._inside)
        for writer in inside:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in inside), return_exceptions=True)

    async def let_through(self, server_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection comes."""
        if self.is_shut():
            writer.close()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", server_port)
        await asyncio.gather(self._carry(reader, to_server), self._carry(from_server, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._inside.add(writer)
        try:
            while text := await reader.read(65536):
                writer.write(text)
                await writer.drain()
        except OSError:
            pass  # put out
        finally:
            self._inside.discard(writer)
            writer.close()


@contextmanager
def door(server_port: int, is_shut: Callable[[], bool] = lambda: False) -> Iterator[Door]:
    """A door for the block, to a server on loopback; `is_shut` is asked of each who comes."""
    loop = asyncio.new_event_loop()
    way = Door(is_shut, loop)

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(partial(way.let_through, server_port), "127.0.0.1")

    async def close() -> None:
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    way.port = listening.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
