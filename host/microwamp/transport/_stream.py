"""Octet streams of asyncio below a transport: TCP, TLS, Unix sockets."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl as _ssl
from abc import abstractmethod
from typing import Any

from wamp._explain import explain
from wamp._tls import context

from ..exception import ConfigurationError, TransportError, TransportLost
from ..types._transport import TransportDetails
from ._base import _CLOSE_S, Transport

# A router that is gone without a word is noticed within two minutes: seconds of silence until the
# kernel asks, between its questions, and how many.
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))

_TCP = TransportDetails.CHANNEL_TYPE_TCP
_TLS = TransportDetails.CHANNEL_TYPE_TLS
_MEMORY = TransportDetails.CHANNEL_TYPE_MEMORY


def _address(found: Any) -> str | None:
    """An address of a socket, as tcp4:127.0.0.1:8080."""
    if isinstance(found, tuple):
        return f"tcp{6 if len(found) == 4 else 4}:{found[0]}:{found[1]}"
    return None


# One buffer a connection, into which asyncio reads: a third of the CPU time of an answer is saved
# against the 256 KiB that it would allocate for each.
_BUFFER = 1 << 16


class StreamTransport(Transport, asyncio.BufferedProtocol):
    """A transport on a stream; what it carries is left to `data_received`."""

    _host: str | None = None
    _port = 0
    _path: str | None = None
    _secure = False
    _ssl: _ssl.SSLContext | None = None
    _stream: asyncio.Transport | None = None
    _closing: asyncio.TimerHandle | None = None

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if self._secure:
            options = {"ssl": context(self._ssl), "server_hostname": self._host or ""}
        try:
            if self._path is not None:
                await loop.create_unix_connection(lambda: self, self._path)
            else:
                await loop.create_connection(lambda: self, self._host or "", self._port, **options)
        except OSError as e:
            why = explain(e, self._secure)
            if self.url.startswith("wss:"):
                why = why.replace("rs:// instead of rss://", "ws:// instead of wss://")
            raise TransportError(f"{self.url}: {why}") from e
        except ValueError as e:
            # The resolver, for a name that no host can have.
            raise ConfigurationError(f"URL {self.url}: not the name of a host: {e}") from e

    def _awaited(self) -> str:
        return "no connection" if self._stream is None else "no answer to the handshake"

    def _facts(self) -> dict[str, Any]:
        """What the socket knows, for TransportDetails."""
        stream = self._stream
        if stream is None:
            raise TransportLost(f"{self.url}: the router closed the connection")
        extra = stream.get_extra_info
        found: dict[str, Any] = {"is_secure": self._secure}
        sock: socket.socket | None = extra("socket")
        if sock is not None:
            found["own_fd"] = sock.fileno()
        if self._path is not None:
            found["peer"] = f"unix:{self._path}"
            found["own"] = f"unix:{extra('sockname') or ''}"
        else:
            found["peer"] = _address(extra("peername"))
            found["own"] = _address(extra("sockname"))
        tls: _ssl.SSLObject | None = extra("ssl_object")
        if tls is not None:
            found["peer_cert"] = tls.getpeercert() or None
            if tls.version() == "TLSv1.2":
                unique = tls.get_channel_binding("tls-unique")
                if unique:
                    found["channel_id"] = {"tls-unique": hashlib.sha256(unique).digest()}
        return found

    @property
    def _channel(self) -> int:
        # A Unix socket is no channel type of its own: MEMORY is the nearest, within one host.
        return _TLS if self._secure else _TCP if self._path is None else _MEMORY

    # -- asyncio.BufferedProtocol

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._buffer[:nbytes]))

    @abstractmethod
    def data_received(self, data: bytes) -> None:
        """Octets came."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._stream = transport
        self._buffer = memoryview(bytearray(_BUFFER))
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None and self._path is None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                if hasattr(socket, name):  # macOS lacks the first
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closing is not None:
            self._closing.cancel()
        wanted = self._stream is None or self._stream.is_closing() and not self._is_open
        self._stream = None
        if exc is not None:
            why = explain(exc) if isinstance(exc, OSError) else str(exc)
            self._end(TransportLost(f"{self.url}: {why}"))
        elif wanted and self._error is None:
            self._end(None)
        else:
            self._end(TransportLost(f"{self.url}: the router closed the connection"))

    # -- below a transport

    def _write(self, octets: bytes) -> int:
        stream = self._stream
        if stream is None:
            return 0
        stream.write(octets)
        return stream.get_write_buffer_size()

    def _close(self) -> None:
        stream = self._stream
        if stream is not None and not stream.is_closing():
            stream.close()
            if self._closing is None:
                self._closing = asyncio.get_running_loop().call_later(_CLOSE_S, stream.abort)

    def _kill(self) -> None:
        if self._stream is not None:
            self._stream.abort()
