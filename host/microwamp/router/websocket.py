"""One client on WebSocket (RFC 6455), by the sans-I/O half of the package `websockets`.

The subprotocol, wamp.2.NAME, says the serializer; a message of WebSocket is one of WAMP, or a
batch of them. Compression is not offered: what it blows up is not bounded by what was sent.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from wamp.errors import ConfigurationError, RemoteProtocolError
from wamp.rawsocket import LENGTH_MAX, MESSAGE

from .connection import CLOSED, HANDSHAKE, OPENING, Connection, Owner
from .formats import NAMES, format_of

try:
    from websockets.exceptions import InvalidHandshake
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Request
    from websockets.protocol import State
    from websockets.server import ServerProtocol
    from websockets.typing import Subprotocol
except ImportError as e:
    raise ConfigurationError(
        "to listen on ws:// and wss:// takes the package websockets: "
        "pip install 'microwamp[websocket]'"
    ) from e

_PREFIX = "wamp.2."
_SUBPROTOCOLS = [Subprotocol(_PREFIX + name) for name in NAMES]


class WebSocketConnection(Connection):
    """A connection whose octets are WebSocket's; all else is as on RawSocket."""

    framing = "websocket"

    def __init__(self, owner: Owner, kind: str) -> None:
        super().__init__(owner, kind)
        self._ws = ServerProtocol(
            subprotocols=_SUBPROTOCOLS,
            select_subprotocol=_chosen,
            max_size=owner.config.limits.message,
        )
        self._parts: list[bytes] = []
        self._text = False

    def accepts(self) -> int:
        return LENGTH_MAX

    def data_received(self, data: bytes) -> None:
        if self._state == CLOSED:
            return
        self._ws.receive_data(data)
        self._flush()
        try:
            for event in self._ws.events_received():
                if isinstance(event, Request):
                    self._asked(event)
                elif isinstance(event, Frame):
                    self._frame(event)
                if self._is_closed():
                    return
        except RemoteProtocolError as e:
            self._violation(str(e))
            return
        if self._ws.parser_exc is not None:
            self._violation(f"WebSocket: {str(self._ws.parser_exc)[:120]}")
        elif self._ws.handshake_exc is not None:
            self._refused("handshake", f"WebSocket: {str(self._ws.handshake_exc)[:120]}")
        elif self._ws.close_expected():
            self._close()

    def _asked(self, request: Request) -> None:
        """The client's handshake."""
        if self._full:
            response = self._ws.reject(503, "too many connections\n")
        elif not _same_origin(request, self._owner.config.origins):
            response = self._ws.reject(403, "pages of this origin may not connect\n")
        else:
            response = self._ws.accept(request)
        self._ws.send_response(response)
        self._flush()
        subprotocol = self._ws.subprotocol
        if response.status_code != 101 or subprotocol is None:
            why = self._ws.handshake_exc or response.reason_phrase
            self._refused("handshake", f"WebSocket: {str(why)[:120]}")
            return
        self._format = format_of(subprotocol.removeprefix(_PREFIX))
        self._state = OPENING

    def _frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return  # PING is answered, CLOSE noted, by `websockets`
        if opcode is not Opcode.CONT:
            self._text = opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        payload, self._parts = b"".join(self._parts), []
        if self._text is self._format.binary:
            kind = "text" if self._text else "binary"
            raise RemoteProtocolError(f"{self._format.name} in a {kind} message")
        self._payload(payload)

    def _write(self, octets: bytes, kind: int = MESSAGE) -> None:
        if self._state in (CLOSED, HANDSHAKE) or self._ws.state is not State.OPEN:
            return
        if self._format.binary:
            self._ws.send_binary(octets)
        else:
            self._ws.send_text(octets)
        self._flush()

    def _flush(self) -> None:
        """Write what the protocol has to say."""
        for octets in self._ws.data_to_send():
            if octets and not self._emit(octets):
                return

    def _close(self) -> None:
        if self._state != CLOSED and self._ws.state is State.OPEN:
            self._ws.send_close(1000)
            self._flush()
        super()._close()


def _chosen(server: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol:
    """The first of the client's subprotocols that the router has."""
    for name in offered:
        if name in _SUBPROTOCOLS:
            return name
    raise InvalidHandshake(f"no subprotocol of WAMP among {', '.join(offered)[:80] or 'none'}")


def _same_origin(request: Request, origins: tuple[str, ...]) -> bool:
    """Whether it comes from no browser, from a page of this host, or from one that is allowed.

    Browsers let every page connect to every address, that of a router on this machine included.
    """
    origin = request.headers.get("Origin")
    if origin is None or "*" in origins or origin in origins:
        return True
    return urlsplit(origin).netloc == request.headers.get("Host")
