"""The serial transport: the link on a UART, a USB console, a tty or a pty. Part of the I/O edge.

URLs: serial:/dev/ttyACM0 (a tty or pty, on a host), serial:fd/N (a descriptor the parent process
opened, non-blocking), serial:N (UART N of the board), serial: (the board's console, such as its
USB port). Options follow as a query:
serial:0?tx=0&rx=1&baud=921600. Known ones: baud (115200), tx, rx (pins), window, fragment,
lost_ms (docs/link.md).
"""

import asyncio

from . import linkframe
from ._port import MICROPYTHON, Alarm, random32, ticks
from .errors import ConfigurationError, LocalProtocolError, TransportError, TransportLost
from .link import CLOSED, CONSOLE, OPENED, Link
from .linkstream import STREAM
from .transport import BACKLOG_HIGH, BACKLOG_MAX, TransportDetails

_OPEN_MS = 10000
_ACKNOWLEDGE_MS = 20  # at the latest, when the program does not come back for more
_BODY_MS = 1001  # docs/link.md: the time limit of an incomplete frame
_INTEGERS = ("baud", "tx", "rx", "window", "fragment", "lost_ms", "rxbuf", "txbuf")
_VERSION = "microwamp 0.1.0"


def parse(url):
    """(path, options) of a serial: URL; raises ConfigurationError."""
    rest = url[7:]
    mark = rest.find("?")
    path, query = (rest, "") if mark < 0 else (rest[:mark], rest[mark + 1 :])
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
        self._on_utc = on_utc
        self._port = None
        self._last = None  # the port once it is closed
        self._link = None
        self._backlog = []  # octets that the link has no room for yet
        self._waiting = 0  # how many they are
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
        window = options.get("window", 4096)
        try:
            self._link = Link(
                window,
                options.get("fragment", linkframe.PAYLOAD_MAX),
                options.get("lost_ms", 10000),
                4096,
                _VERSION,
            )
        except LocalProtocolError as e:
            raise ConfigurationError("URL %s: %s" % (self.url, e))
        self._port = await _open_port(self.url, self.path, options)
        self._link.open(random32(), ticks())
        self._flush()
        begin = ticks()
        try:
            while not self._link.is_open:
                left = _OPEN_MS - ((ticks() - begin) & 0x3FFFFFFF)
                if left <= 0:
                    raise TransportError(
                        "%s: nobody answers: is the bridge running on the other end of the line, "
                        "at %d baud?" % (self.url, options["baud"])
                    )
                try:
                    await asyncio.wait_for(self._pull(), left / 1000)
                except asyncio.TimeoutError:
                    continue
                if self._ended:
                    raise TransportError("%s: the bridge refused: %s" % (self.url, self._ended))
        except BaseException:
            self.close()
            raise

    async def _pull(self):
        """Wait for octets from the line and take them."""
        self._pulling = True
        try:
            octets = await self._port.read()
        except OSError:
            octets = b""
            port = self._port
            # A cable that was bumped: the connection outlives it for lost_ms.
            if port is not None and await port.reopen():
                if self._port is None:
                    port.close()  # we were closed meanwhile
                else:
                    self._link.resume(ticks())
        finally:
            self._pulling = False
        if self._port is not None:
            if octets:
                link = self._link
                frames = link.received + link.damaged
                self._handle(link.receive(octets, ticks()))
                # The rest of the frame is often there by now; a turn of asyncio takes 0.6 ms.
                octets = self._port.more()
                if octets:
                    self._handle(link.receive(octets, ticks()))
                if self._found:
                    # The program first: its answer may carry the acknowledgement.
                    self._unflushed = True
                    self._alarm.within(_ACKNOWLEDGE_MS)
                    return
                if link.received + link.damaged == frames:
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
            elif kind == OPENED:
                if value and self._on_utc:
                    self._on_utc(value)
                elif value and MICROPYTHON:
                    from ._clock import set_clock

                    set_clock(value)
            elif kind == CLOSED:
                self._ended = value[1] or "it was closed (code %d)" % value[0]
                self._room.set()
            elif kind == CONSOLE:
                self._port.console(value)

    def _flush(self):
        """Give the link what waits, and the port what the link wants sent."""
        link = self._link
        port = self._port
        while True:
            backlog = self._backlog
            while backlog:
                n = link.send(backlog[0])
                self._waiting -= n
                if n < len(backlog[0]):
                    backlog[0] = backlog[0][n:]
                    break
                backlog.pop(0)
            if port.busy():
                break  # goes on when the port has room
            octets = link.output(ticks())
            if octets is None:
                break
            port.write(octets)
        if self._waiting < BACKLOG_HIGH:
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
            if self._ended:
                raise TransportLost("%s: %s" % (self.url, self._ended))
            if self._unflushed:
                self._unflushed = False
                self._flush()
            await self._pull()
        if len(self._found) == 1:
            return self._found.pop()
        octets = b"".join(self._found)
        self._found = []
        return octets

    def write(self, octets):
        """Send, or keep what the link has no room for; returns the backlog then."""
        if self._ended or self._port is None:
            raise TransportLost("%s: %s" % (self.url, self._ended or "closed"))
        link = self._link
        port = self._port
        if not self._backlog and not port.busy():
            now = ticks()
            frame = link.put(octets, now)
            if frame is not None:
                port.write(frame)
                self._alarm.within(link.rto)
                return 0
        n = 0 if self._backlog else link.send(octets)
        if n < len(octets):
            self._backlog.append(memoryview(octets)[n:] if n else octets)
            self._waiting += len(octets) - n
            if self._waiting > BACKLOG_MAX:
                self._ended = "the line does not take what is sent"
                raise TransportLost("%s: %s" % (self.url, self._ended))
            if self._waiting > BACKLOG_HIGH:
                self._room.clear()
        self._flush()
        return self._waiting

    def backlog(self):
        """Octets that wait to be sent or acknowledged."""
        return self._waiting + (self._link.pending() if self._link else 0)

    async def drain(self):
        """Wait until the backlog is small."""
        while self._waiting > BACKLOG_HIGH and not self._ended:
            if self._pulling:
                await self._room.wait()
            else:
                await self._pull()  # only what comes in makes room

    async def finish(self):
        """Wait until all is acknowledged and the bridge knows that we close; at most 2 s."""
        if self._port is None:
            return
        begin = ticks()
        link = self._link
        while self._backlog and not self._ended and (ticks() - begin) & 0x3FFFFFFF < 1500:
            try:
                await asyncio.wait_for(self._pull(), 0.2)
            except asyncio.TimeoutError:
                continue
        link.close(linkframe.BY_PEER, "the device left")
        while link.is_open and (ticks() - begin) & 0x3FFFFFFF < 2000:
            self._flush()
            try:
                await asyncio.wait_for(self._pull(), 0.2)
            except (asyncio.TimeoutError, TransportLost):
                if self._ended:
                    break

    def close(self):
        """Close at once; the bridge is told if the port takes the frame."""
        if self._port is None:
            return
        self._alarm.stop()
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._link.is_open:
            self._link.reset(linkframe.BY_PEER, "the device closed the connection")
            octets = self._link.output(ticks())
            if octets is not None and not self._port.busy():
                self._port.write(octets)
        self._port.close()
        self._last, self._port = self._port, None
        # 13 kB: this object may outlive its use, for a stale reference to it in a coroutine.
        self._link = None
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
        from ._explain import explain

        raise TransportError("%s: %s" % (url, explain(e)))
