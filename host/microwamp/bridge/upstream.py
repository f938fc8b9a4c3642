"""The connection to a router, as RawSocket octets, whatever carries them.

    await open()        raises TransportError or ConfigurationError, in one sentence
    write(octets)       takes all; never blocks
    backlog()           octets that wait to be written
    pause(), resume()   of reading
    close()             at once; nothing is called any more
    keep()              a descriptor for a successor in another process, -1 if that cannot be

What comes and goes is told to a Listener. Nothing comes before `open` has returned.
"""

import asyncio
import os
import socket
import ssl
from typing import Any, Final, Protocol

from wamp.errors import ConfigurationError, TransportError
from wamp.transport import explain

from .config import context

# Octets read at a time: about what the link has under way at once.
CHUNK: Final = 8192
# A router that vanished without a word is given up after some 2 minutes: (option, seconds).
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))

_NO_TLS: Final = "it does not speak TLS, it seems: rs:// instead of rss://?"


class Listener(Protocol):
    """What an upstream calls."""

    def octets(self, octets: bytes) -> None:
        """Octets have come."""

    def ended(self, reason: str) -> None:
        """The connection has ended; "" when the router closed it in order."""

    def room(self, there: bool) -> None:
        """Whether the router takes what is written: False above `high`, True when most of it is
        gone."""


class Upstream(Protocol):
    """See the module."""

    async def open(self) -> None: ...
    def write(self, octets: bytes) -> None: ...
    def backlog(self) -> int: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...
    def keep(self) -> int: ...


def connect(
    url: str,
    listener: Listener,
    *,
    tls: ssl.SSLContext | None = None,
    cafile: str = "",
    high: int = 65536,
    longest: int = 1 << 24,
) -> Upstream:
    """The upstream for a URL, not yet opened. tls: overrides how certificates are verified.
    high: octets that may wait before `room(False)`. longest: octets of a message."""
    secure = url.startswith(("rss://", "wss://"))
    if secure and tls is None:
        tls = context(cafile)
    if url.startswith(("ws://", "wss://")):
        from .websocket import WebSocketUpstream

        return WebSocketUpstream(url, listener, tls if secure else None, high, longest)
    return SocketUpstream(url, listener, tls if secure else None, high)


class SocketUpstream(asyncio.BufferedProtocol):
    """rs://, rss:// and rs://unix: - the octets as they are."""

    def __init__(
        self, url: str, listener: Listener, tls: ssl.SSLContext | None = None, high: int = 65536
    ) -> None:
        self.url = url
        self._listener: Listener | None = listener
        self._tls = tls
        self._high = high
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray(CHUNK)
        self._view = memoryview(self._buffer)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self.url.startswith("rs://unix:"):
                await loop.create_unix_connection(lambda: self, self.url[10:])
                return
            host, port = _host_port(self.url)
            options: dict[str, Any] = {}
            if self._tls is not None:
                options = {"ssl": self._tls, "server_hostname": host}
            await loop.create_connection(lambda: self, host, port, **options)
        except OSError as e:
            # What does not speak TLS ends the connection, for which asyncio has no words, or
            # resets it.
            ended = self._tls is not None and (not str(e) or e.errno == 104)
            raise TransportError(f"{self.url}: {_NO_TLS if ended else explain(e)}") from e
        except ValueError as e:
            raise ConfigurationError(f"URL {self.url}: not the name of a host: {e}") from e

    async def adopt(self, sock: socket.socket) -> None:
        """Instead of `open`: go on with a socket that another process kept."""
        loop = asyncio.get_running_loop()
        if sock.family == socket.AF_UNIX:
            await loop.create_unix_connection(lambda: self, sock=sock)
        else:
            await loop.create_connection(lambda: self, sock=sock)

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if self._listener is None:
            transport.abort()
            return
        self._transport = transport
        transport.set_write_buffer_limits(self._high, self._high // 4)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, n: int) -> None:
        if self._listener is not None:
            self._listener.octets(bytes(self._view[:n]))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        listener, self._listener = self._listener, None
        if listener is not None:
            reason = "" if error is None else f"{self.url}: {_words(error)}"
            listener.ended(reason)

    def pause_writing(self) -> None:
        if self._listener is not None:
            self._listener.room(False)

    def resume_writing(self) -> None:
        if self._listener is not None:
            self._listener.room(True)

    # -- ours

    def write(self, octets: bytes) -> None:
        if self._transport is not None:
            self._transport.write(octets)

    def backlog(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        self._listener = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def keep(self) -> int:
        # TLS has keys, counters and half a record in this process.
        if self._transport is None or self._tls is not None:
            return -1
        return os.dup(self._transport.get_extra_info("socket").fileno())


def _words(error: Exception) -> str:
    return explain(error) if isinstance(error, OSError) else str(error) or type(error).__name__


def _host_port(url: str) -> tuple[str, int]:
    host, _, port = url.partition("://")[2].partition("/")[0].rpartition(":")
    return host.strip("[]"), int(port)
