"""An rfc2217:// port with an emulated board at its other end: octets, and what a pty cannot carry:
baud rate, DTR, RTS and break, applied and recorded.

One client at a time, on the loopback interface only; the protocol is pyserial's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serial.rfc2217 import PortManager

_FULL = 4096  # octets in flight to the board at which the host is held back


@dataclass(frozen=True)
class LineChange:
    """The host changed something. what: "baud", "dtr", "rts", "break"; value: a number."""

    at_ms: float
    what: str
    value: int


class NetPort:
    """The port at `path`, a URL. to_board, waiting: as for TtyPort. changed(what, value): the host
    set a line or the baud rate. drop(): takes back what the board has not taken.
    dropped: octets of the board for which nobody was connected."""

    def __init__(
        self,
        to_board: Callable[[bytes], None],
        waiting: Callable[[], int],
        changed: Callable[[str, int], None],
        drop: Callable[[], None],
    ) -> None:
        self._to_board = to_board
        self._waiting = waiting
        self._changed = changed
        self._drop = drop
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.path = f"rfc2217://127.0.0.1:{self._socket.getsockname()[1]}"
        self.dropped = 0
        self._server: asyncio.Server | None = None
        self._client: _Client | None = None

    async def start(self) -> None:
        """From now on a host can connect; in the running event loop."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Client(self), sock=self._socket)

    def room(self) -> None:
        """The board has taken octets: the host may go on."""
        if self._client is not None and self._waiting() < _FULL:
            self._client.transport.resume_reading()

    def discard(self) -> None:
        """Nothing is kept for a board that is off."""

    def from_board(self, octets: bytes) -> None:
        """The board sent octets."""
        if self._client is None:
            self.dropped += len(octets)
        else:
            self._client.send(octets)

    def close(self) -> None:
        """Hangs up. Again is no error."""
        if self._client is not None:
            self._client.transport.abort()
            self._client = None
        if self._server is not None:
            self._server.close()
            self._server = None
        self._socket.close()

    # -- called by the client's connection -------------------------------------------------------

    def _enter(self, client: _Client) -> bool:
        if self._client is not None:
            return False
        self._client = client
        return True

    def _leave(self, client: _Client) -> None:
        if self._client is client:
            self._client = None

    def _take(self, octets: bytes) -> None:
        self._to_board(octets)
        if self._client is not None and self._waiting() >= _FULL:
            self._client.transport.pause_reading()


class _Settings:
    """What pyserial's server takes for the serial port: attributes that it sets and reads."""

    bytesize, parity, stopbits = 8, "N", 1
    xonxoff = rtscts = False
    cts = dsr = cd = True
    ri = False

    def __init__(self, port: NetPort) -> None:
        object.__setattr__(self, "_port", port)
        object.__setattr__(self, "baudrate", 115200)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        names = {"baudrate": "baud", "dtr": "dtr", "rts": "rts", "break_condition": "break"}
        if name in names:
            port: NetPort = object.__getattribute__(self, "_port")
            port._changed(names[name], int(value))

    def reset_input_buffer(self) -> None:
        """Octets of the board that wait for the host: none do here."""

    def reset_output_buffer(self) -> None:
        port: NetPort = object.__getattribute__(self, "_port")
        port._drop()


class _Client(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, port: NetPort) -> None:
        self._port = port
        self._manager: PortManager | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if not self._port._enter(self):
            transport.abort()  # it is in use
            return
        settings: Any = _Settings(self._port)
        connection: Any = transport
        self._manager = PortManager(settings, connection)

    def connection_lost(self, exc: Exception | None) -> None:
        self._port._leave(self)

    def data_received(self, data: bytes) -> None:
        if self._manager is not None:
            octets = b"".join(self._manager.filter(data))
            if octets:
                self._port._take(octets)

    def send(self, octets: bytes) -> None:
        if self._manager is not None:
            self.transport.write(b"".join(self._manager.escape(octets)))
