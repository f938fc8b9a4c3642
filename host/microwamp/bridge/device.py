"""One port of the bridge: the serial link to a device, and what it may.

The link outlives the port: a cable that was bumped, or a board that re-enumerated, goes on in the
same session if it is back within `lost_ms` (docs/link.md). The connection to the router
(`relay.Relay`) lives as long as the link's connection.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from wamp import _posixport, linkframe
from wamp._port import Alarm, random32, ticks
from wamp.errors import ConfigurationError
from wamp.link import CLOSED, CONSOLE, OPENED, STREAM
from wamp.transport import explain

from .config import PortConfig
from .console import Console
from .guard import OVERHEAD, Guard
from .line import WINDOW, Line
from .relay import Relay
from .splice import Tap

Report = Callable[[str, Mapping[str, Any]], None]

# How often a port that is not there is looked for; how often one whose settings cannot work.
ABSENT_S: Final = 0.5
REFUSED_S: Final = 5.0
# How long a device is told that it is over, and how long it has to take what was sent before.
CLOSE_S: Final = 1.0
TAKE_S: Final = 5.0
# Octets typed by an operator at a time: a CONSOLE frame.
TYPED_MAX: Final = 1024
_CTRL_C: Final = b"\x03"


def _same(port: str) -> str:
    return port


class Device:
    """Serves one port for ever, until `stop`.

    name: the port as the user wrote it. report(event, fields): called for everything that is
    worth a line in the log. config: all of the settings; overrides the single ones. find: says
    where a port is now, or raises OSError.
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
        config: PortConfig | None = None,
        find: Callable[[str], str] = _same,
    ) -> None:
        self.config = config or PortConfig(
            port=name, router=router, baud=baud, console=console, lost_ms=lost_ms
        )
        self.name = self.config.called
        self._report_to = report
        self._tls = tls
        self._find = find
        self._link = Line(self.config.lost_ms)
        self._alarm = Alarm(self._tick)
        self._port: Any = None
        self._relay: Relay | None = None
        self._ending: tuple[int, str] | None = None  # as soon as the device has taken the rest
        self._give_up: asyncio.TimerHandle | None = None
        self._stopping = False
        self._refused = ""  # the reason that was reported
        self._closed = asyncio.Event()
        self._again = asyncio.Event()  # the port is to be looked for at once
        self._lost: asyncio.Future[OSError] | None = None
        self._holding: set[str] = set()  # why the device is held back
        self._free: asyncio.TimerHandle | None = None
        self._resting: asyncio.TimerHandle | None = None  # nothing is read from the line
        self._counted = 0  # frames of the device that the limit has seen
        self._asked_at: int | None = None  # when the link began to wait for an acknowledgement
        self._guard = Guard(self.config.limits)
        self._clock = time.monotonic  # the event loop's, as soon as there is one
        self.tap: Tap | None = None
        self.session: str | None = None  # its realm
        self.path = ""  # the tty
        self.state = "absent"
        self.software = ""
        self.since = time.time()  # of the state
        self.round_trip_ms = 0.0
        self.join_ms = 0  # without a session before the last join
        self._without: float | None = None  # since when there is none, by the event loop's clock
        self.counts = {
            "connections": 0, "joins": 0, "resumed": 0, "refused": 0, "rests": 0, "held": 0,
            "console_lines": 0, "console_dropped": 0, "dropped": 0, "faults": 0, "handed_over": 0,
            "messages_in": 0, "messages_out": 0, "octets_in": 0, "octets_out": 0,
        }  # fmt: skip
        self._console = Console(lambda line: self.report("console", text=line), self.counts)

    def report(self, event: str, **fields: Any) -> None:
        """One line in the log."""
        self._report_to(event, {"port": self.name, **fields})

    def _become(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.since = time.time()

    def apply(self, config: PortConfig) -> None:
        """Other settings for the same line (`PortConfig.same_line`): the session goes on."""
        self.config = config
        self._guard = Guard(config.limits)
        if self._relay is not None and config.realms:
            self._relay.splice.realms = frozenset(config.realms)

    # -- the port

    async def run(self) -> None:
        """Open the port, and open it again whenever it is gone; never returns."""
        said = None
        pause = 0.2
        clock = self._clock = asyncio.get_running_loop().time
        while not self._stopping:
            opened = clock()
            try:
                await self._open()
            except (OSError, ConfigurationError) as e:
                fault = isinstance(e, ConfigurationError)
                text = explain(e) if isinstance(e, OSError) else str(e)
                self._become("absent")
                if text != said:
                    self.report("port", state="refused" if fault else "unavailable", reason=text)
                    said = text
                await self._wait(REFUSED_S if fault else ABSENT_S)
                continue
            if said != "":
                said = ""
                self.report("port", state="open", **self._where())
            try:
                await self._serve()
            except OSError as e:
                self._port.close()
                text = explain(e)
                if clock() - opened > 1:
                    pause = 0.2
                if not self._stopping:
                    self._become("absent")
                    # One that comes and goes at once must not fill the log.
                    if pause < 1:
                        self.report("port", state="gone", reason=text)
                        said = None
                    await self._wait(pause)
                    pause = min(pause * 2, 2.0)

    def _where(self) -> dict[str, str]:
        return {} if self.path in (self.name, "") else {"tty": self.path}

    async def _wait(self, seconds: float) -> None:
        self._again.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._again.wait(), seconds)

    def look(self) -> None:
        """Something was plugged in or out."""
        if self.state == "absent":
            self._again.set()

    async def _open(self) -> None:
        if self._port is not None and self._port.fileno() >= 0:
            return  # handed over, and open
        config = self.config
        self.path = self._find(config.port)
        modem = config.modem()
        options = {
            "baud": config.baud,
            "dtr": modem.dtr,
            "rts": modem.rts,
            "hupcl": modem.hupcl,
        }
        self._port = await _posixport.open_port(self.path, options)

    async def _serve(self) -> None:
        port = self._port
        lost = self._lost = asyncio.get_running_loop().create_future()

        def gone(error: OSError) -> None:
            if not lost.done():
                lost.set_result(error)

        self._become("open")
        if self.session is None:
            self._alone()
        port.listen(self._arrived, gone)
        settle = self.config.modem().settle_ms
        if settle and not self._link.is_open:
            await asyncio.sleep(settle / 1000)
        if self._link.is_open:
            self.counts["resumed"] += 1
            self._become("connected" if self.session is None else "joined")
        self._link.announce(ticks())
        self._flush()
        raise await lost

    def _arrived(self, octets: bytes) -> None:
        link = self._link
        now = ticks()
        good, bad, waiting = link.received, link.damaged, link.pending()
        try:
            events = link.receive(octets, now)
            if events:
                self._handle(events)
            if link.refusal != self._refused:
                self._refused = link.refusal
                self.report("device", state="refused", reason=link.refusal)
            self._flush(now)
        except Exception as e:
            self._fault(e)
            return
        if self._asked_at is not None and not link.pending():
            taken = (now - self._asked_at) & 0x3FFFFFFF
            self._asked_at = None
            before = self.round_trip_ms or taken
            self.round_trip_ms = before + (taken - before) / 8
        stream = 0
        for kind, value in events:
            if kind == STREAM:
                stream += len(value)
        frames = link.received - good
        bad = link.damaged - bad
        moved = link.pending() != waiting
        if not bad and stream + frames * OVERHEAD == len(octets) and (stream or moved):
            return  # all of it is accounted for
        rest = self._guard.noise(len(octets), stream, frames, bad, moved, self._clock())
        if rest:
            self._rest(rest)

    def _rest(self, seconds: float) -> None:
        """Read nothing for a while: whoever sends garbage without end must not keep us busy. The
        system's buffer of the line fills, and then the sender waits, or loses it."""
        if self._resting is None and self._port is not None:
            self.counts["rests"] += 1
            port = self._port
            port.pause()

            def again() -> None:
                self._resting = None
                if self._port is port:
                    port.resume()

            self._resting = asyncio.get_running_loop().call_later(min(seconds, 2.0), again)

    def _fault(self, error: Exception) -> None:
        """Our own mistake must cost this device one connection, and no other device anything."""
        self.counts["faults"] += 1
        self.report("fault", reason=f"{type(error).__name__}: {error}")
        self._drop_relay()
        self._link = Line(self.config.lost_ms)
        self._link.announce(ticks())
        self._closed.set()

    def _tick(self) -> None:
        now = ticks()
        try:
            self._handle(self._link.tick(now))
            self._flush(now)
        except Exception as e:
            self._fault(e)

    def _flush(self, now: int | None = None) -> None:
        """Give the link what waits for it, and the port what the link wants sent. now: ticks."""
        link, port, relay = self._link, self._port, self._relay
        if now is None:
            now = ticks()
        while True:
            if relay is not None:
                if relay.waits:
                    relay.feed(link)
                if self._ending is not None and not relay.late:
                    self._close_link()
                    relay = None
            if port is not None and port.busy():
                break  # the retransmission timer, or the next octet that comes, goes on
            octets = link.output(now)
            if octets is None:
                break
            if port is not None:
                port.write(octets)
        if self._asked_at is None and link.pending():
            self._asked_at = now
        wait = link.timeout(now)
        if port is not None and port.busy():
            wait = 5 if wait < 0 else min(wait, 5)
        if wait >= 0:
            self._alarm.within(wait)

    def _handle(self, events: list[tuple[int, Any]]) -> None:
        for kind, value in events:
            if kind == STREAM:
                relay = self._relay
                if relay is not None and self._ending is None:
                    relay.from_device(value)
                    self._count(relay)
            elif kind == OPENED:
                # Two OPENs may come in one piece: one that waited, and one that our ANNOUNCE
                # caused. With the first event the link has accepted the newest of them.
                if not self._link.is_open:
                    self._opened(value)
            elif kind == CLOSED:
                self._link_closed(*value)
            elif kind == CONSOLE and self.config.console != "off":
                self._console.feed(value, self._guard.console, self._clock())

    def _count(self, relay: Relay) -> None:
        """Hold the device back once it has sent more than it may."""
        frames = relay.splice.messages[0] + relay.splice.answered
        new, self._counted = frames - self._counted, frames
        if new:
            wait = self._guard.rate.take(new, self._clock())
            if wait and self._free is None:
                self.relay_hold(True, "rate")
                self._free = asyncio.get_running_loop().call_later(wait, self._rate_again)

    def _rate_again(self) -> None:
        self._free = None
        wait = self._guard.rate.take(0, self._clock())
        if wait:
            self._free = asyncio.get_running_loop().call_later(wait, self._rate_again)
        else:
            self.relay_hold(False, "rate")

    # -- the connection

    def _opened(self, software: str) -> None:
        link = self._link
        if self._stopping:
            link.refuse(linkframe.STOPPING, "the bridge is stopping")
            return
        if not self._guard.opens.allow(self._clock()):
            self.counts["refused"] += 1
            link.refuse(linkframe.NOT_SERVED, "the device connects too often; wait a second")
            return
        self._holding.clear()
        link.set_window(WINDOW)
        link.accept(random32(), int(time.time()), ticks())
        link.refusal = self._refused = ""
        self._counted = 0
        self._asked_at = None
        self.counts["connections"] += 1
        self.software = "".join(c if c.isprintable() else "?" for c in software)
        self._become("connected")
        self.report("device", state="connected", software=self.software)
        self._relay = Relay(self, self.config, self._tls)
        self._relay.splice.tap = self.tap
        self._relay.start()

    def trace(self, tap: Tap | None) -> None:
        """Call tap with every frame that passes from now on; None ends that."""
        self.tap = tap
        if self._relay is not None:
            self._relay.splice.tap = tap

    def relay_session(self, realm: str | None, session: int | None) -> None:
        """The relay has seen HELLO, WELCOME or GOODBYE."""
        if session is None:
            self._alone()
        elif self._without is not None:
            self.counts["joins"] += 1
            self.join_ms = round((self._clock() - self._without) * 1000)
            self._without = None
        self.session = realm
        self._become("connected" if session is None else "joined")

    def _alone(self) -> None:
        self._without = self._without or self._clock()

    def relay_output(self) -> None:
        """The relay has octets for the device."""
        self._flush()

    def relay_hold(self, hold: bool, reason: str = "router") -> None:
        """Hold the device back, or let it go again, for one of several reasons."""
        before = bool(self._holding)
        if hold:
            self._holding.add(reason)
        else:
            self._holding.discard(reason)
        if bool(self._holding) != before:
            self.counts["held"] += not before
            self._link.set_window(0 if self._holding else WINDOW)
            self._flush()

    def relay_end(self, relay: Relay, code: int, text: str) -> None:
        """The relay is over: end the device's connection after what it still is to get."""
        if relay is not self._relay:
            return
        self._ending = (code, text)
        loop = asyncio.get_running_loop()
        self._give_up = loop.call_later(TAKE_S, self._close_link)
        self._flush()

    def _close_link(self) -> None:
        if self._ending is not None:
            code, text = self._ending
            self._forget_relay()
            self._link.close(code, text)
            self._flush()

    def _link_closed(self, code: int, text: str) -> None:
        reason = text or f"code {code}"
        self.report("device", state="disconnected", reason=reason)
        self._drop_relay()
        self._closed.set()

    def _drop_upstream(self) -> None:
        """Close the connection to the router; the device is not told."""
        if self._relay is not None:
            self._relay.close()

    def _drop_relay(self) -> None:
        self._drop_upstream()
        self._forget_relay()
        self.session = None
        self._alone()
        self._become("open" if self._port is not None else "absent")

    def _forget_relay(self) -> None:
        relay, self._relay = self._relay, None
        self._ending = None
        self._asked_at = None
        for handle in (self._give_up, self._free):
            if handle is not None:
                handle.cancel()
        self._give_up = self._free = None
        if relay is not None:
            relay.add_to(self.counts)

    # -- the console

    def type(self, octets: bytes) -> None:
        """Octets for the device's console, as somebody typed them.

        Raises ConfigurationError where the configuration does not allow it, and OSError where
        there is no device.
        """
        if self.config.console != "both":
            raise ConfigurationError(
                f'{self.name}: typing needs console = "both", it is "{self.config.console}"'
            )
        if len(octets) > TYPED_MAX:
            raise ConfigurationError(f"{len(octets)} octets at a time; {TYPED_MAX} are the most")
        port = self._port
        if port is None or self.state == "absent":
            raise OSError(6, f"{self.name}: no device is there")
        # Ctrl-C counts between frames only; a frame of the link is written as a whole.
        if self._link.is_open and _CTRL_C not in octets:
            self._link.console(octets)
            self._flush()
        else:
            port.write(octets)

    # -- for people and programs that watch

    def status(self) -> dict[str, Any]:
        """What is going on, as JSON can say it. Counters never fall while the bridge runs."""
        link, relay = self._link, self._relay
        counts = dict(self.counts)
        if relay is not None:
            relay.add_to(counts)
        return {
            "name": self.name,
            "port": self.config.port,
            "tty": self.path,
            "router": self.config.router,
            "state": self.state,
            "since": round(self.since, 3),
            "software": self.software,
            "realm": self.session,
            "session": None if relay is None else relay.session,
            "round_trip_ms": round(self.round_trip_ms, 1),
            "join_ms": self.join_ms,
            "rto_ms": link.rto,
            "held": sorted(self._holding),
            "console": self.config.console,
            "buffers": {
                "link": link.pending(),
                "device": 0 if relay is None else relay.late,
                "router": 0 if relay is None else relay.backlog(),
            },
            "link": {
                "received": link.received,
                "sent": link.sent,
                "damaged": link.damaged,
                "resent": link.resent,
                "timeouts": link.timeouts,
            },
            "counts": {**counts, "noise": self._console.noise},
        }

    # -- the end

    async def stop(self, reason: str = "the bridge was stopped") -> None:
        """Tell the device, wait until it knows (1 s at most), close the port."""
        self._stopping = True
        self._again.set()
        if self._link.is_open and self._port is not None:
            self._closed.clear()
            self._drop_upstream()
            self._forget_relay()
            self._link.close(linkframe.STOPPING, reason)
            self._flush()
            try:
                await asyncio.wait_for(self._closed.wait(), CLOSE_S)
            except TimeoutError:
                self.report("device", state="disconnected", reason="it does not answer")
        self._drop_relay()
        self._alarm.stop()
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self._port is not None:
            self._port.close()
        self._become("absent")
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(OSError(5, "closed"))

    # -- handed over to another process

    async def keep(self) -> dict[str, Any] | None:
        """Stop all traffic and give what a successor needs, descriptors as "port" and "router";
        None where nothing can be handed over. The device is not told."""
        from .keeping import keep

        return await keep(self)

    async def adopt(self, state: Mapping[str, Any], port: int, router: int) -> None:
        """Before `run`: go on with what `keep` of a predecessor gave. The descriptors are ours,
        also where this fails. Raises OSError and ValueError; then the device joins anew."""
        from .keeping import adopt

        await adopt(self, state, port, router)
