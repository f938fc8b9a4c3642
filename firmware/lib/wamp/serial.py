"""The serial transport: the link on a UART, a USB console, a tty or a pty. Part of the I/O edge.

URLs: serial:/dev/ttyACM0 (a tty or pty, on a host), serial:fd/N (a descriptor the parent process
opened, non-blocking), serial:N (UART N of the board), serial: (the board's console, such as its
USB port). Options follow as a query:
serial:0?tx=0&rx=1&baud=921600. Known ones: baud (115200), tx, rx (pins), window, fragment,
lost_ms (docs/link.md).
"""

import asyncio

from ._port import MICROPYTHON, Alarm, random32, set_clock, ticks
from .errors import ConfigurationError, LocalProtocolError, TransportError, TransportLost
from .link import CLOSED, CONSOLE, STREAM, Link
from .transport import BACKLOG_HIGH, BACKLOG_MAX, TransportDetails

_OPEN_MS = 10000
_ACKNOWLEDGE_MS = 20  # at the latest, when the program does not come back for more
_BODY_MS = 251  # docs/link.md: the time limit of an incomplete frame
_INTEGERS = ("baud", "tx", "rx", "window", "fragment", "lost_ms", "rxbuf", "txbuf")
_VERSION = "microwamp 0.1.0"


def parse(url):
    """(path, options) of a serial: URL; raises ConfigurationError."""
    path, _, query = url[7:].partition("?")
    options = {"baud": 115200}
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        if name not in _INTEGERS or not value.isdigit():
            raise ConfigurationError(
                "URL %s: %s is not one of %s with a number" % (url, pair, ", ".join(_INTEGERS))
            )
        options[name] = int(value)
    if not path and not MICROPYTHON:
        raise ConfigurationError(
            "URL %s: a port is missing, as in serial:/dev/ttyACM0 or serial:0?tx=0&rx=1" % url
        )
    return path, options


class SerialTransport:
    """RawSocket's octet stream over the link (docs/link.md), as the initiator.

    on_utc: called with the bridge's time in seconds since 1970 when a connection is up; by default
    it sets a board's clock that was never set.
    """

    private = False  # the bridge, and whoever taps the line, can read along

    def __init__(self, url, on_utc=None):
        self.url = url
        self.path, self.options = parse(url)
        self.details = TransportDetails("serial", url)
        self._on_utc = on_utc or (set_clock if MICROPYTHON else None)
        self._port = None
        self._last = None  # the port once it is closed
        self._link = None
        self._room = asyncio.Event()
        self._alarm = Alarm(self._tick)
        self._found = []
        self._ended = None  # the reason, once the connection has ended
        self._flushing = None
        self._pulling = False  # somebody waits for the line: nobody else may
        self._unflushed = False  # what came was handed up before it was acknowledged

    async def open(self):
        """Open the port and connect; raises TransportError after 10 s without an answer."""
        options = self.options
        try:
            self._link = link = Link(
                options.get("window", 4096),
                options.get("fragment", 1024),
                options.get("lost_ms", 10000),
                BACKLOG_MAX,
                _VERSION,
            )
        except LocalProtocolError as e:
            raise ConfigurationError("URL %s: %s" % (self.url, e))
        self._port = await _open_port(self.url, self.path, options)
        link.open(random32(), ticks())
        self._flush()
        if not await self._until(lambda: link.is_open or self._ended, _OPEN_MS):
            self._ended = (
                "nobody answers: is the bridge running on the other end of the line, at %d baud?"
                % options["baud"]
            )
        elif self._ended:
            self._ended = "the bridge refused: %s" % self._ended
        else:
            return
        self.close()
        raise TransportError("%s: %s" % (self.url, self._ended))

    async def _until(self, true, ms):
        """Take what comes until true() is; false if that is not so after `ms`."""
        end = ticks() + ms
        while not true():
            left = ((end - ticks() + 0x20000000) & 0x3FFFFFFF) - 0x20000000
            if left <= 0:
                return False
            try:
                await asyncio.wait_for(self._pull(), left / 1000)
            except asyncio.TimeoutError:
                pass
            except BaseException:
                self.close()
                raise
        return True

    async def _pull(self):
        """Wait for octets from the line and take them."""
        port = self._port
        link = self._link
        self._pulling = True
        try:
            octets = await port.read()
        except OSError:
            # A cable that was bumped: the connection outlives it for lost_ms.
            octets = b""
            if await port.reopen():
                link.resume(ticks())
        finally:
            self._pulling = False
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
                self._port.console(value)
            elif kind == CLOSED:
                self._ended = value[1] or "it was closed (code %d)" % value[0]
                self._room.set()
            elif value and self._on_utc:
                self._on_utc(value)

    def _flush(self):
        """Give the port what the link wants sent."""
        link = self._link
        port = self._port
        while not port.busy():
            octets = link.output(ticks())
            if octets is None:
                break
            port.write(octets)
        if link.pending() < BACKLOG_HIGH:
            self._room.set()
        if port.busy() and self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_later())
        wait = link.timeout(ticks())
        if wait >= 0:
            self._alarm.within(wait)

    async def _flush_later(self):
        try:
            await self._port.drain()
        except TransportLost as e:
            self._ended = self._ended or str(e)
        self._flushing = None
        if self._port is not None:
            self._flush()

    async def read(self):
        """The next octets of the stream; raises TransportLost when the connection has ended."""
        while not self._found:
            self._check()
            if self._unflushed:
                self._unflushed = False
                self._flush()
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
        """Send, or keep what the line does not take yet."""
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
                return
        if link.send(octets) < len(octets):
            self._ended = "the line does not take what is sent"
            self._check()
        if link.pending() > BACKLOG_HIGH:
            self._room.clear()
        self._flush()

    def backlog(self):
        """Octets that wait to be sent or acknowledged."""
        return self._link.pending() if self._link else 0

    async def drain(self):
        """Wait until the backlog is small."""
        while self._link.pending() > BACKLOG_HIGH and not self._ended:
            if self._pulling:
                await self._room.wait()
            else:
                await self._pull()  # only what comes in makes room

    async def finish(self):
        """Wait until all is acknowledged and the bridge knows that we close; at most 2 s."""
        link = self._link
        if self._port is None:
            return
        link.close(0, "the device left")
        self._flush()
        try:
            await self._until(lambda: not link.is_open or self._ended, 2000)
        except TransportLost:
            pass

    def close(self):
        """Close at once; the bridge is told if the port takes the frame."""
        port = self._port
        if port is None:
            return
        self._alarm.stop()
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._link.is_open:
            self._link.close(0, "the device closed the connection", True)
            if not port.busy():
                port.write(self._link.output(ticks()))
        port.close()
        self._last, self._port = port, None
        self._ended = self._ended or "closed"
        self._room.set()

    def release(self):
        """The program is done with the port: a console is given back to its user."""
        if MICROPYTHON and self._last is not None:
            self._last.release()


async def _open_port(url, path, options):
    """The port object for a path: see _mpports and _posixport for what a port is."""
    if MICROPYTHON:
        from . import _mpports as ports
    else:
        from . import _posixport as ports
    try:
        return await ports.open_port(path, options)
    except OSError as e:
        from .transport import explain

        raise TransportError("%s: %s" % (url, explain(e)))
