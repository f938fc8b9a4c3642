"""One port of the bridge: the serial link to a device, and the device's connection to the router.

The link outlives the port: a cable that was bumped, or a board that re-enumerated, goes on in the
same session if it is back within `lost_ms` (docs/link.md). The connection to the router lives as
long as the link's connection, so that the router notices a device that fell silent.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wamp import _posixport, linkframe, messages
from wamp._port import Alarm, random32, ticks
from wamp.errors import ConfigurationError, Error, HandshakeRefused, RemoteProtocolError
from wamp.link import CLOSED, CONSOLE, OPENED, STREAM
from wamp.linkacceptor import Acceptor
from wamp.transport import explain, make

from .console import Lines
from .splice import Splice, realm_of

if TYPE_CHECKING:
    from wamp.transport import Transport

Report = Callable[[str, Mapping[str, Any]], None]

# Octets towards us that the link may have under way: the most that credits can say.
WINDOW = 16320
# Octets for the router that may wait before the device is held back.
HIGH = 65536
# Octets read from the router at a time: about what the link has under way at once.
CHUNK = 8192
# Octets of a device before the router is there: it sends a handshake of four and waits.
EARLY_MAX = 4096
# Octets for the device that may wait for the link: one piece of the router's, which are read as
# the link takes them, and PONGs.
LATE_MAX = 131072
# For connection and RawSocket handshake together; a device waits for 10 s, and is to be told.
CONNECT_S = 8.0
CLOSE_S = 1.0
# Web servers and TLS wait for more than the four octets of the handshake.
_NO_ANSWER = "no answer to the RawSocket handshake; is it HTTP there, or TLS (rss://)?"


class Device:
    """Serves one port for ever, until `stop`.

    name: the port as the user wrote it. report(event, fields): called for everything that is
    worth a line in the log.
    """

    def __init__(
        self,
        name: str,
        router: str,
        report: Report,
        *,
        baud: int = 115200,
        tls: ssl.SSLContext | None = None,
        console: str = "out",
        lost_ms: int = 10000,
    ) -> None:
        if console not in ("off", "out", "both"):
            raise ConfigurationError(f'console is {console!r}, not "off", "out" or "both"')
        self.name = name
        self._router = router
        self._report_to = report
        self._options = {"baud": baud}
        self._tls = tls
        self._console = console
        self._lines = Lines(self._console_line)
        self._link = Acceptor(window=WINDOW, send_buffer=16384, lost_ms=lost_ms)
        self._alarm = Alarm(self._tick)
        self._port: Any = None
        self._upstream: Transport | None = None
        self._splice: Splice | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._holding: asyncio.Task[None] | None = None  # while the device is held back
        self._early = b""  # from the device, before the router is connected
        self._late: list[bytes] = []  # for the device, more than the link has room for
        self._room = asyncio.Event()
        self._stopping = False
        self._closed = asyncio.Event()
        self.session: str | None = None

    def report(self, event: str, **fields: Any) -> None:
        """One line in the log."""
        self._report_to(event, {"port": self.name, **fields})

    # -- the port

    async def run(self) -> None:
        """Open the port, and open it again whenever it is gone; never returns."""
        said = None
        pause = 0.2
        while not self._stopping:
            opened = time.monotonic()
            try:
                self._port = await _posixport.open_port(self.name, self._options)
            except OSError as e:
                text = explain(e)
                if text != said:
                    self.report("port", state="unavailable", reason=text)
                    said = text
                await asyncio.sleep(0.5)
                continue
            if said != "":
                said = ""
                self.report("port", state="open")
            try:
                await self._serve()
            except OSError as e:
                self._port.close()
                text = explain(e)
                if time.monotonic() - opened > 1:
                    pause = 0.2
                if not self._stopping:
                    # One that comes and goes at once must not fill the log.
                    if pause < 1:
                        self.report("port", state="gone", reason=text)
                        said = None
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 2.0)

    async def _serve(self) -> None:
        port = self._port
        self._link.announce(ticks())
        self._flush()
        while True:
            octets = await port.read()
            self._handle(self._link.receive(octets, ticks()))
            self._flush()

    def _tick(self) -> None:
        self._handle(self._link.tick(ticks()))
        self._flush()

    def _flush(self) -> None:
        """Give the link what waits for it, and the port what the link wants sent."""
        link, port = self._link, self._port
        while True:
            while self._late:
                n = link.send(self._late[0])
                if n < len(self._late[0]):
                    self._late[0] = self._late[0][n:]
                    break
                self._late.pop(0)
            if port is not None and port.busy():
                break  # the retransmission timer, or the next octet that comes, goes on
            octets = link.output(ticks())
            if octets is None:
                break
            if port is not None:
                port.write(octets)
        if not self._late and link.room():
            self._room.set()
        wait = link.timeout(ticks())
        if port is not None and port.busy():
            wait = 5 if wait < 0 else min(wait, 5)
        if wait >= 0:
            self._alarm.within(wait)

    def _handle(self, events: list[tuple[int, Any]]) -> None:
        for kind, value in events:
            if kind == STREAM:
                self._from_device(value)
            elif kind == OPENED:
                # Two OPENs may come in one piece: one that waited, and one that our ANNOUNCE
                # caused. With the first event the link has accepted the newest of them.
                if not self._link.is_open:
                    self._opened(value)
            elif kind == CLOSED:
                self._link_closed(*value)
            elif kind == CONSOLE and self._console != "off":
                self._lines.feed(value)

    # -- the connection

    def _opened(self, software: str) -> None:
        if self._stopping:
            self._link.refuse(linkframe.STOPPING, "the bridge is stopping")
            return
        self._link.set_window(WINDOW)
        self._link.accept(random32(), int(time.time()), ticks())
        self._splice = Splice(self._message)
        self._early = b""
        self._late = []
        self.report("device", state="connected", software=software)
        self._connecting = asyncio.create_task(self._connect(self._splice))

    async def _connect(self, splice: Splice) -> None:
        """Connect to the router, then carry what comes from there, until it ends."""
        options = {"ssl": self._tls} if self._router.startswith("rss://") else {}
        upstream = make(self._router, **options)
        limit = asyncio.get_running_loop().time() + CONNECT_S
        try:
            try:
                async with asyncio.timeout_at(limit):
                    await upstream.open()
            except (Error, OSError) as e:
                text = str(e) or f"{self._router}: no answer within {CONNECT_S:g} s"
                self._unreachable(linkframe.NO_ROUTER, text)
                return
            self._upstream = upstream
            early, self._early = self._early, b""
            splice.from_device(early)
            await self._deliver()
            while True:
                self._room.clear()
                self._flush()
                if self._late or not self._link.room():
                    await self._room.wait()
                try:
                    async with asyncio.timeout_at(None if splice.opened else limit):
                        octets = await upstream.read()
                except TimeoutError:
                    if splice.asked:
                        self._unreachable(linkframe.NO_ROUTER, f"{self._router}: {_NO_ANSWER}")
                    else:
                        self._protocol("the device sent no RawSocket handshake")
                    return
                if not octets:
                    self.report("router", state="closed")
                    self._end(linkframe.BY_ROUTER, "the router closed the connection")
                    return
                for i in range(0, len(octets), CHUNK):
                    splice.from_router(octets[i : i + CHUNK])
                    await self._deliver()
        except HandshakeRefused as e:
            with contextlib.suppress(Error):
                self._pass_on()  # the device is to have the router's own words
            self._unreachable(linkframe.BY_ROUTER, f"{self._router}: {e}")
        except RemoteProtocolError as e:
            self._protocol(str(e))
        except Error as e:
            self._lost(e)
        finally:
            upstream.close()
            if self._upstream is upstream:
                self._upstream = None

    def _unreachable(self, code: int, text: str) -> None:
        self.report("router", state="unreachable", reason=text)
        self._end(code, text)

    def _lost(self, error: Error) -> None:
        self.report("router", state="lost", reason=str(error))
        self._end(linkframe.BY_ROUTER, str(error))

    def _protocol(self, text: str) -> None:
        self.report("protocol", reason=text)
        self._end(linkframe.PROTOCOL, text)

    async def _deliver(self) -> None:
        """Send what the splice has for either side; waits while the router does not take it."""
        self._pass_on()
        if self._upstream is not None and self._upstream.backlog() > HIGH:
            await self._upstream.drain()

    def _pass_on(self) -> None:
        splice, upstream = self._splice, self._upstream
        if splice is None or upstream is None:
            return
        if splice.to_router:
            upstream.write(b"".join(splice.to_router))
            splice.to_router.clear()
        if splice.to_device:
            self._late += splice.to_device
            splice.to_device.clear()
            self._flush()
            if sum(map(len, self._late)) > LATE_MAX:
                raise RemoteProtocolError("the device sends PINGs and does not take the answers")

    def _from_device(self, octets: bytes) -> None:
        if self._splice is None:
            return
        try:
            if self._upstream is None:
                self._early += octets
                if len(self._early) > EARLY_MAX:
                    raise RemoteProtocolError("the device sends before the router has answered")
                return
            self._splice.from_device(octets)
            self._pass_on()
        except RemoteProtocolError as e:
            self._protocol(str(e))
        except Error as e:
            self._lost(e)
        else:
            self._hold_back()

    def _hold_back(self) -> None:
        """A router that does not take what the device sends must not fill our memory."""
        upstream = self._upstream
        if upstream is not None and upstream.backlog() > HIGH and self._link.window:
            self._link.set_window(0)
            self._holding = asyncio.create_task(self._let_go(upstream))

    async def _let_go(self, upstream: "Transport") -> None:
        # An error is reported by the reader of the same transport.
        with contextlib.suppress(Error):
            await upstream.drain()
        if self._upstream is upstream:
            self._link.set_window(WINDOW)
            self._flush()

    def _message(self, from_device: bool, code: int, head: bytes) -> None:
        """HELLO, WELCOME, ABORT or GOODBYE has passed: for the log."""
        if code == messages.HELLO and from_device:
            self.session = realm_of(head)
        elif code == messages.WELCOME and not from_device:
            self.report("session", state="joined", realm=self.session)
        elif code == messages.ABORT:
            who = "device" if from_device else "router"
            self.report("session", state="aborted", realm=self.session, by=who)
        elif code == messages.GOODBYE and from_device:
            self.report("session", state="leaving", realm=self.session)

    def _end(self, code: int, text: str) -> None:
        """End the device's connection after what it still is to get."""
        self._drop_upstream()
        self._splice = None
        self._link.close(code, text)
        self._flush()

    def _link_closed(self, code: int, text: str) -> None:
        reason = text or f"code {code}"
        self.report("device", state="disconnected", reason=reason)
        self._drop_upstream()
        self._splice = None
        self._late = []
        self.session = None
        self._closed.set()

    def _drop_upstream(self) -> None:
        task, self._connecting = self._connecting, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        if self._upstream is not None:
            self._upstream.close()
            self._upstream = None
        self._early = b""

    # -- the console

    def _console_line(self, line: str) -> None:
        self.report("console", text=line)

    # -- the end

    async def stop(self) -> None:
        """Tell the device, wait until it knows (1 s at most), close the port."""
        self._stopping = True
        if self._link.is_open and self._port is not None:
            self._closed.clear()
            self._drop_upstream()
            self._link.close(linkframe.STOPPING, "the bridge was stopped")
            self._flush()
            try:
                await asyncio.wait_for(self._closed.wait(), CLOSE_S)
            except TimeoutError:
                self.report("device", state="disconnected", reason="it does not answer")
        self._alarm.stop()
        if self._port is not None:
            self._port.close()
