"""What all transports share: the serializer, what waits to be written, opening and closing."""

from __future__ import annotations

import asyncio
import os
import threading
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from ..exception import (
    ConfigurationError,
    Error,
    LocalProtocolError,
    RemoteProtocolError,
    SerializationError,
    TransportError,
    TransportLost,
)
from ..interfaces import IMessage, ITransport
from ..serializer import create_transport_serializer
from ..types._transport import TransportDetails

LENGTH_DEFAULT = 1 << 20
OPEN_TIMEOUT_S = 20.0  # TCP's own limit is minutes
# Who does not read for so long is gone (the same number as the device library's on hosts).
BACKLOG_MAX = 1 << 25
# Octets that are kept until the loop's next turn: one write for many messages, but no more memory
# than the socket would hold.
_GATHER = 1 << 16
# A violation is told to the peer; it gets so long to take it.
_CLOSE_S = 2.0


class Handler(Protocol):
    """Who gets what comes: a session."""

    def onOpen(self, transport: Any) -> Any:
        """The transport is open."""

    def receive(self, wmsg: list[Any]) -> None:
        """A message came, as a list. RemoteProtocolError: the transport is to be closed."""

    def violated(self, error: Error) -> None:
        """What came was no message; `closed` follows."""

    def closed(self, error: Exception | None) -> None:
        """The transport is closed; error: why, None if this end wanted it."""


