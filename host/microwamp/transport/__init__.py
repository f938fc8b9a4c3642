"""Transports of a session: RawSocket over TCP, TLS, Unix sockets and serial lines, WebSocket.

rs://HOST:PORT  rs://unix:/PATH  rss://HOST:PORT    RawSocket
serial:/dev/ttyACM0                                 RawSocket on the serial link
ws://HOST:PORT/PATH  wss://HOST:PORT/PATH           WebSocket (extra `websocket`)
"""

from __future__ import annotations

import ssl as _ssl
from collections.abc import Mapping, Sequence

from ..exception import ConfigurationError
from ._base import LENGTH_DEFAULT, OPEN_TIMEOUT_S, Handler, Transport

__all__ = ["Handler", "Transport", "connect", "make"]


def make(
    url: str,
    serializer: str | Sequence[str] = "cbor",
    *,
    ssl: _ssl.SSLContext | None = None,
    max_length: int = LENGTH_DEFAULT,
    open_timeout: float = OPEN_TIMEOUT_S,
    headers: Mapping[str, str] | None = None,
    compress: bool = False,
) -> Transport:
    """The transport for a URL, not yet opened.

    serializer: "cbor", "json", "msgpack", "ubjson", "flatbuffers"; on WebSocket also several in
    the order of preference, and batched ones such as "cbor.batched". ssl: for rss and wss; None
    verifies certificates by the system's list. max_length: octets of the longest message accepted;
    RawSocket announces the next power of two. open_timeout: seconds. headers, compress: of
    WebSocket only; further HTTP headers, and whether to offer permessage-deflate.
    Raises ConfigurationError.
    """
    names = [serializer] if isinstance(serializer, str) else list(serializer)
    scheme = url.partition(":")[0] if isinstance(url, str) else ""
    if scheme in ("ws", "wss"):
        from ._websocket import WebSocketTransport

        return WebSocketTransport(url, names, ssl, max_length, open_timeout, headers, compress)
    if headers or compress:
        raise ConfigurationError(f"URL {url}: headers and compress are for ws:// and wss://")
    if len(names) != 1:
        raise ConfigurationError(f"URL {url}: RawSocket offers one serializer, not {names!r}")
    if scheme == "serial":
        from ._serial import SerialTransport

        return SerialTransport(url, names[0], max_length, open_timeout)
    from ._rawsocket import RawSocketTransport

    return RawSocketTransport(url, names[0], ssl, max_length, open_timeout)


async def connect(
    handler: Handler,
    url: str,
    serializer: str | Sequence[str] = "cbor",
    *,
    ssl: _ssl.SSLContext | None = None,
    max_length: int = LENGTH_DEFAULT,
    open_timeout: float = OPEN_TIMEOUT_S,
    headers: Mapping[str, str] | None = None,
    compress: bool = False,
) -> Transport:
    """Open a transport, as `make` has it, for a session or another handler.

    Raises ConfigurationError, TransportError, HandshakeRefused.
    """
    transport = make(
        url,
        serializer,
        ssl=ssl,
        max_length=max_length,
        open_timeout=open_timeout,
        headers=headers,
        compress=compress,
    )
    await transport.open(handler)
    return transport
