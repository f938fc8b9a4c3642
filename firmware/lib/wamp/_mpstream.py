"""A non-blocking stream for MicroPython: asyncio's own loses what is written while it drains.

`Stream.drain` of MicroPython's asyncio forgets octets that another task writes meanwhile, so this
keeps its own backlog with one task that empties it. Part of the I/O edge.
"""

import asyncio
from errno import EAGAIN

from ._port import readable, writable


class Stream:
    """Around anything with read, write and ioctl: a socket, a TLS socket, a file descriptor."""

    def __init__(self, s):
        self.s = s
        self._out = bytearray()
        self._flusher = None
        self._empty = asyncio.Event()
        self._error = None

    async def read(self, n):
        """What is there, at most n octets; b"" at the end. Raises OSError."""
        while True:
            await readable(self.s)
            octets = self.s.read(n)
            if octets is not None:
                return octets

    def write(self, octets):
        """Write what the stream takes now, keep the rest. Raises OSError of an earlier write."""
        if self._error is not None:
            raise self._error
        if not self._out:
            n = self._try(octets)
            if n == len(octets):
                return
            octets = memoryview(octets)[n:]
        self._out += octets
        if self._flusher is None:
            self._empty.clear()
            self._flusher = asyncio.create_task(self._flush())

    def _try(self, octets):
        try:
            return self.s.write(octets) or 0
        except OSError as e:
            if e.errno == EAGAIN:
                return 0
            raise

    async def _flush(self):
        try:
            while self._out:
                await writable(self.s)
                n = self._try(memoryview(self._out)[:1024])
                self._out = self._out[n:]
        except OSError as e:
            self._error = e
            self._out = bytearray()
        self._flusher = None
        self._empty.set()

    def backlog(self):
        """Octets kept."""
        return len(self._out)

    async def drain(self):
        """Until the backlog is gone."""
        if self._flusher is not None:
            await self._empty.wait()
        if self._error is not None:
            raise self._error

    def close(self):
        """Close at once; what was kept is gone."""
        if self._flusher is not None:
            self._flusher.cancel()
            self._flusher = None
        self._out = bytearray()
        self._error = OSError(9)
        self._empty.set()
        self.s.close()
