"""One client's connection: RawSocket and the states of the WAMP session on it.

Source: WAMP advanced profile, "RawSocket"; basic profile, "Sessions" and "Protocol Errors".

| state    | a client may send                | what ends it                                     |
|----------|----------------------------------|--------------------------------------------------|
| HANDSHAKE| the four octets                  | reply: OPENING, refusal: CLOSED; time-out        |
| OPENING  | HELLO, AUTHENTICATE              | WELCOME: JOINED, ABORT: CLOSED; time-out         |
| JOINED   | whatever its roles allow         | its GOODBYE: OPENING, violation, ABORT: CLOSED   |
| LEAVING  | anything (ignored until GOODBYE) | its answer to our GOODBYE: CLOSED; time-out      |
| CLOSED   | anything (ignored)               | all is written, or time-out                      |
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Protocol, cast

from wamp.errors import RemoteProtocolError
from wamp.rawsocket import LENGTH_MAX, MESSAGE, PING, PONG, Frames, exponent

from .acceptor import Acceptor
from .config import RouterConfig
from .cryptosign import Identity
from .formats import NUMBERS, Format, Unsayable, format_of
from .listener import keep_alive
from .realm import Realm
from .session import Message, Out, Session
from .wire import ABORT, GOODBYE, WELCOME, validate
from .wire import name as message_name

HANDSHAKE, OPENING, JOINED, LEAVING, CLOSED = range(5)

# Our WELCOME is up to 1000 octets long: a client that takes less could never log in.
LEAST = 1024

# Error codes of the handshake.
_SERIALIZER, _LENGTH, _RESERVED, _FULL = 1, 2, 3, 4

# Longest explanation in ABORT.
_TEXT = 200


class Owner(Protocol):
    """What a connection needs of the router that owns it."""

    config: RouterConfig
    realms: Mapping[str, Realm]
    identity: Identity | None

    def enter(self, connection: "Connection") -> bool:
        """A connection came into being; False when there are too many."""

    def gone(self, connection: "Connection") -> None:
        """A connection ended."""

    def new_session_id(self) -> int:
        """An id that no session has."""

    def joined(self, connection: "Connection", session: Session) -> None:
        """A session begins: its messages go to this connection."""

    def ended(self, session: Session, reason: str) -> None:
        """A session ended."""

    def deliver(self, out: Out) -> None:
        """Send what a realm handed back."""

    def report(self, event: str, **fields: Any) -> None:
        """Tell whoever watches."""


class Connection(asyncio.Protocol):
    """One client. kind: tcp, tls or unix."""

    framing = "rawsocket"

    def __init__(self, owner: Owner, kind: str) -> None:
        self._owner = owner
        self._kind = kind
        self._state = HANDSHAKE
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begin = b""
        self._frames: Frames | None = None
        self._format = format_of("cbor")
        self._acceptor: Acceptor | None = None
        self._full = False
        self.peer = kind
        self.session: Session | None = None

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        if isinstance(address, tuple):
            self.peer = f"{self._kind}:{address[0]}:{address[1]}"
        keep_alive(transport)
        self._full = not self._owner.enter(self)
        self._limit_time(self._owner.config.opening_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._state = CLOSED
        self._leave("connection lost")
        self._owner.gone(self)

    def data_received(self, data: bytes) -> None:
        if self._state == CLOSED:
            return
        if self._frames is None:
            self._begin += data
            if len(self._begin) < 4:
                return
            data = self._begin
            self._begin = b""
            if not self._handshake(data[:4]):
                return
            data = data[4:]
        assert self._frames is not None
        try:
            for kind, payload in self._frames.receive(data):
                if kind == PING:
                    self._pong(payload)
                elif kind == MESSAGE:
                    self._payload(payload)
                if self._is_closed():
                    return
        except RemoteProtocolError as e:
            self._violation(str(e))

    # The router calls these.

    @property
    def format(self) -> Format:
        """The client's serializer."""
        return self._format

    def accepts(self) -> int:
        """The most octets of a message that the client takes."""
        return LENGTH_MAX if self._frames is None else self._frames.send_limit

    def send(self, message: Message, octets: bytes) -> None:
        """Send a message of the joined session; `octets` is that message in its format."""
        if self._state != JOINED:
            return
        self._write(octets)
        if message[0] == GOODBYE and self._state == JOINED:
            self._state = LEAVING
            self._forget(message[2])
            self._limit_time(self._owner.config.closing_timeout)

    def shutdown(self) -> None:
        """The router ends: GOODBYE to a session, the end to others."""
        if self.session is not None and self._state == JOINED:
            goodbye: Message = [GOODBYE, {}, "wamp.close.system_shutdown"]
            self.send(goodbye, self._format.encode(goodbye))
        elif self._state != LEAVING:
            self._give_up("wamp.close.system_shutdown", "the router is shutting down")
            self._close()

    def abort(self) -> None:
        """End at once, whatever is still to be written."""
        self._state = CLOSED
        if self._transport is not None:
            self._transport.abort()

    # What happens inside.

    def _is_closed(self) -> bool:
        return self._state == CLOSED

    def _handshake(self, octets: bytes) -> bool:
        if octets[0] != 0x7F:
            # Not a RawSocket client: there is no reply it would understand.
            self._refused("handshake", "the first octet is not 0x7F: no RawSocket client")
            return False
        high, low = octets[1] >> 4, octets[1] & 15
        limit = 512 << high
        for wrong, code, text in (
            (octets[2] or octets[3], _RESERVED, "reserved bits are set"),
            (low not in NUMBERS, _SERIALIZER, f"serializer {low}, which there is not"),
            (limit < LEAST, _LENGTH, f"takes {limit} octets, the WELCOME needs {LEAST}"),
            (self._full, _FULL, "too many connections"),
        ):
            if wrong:
                self._transport_write(bytes((0x7F, code << 4, 0, 0)))
                self._refused("handshake", text)
                return False
        ours = exponent(self._owner.config.limits.message)
        self._frames = Frames(512 << ours, min(limit, LENGTH_MAX))
        self._format = format_of(NUMBERS[low])
        self._transport_write(bytes((0x7F, ours << 4 | low, 0, 0)))
        self._state = OPENING
        return True

    def _pong(self, payload: bytes) -> None:
        if len(payload) > self.accepts():
            raise RemoteProtocolError(
                f"PING of {len(payload)} octets: its PONG is longer than you accept"
            )
        self._write(payload, PONG)

    def _payload(self, octets: bytes) -> None:
        for message in self._format.decode(octets):
            self._message(message, len(octets))
            if self._is_closed():
                return

    def _message(self, message: Message, octets: int) -> None:
        code = validate(message)
        if self._state == LEAVING:
            if code in (GOODBYE, ABORT):
                self._close()
            return
        if code == ABORT:
            self._leave(message[2])
            self._close()
        elif self.session is None:
            self._open(message)
        elif code == GOODBYE:
            self._leave(message[2])
            self._state = OPENING
            self._write(self._format.encode([GOODBYE, {}, "wamp.close.goodbye_and_out"]))
            self._limit_time(self._owner.config.opening_timeout)
        else:
            realm = self._owner.realms[self.session.realm]
            self._owner.deliver(realm.receive(self.session, message, octets))

    def _open(self, message: Message) -> None:
        if self._acceptor is None:
            self._acceptor = Acceptor(
                self._owner.realms,
                self._owner.new_session_id(),
                {
                    "channel_type": self._kind,
                    "channel_framing": self.framing,
                    "channel_serializer": self._format.name,
                    "peer": self.peer,
                },
                self._owner.identity,
                self._tls_unique,
            )
        answer = self._acceptor.receive(message)
        try:
            octets = self._format.encode(answer)
        except Unsayable as e:
            answer = [ABORT, {"message": str(e)[:_TEXT]}, "wamp.error.invalid_payload"]
            octets = self._format.encode(answer)
        if len(octets) > self.accepts():
            reason = "wamp.error.payload_size_exceeded"
            text = f"{message_name(answer[0])} of {len(octets)} octets"
            answer = [ABORT, {"message": text}, reason]
            octets = self._format.encode(answer)
        self._write(octets)
        if answer[0] == ABORT:
            self._refused(answer[2], self._acceptor.detail or answer[1]["message"])
        elif answer[0] == WELCOME and not self._is_closed():
            session, realm = self._acceptor.session, self._acceptor.realm
            assert session is not None and realm is not None
            self._acceptor = None
            self._stop_timer()
            self._state = JOINED
            self.session = session
            self._owner.joined(self, session)
            self._owner.deliver(realm.join(session))

    def _tls_unique(self) -> bytes | None:
        """The channel binding of RFC 5929; from TLS 1.3 on there is none."""
        assert self._transport is not None
        tls = self._transport.get_extra_info("ssl_object")
        if not isinstance(tls, ssl.SSLObject) or tls.version() != "TLSv1.2":
            return None
        return tls.get_channel_binding("tls-unique")

    def _violation(self, text: str) -> None:
        """Basic profile, "Protocol Errors": ABORT, drop the session, close the transport."""
        self._owner.report(
            "violation",
            peer=self.peer,
            session=None if self.session is None else self.session.id,
            message=text[:_TEXT],
        )
        if self._state != LEAVING:
            abort: Message = [ABORT, {"message": text[:_TEXT]}, "wamp.error.protocol_violation"]
            self._write(self._format.encode(abort))
        self._leave("wamp.error.protocol_violation")
        self._close()

    def _give_up(self, reason: str, text: str) -> None:
        """Tell a client that waits for the end of its login why there will be none."""
        if self._acceptor is not None:
            self._write(self._format.encode([ABORT, {"message": text}, reason]))

    def _refused(self, reason: str, text: str) -> None:
        self._owner.report("refused", peer=self.peer, reason=reason, message=text)
        self._close()

    def _leave(self, reason: str) -> None:
        """The session ends, for whatever reason; the connection may go on."""
        session = self.session
        if session is None:
            return
        self._forget(reason)
        self._owner.deliver(self._owner.realms[session.realm].leave(session))

    def _forget(self, reason: str) -> None:
        assert self.session is not None
        session = self.session
        self.session = None
        self._owner.ended(session, reason)

    def _write(self, octets: bytes, kind: int = MESSAGE) -> None:
        """Send one frame, unless the client has stopped reading: then it is dropped."""
        if self._state == CLOSED:
            return
        assert self._frames is not None
        self._emit(self._frames.frame(octets, kind))

    def _emit(self, octets: bytes) -> bool:
        """Write octets; False where the client has stopped reading."""
        if self._transport is None:
            return False
        waiting = self._transport.get_write_buffer_size()
        if waiting > self._owner.config.limits.output:
            self._owner.report(
                "dropped",
                peer=self.peer,
                session=None if self.session is None else self.session.id,
                message=f"{waiting} octets were waiting for a client that does not read",
            )
            self.abort()
            return False
        self._transport_write(octets)
        return True

    def _transport_write(self, octets: bytes) -> None:
        assert self._transport is not None
        self._transport.write(octets)

    def _close(self) -> None:
        """Write what there is, then close; without end there is no waiting for the client."""
        if self._state == CLOSED:
            return
        self._state = CLOSED
        assert self._transport is not None
        self._transport.close()
        self._limit_time(self._owner.config.closing_timeout)

    def _limit_time(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expired)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        self._timer = None
        if self._state in (HANDSHAKE, OPENING):
            what = {"rawsocket": "RawSocket", "websocket": "WebSocket"}[self.framing]
            text = f"no {what} handshake" if self._state == HANDSHAKE else "no login"
            text += f" within {self._owner.config.opening_timeout:g} s"
            self._give_up("wamp.error.timeout", text)
            self._refused("wamp.error.timeout", text)
        elif self._state in (LEAVING, CLOSED):
            self.abort()
