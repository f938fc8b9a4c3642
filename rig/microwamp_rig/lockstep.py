"""A program on MicroPython at the end of a virtual cable, in the event loop's time.

The program runs in a process of its own, MicroPython's unix port, with MicroPython's asyncio and
the library's own UART port (`wamp._mpports`). Below them `lockstep_device` stands in for the chip:
where asyncio would sleep, the process asks this side to go on, and this side answers when the
event loop's time has come, or octets have. While the process computes the loop stands still, so
nothing depends on which of the two is faster, and every run takes the same course.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from subprocess import STDOUT, Popen
from typing import IO, Any

from microwamp_rig import micropython, process
from microwamp_rig.virtual_loop import Processor

_ASKS = struct.Struct("<iII")  # for how long it waits, octets that it sent, that it said
_ANSWERS = struct.Struct("<III")  # milliseconds, octets that came, of a command
_LONG_S = 120.0  # on the wall: then it computes without an end


class LockstepBoard:
    """A MicroPython program whose UART is one end of a virtual cable.

    program: a script that imports `lockstep_device` before anything else; its URL is `serial:0`.
    write(octets): the wire. on_line(text): what it says by `lockstep_device.say`. board: "unix" or
    "unix32". processor: the program stands still while it does. Use within the event loop:
    `start`, `feed`, `tell`, and `kill` at the end.
    """

    def __init__(
        self,
        program: Path,
        write: Callable[[bytes], object],
        on_line: Callable[[str], None],
        board: str = "unix32",
        seed: int = 1,
        processor: Processor | None = None,
    ) -> None:
        self._processor = processor or Processor()
        self._command = [*micropython.command(board), str(program)]
        self._seed = seed
        self._write = write
        self._on_line = on_line
        self._octets = b""
        self._commands: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None
        self._process: Popen[bytes] | None = None
        self._socket: socket.socket
        self._output: IO[bytes]
        self.failed: Exception | None = None
        self.turns = 0

    def start(self) -> None:
        """Power on; returns when the program waits for something."""
        self._socket, others = socket.socketpair()
        self._socket.settimeout(_LONG_S)
        self._output = tempfile.TemporaryFile()
        environment = micropython.environment(
            [Path(__file__).parent],
            {
                **os.environ,
                "MICROWAMP_LOCKSTEP": str(others.fileno()),
                "MICROWAMP_SEED": str(self._seed),
            },
        )
        self._process = process.start(
            self._command,
            env=environment,
            pass_fds=[others.fileno()],
            stdout=self._output,
            stderr=STDOUT,
        )
        others.close()
        self._take()

    def feed(self, octets: bytes) -> None:
        """Octets have arrived at its UART."""
        self._octets += octets
        self._wake()

    def tell(self, command: str) -> None:
        """A word for `lockstep_device.commands`."""
        self._commands.append(command)
        self._wake()

    def kill(self) -> None:
        """Power off. Again is no error."""
        for handle in (self._timer, self._soon):
            if handle is not None:
                handle.cancel()
        self._timer = self._soon = None
        if self._process is not None:
            process.stop(self._process, 0)
            self._process = None
            self._socket.close()
            self._output.close()

    def _wake(self) -> None:
        if self._soon is None and self._process is not None and self.failed is None:
            self._soon = self._processor.run(asyncio.get_running_loop().call_soon, self._go_on)

    def _go_on(self) -> None:
        """It has waited long enough, or need not wait any more."""
        self._soon = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = int(asyncio.get_running_loop().time() * 1000 + 1e-6)
        command = self._commands.pop(0).encode() if self._commands else b""
        octets, self._octets = self._octets, b""
        try:
            self._socket.sendall(_ANSWERS.pack(now, len(octets), len(command)) + octets + command)
            self._take()
        except (OSError, EOFError) as e:
            self.failed = RuntimeError(f"the board's program ended ({e}): {self._printed()}")
            self._on_line(f"failed {self.failed}")

    def _take(self) -> None:
        """What it does until it waits again."""
        wait_ms, octets, said = _ASKS.unpack(self._read(_ASKS.size))
        out = self._read(octets)
        lines = self._read(said).decode()
        self.turns += 1
        if out:
            self._write(out)
        for line in lines.splitlines():
            self._on_line(line)
        if wait_ms >= 0:
            later = asyncio.get_running_loop().call_later
            self._timer = self._processor.run(later, wait_ms / 1000, self._go_on)
        if self._commands:
            self._wake()

    def _read(self, n: int) -> bytes:
        octets = b""
        while len(octets) < n:
            part = self._socket.recv(n - len(octets))
            if not part:
                raise EOFError("its socket was closed")
            octets += part
        return octets

    def _printed(self) -> str:
        self._output.seek(0)
        return self._output.read().decode(errors="replace")[-2000:]

    def status(self) -> dict[str, Any]:
        """For messages of failed tests."""
        return {"turns": self.turns, "failed": self.failed}
