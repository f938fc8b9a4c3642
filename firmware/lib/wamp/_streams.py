"""RawSocket over TCP, TLS and Unix sockets on CPython; no board loads it. Part of the I/O edge."""

import asyncio

from ._explain import explain
from ._port import sleep_ms, ticks
from .errors import ConfigurationError, TransportError, TransportLost
from .transport import BACKLOG_MAX, TransportDetails


class StreamTransport:
    """RawSocket over TCP, TLS or a Unix socket, on asyncio's streams."""

    def __init__(self, url, host=None, port=0, path=None, secure=False, ssl=None):
        self.url = url
        self.private = secure or path is not None
        # A Unix socket is no channel type of its own: MEMORY is the nearest, within one host.
        channel = "tls" if secure else "tcp" if path is None else "memory"
        self.details = TransportDetails(channel, url)
        self._host, self._port, self._path = host, port, path
        self._ssl = ssl
        self._secure = secure
        self._reader = None
        self._writer = None

    async def open(self):
        """Connect; the name is looked up each time."""
        options = {}
        if self._secure:
            from ._tls import context

            options = {"ssl": context(self._ssl), "server_hostname": self._host}
        try:
            if self._path is not None:
                streams = await asyncio.open_unix_connection(self._path)
            else:
                streams = await asyncio.open_connection(self._host, self._port, **options)
        except OSError as e:
            raise TransportError("%s: %s" % (self.url, explain(e, self._secure)))
        except ValueError as e:
            # The resolver, for a name that no host can have.
            raise ConfigurationError("URL %s: not the name of a host: %s" % (self.url, e))
        self._reader, self._writer = streams

    def _lost(self, error=None):
        why = "the connection is closed" if error is None else explain(error)
        return TransportLost("%s: %s" % (self.url, why))

    async def read(self):
        """The next octets, b"" at the end of the stream."""
        if self._writer is None:
            raise self._lost()
        try:
            return await self._reader.read(4096)
        except OSError as e:
            raise self._lost(e)

    def write(self, octets):
        """Write, or keep what the socket does not take at once."""
        if self._writer is None:
            raise self._lost()
        try:
            self._writer.write(octets)
        except (OSError, RuntimeError) as e:
            raise self._lost(e)
        backlog = self.backlog()
        if backlog > BACKLOG_MAX:
            self.close()
            raise TransportLost("%s: the router does not read" % self.url)
        return backlog

    def backlog(self):
        """Octets that wait to be written."""
        return 0 if self._writer is None else self._writer.transport.get_write_buffer_size()

    async def drain(self):
        """Wait until the backlog is small."""
        try:
            if self._writer is not None:
                await self._writer.drain()
        except OSError as e:
            raise self._lost(e)

    async def finish(self):
        """Wait until all is written, at most 2 s."""
        begin = ticks()
        while self.backlog() and (ticks() - begin) & 0x3FFFFFFF < 2000:
            await sleep_ms(10)

    def close(self):
        """Close at once; who reads finds the end."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    def release(self):
        """Nothing is held between connections."""
