"""One connection of a device, and the router connection that belongs to it.

The relay lives as long as the link's connection: so the router notices a device that fell silent,
and the device a router that is gone. Nothing here grows without a bound: what waits for the
router holds the device back, what waits for the device holds the router back.
"""

import asyncio
import ssl
from collections import deque
from typing import Any, Final, Protocol

from wamp import linkframe, messages
from wamp.errors import ConfigurationError, Error, HandshakeRefused, RemoteProtocolError

from .config import PortConfig
from .splice import Forbidden, Splice, peek, realm_of
from .upstream import SocketUpstream, Upstream, connect

# Octets of a device before the router is there: it sends a handshake of four and waits.
EARLY_MAX: Final = 4096
# Octets for the device that may wait for the link: one piece of the router's, which are read as
# the link takes them, and PONGs.
LATE_MAX: Final = 131072
# For connection and RawSocket handshake together; a device waits for 10 s, and is to be told.
CONNECT_S: Final = 8.0
# Web servers and TLS wait for more than the four octets of the handshake.
_NO_ANSWER: Final = "no answer to the RawSocket handshake; is it HTTP there, or TLS (rss://)?"


class Sender(Protocol):
    """What a relay asks of the link."""

    def send(self, data: bytes | memoryview) -> int:
        """Take octets, and say how many."""


class Owner(Protocol):
    """What a relay asks of its device."""

    def report(self, event: str, **fields: Any) -> None: ...
    def relay_end(self, relay: "Relay", code: int, text: str) -> None: ...
    def relay_output(self) -> None: ...
    def relay_hold(self, hold: bool) -> None: ...
    def relay_session(self, realm: str | None, session: int | None) -> None: ...


