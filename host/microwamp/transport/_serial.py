"""RawSocket on a serial line, by the link of the device library (docs/link.md)."""

from __future__ import annotations

import asyncio

from wamp.rawsocket import MESSAGE, PING, PONG, RawSocket
from wamp.serial import SerialTransport as Line

from ..exception import Error, LocalProtocolError, TransportError, TransportLost
from ..types._transport import TransportDetails
from ._base import _CLOSE_S, Transport


class SerialTransport(Transport):
    """A session on a serial line, where the bridge is at the other end."""

    def __init__(self, url: str, serializer: str, max_length: int, open_timeout: float) -> None:
        super().__init__(url, serializer, max_length, open_timeout)
        self._line = Line(url)
        self._raw = RawSocket(max_length, self._serializer.RAWSOCKET_SERIALIZER_ID)
        self._reading: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._early: list[tuple[int, bytes]] = []
        self._lost = False
        # A turn of the loop is little here, and a frame of the link for many messages much.
        self._heard = False

    async def _connect(self) -> None:
        line = self._line
        try:
            await line.open()
            line.write(self._raw.request())
            while self._raw.frames is None:
                octets = await line.read()
                if not octets:
                    raise self._raw.ended() or TransportLost(f"{self.url}: the line is closed")
                self._early += self._raw.receive(octets)
        except OSError as e:
            raise TransportError(f"{self.url}: {e}") from e
        self._frame = self._raw.frames.frame  # type: ignore[method-assign]
        self._describe(
            TransportDetails.CHANNEL_TYPE_SERIAL,
            TransportDetails.CHANNEL_FRAMING_RAWSOCKET,
            peer=self.url,
            own="serial",
            is_secure=False,
        )

    def _frame(self, payload: bytes) -> bytes:
        raise TransportLost(f"{self.url}: the line is not open yet")

    def _opened(self) -> None:
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        frames = self._raw.frames
        assert frames is not None
        found, self._early = self._early, []
        try:
            while True:
                for kind, payload in found:
                    if kind == MESSAGE:
                        self._take(payload)
                    elif kind == PING and self._is_open:
                        try:
                            self._gather(frames.frame(payload, PONG))
                        except LocalProtocolError:
                            pass  # longer than the other end itself would accept
                octets = await self._line.read()
                if not octets:
                    raise TransportLost(f"{self.url}: the router closed the connection")
                found = list(frames.receive(octets))
        except (Error, OSError) as e:
            if isinstance(e, Error) and not isinstance(e, TransportError):
                self._violated(e)
            elif self._finishing is None:
                self._end(e)

    def _write(self, octets: bytes) -> int:
        try:
            return self._line.write(octets)
        except TransportLost as e:
            # Told in the next turn: who sends must not find itself closed in between.
            if not self._lost:
                self._lost = True
                asyncio.get_running_loop().call_soon(self._end, e)
            return 0

    def _close(self) -> None:
        if self._finishing is None and not self._is_closed:
            self._finishing = asyncio.get_running_loop().create_task(self._finish())

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(2 * _CLOSE_S):
                await self._line.finish()
        except (Error, OSError, TimeoutError):
            pass  # nobody is there to take the rest
        self._end(None)

    def _kill(self) -> None:
        reading = self._reading
        if reading is not None and reading is not asyncio.current_task():
            reading.cancel()
        self._line.close()
        self._line.release()
