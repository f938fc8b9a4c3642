"""Transports: how the octets of RawSocket get to the router and back. Part of the I/O edge.

A transport is opened once and closed once; a client makes a new one for each connection:

    await open()        raises TransportError or ConfigurationError, in one sentence
    await read()        the next octets; b"" when the other side ended; raises TransportLost
    write(octets)       takes all or raises TransportLost; never blocks
    backlog()           octets that wait to be written
    await drain()       until the backlog is small again
    await finish()      until the backlog is gone, or cannot be; bounded
    close()             at once
    release()           no connection will follow
    private             whether nobody on the way can read along (TLS, or a Unix socket)
"""

import asyncio

from ._port import MICROPYTHON, sleep_ms, ticks
from .errors import ConfigurationError, TransportError, TransportLost

# A backlog above this stops `drain` from returning: what one frame of the default length takes.
BACKLOG_HIGH = 8192
# A backlog above this ends the transport: whoever does not read for so long is gone.
BACKLOG_MAX = 1 << 25 if not MICROPYTHON else 1 << 17

_FINISH_MS = 2000

# errno: what it means, and what to do. The numbers are Linux's; MicroPython has them on all ports.
_ERRNO = {
    2: "it does not exist",
    13: "no permission (is your user in the group dialout?)",
    16: "it is in use by another program",
    104: "the connection was reset",
    110: "no answer",
    111: "nothing listens there: is the router running?",
    113: "no route to that host",
    101: "no network",
    -2: "the name is not known: check the host in the URL",
}

_NO_TLS = "it does not speak TLS, it seems: rs:// instead of rss://?"


def explain(error):
    """One clause about an OSError, for people."""
    number = error.errno if hasattr(error, "errno") else (error.args[0] if error.args else None)
    if number in _ERRNO:
        return _ERRNO[number]
    # The last two are what CPython's TLS says.
    if hasattr(error, "verify_message"):
        return "its certificate is not trusted: %s" % error.verify_message
    if getattr(error, "reason", None) == "WRONG_VERSION_NUMBER":
        return _NO_TLS
    return getattr(error, "strerror", None) or str(error) or "the connection ended"


class TransportDetails:
    """What carries a session (the seed's TransportDetails, as far as a device knows it).

    channel_type, channel_framing, channel_serializer: numbers of the enumerations; 3, 3, 3 is
    SERIAL, RAWSOCKET, CBOR. channel_typeid: such as "serial-rawsocket-cbor". peer: the URL.
    """

    def __init__(self, channel, peer):
        self.channel_type = {"memory": 2, "serial": 3, "tcp": 4, "tls": 5}[channel]
        self.channel_framing = 3
        self.channel_serializer = 3
        self.channel_typeid = channel + "-rawsocket-cbor"
        self.peer = peer


def make(url, **options):
    """The transport for a URL, not yet opened.

    rs://host:port, rs://unix:/path, rss://host:port (options: ssl, an SSLContext), serial:PATH,
    serial:fd/N, serial:N (a UART of the board) with ?baud= and so on. Raises ConfigurationError.
    """
    if type(url) is not str:
        raise ConfigurationError("the URL is %s, not a string" % type(url).__name__)
    if url.startswith("serial:"):
        from .serial import SerialTransport

        return SerialTransport(url, **options)
    if url.startswith("rs://unix:"):
        path = url[10:]
        if not path.startswith("/"):
            raise ConfigurationError("URL %s: an absolute path must follow rs://unix:" % url)
        return StreamTransport(url, path=path, **options)
    for scheme in ("rs://", "rss://"):
        if url.startswith(scheme):
            host, port = _host_port(url, url[len(scheme) :])
            return StreamTransport(url, host, port, secure=scheme == "rss://", **options)
    raise ConfigurationError(
        "URL %s: this library speaks rs://host:port, rss://host:port, rs://unix:/path and serial:"
        % url
    )


def _host_port(url, rest):
    rest = rest.split("/")[0]
    colon = rest.rfind(":")
    host, port = rest[:colon], rest[colon + 1 :]
    digits = [c for c in port if "0" <= c <= "9"]
    if colon < 1 or not port or len(digits) < len(port) or not 0 < int(port) < 65536:
        raise ConfigurationError("URL %s: host and port expected, as in rs://host:8080" % url)
    if host.startswith("["):
        host = host[1:-1]
    return host, int(port)