class Relay:
    """See the module. owner: the device. config: its realms, limits and router."""

    def __init__(self, owner: Owner, config: PortConfig, tls: ssl.SSLContext | None) -> None:
        self._owner = owner
        self._config = config
        self._tls = tls
        limits = config.limits
        self.splice = Splice(self._message, config.realms, limits.message_octets)
        self._upstream: Upstream | None = None
        self._connected = False
        self._opening: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()  # the router has answered the handshake
        self._early = b""  # from the device, before the router is connected
        self._late: deque[bytes | memoryview] = deque()  # for the device, beyond the link's room
        self.late = 0  # octets of them
        self._paused = False  # nothing is read from the router
        self._ended = False
        self.realm: str | None = None
        self.session: int | None = None
        self.passed = [0, 0]  # octets from the device, from the router

    # -- the life of it

    def start(self) -> None:
        """Connect to the router."""
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        config = self._config
        limit = asyncio.get_running_loop().time() + CONNECT_S
        try:
            self._upstream = connect(
                config.router,
                self,
                tls=self._tls,
                cafile=config.cafile,
                high=config.limits.buffer_octets,
                longest=config.limits.message_octets,
            )
            try:
                async with asyncio.timeout_at(limit):
                    await self._upstream.open()
            except (Error, OSError) as e:
                text = str(e) or f"{config.router}: no answer within {CONNECT_S:g} s"
                self._unreachable(linkframe.NO_ROUTER, text)
                return
            self._connected = True
            early, self._early = self._early, b""
            self.from_device(early)
            try:
                async with asyncio.timeout_at(limit):
                    await self._ready.wait()
            except TimeoutError:
                if self.splice.asked:
                    self._unreachable(linkframe.NO_ROUTER, f"{config.router}: {_NO_ANSWER}")
                else:
                    self._broken("the device sent no RawSocket handshake")
        except ConfigurationError as e:
            self._unreachable(linkframe.NO_ROUTER, str(e))

    def close(self) -> None:
        """At once; the owner is not told."""
        self._ended = True
        if self._opening is not None and self._opening is not asyncio.current_task():
            self._opening.cancel()
        self._opening = None
        if self._upstream is not None:
            self._upstream.close()
            self._upstream = None
        self._early = b""

    def _end(self, code: int, text: str) -> None:
        if not self._ended:
            self.close()
            self._owner.relay_end(self, code, text)

    def _unreachable(self, code: int, text: str) -> None:
        if not self._ended:
            self._owner.report("router", state="unreachable", reason=text)
            self._end(code, text)

    def _broken(self, text: str) -> None:
        if not self._ended:
            self._owner.report("protocol", reason=text)
            self._end(linkframe.PROTOCOL, text)

    # -- from the device

    def from_device(self, octets: bytes) -> None:
        """Take octets of the device's stream."""
        if self._ended:
            return
        self.passed[0] += len(octets)
        try:
            if not self._connected:
                self._early += octets
                if len(self._early) > EARLY_MAX:
                    raise RemoteProtocolError("the device sends before the router has answered")
                return
            self.splice.from_device(octets)
            self._pass_on()
        except Forbidden as e:
            self._forbidden(e)
        except RemoteProtocolError as e:
            self._broken(str(e))

    def _forbidden(self, error: Forbidden) -> None:
        """The device gets its ABORT, the router nothing."""
        self.splice.to_router.clear()
        self._pass_on()
        self._owner.report("session", state="refused", realm=self.realm, reason=str(error))
        self._end(linkframe.NOT_SERVED, str(error))

    def backlog(self) -> int:
        """Octets that wait for the router."""
        return (0 if self._upstream is None else self._upstream.backlog()) + len(self._early)

    # -- from the router: a Listener

    def octets(self, octets: bytes) -> None:
        """Take octets of the router."""
        if self._ended:
            return
        self.passed[1] += len(octets)
        try:
            self.splice.from_router(octets)
            self._pass_on()
            if self.splice.opened:
                self._ready.set()
        except HandshakeRefused as e:
            self._pass_on()  # the device is to have the router's own words
            self._unreachable(linkframe.BY_ROUTER, f"{self._config.router}: {e}")
        except RemoteProtocolError as e:
            self._broken(str(e))

    def ended(self, reason: str) -> None:
        """The router has closed the connection, or it was lost."""
        if self._ended:
            return
        if reason:
            self._owner.report("router", state="lost", reason=reason)
            self._end(linkframe.BY_ROUTER, reason)
        else:
            self._owner.report("router", state="closed")
            self._end(linkframe.BY_ROUTER, "the router closed the connection")

    def room(self, there: bool) -> None:
        """A router that does not take what the device sends must not fill our memory."""
        self._owner.relay_hold(not there)

    # -- on to both

    def _pass_on(self) -> None:
        splice = self.splice
        if splice.to_router:
            octets = b"".join(splice.to_router) if splice.to_router[1:] else splice.to_router[0]
            splice.to_router.clear()
            if self._upstream is not None:
                self._upstream.write(octets)
        if splice.to_device:
            for part in splice.to_device:
                self._late.append(part)
                self.late += len(part)
            splice.to_device.clear()
            self._owner.relay_output()
            if self.late and not self._paused and self._upstream is not None:
                self._paused = True
                self._upstream.pause()
            if self.late > LATE_MAX + self._config.limits.buffer_octets:
                self._late.clear()
                self.late = 0
                raise RemoteProtocolError("the device sends PINGs and does not take the answers")

    @property
    def waits(self) -> bool:
        """Whether something is to be given to the link, or was."""
        return self._paused or bool(self._late)

    def feed(self, link: Sender) -> None:
        """Give the link what it has room for; reads from the router again when all is gone."""
        late = self._late
        while late:
            part = late[0]
            n = link.send(part)
            self.late -= n
            if n < len(part):
                if n:
                    late[0] = memoryview(part)[n:]
                return
            late.popleft()
        if self._paused and self._upstream is not None:
            self._paused = False
            self._upstream.resume()

    # -- what passes

    def _message(self, from_device: bool, code: int, head: bytes) -> None:
        """HELLO, WELCOME, ABORT or GOODBYE has passed: for the log."""
        report = self._owner.report
        if code == messages.HELLO and from_device:
            self.realm = realm_of(head)
            self._owner.relay_session(self.realm, None)
        elif code == messages.WELCOME and not from_device:
            self.session = peek(head)[1]
            report("session", state="joined", realm=self.realm)
            self._owner.relay_session(self.realm, self.session)
        elif code == messages.ABORT:
            who = "device" if from_device else "router"
            report("session", state="aborted", realm=self.realm, by=who)
        elif code == messages.GOODBYE and from_device:
            report("session", state="leaving", realm=self.realm)
            self._owner.relay_session(self.realm, None)
            self.session = None

    def add_to(self, counts: dict[str, int]) -> None:
        """Add what has passed so far to a device's counters."""
        counts["messages_in"] += self.splice.messages[0]
        counts["messages_out"] += self.splice.messages[1]
        counts["octets_in"] += self.passed[0]
        counts["octets_out"] += self.passed[1]
        counts["dropped"] += self.splice.dropped

    # -- handed over to another process

    def state(self) -> dict[str, Any] | None:
        """What a successor needs besides the socket, as plain data; None where it cannot be."""
        if self._ended or not self.splice.opened or self.backlog():
            return None
        return {
            "splice": self.splice.state(),
            "late": b"".join(self._late),
            "realm": self.realm,
            "session": self.session,
            "passed": self.passed,
        }

    def hold_still(self) -> None:
        """Nothing more is read from the router."""
        if self._upstream is not None:
            self._upstream.pause()

    def keep(self) -> int:
        """The router's socket for a successor; -1 if there is none."""
        return -1 if self._upstream is None else self._upstream.keep()

    async def adopt(self, state: dict[str, Any], fd: int) -> None:
        """Go on with what `state` and `keep` of a predecessor gave. The descriptor is ours, also
        where this fails. Raises OSError."""
        import socket

        sock = socket.socket(fileno=fd)
        upstream = SocketUpstream(
            self._config.router, self, high=self._config.limits.buffer_octets
        )
        self.splice.restore(state["splice"])
        self.realm, self.session = state["realm"], state["session"]
        self.passed = list(state["passed"])
        if state["late"]:
            self._late.append(state["late"])
            self.late = len(state["late"])
        self._ready.set()
        try:
            await upstream.adopt(sock)
        except BaseException:
            sock.close()
            raise
        self._upstream = upstream
        self._connected = True
        if self.late:
            self._paused = True
            upstream.pause()
