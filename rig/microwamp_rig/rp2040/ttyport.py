"""A pty with an emulated board at its other end, as a USB-serial adapter or a USB console is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from microwamp_rig.pty import Pty

_READ = 1024
_FULL = 4096  # octets in flight to the board at which the host is held back
_KEEP = 65536  # octets for a host that does not read; more are lost, as in a tty


class TtyPort:
    """The port at `path`. to_board(octets): the host wrote them; waiting(): how many the board has
    not taken yet. dropped: octets that no host read."""

    def __init__(self, to_board: Callable[[bytes], None], waiting: Callable[[], int]) -> None:
        self._to_board = to_board
        self._waiting = waiting
        self._pty = Pty()
        self.path = self._pty.path
        self.dropped = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._out = bytearray()
        self._flush_due = False
        self._reading = self._writing = False

    async def start(self) -> None:
        """From now on octets pass; in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self.room()

    def room(self) -> None:
        """The board has taken octets: the host may go on."""
        if self._loop is not None and not self._reading and self._waiting() < _FULL:
            self._reading = True
            self._loop.add_reader(self._pty.fd, self._readable)

    def discard(self) -> None:
        """Drops what the host wrote while the board was off."""
        self._pty.discard()

    def from_board(self, octets: bytes) -> None:
        """The board sent octets."""
        self._out += octets
        if len(self._out) > _KEEP:
            self.dropped += len(self._out) - _KEEP
            del self._out[: len(self._out) - _KEEP]
        if not self._flush_due and self._loop is not None:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Hangs up. Again is no error."""
        if self._loop is not None:
            if self._reading:
                self._loop.remove_reader(self._pty.fd)
            if self._writing:
                self._loop.remove_writer(self._pty.fd)
            self._loop = None
        self._pty.close()

    def _readable(self) -> None:
        try:
            octets = os.read(self._pty.fd, _READ)
        except BlockingIOError:
            return
        self._to_board(octets)
        if self._waiting() >= _FULL and self._loop is not None:
            self._reading = False
            self._loop.remove_reader(self._pty.fd)

    def _flush(self) -> None:
        self._flush_due = False
        if self._loop is None:
            return
        try:
            del self._out[: os.write(self._pty.fd, self._out)]
        except BlockingIOError:
            pass
        if bool(self._out) != self._writing:
            self._writing = bool(self._out)
            if self._writing:
                self._loop.add_writer(self._pty.fd, self._flush)
            else:
                self._loop.remove_writer(self._pty.fd)
