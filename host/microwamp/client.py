"""`Client`: the device library's client, with the transports and serializers of a host.

A program that runs on a board runs here with `import microwamp` in place of `import wamp`; beside
rs://, rss:// and serial: there are ws:// and wss:// (extra `websocket`), and `serializer=` is one
of "cbor", "json", "msgpack", "ubjson", "flatbuffers".
"""

from __future__ import annotations

import asyncio
from typing import Any

from wamp import transport as core
from wamp.client import Client as _Client
from wamp.rawsocket import MESSAGE, Frames, check_reply
from wamp.tables import FAILED

from ._session._failure import ErrorClasses
from .exception import (
    ConfigurationError,
    Error,
    LocalProtocolError,
    RemoteProtocolError,
    SerializationError,
    TransportLost,
)
from .serializer import create_transport_serializer
from .types import TransportDetails

__all__ = ["Client"]

_FINISH_S = 2.0
_ERRORS = ErrorClasses()  # nobody defines any here: all are ApplicationError


class Reframed:
    """A WebSocket connection as the octet stream of RawSocket, which the core's client speaks."""

    def __init__(self, url: str, serializer: str, **options: Any) -> None:
        from .transport._websocket import WebSocketTransport

        self.url = url
        self.private = url.startswith("wss:")
        self._max_length = options.pop("max_length", 1 << 20)
        try:
            self._channel = WebSocketTransport(
                url,
                [serializer],
                options.pop("ssl", None),
                self._max_length,
                options.pop("open_timeout", 20.0),
                options.pop("headers", None),
                options.pop("compress", False),
            )
        finally:
            if options:
                raise ConfigurationError(f"URL {url}: unknown options {sorted(options)}")
        self.details = TransportDetails(
            channel_type=5 if self.private else 4,
            channel_framing=TransportDetails.CHANNEL_FRAMING_WEBSOCKET,
            channel_serializer=TransportDetails.CHANNEL_SERIALIZER_FROM_STR[serializer],
            peer=url,
        )
        self._frames: Frames | None = None
        self._back = Frames(1 << 24)  # frames what came; nothing is longer than we announced
        self._found: list[bytes] = []
        self._came = asyncio.Event()
        self._lost: Exception | None = None
        self._ended = False
        # What comes is handed on as octets: the client decodes it.
        self._channel._take = self._message  # type: ignore[method-assign]

    async def open(self) -> None:
        """Connect."""
        await self._channel.open(self)

    # -- what the channel says

    def onOpen(self, transport: Any) -> None:
        """The connection is there; its details are known now."""
        known = self._channel.transport_details
        if known is not None:
            for name in TransportDetails.FIELDS:
                setattr(self.details, name, getattr(known, name))

    def receive(self, wmsg: list[Any]) -> None:
        """Not called: `_message` is."""

    def _message(self, payload: bytes) -> None:
        self._found.append(self._back.frame(payload))
        self._came.set()

    def violated(self, error: Error) -> None:
        """WebSocket used against its rules."""
        self._lost = error

    def closed(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._lost = self._lost or error
        self._ended = True
        self._came.set()

    # -- what the client asks for (wamp.transport)

    async def read(self) -> bytes:
        """The next octets, b"" at the end."""
        while not self._found:
            if self._lost is not None and not isinstance(self._lost, TransportLost):
                raise self._lost
            if self._ended:
                return b""
            self._came.clear()
            await self._came.wait()
        found, self._found = self._found, []
        return b"".join(found)

    def write(self, octets: bytes) -> int:
        """Send frames; the handshake is answered here."""
        if self._frames is None:
            self._frames = Frames(1 << 24)
            # Our own limit and serializer back: WebSocket has agreed on both already.
            check_reply(octets, octets[1] & 15)
            self._found.append(bytes((0x7F, 0xF0 | octets[1] & 15, 0, 0)))
            self._came.set()
            return 0
        for kind, payload in self._frames.receive(octets):
            if kind == MESSAGE:
                self._channel._gather(self._channel._frame(payload))
        return self.backlog()

    def backlog(self) -> int:
        """Octets that wait to be written."""
        stream = self._channel._stream
        below = stream.get_write_buffer_size() if stream is not None else 0
        return self._channel._gathered + below

    async def drain(self) -> None:
        """Until the backlog is small."""
        while self.backlog() > core.BACKLOG_HIGH and not self._ended:
            await asyncio.sleep(0.005)

    async def finish(self) -> None:
        """Until all is written, 2 s at most."""
        try:
            async with asyncio.timeout(_FINISH_S):
                while self.backlog() and not self._ended:
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pass  # the router does not read

    def close(self) -> None:
        """Close; who reads finds the end."""
        self._channel.close()
        self._ended = True
        self._came.set()

    def release(self) -> None:
        """Nothing is held between connections."""


class Client(_Client):
    """`wamp.Client` with the host's transports and serializers.

    serializer: see the module. WAMP ERRORs are raised as `microwamp.ApplicationError`, which is a
    `wamp.ApplicationError` too. All else as in wamp.Client.
    """

    def __init__(self, url: str, *args: Any, serializer: str = "cbor", **kwargs: Any) -> None:
        try:
            chosen = create_transport_serializer(serializer)
        except ValueError as e:
            raise ConfigurationError(f"URL {url}: {e}") from None
        if serializer.endswith(".batched"):
            raise ConfigurationError(f"URL {url}: {serializer}: the client sends no batches")
        objects: Any = chosen._serializer
        self._serializer = chosen.RAWSOCKET_SERIALIZER_ID
        self._name = serializer
        if serializer != "cbor":
            kwargs.setdefault("codec", (_encoder(objects.pack), _decoder(objects.unpack)))
        super().__init__(url, *args, **kwargs)

    def _act(self, kind: int, report: tuple[Any, ...]) -> None:
        if kind == FAILED:
            report = (kind, report[1], _ERRORS.raised(report[2]))
        super()._act(kind, report)  # type: ignore[misc]  # its .pyi has what users may use

    def _make(self, url: str, **options: Any) -> Any:
        if isinstance(url, str) and url.partition(":")[0] in ("ws", "wss"):
            return Reframed(url, self._name, **{"max_length": self.max_length, **options})
        made: Any = core.make(url, **options)
        code = TransportDetails.CHANNEL_SERIALIZER_FROM_STR[self._name]
        made.details.channel_serializer = code
        made.details.channel_typeid = made.details.channel_typeid.removesuffix("cbor") + self._name
        return made


def _encoder(pack: Any) -> Any:
    def encode(value: Any) -> bytes:
        try:
            octets: bytes = pack(value)
            return octets
        except LocalProtocolError:
            raise
        except Exception as e:
            raise LocalProtocolError(str(SerializationError(f"{type(e).__name__}: {e}"))) from e

    return encode


def _decoder(unpack: Any) -> Any:
    def decode(octets: bytes) -> Any:
        try:
            return unpack(octets)
        except RemoteProtocolError:
            raise
        except Exception as e:
            raise RemoteProtocolError(str(e)[:200] or type(e).__name__) from e

    return decode