class StreamTransport:
    """RawSocket over TCP, TLS or a Unix socket."""

    def __init__(self, url, host=None, port=0, path=None, secure=False, ssl=None):
        self.url = url
        self.private = secure or path is not None
        # A Unix socket is no channel type of its own: MEMORY is the nearest, within one host.
        channel = "tls" if secure else "tcp" if path is None else "memory"
        self.details = TransportDetails(channel, url)
        self._host, self._port, self._path = host, port, path
        self._ssl = ssl
        self._secure = secure
        self._stream = None

    async def open(self):
        """Connect. On MicroPython the name look-up and the TLS handshake block the device."""
        options = _secure(self._ssl, self._host) if self._secure else {}
        try:
            if MICROPYTHON:
                self._stream = await _open_micropython(self._host, self._port, self._path, options)
            else:
                stream = _Streams()
                await stream.open(self._host, self._port, self._path, options)
                self._stream = stream
        except OSError as e:
            # What does not speak TLS ends the connection, for which asyncio has no words, or
            # resets it.
            ended = self._secure and (not str(e) or e.errno == 104)
            text = _NO_TLS if ended else explain(e)
            raise TransportError("%s: %s" % (self.url, text))
        except ValueError as e:
            # CPython's resolver, for a name that no host can have.
            raise ConfigurationError("URL %s: not the name of a host: %s" % (self.url, e))

    async def read(self):
        """The next octets, b"" at the end of the stream."""
        if self._stream is None:
            raise TransportLost("%s: the connection is closed" % self.url)
        try:
            return await self._stream.read(4096)
        except OSError as e:
            raise TransportLost("%s: %s" % (self.url, explain(e)))

    def write(self, octets):
        """Write, or keep what the socket does not take at once."""
        if self._stream is None:
            raise TransportLost("%s: the connection is closed" % self.url)
        try:
            self._stream.write(octets)
        except (OSError, RuntimeError) as e:
            raise TransportLost("%s: %s" % (self.url, explain(e)))
        if self._stream.backlog() > BACKLOG_MAX:
            self.close()
            raise TransportLost("%s: the router does not read" % self.url)

    def backlog(self):
        """Octets that wait to be written."""
        return 0 if self._stream is None else self._stream.backlog()

    async def drain(self):
        """Wait until the backlog is small."""
        try:
            if self._stream is not None:
                await self._stream.drain()
        except OSError as e:
            raise TransportLost("%s: %s" % (self.url, explain(e)))

    async def finish(self):
        """Wait until all is written, at most 2 s."""
        begin = ticks()
        while self.backlog() and (ticks() - begin) & 0x3FFFFFFF < _FINISH_MS:
            await sleep_ms(10)

    def close(self):
        """Close at once."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def release(self):
        """Nothing is held between connections."""


class _Streams:
    """asyncio's streams of CPython."""

    async def open(self, host, port, path, options):
        if path is not None:
            self.reader, self.writer = await asyncio.open_unix_connection(path)
        else:
            self.reader, self.writer = await asyncio.open_connection(host, port, **options)

    def read(self, n):
        return self.reader.read(n)

    def write(self, octets):
        self.writer.write(octets)

    def backlog(self):
        return self.writer.transport.get_write_buffer_size()

    def drain(self):
        return self.writer.drain()

    def close(self):
        self.writer.transport.abort()


async def _open_micropython(host, port, path, options):
    from ._mpstream import Stream

    if path is None:
        reader, _ = await asyncio.open_connection(host, port, **options)
        s = reader.s
        try:
            # Small messages go out at once: with Nagle's algorithm an acknowledged publish takes
            # 40 ms. 6, 1: IPPROTO_TCP, TCP_NODELAY, which MicroPython does not name.
            s.setsockopt(6, 1, 1)
        except (OSError, AttributeError):
            return Stream(s)  # a port without the option, or TLS
        return Stream(s)
    import socket
    from struct import pack

    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        s.connect(pack("H", socket.AF_UNIX) + path.encode() + b"\0")
        s.setblocking(False)
    except OSError:
        s.close()
        raise
    return Stream(s)


def _secure(context, host):
    """Arguments of open_connection for TLS; the default context verifies certificates."""
    import ssl

    if context is None:
        if not hasattr(ssl, "create_default_context"):
            raise ConfigurationError(
                "rss:// on a board needs ssl=, an SSLContext with the certificate to trust: "
                "boards carry none of their own"
            )
        context = ssl.create_default_context()
    return {"ssl": context, "server_hostname": host}
