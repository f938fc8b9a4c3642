"""An emulated Raspberry Pi Pico with real firmware, at the end of a serial line.

Offers what `UnixBoard` offers where a Pico has it, so that a test runs on either: `port`, `lines`,
`expect`, `start`, `kill`, `stop`, `reset`, `close`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from microwamp_rig.board import Board, BoardError, ConsoleLog

from .cures import EmulatorError
from .engine import PacedEngine
from .firmware import Firmware
from .flash import FlashTiming
from .machine import Machine, Reset
from .netport import LineChange, NetPort
from .repl import RawRepl
from .ttyport import TtyPort

_CTRL_C, _CTRL_D = b"\x03", b"\x04"

# MicroPython brings its console up 4 ms after the start. Measured in cycles: a firmware that hangs
# in a loop would need minutes for a few emulated seconds.
_BOOT_CYCLES = 12_500_000
_BOOT_MS = 3000.0

Kind = Literal["pty", "rfc2217"] | None


class Rp2040Board(Board):
    """A board whose program is `main.py` on its file system.

    program: path of a script, or its text if it is a str; None: none (the REPL).
    files: further files by path; str or octets. firmware: see `Machine`; so are seed, entropy,
    timing and unique_id. uart, console: "pty" or "rfc2217" makes UART0 and the USB console ports
    that a host can open, at `port` and `console_port`; None: not. Only through rfc2217 does the
    board see a host's baud rate, DTR, RTS and break; `line_changes` has them.
    uart_baud: the rate of the host's end, None for the board's own. rate: see `PacedEngine`.
    env: becomes the module `rig_env` on the board, whose `getenv` is what os.getenv is on the unix
    board; MICROWAMP_URL is in it.
    on_line, keep: as for `UnixBoard`.
    """

    def __init__(
        self,
        program: Path | str | None = None,
        *,
        files: Mapping[str, bytes | str] | None = None,
        firmware: Firmware | Path | str | None = None,
        env: Mapping[str, str] | None = None,
        seed: int = 0,
        entropy: str = "seeded",
        timing: FlashTiming | None = None,
        unique_id: bytes | None = None,
        uart: Kind = "pty",
        uart_baud: int | None = None,
        console: Kind = None,
        baud: int = 921600,
        rate: float | None = 1.0,
        on_line: Callable[[str], None] | None = None,
        keep: int = 1000,
    ) -> None:
        self.url = f"serial:0?tx=0&rx=1&baud={baud}"
        variables = {"MICROWAMP_URL": self.url, **(env or {})}
        contents: dict[str, bytes | str] = {
            "lib/rig_env.py": f"_env = {variables!r}\n\n\n"
            "def getenv(name, default=None):\n    return _env.get(name, default)\n",
            **(files or {}),
        }
        if program is not None:
            text = program.read_bytes() if isinstance(program, Path) else program
            contents["main.py"] = text
        self.machine = Machine(
            firmware, contents, seed=seed, entropy=entropy, timing=timing, unique_id=unique_id
        )
        self.uart = self.machine.uarts[0]
        self.uart.baud = uart_baud
        self._engine = PacedEngine(self.machine, rate)
        self._log = ConsoleLog(on_line, keep)
        self._repl: RawRepl | None = None
        self._resets = asyncio.Event()
        self._boots = asyncio.Event()
        self._uart_port: TtyPort | NetPort | None = None
        self._console_port: TtyPort | NetPort | None = None
        self._break_at = 0.0
        self.line_changes: list[LineChange] = []
        self.starts = 0
        machine = self.machine
        machine.console.on_data = self._printed
        machine.console.on_connected = self._boots.set
        machine.on_reset = self._was_reset
        if uart is not None:
            self._uart_port = self._make_port(
                uart,
                self.send_uart,
                lambda: self.uart.waiting,
                self._uart_line_changed,
                self.uart.drop_waiting,
            )
            self.uart.on_tx = self._uart_sent
            # What a tty without PARMRK reads of a break.
            self.uart.on_break = lambda ms: self._uart_sent(0)
            self.uart.on_room = self._uart_port.room
        if console is not None:
            self._console_port = self._make_port(
                console,
                self.send_console,
                lambda: machine.console.waiting,
                self._console_line_changed,
                machine.console.drop_waiting,
            )
            machine.console.on_room = self._console_port.room

    # -- life ------------------------------------------------------------------------------------

    async def start(self, timeout_s: float = 60.0) -> None:
        """Power on, and wait until the console is up. Octets that the host sent before are lost.
        Raises BoardError when the firmware does not come up."""
        if self.running:
            raise BoardError("the board runs already")
        if not self._engine.running:
            self._engine.start()
            assert self._engine.failed is not None
            self._engine.failed.add_done_callback(self._off)
        self._over = asyncio.get_running_loop().create_future()
        for port in (self._uart_port, self._console_port):
            if port is not None:
                port.discard()
                await port.start()
        self._engine.touch()
        self.machine.power_on()
        await self._booted(timeout_s)

    async def kill(self) -> None:
        """Power off in the middle of whatever it does."""
        self.power_cut()

    async def stop(self, timeout_s: float = 10.0) -> int:
        """Asks the program to end with Ctrl-C, takes the power away when the prompt is there, or
        after `timeout_s`. Returns 0, or -9 if it had to be killed."""
        status = 0
        if self.running:
            try:
                await self._prompt(timeout_s)
            except BoardError:
                status = -9
            self.power_cut()
        return status

    async def reset(self) -> None:
        """The reset button; returns when the console is up again."""
        await self.hard_reset()

    async def close(self) -> None:
        """Ends everything and removes the ports. Again is no error."""
        if self.running:
            self.power_cut()
        await self._engine.close()
        for port in (self._uart_port, self._console_port):
            if port is not None:
                port.close()

    # -- power and resets ------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the board has power."""
        return self.machine.powered

    @property
    def resets(self) -> list[Reset]:
        """Every start of the chip, with its cause and emulated time."""
        return self.machine.resets

    def power_cut(self) -> None:
        """The power fails now."""
        self._engine.touch()
        self.machine.power_cut()
        self._off()

    async def power_on(self, timeout_s: float = 60.0) -> None:
        """The power is back; returns when the console is up."""
        await self.start(timeout_s)

    async def hard_reset(self, timeout_s: float = 60.0) -> None:
        """The reset pin; returns when the console is up again."""
        if not self.running:
            raise BoardError("the board is off")
        self._engine.touch()
        self.machine.hard_reset()
        self._log.end()
        await self._booted(timeout_s)

    async def soft_reset(self, timeout_s: float = 60.0) -> None:
        """Ctrl-C until there is a prompt, then Ctrl-D: the interpreter starts anew, the chip does
        not. Not while a program has Ctrl-C switched off."""
        repl = await self._prompt(timeout_s)
        await repl.soft_reset(timeout_s)

    async def expect_reset(self, cause: str = "", timeout_s: float = 60.0) -> Reset:
        """Waits for the next reset of the chip, of this cause if one is given."""
        seen = len(self.resets)
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    for reset in self.resets[seen:]:
                        if cause in ("", reset.cause):
                            return reset
                    seen = len(self.resets)
                    self._resets.clear()
                    await self._resets.wait()
        except TimeoutError:
            raise BoardError(self._log.story(f"no reset in {timeout_s} s")) from None

    # -- what happens on the board ---------------------------------------------------------------

    @property
    def emulated_ms(self) -> float:
        return self.machine.ms

    @property
    def cycles(self) -> int:
        return self.machine.cycles

    @property
    def port(self) -> str:
        """Path or URL of the port at the other end of UART0."""
        if self._uart_port is None:
            raise LookupError('this board was made without uart="pty"')
        return self._uart_port.path

    @property
    def console_port(self) -> str:
        """Path or URL of the port of the USB console."""
        if self._console_port is None:
            raise LookupError('this board was made without console="pty"')
        return self._console_port.path

    def files(self) -> dict[str, bytes]:
        """The files in the flash now, by absolute path."""
        return self.machine.files()

    async def ended(self) -> None:
        """Waits until the board is off. Raises BoardError if it is the emulator that failed."""
        if self._over is not None:
            await asyncio.shield(self._over)
        failed = self._engine.failed
        if failed is not None and failed.done():
            self._raise()

    async def exec(self, code: str, timeout_s: float = 60.0) -> str:
        """Ends the program with Ctrl-C, runs `code` at the prompt and returns what it printed.
        Raises BoardError with the traceback if it fails."""
        repl = await self._prompt(timeout_s)
        return await repl.exec(code, timeout_s)

    def send_uart(self, octets: bytes) -> None:
        """Sends octets to UART0, at the line's pace."""
        self._engine.touch()
        self.uart.send(octets)

    def send_console(self, octets: bytes) -> None:
        """Types octets at the USB console."""
        self._engine.touch()
        self.machine.console.send(octets)

    # -- inside ----------------------------------------------------------------------------------

    async def _booted(self, timeout_s: float) -> None:
        """Waits for the console of a chip that was just started."""
        self.starts += 1
        self._boots.clear()
        machine = self.machine
        first, cycles = machine.ms, machine.cycles
        where = f"{machine.firmware.path} did not bring up its USB console"
        hint = "a firmware for another board, or one that hangs at boot"
        assert self._over is not None
        try:
            async with asyncio.timeout(timeout_s):
                while not machine.console.connected:
                    if self._over.done():
                        self._raise()
                    if machine.cycles - cycles > _BOOT_CYCLES or machine.ms - first > _BOOT_MS:
                        ms, pc = machine.ms - first, machine.mcu.core.pc
                        self.power_cut()
                        raise BoardError(f"{where} within {ms:.0f} ms (it was at {pc:#x}): {hint}")
                    await asyncio.sleep(0.005)
        except TimeoutError:
            self.power_cut()
            raise BoardError(f"{where} in {timeout_s:g} s of this machine's time") from None

    def _raise(self) -> None:
        failed = self._engine.failed
        error = failed.exception() if failed is not None and failed.done() else None
        raise BoardError(self._log.story(f"the board is gone: {error}")) from error

    async def _prompt(self, timeout_s: float) -> RawRepl:
        if not self.running:
            raise BoardError("the board is off")
        if self._repl is None:
            self._repl = RawRepl(self.send_console, self._log.story)
        await self._repl.interrupt(timeout_s)
        return self._repl

    def _off(self, failed: asyncio.Future[None] | None = None) -> None:
        """Nothing more will be printed, for now: no power, or the emulator has failed."""
        if self._over is not None and not self._over.done():
            self._over.set_result(None)
        self._log.end()

    def _was_reset(self, reset: Reset) -> None:
        self._resets.set()

    def _printed(self, octets: bytes) -> None:
        if self._repl is not None:
            self._repl.feed(octets)
        self._log.feed(octets)
        if self._console_port is not None:
            self._console_port.from_board(octets)

    def _make_port(
        self,
        kind: Kind,
        send: Callable[[bytes], None],
        waiting: Callable[[], int],
        changed: Callable[[str, int], None],
        drop: Callable[[], None],
    ) -> TtyPort | NetPort:
        if kind == "rfc2217":
            return NetPort(send, waiting, changed, drop)
        if kind == "pty":
            return TtyPort(send, waiting)
        raise ValueError(f'a port is "pty" or "rfc2217", not {kind!r}')

    def _uart_line_changed(self, what: str, value: int) -> None:
        self._engine.touch()
        machine = self.machine
        self.line_changes.append(LineChange(machine.ms, what, value))
        if what == "baud":
            self.uart.baud = value
        elif what == "break" and value:
            self._break_at = time.monotonic()
        elif what == "break":
            # As long as the host held it: a busy board's own time passes more slowly.
            bits = (time.monotonic() - self._break_at) * (self.uart.baud or 115200)
            self.uart.send_break(max(round(bits), 1))

    def _console_line_changed(self, what: str, value: int) -> None:
        self._engine.touch()
        console = self.machine.console
        self.line_changes.append(LineChange(self.machine.ms, what, value))
        if what == "dtr":
            console.set_lines(bool(value), console.rts)
        elif what == "rts":
            console.set_lines(console.dtr, bool(value))
        elif what == "baud" and console.connected:
            console.cdc.set_line_coding(value)

    def _uart_sent(self, octet: int) -> None:
        assert self._uart_port is not None
        self._uart_port.from_board(bytes((octet,)))


__all__ = ["BoardError", "EmulatorError", "Rp2040Board"]