class Transport(ITransport):
    """A transport of a client; opened once and closed once.

    url: where to. serializer: id of the serializer in use.
    """

    def __init__(self, url: str, serializer: str, max_length: int, open_timeout: float) -> None:
        self.url = url
        self.max_length = max_length
        self.open_timeout = open_timeout
        self._handler: Handler | None = None
        self._details: TransportDetails | None = None
        self._out: list[bytes] = []
        self._gathered = 0
        self._heard = True  # whether anything came since the last write at once
        self._is_open = False
        self._is_closed = False
        self._error: Exception | None = None
        self._call_soon: Callable[..., object] | None = None
        self._use(serializer)

    def _use(self, name: str) -> None:
        """Take a serializer by its id."""
        try:
            chosen = create_transport_serializer(name)
        except ValueError as e:
            raise ConfigurationError(f"URL {self.url}: {e}") from None
        self.serializer = name
        self._serializer = chosen
        self._batched = name.endswith(".batched")
        objects: Any = chosen._serializer
        self._pack: Callable[[Any], bytes] = objects.serialize if self._batched else objects.pack
        self._unpack: Callable[[bytes], Any] = objects.unpack
        self._unpack_all: Callable[[bytes], list[Any]] = objects.unserialize

    # -- opening

    async def open(self, handler: Handler) -> None:
        """Connect; then the handler's `onOpen` is called. Raises TransportError and its kind."""
        self._handler = handler
        self._call_soon = asyncio.get_running_loop().call_soon
        try:
            async with asyncio.timeout(self.open_timeout):
                await self._connect()
        except TimeoutError:
            what = self._awaited()
            await self._undo()
            raise TransportError(f"{self.url}: {what} within {self.open_timeout:g} s") from None
        except BaseException:
            await self._undo()
            raise
        self._is_open = True
        handler.onOpen(self)
        self._opened()

    async def _undo(self) -> None:
        """Close what was opened; sockets are closed in the loop's next turn."""
        self.abort()
        await asyncio.sleep(0)

    @abstractmethod
    async def _connect(self) -> None:
        """Connect and shake hands; sets `_details`."""

    def _awaited(self) -> str:
        """What did not come while it was opened."""
        return "no connection"

    def _opened(self) -> None:
        """The handler knows of us: what came with the handshake may follow."""

    @property
    def transport_details(self) -> TransportDetails | None:
        return self._details

    def _describe(self, channel: int, framing: int, **more: Any) -> None:
        name = self.serializer.partition(".")[0]
        self._details = TransportDetails(
            channel_type=channel,
            channel_framing=framing,
            channel_serializer=TransportDetails.CHANNEL_SERIALIZER_FROM_STR[name],
            is_server=False,
            own_pid=os.getpid(),
            own_tid=threading.get_native_id(),
            **more,
        )

    # -- out

    def isOpen(self) -> bool:
        return self._is_open and not self._is_closed

    def send(self, message: IMessage) -> None:
        marshal = getattr(message, "marshal", None)
        if marshal is None:
            raise LocalProtocolError(f"a message is needed, not {type(message).__name__}")
        self.send_list(marshal())

    def send_list(self, wmsg: list[Any]) -> None:
        """Send a message that is a list.

        SerializationError: the format cannot express it. LocalProtocolError: it is longer than the
        peer accepts. TransportLost: the transport is not open.
        """
        try:
            octets = self._pack(wmsg)
        except Exception as e:
            raise SerializationError(
                f"{self.serializer} cannot express it: {type(e).__name__}: {e!s:.200}"
            ) from e
        self._gather(self._frame(octets))

    @abstractmethod
    def _frame(self, payload: bytes) -> bytes:
        """A message as it goes on the wire. LocalProtocolError: too long."""

    def _gather(self, octets: bytes) -> None:
        """Write: at once if the peer was heard since the last write, which saves who asks and
        waits a turn of the loop; else at the end of this turn, with what else is sent in it."""
        if not self._is_open:
            raise TransportLost(f"{self.url}: the connection is closed")
        out = self._out
        if self._heard and not out:
            self._heard = False
            if self._write(octets) > BACKLOG_MAX and self._call_soon is not None:
                self._call_soon(self._unread)
            return
        out.append(octets)
        self._gathered += len(octets)
        if len(out) == 1:
            assert self._call_soon is not None
            self._call_soon(self._flush)
        elif self._gathered > _GATHER:
            self._flush()

    def _flush(self) -> None:
        out = self._out
        if out:
            octets = out[0] if len(out) == 1 else b"".join(out)
            self._out = []
            self._gathered = 0
            if self._write(octets) > BACKLOG_MAX:
                self._unread()

    def _unread(self) -> None:
        self._end(TransportLost(f"{self.url}: the router does not read"))

    @abstractmethod
    def _write(self, octets: bytes) -> int:
        """Give octets to what is below; returns how many wait there."""

    # -- in

    def _take(self, payload: bytes) -> None:
        """One payload from the wire: a message, or a batch of them."""
        handler = self._handler
        assert handler is not None
        try:
            if self._batched:
                found = self._unpack_all(payload)
            else:
                handler.receive(self._unpack(payload))
                return
        except RemoteProtocolError as e:
            self._violated(e)
            return
        except Exception as e:
            self._violated(self._no_message(e))
            return
        for wmsg in found:
            if not self._is_closed:
                handler.receive(wmsg)

    def _no_message(self, error: Exception) -> RemoteProtocolError:
        text = str(error)[:200] or type(error).__name__
        return RemoteProtocolError(f"not a message in {self.serializer}: {text}")

    def _violated(self, error: Error) -> None:
        """The peer broke the rules: the handler may tell it, and then we close."""
        if self._handler is not None and self._is_open:
            self._handler.violated(error)
        self._error = self._error or error
        self.close()

    # -- closing

    def close(self) -> None:
        if self._is_open:
            self._flush()
        self._is_open = False
        self._close()

    def abort(self) -> None:
        self._is_open = False
        self._out = []
        self._kill()

    @abstractmethod
    def _close(self) -> None:
        """Close once all is written, 2 s later at most."""

    @abstractmethod
    def _kill(self) -> None:
        """Close at once."""

    def _end(self, error: Exception | None) -> None:
        """It is over, for this reason; told once."""
        if self._is_closed:
            return
        self._is_closed = True
        was_open, self._is_open = self._handler is not None and self._details is not None, False
        self._out = []
        self._kill()
        if was_open and self._handler is not None:
            self._handler.closed(self._error or error)
