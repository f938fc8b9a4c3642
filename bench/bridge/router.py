"""A router that answers and does nothing else: router.py; prints the port it listens on.

Any number of connections; WELCOME for HELLO, PUBLISHED for PUBLISH. It costs a third of what the
embedded router does, so that a bridge can be measured on a machine with two processors.
"""

from __future__ import annotations

import asyncio
import resource

from scripted import HANDSHAKE, WELCOME, published, whole


class Connection(asyncio.Protocol):
    """One of a device."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._shaken = self._joined = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, octets: bytes) -> None:
        self._octets += octets
        if not self._shaken:
            if len(self._octets) < 4:
                return
            self._shaken = True
            del self._octets[:4]
            self._transport.write(HANDSHAKE)
        for frame in whole(self._octets):
            self._transport.write(published(frame) if self._joined else WELCOME)
            self._joined = True


async def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
