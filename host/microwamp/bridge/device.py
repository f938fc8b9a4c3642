"""One port of the bridge: the serial link to a device, and the device's connection to the router.

The link outlives the port: a cable that was bumped, or a board that re-enumerated, goes on in the
same session if it is back within `lost_ms` (docs/link.md). The connection to the router lives as
long as the link's connection, so that the router notices a device that fell silent.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

from wamp import _posixport, linkframe, messages
from wamp._port import Alarm, random32, ticks
from wamp.errors import ConfigurationError, Error, RemoteProtocolError
from wamp.link import CLOSED, CONSOLE, OPENED
from wamp.linkacceptor import Acceptor
from wamp.linkstream import STREAM
from wamp.transport import StreamTransport, explain, make

from .console import Lines
from .splice import Splice, realm_of

Report = Callable[[str, Mapping[str, Any]], None]

# Octets for the router that may wait before the device is held back.
HIGH = 65536
# Octets read from the router at a time: about what the link has under way at once.
CHUNK = 8192
CONNECT_S = 10.0
CLOSE_S = 1.0


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
        self._link = Acceptor(window=16320, send_buffer=16384, lost_ms=lost_ms)
        self._alarm = Alarm(self._tick)
        self._port: Any = None
        self._upstream: StreamTransport | None = None
        self._splice: Splice | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._early: list[bytes] = []  # from the device, before the router is connected
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
        self._link.accept(random32(), int(time.time()), ticks())
        self._splice = Splice(self._message)
        self._early = []
        self._late = []
        self.report("device", state="connected", software=software)
        self._connecting = asyncio.create_task(self._connect(self._splice))

    async def _connect(self, splice: Splice) -> None:
        """Connect to the router, then carry what comes from there, until it ends."""
        options = {"ssl": self._tls} if self._router.startswith("rss://") else {}
        upstream = make(self._router, **options)
        try:
            try:
                await asyncio.wait_for(upstream.open(), CONNECT_S)
            except (Error, OSError, asyncio.TimeoutError) as e:
                text = str(e) or f"{self._router}: no answer"
                self.report("router", state="unreachable", reason=text)
                self._end(linkframe.NO_ROUTER, text)
                return
            self._upstream = upstream
            early, self._early = self._early, []
            for octets in early:
                splice.from_device(octets)
            await self._deliver()
            while True:
                self._room.clear()
                self._flush()
                if self._late or not self._link.room():
                    await self._room.wait()
                octets = await upstream.read()
                if not octets:
                    self.report("router", state="closed")
                    self._end(linkframe.BY_ROUTER, "the router closed the connection")
                    return
                for i in range(0, len(octets), CHUNK):
                    splice.from_router(octets[i : i + CHUNK])
                    await self._deliver()
        except RemoteProtocolError as e:
            self.report("protocol", reason=str(e))
            self._end(linkframe.PROTOCOL, str(e))
        except Error as e:
            self.report("router", state="lost", reason=str(e))
            self._end(linkframe.BY_ROUTER, str(e))
        finally:
            upstream.close()
            if self._splice is splice:
                self._upstream = None

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

    def _from_device(self, octets: bytes) -> None:
        if self._splice is None:
            return
        if self._upstream is None:
            self._early.append(octets)
            return
        try:
            self._splice.from_device(octets)
            self._pass_on()
        except Error as e:
            self.report("protocol", reason=str(e))
            self._end(linkframe.PROTOCOL, str(e))
            return
        self._hold_back()

    def _hold_back(self) -> None:
        """A router that does not take what the device sends must not fill our memory."""
        upstream = self._upstream
        if upstream is not None:
            full = upstream.backlog() > HIGH
            if full and self._link.window:
                self._link.set_window(0)
                asyncio.create_task(self._let_go(upstream))

    async def _let_go(self, upstream: StreamTransport) -> None:
        try:
            await upstream.drain()
        except Error:
            return  # the reader of the same transport reports it
        self._link.set_window(16320)
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
        self._link.close(code, text)
        self._flush()

    def _link_closed(self, code: int, text: str) -> None:
        reason = text or f"code {code}"
        self.report("device", state="disconnected", reason=reason)
        self._drop_upstream()
        self._splice = None
        self.session = None
        self._closed.set()

    def _drop_upstream(self) -> None:
        task, self._connecting = self._connecting, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        if self._upstream is not None:
            self._upstream.close()
            self._upstream = None
        self._early = []

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
            except asyncio.TimeoutError:
                self.report("device", state="disconnected", reason="it does not answer")
        self._alarm.stop()
        if self._port is not None:
            self._port.close()
