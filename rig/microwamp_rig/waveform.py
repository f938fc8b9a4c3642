"""What a receiver makes of characters that were sent at another rate: garbage, as on a wire."""

from __future__ import annotations

import random
from collections.abc import Callable

_IDLE_BITS = 12
_BIT = 1000  # of `Drift`: any unit will do


class Resampler:
    """Samples a line at a receiver's rate.

    Characters go in as they end on the line (`add`); `heard(value, framing)` is called for each
    character that the receiver reads, 8 data bits, least significant first; framing: the stop bit
    was low. After `settle` the line counts as idle from then on. Times are nanoseconds.

    late(): by what part of a bit the receiver sees a start bit too late; None: it sees it at once.
    """

    def __init__(
        self, heard: Callable[[int, bool], None], late: Callable[[], float] | None = None
    ) -> None:
        self._heard = heard
        self._late = late
        self._edges: list[tuple[int, bool]] = []  # (time, level from then on)
        self._level = True  # after the last edge
        self._free = 0  # the receiver looks for a start bit from here on
        self._until = 0  # the line is known up to here

    def add(self, start: int, bit: float, value: int, bits: int, receiver_bit: float) -> None:
        """A character of `bits` data bits that began at `start`, each bit of `bit` ns."""
        word = value << 1 | 1 << (bits + 1)
        for n in range(bits + 2):
            self._change(start + round(n * bit), bool(word >> n & 1))
        self._until = start + round((bits + 2) * bit)
        self._read(receiver_bit)

    def low(self, start: int, end: int, receiver_bit: float) -> None:
        """A break: the line was low from `start` to `end`."""
        self._change(start, False)
        self._change(end, True)
        self._until = end
        self._read(receiver_bit)

    def settle(self, receiver_bit: float) -> None:
        """Nothing more comes for a while."""
        self._until += round((_IDLE_BITS + 1) * receiver_bit)
        self._read(receiver_bit)

    def _change(self, time: int, level: bool) -> None:
        if level != self._level:
            self._edges.append((time, level))
            self._level = level

    def _read(self, bit: float) -> None:
        edges = self._edges
        while True:
            # A start bit is a falling edge; where the line is still low it must rise before.
            begin = 0
            while begin < len(edges) and (edges[begin][0] < self._free or edges[begin][1]):
                begin += 1
            if begin == len(edges) or edges[begin][0] + round(9.5 * bit) > self._until:
                del edges[: max(begin - 1, 0)]
                return
            start = edges[begin][0]
            if self._late is not None:
                start += round(self._late() * bit)
            samples = [self._at(start + round((n + 0.5) * bit)) for n in range(10)]
            if samples[0]:  # a spike
                self._free = start + round(0.5 * bit) + 1
                continue
            self._free = start + round(9.5 * bit) + 1
            value = sum(1 << n for n in range(8) if samples[n + 1])
            self._heard(value, not samples[9])

    def _at(self, time: int) -> bool:
        level = True
        for when, after in self._edges:
            if when > time:
                break
            level = after
        return level


class Drift:
    """Octets as a receiver reads them whose clock is not the sender's: 8 data bits, one stop bit,
    the octets one behind the other.

    rate: of the receiver's rate to the sender's, less one; 0.03: it is 3 % faster. At 5 % the
    stop bit is missed. A receiver samples a line sixteen times a bit, as usual, so it sees a start
    bit up to a sixteenth too late: how late, `rng` says. Like a tty without PARMRK, it hands up
    what it read also where the stop bit was low.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rate = 0.0
        self.framing = 0
        self._heard = bytearray()
        self._resampler = Resampler(self._read, lambda: rng.random() / 16)
        self._now = 0

    def _read(self, value: int, framing: bool) -> None:
        self._heard.append(value)
        self.framing += framing

    def read(self, octets: bytes) -> bytes:
        """What is read of these octets; the line is idle behind them."""
        receiver = _BIT / (1 + self.rate)
        for octet in octets:
            self._resampler.add(self._now, _BIT, octet, 8, receiver)
            self._now += 10 * _BIT
        self._resampler.settle(receiver)
        self._now += 40 * _BIT
        heard = bytes(self._heard)
        self._heard.clear()
        return heard
