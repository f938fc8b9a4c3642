"""WebSocket (RFC 6455), by the sans-I/O half of the package `websockets`."""

from __future__ import annotations

import asyncio
import ssl as _ssl
from collections.abc import Mapping, Sequence
from typing import Any

from ..exception import (
    ConfigurationError,
    HandshakeRefused,
    LocalProtocolError,
    RemoteProtocolError,
    TransportError,
    TransportLost,
)
from ..types._transport import TransportDetails
from ._stream import StreamTransport

try:
    from websockets.client import ClientProtocol
    from websockets.exceptions import InvalidURI, WebSocketException
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Response
    from websockets.protocol import State
    from websockets.typing import Subprotocol
    from websockets.uri import parse_uri
except ImportError as e:
    raise ConfigurationError(
        "ws:// and wss:// need the package websockets: pip install 'microwamp[websocket]'"
    ) from e

_PREFIX = "wamp.2."


class WebSocketTransport(StreamTransport):
    """WAMP on WebSocket: the subprotocol names the serializer, a message of WebSocket is one of
    WAMP, or a batch of them."""

    def __init__(
        self,
        url: str,
        serializers: Sequence[str],
        ssl: _ssl.SSLContext | None,
        max_length: int,
        open_timeout: float,
        headers: Mapping[str, str] | None,
        compress: bool,
    ) -> None:
        if not serializers:
            raise ConfigurationError(f"URL {url}: no serializer is named")
        for name in serializers:
            super().__init__(url, name, max_length, open_timeout)  # each is checked
        self._use(serializers[0])
        try:
            uri = parse_uri(url)
        except (InvalidURI, ValueError) as e:
            raise ConfigurationError(f"URL {url}: {e}") from None
        self._host, self._port, self._secure = uri.host, uri.port, uri.secure
        self._ssl = ssl
        self._headers = dict(headers or {})
        extensions: list[Any] = []
        if compress:
            from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

            extensions.append(ClientPerMessageDeflateFactory())
        self._offered = [_PREFIX + name for name in serializers]
        self._ws = ClientProtocol(
            uri,
            subprotocols=[Subprotocol(name) for name in self._offered],
            extensions=extensions,
            max_size=max_length,
        )
        self._shaken: asyncio.Future[None] | None = None
        self._response: Response | None = None
        self._parts: list[bytes] = []
        self._early: list[Frame] = []
        self._text = False

    def _use(self, name: str) -> None:
        super()._use(name)
        if name == "json.batched":
            # crossbar and autobahn end each message with 0x18 where the specification has 0x1e
            # and refuse that; we know of no other router that offers batches. We read both.
            pack = self._serializer._serializer.pack  # type: ignore[union-attr]
            self._pack = lambda wmsg: pack(wmsg) + b"\x18"

    async def _connect(self) -> None:
        self._shaken = asyncio.get_running_loop().create_future()
        await self._dial()
        request = self._ws.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._ws.send_request(request)
        self._send_due()
        await self._shaken
        subprotocol = self._ws.subprotocol
        if subprotocol is None:
            raise HandshakeRefused(
                f"{self.url}: the server knows none of {', '.join(self._offered)}: is it a router?"
            )
        self._use(subprotocol.removeprefix(_PREFIX))
        self._binary = self._serializer._binary
        received = self._response.headers if self._response is not None else {}
        self._describe(
            self._channel,
            TransportDetails.CHANNEL_FRAMING_WEBSOCKET,
            websocket_protocol=str(subprotocol),
            websocket_extensions_in_use=[e.name for e in self._ws.extensions],
            http_headers_sent=dict(request.headers.raw_items()),
            http_headers_received={str(k): str(v) for k, v in received.items()},
            **self._facts(),
        )

    def _opened(self) -> None:
        self._events()

    # -- in

    def data_received(self, data: bytes) -> None:
        self._ws.receive_data(data)
        self._send_due()
        if self._details is None:
            self._shake()
        elif self._is_open:
            self._events()
            self._heard = True

    def eof_received(self) -> None:
        self._ws.receive_eof()
        if self._details is None:
            self._shake()

    def _shake(self) -> None:
        shaken = self._shaken
        if shaken is None or shaken.done():
            return
        for event in self._ws.events_received():
            if isinstance(event, Response):
                self._response = event
            elif isinstance(event, Frame):
                self._early.append(event)  # until the handler knows of us
        wrong = self._ws.handshake_exc
        if wrong is not None:
            shaken.set_exception(HandshakeRefused(f"{self.url}: {_reason(wrong)}"))
        elif self._response is not None:
            shaken.set_result(None)

    def _events(self) -> None:
        early, self._early = self._early, []
        for event in [*early, *self._ws.events_received()]:
            if isinstance(event, Frame):
                self._got(event)
        wrong = self._ws.parser_exc
        if wrong is not None and self._is_open:
            self._violated(RemoteProtocolError(f"WebSocket: {_reason(wrong)}"))
        elif self._ws.close_expected() and self._is_open:
            code = self._ws.close_code
            self._error = TransportLost(f"{self.url}: the router closed the connection ({code})")
            self.close()

    def _got(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return  # PING is answered, CLOSE noted, by `websockets`
        if opcode is not Opcode.CONT:
            self._text = opcode is Opcode.TEXT
        if not frame.fin:
            self._parts.append(bytes(frame.data))
            return
        data = bytes(frame.data)
        if self._parts:
            data = b"".join((*self._parts, data))
            self._parts = []
        if self._text is self._binary:
            kind = "text" if self._text else "binary"
            self._violated(RemoteProtocolError(f"{self.serializer} in a {kind} message"))
        elif self._is_open:
            self._take(data)

    # -- out

    def _frame(self, payload: bytes) -> bytes:
        if not self._is_open or self._ws.state is not State.OPEN:
            raise TransportLost(f"{self.url}: the connection is closed")
        try:
            if self._binary:
                self._ws.send_binary(payload)
            else:
                self._ws.send_text(payload)
        except WebSocketException as e:
            raise LocalProtocolError(f"{self.url}: {_reason(e)}") from e
        return b"".join(self._ws.data_to_send())

    def _send_due(self) -> None:
        """What the protocol itself has to say: the request, PONG, CLOSE."""
        due = self._ws.data_to_send()
        if self._stream is None or self._stream.is_closing():
            return
        if self._is_open and self._out:
            self._flush()
        for octets in due:
            if octets:
                self._stream.write(octets)
            else:
                # The last word: a client half-closes and waits for the server to close.
                if self._stream.can_write_eof():
                    self._stream.write_eof()

    def _close(self) -> None:
        if self._ws.state is State.OPEN:
            try:
                self._ws.send_close(1000)
            except WebSocketException:
                pass
            self._send_due()
        super()._close()

    def connection_lost(self, exc: Exception | None) -> None:
        shaken = self._shaken
        if shaken is not None and not shaken.done():
            shaken.set_exception(
                TransportError(f"{self.url}: the connection ended before the handshake was done")
            )
            shaken.exception()  # who gave up opening it has no use for a warning
        super().connection_lost(exc)


def _reason(error: BaseException) -> str:
    """What `websockets` says, with its cause, short."""
    text = str(error)[:200] or type(error).__name__
    cause = error.__cause__
    return f"{text}: {str(cause)[:200]}" if cause is not None else text
