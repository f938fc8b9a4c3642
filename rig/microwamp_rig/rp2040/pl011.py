"""A PL011 in emulated time: one of the RP2040's two UARTs, and the wires of its other end.

Stands in the place of the emulator's own block, which sends in no time, loses octets silently and
floods the processor with transmit interrupts (see `cures`). Modelled, after ARM's PL011 technical
reference manual (DDI 0183) and the RP2040 datasheet, section 4.2: both 32-deep FIFOs, character
times from the divisor, trigger levels, the receive time-out, the error bits beside each character,
the overrun of a full FIFO, breaks, and a host with another baud rate. Not modelled: parity errors
(both ends agree on the format), DMA, modem lines, loopback.

Choices where the manuals are silent: the receive interrupt is raised by every character that
arrives at or above the level; the time-out counts from the last character received or read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from rp2040py.clock.clock import IAlarm
from rp2040py.irq import IRQ
from rp2040py.peripherals.peripheral import BasePeripheral
from rp2040py.rp2040 import RP2040

from microwamp_rig.waveform import Resampler

_DR, _RSR, _FR, _IBRD, _FBRD, _LCR_H, _CR = 0x00, 0x04, 0x18, 0x24, 0x28, 0x2C, 0x30
_IFLS, _IMSC, _RIS, _MIS, _ICR, _DMACR = 0x34, 0x38, 0x3C, 0x40, 0x44, 0x48
_IDS = {
    **dict(zip(range(0xFE0, 0xFF0, 4), (0x11, 0x10, 0x34, 0x00), strict=True)),
    **dict(zip(range(0xFF0, 0x1000, 4), (0x0D, 0xF0, 0x05, 0xB1), strict=True)),
}

# FR
_CTS, _BUSY, _RXFE, _TXFF, _RXFF, _TXFE = 1 << 0, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7
# LCR_H
_BRK, _PEN, _STP2, _FEN, _WLEN_SHIFT = 1 << 0, 1 << 1, 1 << 3, 1 << 4, 5
# CR
_UARTEN, _TXE, _RXE = 1 << 0, 1 << 8, 1 << 9
# DR, beside the character
_FE, _BE, _OE = 1 << 8, 1 << 10, 1 << 11
# RIS, MIS, IMSC, ICR
_RX, _TX, _RT, _INT_FE, _INT_BE, _INT_OE = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 9, 1 << 10

_DEPTH = 32
_LEVELS = (4, 8, 16, 24, 28, 28, 28, 28)
_TIMEOUT_BITS = 32
_BASES = (0x40034, 0x40038)

#: How far both ends' rates may differ before characters are sampled bit by bit.
TOLERANCE = 0.02

_BREAK = 256  # in the queue from the host: this value and more are breaks, of n - 256 bit times


@dataclass
class UartCounters:
    """What happened at one UART, in characters; `high` is the most that the receive FIFO held."""

    received: int = 0
    sent: int = 0
    overrun: int = 0  # lost: the receive FIFO was full
    deaf: int = 0  # lost: the UART was off
    framing: int = 0
    breaks: int = 0
    high: int = 0


class Pl011(BasePeripheral):
    """One UART. The host's end:

    on_tx(octet): an octet has left the chip completely. on_break(ms): so did a break.
    on_room(): the queue of `send` has become short.
    baud: the host's rate; None: always that of the chip.
    tap(octets): as on_tx, for a second listener.
    """

    def __init__(self, mcu: RP2040, number: int) -> None:
        super().__init__(mcu, f"UART{number}")
        self.number = number
        self.irq = int(IRQ.UART0) + number
        self.counters = UartCounters()
        self.on_tx: Callable[[int], None] | None = None
        self.on_break: Callable[[float], None] | None = None
        self.on_room: Callable[[], None] | None = None
        self.tap: Callable[[bytes], None] | None = None
        self.baud: int | None = None
        self._clock = mcu.clock
        self._from_host: deque[int] = deque()
        self._wire_busy = False
        self._rx: deque[int] = deque()
        self._tx: deque[int] = deque()
        self._shifting: int | None = None
        self._wire_alarm: IAlarm = self._clock.create_alarm(self._arrived)
        self._settle_alarm: IAlarm = self._clock.create_alarm(self._settled)
        self._tx_alarm: IAlarm = self._clock.create_alarm(self._sent)
        self._rt_alarm: IAlarm = self._clock.create_alarm(self._timed_out)
        self._into_chip = Resampler(self._resampled)
        self._out_of_chip = Resampler(self._host_resampled)
        self._break_at = 0.0
        self._reset_registers()

    def install(self) -> None:
        """Takes the place of the emulator's own block; before the chip runs."""
        self.rp2040.uart[self.number] = self  # type: ignore[call-overload]
        self.rp2040.peripherals[_BASES[self.number]] = self

    def reset(self) -> None:
        """The chip was reset; what the host has under way goes on."""
        self._tx_alarm.cancel()
        self._rt_alarm.cancel()
        self._rx.clear()
        self._tx.clear()
        self._shifting = None
        self._reset_registers()
        self._update()

    def _reset_registers(self) -> None:
        self._divisor = 0  # in 1/64
        self._lcr = 0
        self._cr = _TXE | _RXE
        self._ifls = 0x12
        self._mask = 0
        self._status = 0
        self._errors = 0  # RSR
        self._overran = False
        self._retime()

    # -- line format -----------------------------------------------------------------------------

    @property
    def enabled(self) -> bool:
        return bool(self._cr & _UARTEN) and self._divisor > 0

    @property
    def baud_rate(self) -> int:
        """The chip's rate; 0 while none is set."""
        return round(self.rp2040.clk_peri * 4 / self._divisor) if self._divisor else 0

    def _retime(self) -> None:
        """Everything that depends on divisor and format."""
        lcr = self._lcr
        self._data_bits = 5 + (lcr >> _WLEN_SHIFT & 3)
        if not self._divisor:  # as good as any: nobody listens
            self._data_bits = 8
        bits = 2 + self._data_bits + bool(lcr & _PEN) + bool(lcr & _STP2)
        self._bits = bits
        self._bit_ns = self._divisor * 0.25e9 / self.rp2040.clk_peri or 1e9 / 115200
        # Whole nanoseconds keep the emulated time exact, however a run is cut into pieces.
        self._char_ns = round(bits * self._bit_ns)
        self._fifo = _DEPTH if lcr & _FEN else 1
        self._rx_level = _LEVELS[self._ifls >> 3 & 7] if lcr & _FEN else 1
        self._tx_level = _LEVELS[self._ifls & 7] if lcr & _FEN else 0

    def _host_bit_ns(self) -> float:
        return 1e9 / self.baud if self.baud else self._bit_ns

    def _mismatch(self) -> bool:
        if not self.baud or not self._divisor:
            return False
        return abs(self._bit_ns * self.baud / 1e9 - 1) > TOLERANCE

    # -- from the host ---------------------------------------------------------------------------

    def send(self, octets: bytes) -> None:
        """Sends octets to the chip, after those that wait already, at the line's pace."""
        self._from_host.extend(octets)
        if not self._wire_busy:
            self._next()

    def send_break(self, bits: int) -> None:
        """Holds the chip's receive line low for so many bit times, after what waits."""
        self._from_host.append(_BREAK + bits)
        if not self._wire_busy:
            self._next()

    @property
    def waiting(self) -> int:
        """Octets of the host that are not yet at the chip."""
        return len(self._from_host)

    def drop_waiting(self) -> None:
        """Takes back what the host has not yet begun to send."""
        while len(self._from_host) > self._wire_busy:
            self._from_host.pop()

    def _next(self) -> None:
        """Puts the first in the queue on the line."""
        self._wire_busy = bool(self._from_host)
        if self._wire_busy:
            first = self._from_host[0]
            bits = first - _BREAK + 1 if first >= _BREAK else self._bits
            self._wire_alarm.schedule(round(bits * self._host_bit_ns()))

    def _arrived(self) -> None:
        value = self._from_host.popleft()
        if not self.enabled or not self._cr & _RXE:
            self.counters.deaf += 1
        elif value >= _BREAK:
            self.counters.breaks += 1
            if value - _BREAK >= self._bits:
                self._receive(_BE | _FE, 0)
        elif self._mismatch():
            bit = self._host_bit_ns()
            start = round(self._clock.nanos - self._bits * bit)
            self._into_chip.add(start, bit, value, self._data_bits, self._bit_ns)
            self._settle_alarm.schedule(round(13 * (bit + self._bit_ns)))
        else:
            self._receive(0, value)
        self._next()
        if self.on_room is not None and len(self._from_host) < 64:
            self.on_room()

    def _settled(self) -> None:
        """No character followed the last one: the line is idle."""
        if not self._wire_busy:
            self._into_chip.settle(self._bit_ns)
        self._out_of_chip.settle(self._host_bit_ns())

    def _resampled(self, value: int, framing: bool) -> None:
        if framing:
            self.counters.framing += 1
        if self.enabled:
            self._receive(0 if not framing else _FE if value else _FE | _BE, value)

    def _receive(self, errors: int, value: int) -> None:
        """A character is complete in the receive shift register."""
        counters = self.counters
        if errors & _FE:
            self._status |= _INT_BE if errors & _BE else _INT_FE
        if len(self._rx) >= self._fifo:
            counters.overrun += 1
            self._overran = True
            self._errors |= 8
            self._status |= _INT_OE
        else:
            if self._overran:
                errors |= _OE
                self._overran = False
            self._rx.append(value | errors)
            counters.received += 1
            counters.high = max(counters.high, len(self._rx))
            if len(self._rx) >= self._rx_level:
                self._status |= _RX
            self._rt_alarm.schedule(round(_TIMEOUT_BITS * self._bit_ns))
        self._update()

    def _timed_out(self) -> None:
        if self._rx:
            self._status |= _RT
            self._update()

    # -- to the host -----------------------------------------------------------------------------

    def _shift(self) -> None:
        """Moves the next character from the FIFO into the transmit shift register."""
        self._shifting = None
        if self._tx and self.enabled and self._cr & _TXE:
            self._shifting = self._tx.popleft()
            self._tx_alarm.schedule(self._char_ns)
            if len(self._tx) == self._tx_level:
                self._status |= _TX

    def _sent(self) -> None:
        value = self._shifting
        assert value is not None
        self.counters.sent += 1
        if self._mismatch():
            start = round(self._clock.nanos - self._char_ns)
            bit = self._host_bit_ns()
            self._out_of_chip.add(start, self._bit_ns, value, self._data_bits, bit)
            self._settle_alarm.schedule(round(13 * (bit + self._bit_ns)))
        else:
            self._deliver(value)
        self._shift()
        self._update()

    def _host_resampled(self, value: int, framing: bool) -> None:
        if framing:
            self.counters.framing += 1
        self._deliver(value)

    def _deliver(self, value: int) -> None:
        if self.tap is not None:
            self.tap(bytes((value,)))
        if self.on_tx is not None:
            self.on_tx(value)

    def _set_break(self, on: bool) -> None:
        if on:
            self._break_at = self._clock.nanos
        elif self.on_break is not None:
            self.on_break((self._clock.nanos - self._break_at) / 1e6)

    # -- registers -------------------------------------------------------------------------------

    def _update(self) -> None:
        self.rp2040.set_interrupt(self.irq, bool(self._status & self._mask))

    def _flags(self) -> int:
        busy = self._shifting is not None or bool(self._tx)
        return (
            _CTS
            | (_BUSY if busy else 0)
            | (0 if self._rx else _RXFE)
            | (_RXFF if len(self._rx) >= self._fifo else 0)
            | (_TXFF if len(self._tx) >= self._fifo else 0)
            | (0 if self._tx else _TXFE)
        )

    def _read_data(self) -> int:
        if not self._rx:
            return 0
        value = self._rx.popleft()
        self._errors = value >> 8 & 0xF
        if len(self._rx) < self._rx_level:
            self._status &= ~_RX
        if self._rx:
            self._rt_alarm.schedule(round(_TIMEOUT_BITS * self._bit_ns))
        else:
            self._status &= ~_RT
            self._rt_alarm.cancel()
        self._update()
        return value

    def read_uint32(self, offset: int) -> int:
        if offset == _DR:
            return self._read_data()
        if offset == _FR:
            return self._flags()
        if offset == _RIS:
            return self._status
        if offset == _MIS:
            return self._status & self._mask
        if offset == _IMSC:
            return self._mask
        if offset == _IBRD:
            return self._divisor >> 6
        if offset == _FBRD:
            return self._divisor & 63
        if offset == _LCR_H:
            return self._lcr
        if offset == _CR:
            return self._cr
        if offset == _IFLS:
            return self._ifls
        if offset == _RSR:
            return self._errors
        if offset in (_ICR, _DMACR):
            return 0
        if offset in _IDS:
            return _IDS[offset]
        return super().read_uint32(offset)

    def write_uint32(self, offset: int, value: int) -> None:
        if offset == _DR:
            if len(self._tx) < self._fifo:
                self._tx.append(value & 0xFF)
                if len(self._tx) > self._tx_level:
                    self._status &= ~_TX
                if self._shifting is None:
                    self._shift()
        elif offset == _ICR:
            self._status &= ~self.raw_write_value
        elif offset == _IMSC:
            self._mask = value & 0x7FF
        elif offset == _IBRD:
            self._divisor = (value & 0xFFFF) << 6 | self._divisor & 63
            self._retime()
        elif offset == _FBRD:
            self._divisor = self._divisor & ~63 | value & 63
            self._retime()
        elif offset == _LCR_H:
            changed = self._lcr ^ value
            self._lcr = value & 0xFF
            if changed & _BRK:
                self._set_break(bool(value & _BRK))
            if changed & _FEN:
                self._rx.clear()
                self._tx.clear()
            self._retime()
        elif offset == _CR:
            self._cr = value
            if self._shifting is None:
                self._shift()
        elif offset == _IFLS:
            self._ifls = value & 0x3F
            self._retime()
        elif offset == _RSR:
            self._errors = 0
        elif offset != _DMACR:
            super().write_uint32(offset, value)
        self._update()
