"""Listening sockets: TCP, TLS, Unix."""

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from wamp.errors import ConfigurationError, TransportError

from .config import Listen, parse_listen

# TCP keep-alive: seconds of silence until the kernel asks whether the peer is still there, seconds
# between its questions, and how many. A device that lost its power is noticed, and its testaments
# are published, within two minutes; an idle client costs an empty segment a minute.
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))

# Connections the kernel holds while the router is busy: a bridge with many devices that all come
# back at once must not be turned away.
_BACKLOG = 256


@dataclass
class Listener:
    """An open listening socket; url is where to connect to."""

    server: asyncio.Server
    url: str
    path: str

    def close(self) -> None:
        """Stop listening; connections go on."""
        self.server.close()
        if self.path:
            with suppress(OSError):  # someone was quicker
                os.unlink(self.path)


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Have the kernel find out when the peer of a TCP connection is gone without a word."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == getattr(socket, "AF_UNIX", None):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):  # macOS lacks the first
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def tls_context(certificate: str, key: str | None) -> ssl.SSLContext:
    """TLS for a server; certificate and key are PEM files.

    Raises ConfigurationError when they cannot be read or do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as e:
        raise ConfigurationError(
            f"certificate {certificate} and key {key or certificate} cannot be used: {e.reason}"
        ) from e
    except OSError as e:
        raise ConfigurationError(
            f"cannot read certificate {certificate} or key {key or certificate}: {e.strerror}"
        ) from e
    return context


async def listen(
    url: str,
    factory: Callable[[str, bool], asyncio.Protocol],
    context: ssl.SSLContext | None,
    timeout: float,
) -> Listener:
    """Open a listening socket; factory makes the protocol of a connection from its kind, and
    whether it is WebSocket's.

    timeout: seconds a client has for TLS. Raises ConfigurationError (the URL cannot work) or
    TransportError (the address is taken or not ours).
    """
    parts = parse_listen(url)
    loop = asyncio.get_running_loop()
    if parts.path:
        _make_way(parts.path)
        try:
            server = await loop.create_unix_server(
                lambda: factory("unix", False), parts.path, backlog=_BACKLOG
            )
        except OSError as e:
            raise TransportError(f"cannot listen on {url}: {e.strerror or e}") from e
        return Listener(server, parts.url(0), parts.path)
    kind = "tls" if parts.tls else "tcp"
    try:
        server = await loop.create_server(
            lambda: factory(kind, parts.websocket),
            await _address(parts),
            parts.port,
            ssl=context if parts.tls else None,
            ssl_handshake_timeout=timeout if parts.tls else None,
            backlog=_BACKLOG,
        )
    except (socket.gaierror, UnicodeError) as e:
        raise ConfigurationError(
            f"cannot listen on {url}: no such host as {parts.host}; use an address of this machine"
        ) from e
    except OSError as e:
        raise TransportError(f"cannot listen on {url}: {_reason(e)}") from e
    port = server.sockets[0].getsockname()[1]
    return Listener(server, parts.url(port), "")


async def _address(parts: Listen) -> str:
    """The host; with port 0 one address of it, since each would get a port of its own."""
    if parts.port:
        return parts.host
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(parts.host, 0, type=socket.SOCK_STREAM)
    return str(found[0][4][0])


def _reason(error: OSError) -> str:
    if error.errno is None:
        return str(error)
    text = os.strerror(error.errno)
    return text[:1].lower() + text[1:]


def _make_way(path: str) -> None:
    """Accept that a killed router left its socket behind; raises for whatever else is there."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"cannot listen on rs://unix:{path}: a file is in the way")
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.settimeout(1.0)
        probe.connect(path)
    except ConnectionRefusedError:
        pass  # nobody: asyncio replaces it
    except OSError as e:
        raise TransportError(f"cannot listen on rs://unix:{path}: {_reason(e)}") from e
    else:
        raise TransportError(f"cannot listen on rs://unix:{path}: another program listens there")
    finally:
        probe.close()
