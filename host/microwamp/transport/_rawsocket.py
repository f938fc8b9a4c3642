"""RawSocket over TCP, TLS and Unix sockets."""

from __future__ import annotations

import asyncio
import ssl as _ssl

from wamp._explain import bad_url
from wamp.rawsocket import MESSAGE, PING, PONG, RawSocket

from ..exception import Error, LocalProtocolError, RemoteProtocolError, TransportLost
from ..types._transport import TransportDetails
from ._stream import StreamTransport

_PONGS_MAX = 8192  # octets not yet taken above which PINGs stay unanswered


class RawSocketTransport(StreamTransport):
    """RawSocket (WAMP advanced profile) on a stream."""

    def __init__(
        self,
        url: str,
        serializer: str,
        ssl: _ssl.SSLContext | None,
        max_length: int,
        open_timeout: float,
    ) -> None:
        super().__init__(url, serializer, max_length, open_timeout)
        self._ssl = ssl
        scheme, _, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
        host, _, port = rest.split("/")[0].rpartition(":")
        if scheme == "rs" and rest.startswith("unix:/"):
            self._path = rest[5:]
        elif (
            scheme in ("rs", "rss")
            and host not in ("", "unix")
            and (port.isascii() and port.isdigit() and 0 < int(port) < 65536)
        ):
            self._host = host[1:-1] if host.startswith("[") else host
            self._port = int(port)
            self._secure = scheme == "rss"
        else:
            raise bad_url(url)
        self._raw = RawSocket(max_length, self._serializer.RAWSOCKET_SERIALIZER_ID)
        self._shaken: asyncio.Future[None] | None = None
        self._early: list[tuple[int, bytes]] = []

    async def _connect(self) -> None:
        self._shaken = asyncio.get_running_loop().create_future()
        await self._dial()
        if self._stream is not None:
            self._stream.write(self._raw.request())
        await self._shaken
        frames = self._raw.frames
        assert frames is not None
        self._receive = frames.receive
        self._frame = frames.frame  # type: ignore[method-assign]
        self._describe(self._channel, TransportDetails.CHANNEL_FRAMING_RAWSOCKET, **self._facts())

    def _frame(self, payload: bytes) -> bytes:
        raise TransportLost(f"{self.url}: the connection is not open yet")

    def _opened(self) -> None:
        early, self._early = self._early, []
        for kind, payload in early:
            self._got(kind, payload)

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            if self._shaken is not None and self._details is None:
                self._shake(data)
            return
        try:
            found = self._receive(data)
        except RemoteProtocolError as e:
            self._violated(e)
            return
        # Of several messages the answers go out together.
        several = len(found) > 1
        self._heard = not several
        for kind, payload in found:
            if kind == MESSAGE:
                self._take(payload)
            else:
                self._got(kind, payload)
        if several:
            self._heard = True

    def _shake(self, data: bytes) -> None:
        """Octets before the handler knows of us."""
        shaken = self._shaken
        assert shaken is not None
        try:
            self._early += self._raw.receive(data)
        except Error as e:
            if not shaken.done():
                shaken.set_exception(e)
            return
        if self._raw.frames is not None and not shaken.done():
            shaken.set_result(None)

    def _got(self, kind: int, payload: bytes) -> None:
        """What is no message: a PING is answered; and what came with the handshake."""
        if kind == MESSAGE:
            self._take(payload)
        elif kind == PING and self._is_open and self._stream is not None:
            assert self._raw.frames is not None
            if self._stream.get_write_buffer_size() < _PONGS_MAX:
                try:
                    self._gather(self._raw.frames.frame(payload, PONG))
                except LocalProtocolError:
                    pass  # it is longer than the router itself would accept

    def connection_lost(self, exc: Exception | None) -> None:
        shaken = self._shaken
        if shaken is not None and not shaken.done():
            shaken.set_exception(
                self._raw.ended() or TransportLost(f"{self.url}: the router closed the connection")
            )
            shaken.exception()  # who gave up opening it has no use for a warning
        super().connection_lost(exc)
