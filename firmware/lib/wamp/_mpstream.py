"""RawSocket over TCP and Unix sockets on MicroPython. Part of the I/O edge.

`Stream.drain` of MicroPython's asyncio forgets octets that another task writes meanwhile, so this
keeps its own backlog, with one task that empties it.
"""

from asyncio import core
from errno import EAGAIN

from ._port import readable, sleep_ms, writable
from .errors import ConfigurationError, TransportError, TransportLost
from .transport import BACKLOG_MAX, TransportDetails


class StreamTransport:
    """See `transport`. path: of a Unix socket, in place of host and port. `_mptls` has TLS."""

    def __init__(self, url, host=None, port=0, path=None, secure=False, ssl=None):
        self.url = url
        self.private = secure or path is not None
        # A Unix socket is no channel type of its own: MEMORY is the nearest, within one host.
        channel = "tls" if secure else "tcp" if path is None else "memory"
        self.details = TransportDetails(channel, url)
        self._where = path, host, port
        self._ssl = ssl
        self._s = None
        self._out = bytearray()
        self._part = 1024  # of the backlog that is written at a time
        self._flusher = None
        self._error = None  # why nothing can be written any more

    async def open(self):
        """Connect. The name look-up blocks the device."""
        from ._mpsockets import connect

        try:
            self._s = await connect(*self._where)
        except (OSError, ValueError) as e:
            self._raise(TransportError, e)
        except ImportError as e:
            raise ConfigurationError("URL %s: not on this board: %s" % (self.url, e))

    def _raise(self, kind, error):
        from ._explain import explain

        raise kind("%s: %s" % (self.url, explain(error, kind is TransportError and self.private)))

    async def read(self):
        """What is there; b"" at the end."""
        try:
            while self._s is not None:
                await readable(self._s)
                if self._s is not None:
                    octets = self._s.read(1024)
                    if octets is not None:
                        return octets
        except (OSError, ValueError) as e:
            # Who met it first knows what it was: after that, TLS has but a number.
            self._raise(TransportLost, self._error or e)
        return b""

    def write(self, octets):
        """Write what the socket takes now, keep the rest; returns how much that is."""
        n = 0 if self._out or self._s is None else self._try(octets)
        if self._s is None or self._error is not None:
            self._raise(TransportLost, self._error or OSError(9))
        if n == len(octets):
            return 0
        try:
            self._out += memoryview(octets)[n:]
            if self._flusher is None:
                self._flusher = core.create_task(self._flush())
        except MemoryError:
            self.close()  # half a message is out
            raise
        if len(self._out) > BACKLOG_MAX:
            self.close()
            raise TransportLost("%s: the router does not read" % self.url)
        return len(self._out)

    def _try(self, octets):
        try:
            return self._s.write(octets) or 0
        except (OSError, ValueError) as e:
            if getattr(e, "errno", 0) == EAGAIN:
                return 0
            self._error = e
            return len(octets)  # what cannot be written need not be kept

    async def _flush(self):
        try:
            while self._out and self._s is not None:
                await writable(self._s)
                if self._s is not None:
                    n = self._try(memoryview(self._out)[: self._part])
                    self._out = self._out[n:]
        except MemoryError:
            self.close()  # nobody knows what is out
        self._flusher = None

    def backlog(self):
        """Octets that wait to be written."""
        return len(self._out)

    async def drain(self):
        """Wait until the backlog is gone."""
        if self._flusher is not None:
            await self._flusher
        if self._error is not None:
            self._raise(TransportLost, self._error)

    async def finish(self):
        """Wait until all is written, at most 2 s."""
        for _ in range(200):
            if self._out:
                await sleep_ms(10)

    def close(self):
        """Close at once; what was kept is gone, and who waits for the socket is woken."""
        s = self._s
        if s is not None:
            waiting = core._io_queue.map.get(id(s))
            if waiting is not None:
                reader, writer = waiting[0], waiting[1]
                core._io_queue._dequeue(s)
                if reader is not None:
                    core._task_queue.push(reader)
                if writer is not None:
                    core._task_queue.push(writer)
            # Not sooner: an `id` may take memory, and then this is to be repeated.
            self._s = None
            s.close()
        self._out = bytearray()

    def release(self):
        """Nothing is held between connections."""
