"""The serial transport: the link on a UART, a USB console, a tty or a pty. Part of the I/O edge.

URLs: serial:/dev/ttyACM0 (a tty or pty, on a host), serial:fd/N (a descriptor the parent process
opened, non-blocking), serial:N (UART N of the board), serial: (the board's console, such as its
USB port). Options follow as a query:
serial:0?tx=0&rx=1&baud=921600. Known ones: baud (115200), tx, rx (pins), window, fragment,
lost_ms (docs/link.md).
"""

import asyncio

from ._port import MICROPYTHON, Alarm, ticks
from .errors import TransportLost
from .link import CLOSED, CONSOLE, STREAM
from .transport import BACKLOG_HIGH, TransportDetails

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_ACKNOWLEDGE_MS = const(20)  # at the latest, when the program does not come back for more
_BODY_MS = const(251)  # docs/link.md: the time limit of an incomplete frame


class SerialTransport:
    """RawSocket's octet stream over the link (docs/link.md), as the initiator.

    on_utc: called with the bridge's time in seconds since 1970 when a connection is up; by default
    it sets a board's clock that was never set.
    """

    private = False  # the bridge, and whoever taps the line, can read along

    def __init__(self, url, on_utc=None):
        from .serialcontrol import parse

        self.url = url
        self.path, self.options = parse(url)
        self.details = TransportDetails("serial", url)
        self._on_utc = on_utc
        self._port = None
        self._last = None  # the port once it is closed
        self._link = None
        self._news = asyncio.Event()  # for tasks beside the one that waits for the line
        self._alarm = Alarm(self._tick)
        self._found = []
        self._ended = None  # the reason, once the connection has ended
        self._flushing = None
        self._pulling = False  # a task waits for the line: no other may
        self._beside = False  # another one would like to
        self._unflushed = False  # what came was handed up before it was acknowledged

    async def open(self):
        """Open the port and connect; raises TransportError after 10 s without an answer."""
        from .serialcontrol import begin

        await begin(self)

    async def _pull(self):
        """Wait for octets from the line and take them, or until another task has."""
        if self._unflushed:
            self._unflushed = False
            self._flush()
        if self._pulling:
            self._beside = True
            self._news.clear()
            await self._news.wait()
            return
        if self._ended:
            return  # since the caller looked
        port = self._port
        link = self._link
        self._pulling = True
        try:
            octets = await port.read()
        except OSError:
            from .serialcontrol import reopen

            octets = await reopen(self, port, link)
        finally:
            self._pulling = False
            if self._beside:
                self._beside = False
                self._news.set()
        if self._port is None:
            return
        if octets:
            frames = link.received
            self._handle(link.receive(octets, ticks()))
            if link.fill:
                # The rest of the frame is often there by now; a turn of asyncio takes 0.6 ms.
                octets = port.more()
                if octets:
                    self._handle(link.receive(octets, ticks()))
            if self._found:
                # The program first: its answer may carry the acknowledgement.
                self._unflushed = True
                self._alarm.within(_ACKNOWLEDGE_MS)
                return
            if link.fill and link.received == frames:
                self._alarm.within(_BODY_MS)  # part of a frame: nothing to send
                return
        self._flush()

    def _tick(self):
        """The link's timers."""
        if self._port is not None:
            self._handle(self._link.tick(ticks()))
            self._flush()
            if self._ended and self._port is not None:
                self._port.wake()

    def _handle(self, events):
        for kind, value in events:
            if kind == STREAM:
                self._found.append(value)
            elif kind == CONSOLE:
                if hasattr(self._port, "console"):
                    self._port.console(value)
            elif kind == CLOSED:
                self._ended = value[1] or "it was closed, with code %d" % value[0]
                self._news.set()
            elif value and self._on_utc:
                self._on_utc(value)
            elif value and MICROPYTHON:
                from ._clock import set_clock

                set_clock(value)

    def _flush(self):
        """Give the port what the link wants sent."""
        link = self._link
        port = self._port
        while not port.busy():
            octets = link.output(ticks())
            if octets is None:
                break
            port.write(octets)
        if port.busy() and self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_later())
        wait = link.timeout(ticks())
        if wait >= 0:
            self._alarm.within(wait)

    async def _flush_later(self):
        await self._port.drain()
        self._flushing = None
        if self._port is not None:
            self._flush()

    async def read(self):
        """The next octets of the stream; raises TransportLost when the connection has ended."""
        while not self._found:
            self._check()
            await self._pull()
        if len(self._found) == 1:
            return self._found.pop()
        octets = b"".join(self._found)
        self._found = []
        return octets

    def _check(self):
        if self._ended:
            raise TransportLost("%s: %s" % (self.url, self._ended))

    def write(self, octets):
        """Send, or keep what the line does not take yet; returns the backlog then."""
        if self._ended:
            self._check()
        link = self._link
        if self._flushing is None:
            frame = link.put(octets, ticks())
            if frame is not None:
                if self._port.write(frame):
                    self._flush()  # the port keeps some of it
                else:
                    self._alarm.within(link.rto)
                return 0
        if link.send(octets) < len(octets):
            self._ended = "the line does not take what is sent"
            self._check()
        self._flush()
        return link.pending()

    def backlog(self):
        """Octets that wait to be sent or acknowledged."""
        return self._link.pending() if self._link else 0

    async def drain(self):
        """Wait until the backlog is small."""
        while self.backlog() > BACKLOG_HIGH and not self._ended:
            await self._pull()  # only what comes in makes room

    async def finish(self):
        """Wait until all is acknowledged and the bridge knows that we close; at most 2 s."""
        from .serialcontrol import finish

        await finish(self)

    def close(self):
        """Close at once; the bridge is told if the port takes the frame."""
        from .serialcontrol import close

        close(self)

    def release(self):
        """The program is done with the port: a console is given back to its user."""
        if self._last is not None and hasattr(self._last, "release"):
            self._last.release()
