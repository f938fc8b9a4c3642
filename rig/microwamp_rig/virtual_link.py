"""Both ends of the serial link on a line in virtual time: microseconds, faults from a seed.

Both ends are the library's own code. A `Wire` carries octets at the line's rate and spoils them;
each end reads what has come once a millisecond at most, from a buffer of `room` octets, and may
keep `batch` octets waiting for the wire, as a board's UART port does (`wamp._mpports`).

Every connection has streams of its own, known octet by octet from its epoch, so what arrives is
checked as it arrives: an octet that is lost, doubled, out of order or of an earlier connection
raises AssertionError.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cbor2

from microwamp_rig.waveform import Drift
from wamp.link import CLOSED, CONSOLE, OPENED, STREAM, Link
from wamp.linkacceptor import Acceptor

_BITS = 10  # of an octet on the line: start, eight, stop
_READ_US = 1000  # what has come is looked at so often
_FIFO = 32  # octets that a UART keeps while interrupts are off (RP2040)


@dataclass(frozen=True)
class Faults:
    """Chances: `bits` of an error in a bit; the others in an octet. bursts: of one beginning at
    an octet, which then spoils `burst_octets`."""

    bits: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    insert: float = 0.0
    bursts: float = 0.0
    burst_octets: int = 64


class Wire:
    """One direction: octets in, octets with faults and a time of arrival out."""

    def __init__(self, rng: random.Random, baud: int, faults: Faults) -> None:
        self.rng = rng
        self.octet_us = 1e6 * _BITS / baud
        self.faults = faults
        self.on_send: Callable[[bytes], None] | None = None  # is told of each frame
        self.cut = False  # nothing arrives
        self.stuck = -1  # not negative: every octet arrives as this one
        self.stalled = False  # what is sent waits
        self.drift = Drift(rng)  # of the receiver's clock
        self.low_until = 0.0  # a break: the wire is held low
        self.free_at = 0.0
        self.sent = 0
        self._coming: list[tuple[float, bytes]] = []
        self._burst = 0
        self._mark: tuple[int, Callable[[float], object]] | None = None

    def after(self, octets: int, call: Callable[[float], object]) -> None:
        """Once so many octets more are on the line: call(when the last of them arrives)."""
        self._mark = self.sent + octets, call

    def send(self, octets: bytes, now: float) -> None:
        begin = max(self.free_at, now)
        self.free_at = begin + len(octets) * self.octet_us
        # In pieces, so that what lies at the beginning is there before the end is.
        edges = [*range(0, len(octets), 64), len(octets)]
        self.sent += len(octets)
        if self._mark is not None and self._mark[0] <= self.sent:
            (mark, call), self._mark = self._mark, None
            mark -= self.sent - len(octets)
            edges = sorted({*edges, mark})
            call(begin + mark * self.octet_us)
        if self.on_send is not None:
            self.on_send(octets)
        if self.cut:
            return
        for i, end in pairwise(edges):
            piece = octets[i:end]
            if begin + i * self.octet_us >= self.low_until:
                self._coming.append((begin + (i + len(piece)) * self.octet_us, self._spoil(piece)))

    def hold_low(self, now: float, ms: float) -> None:
        """A break: what is on the wire and what is sent meanwhile is lost; a receiver reads one
        octet that is 0."""
        self._coming = [piece for piece in self._coming if piece[0] <= now]
        self.low_until = now + ms * 1000
        self.inject(b"\0", now + self.octet_us)

    def waiting(self, now: float) -> float:
        """Octets that were sent and are not on the line yet."""
        return max(self.free_at - now, 0.0) / self.octet_us

    def receive(self, now: float) -> bytes:
        if self.stalled:
            return b""
        n = 0
        while n < len(self._coming) and self._coming[n][0] <= now:
            n += 1
        octets = b"".join(piece for _, piece in self._coming[:n])
        del self._coming[:n]
        return octets

    def clean(self) -> None:
        """No faults from now on."""
        self.faults = CLEAN
        self.cut = self.stalled = False
        self.stuck = -1
        self.drift.rate = 0.0
        self.low_until = 0.0
        self._burst = 0

    def inject(self, octets: bytes, now: float) -> None:
        """Octets that nobody sent: an echo, what a buffer kept from yesterday."""
        self._coming.append((now, octets))
        self._coming.sort(key=lambda piece: piece[0])

    def next(self) -> float | None:
        return self._coming[0][0] if self._coming and not self.stalled else None

    def _spoil(self, octets: bytes) -> bytes:
        if self.drift.rate:
            octets = self.drift.read(octets)
        f, chance = self.faults, self.rng.random
        if f == CLEAN and not self._burst and self.stuck < 0:
            return octets
        out = bytearray()
        for octet in octets:
            if self.stuck >= 0:
                out.append(self.stuck)
                continue
            if f.bursts and chance() < f.bursts:
                self._burst = f.burst_octets
            if self._burst:
                self._burst -= 1
                octet = self.rng.randrange(256)
            elif f.bits and chance() < f.bits * _BITS:
                bit = self.rng.randrange(_BITS)
                if bit == 8:
                    continue  # the start bit: nobody saw the octet begin
                octet = self.rng.randrange(256) if bit == 9 else octet ^ 1 << bit
            if f.drop and chance() < f.drop:
                continue
            if f.insert and chance() < f.insert:
                out.append(self.rng.randrange(256))
            out.append(octet)
            if f.duplicate and chance() < f.duplicate:
                out.append(octet)
        return bytes(out)


CLEAN = Faults()


_STREAM = random.Random(5).randbytes(1 << 16)


def stream(epoch: int, up: bool, start: int, n: int) -> bytes:
    """Octets `start` to `start + n` of what one end sends in a connection."""
    at = (epoch * 2654435761 + up * 40503 + start) % len(_STREAM)
    return (_STREAM[at:] + _STREAM * (n // len(_STREAM) + 1))[:n]


class End:
    """One end, its port and its program.

    wanted: octets that the program has to send in each connection. sent, got: those of the present
    one that the link has taken, and handed up.
    """

    def __init__(self, link: Any, out: Wire, into: Wire, batch: float, room: int) -> None:
        self.link = link
        self.out = out
        self.into = into
        self.batch = batch
        self.room = room
        self.wanted = 0
        self.sent = 0
        self.got = 0
        self.epoch = 0
        self.events: list[tuple[int, Any]] = []
        self.read_at = 0.0
        self.every = _READ_US  # between two reads
        self.deaf_until = 0.0  # nobody reads or writes
        self.erasing_until = 0.0  # interrupts are off too: only the chip's FIFO receives
        self.buffer = b""


class VirtualLink:
    """A device and a bridge on a line. Times in microseconds of virtual time, `now`.

    reopen: whether the device opens another connection, up to a second after one has ended.
    """

    def __init__(self, seed: int, baud: int = 921600, faults: Faults = CLEAN) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self.steps = 0
        self.baud = baud
        self.reopen = False
        self._open_at = -1.0
        self.up, self.down = (Wire(self.rng, baud, faults) for _ in range(2))
        batch = max(min(2048, baud // 250), 32)
        self.device = End(self.new_device(), self.up, self.down, batch, 4096)
        self.bridge = End(self.new_bridge(), self.down, self.up, batch, 1 << 20)
        self.ends = (self.device, self.bridge)
        self.connections = 0

    @staticmethod
    def new_device() -> Link:
        return Link(4096, 1024, 10000, 1 << 17, "virtual")

    @staticmethod
    def new_bridge() -> Acceptor:
        return Acceptor(16320, 1024, 10000, 16384)

    def ms(self) -> int:
        return int(self.now / 1000) & 0x3FFFFFFF

    def open(self) -> None:
        """The device opens a connection."""
        self._open_at = -1.0
        self.device.epoch = self.rng.randrange(1, 1 << 32)
        self.device.sent = self.device.got = 0
        self.device.link.open(self.device.epoch, self.ms())

    def connect(self, limit_ms: int = 60000) -> None:
        self.bridge.link.announce(self.ms())
        self.open()
        assert self.run(self.connected, limit_ms), "no connection"

    def connected(self) -> bool:
        device, bridge = self.ends
        both = device.link.is_open and bridge.link.is_open
        return both and device.epoch == bridge.epoch

    def delivered(self) -> bool:
        """Whether all that both programs have to send has arrived, in one connection."""
        device, bridge = self.ends
        return self.connected() and (bridge.got, device.got) == (device.wanted, bridge.wanted)

    def reset_device(self) -> None:
        """The board starts anew, and opens a connection when it has booted."""
        self.device.link = self.new_device()
        self.device.buffer = b""
        self._open_at = self.now + self.rng.randrange(1000, 400_000)

    def kill_bridge(self) -> None:
        """The bridge dies, and another one opens the port at once."""
        self.bridge.link = self.new_bridge()
        self.bridge.buffer = b""
        self.bridge.link.announce(self.ms())

    def hand_over(self, ms: float) -> None:
        """The bridge's state goes to another process, which goes on so much later; what comes
        meanwhile is in the system's buffer."""
        from microwamp.bridge import handover

        state = cbor2.loads(cbor2.dumps(handover.state_of(self.bridge.link)))
        self.bridge.link = self.new_bridge()
        handover.restore(self.bridge.link, state)
        self.bridge.link.announce(self.ms())
        self.bridge.deaf_until = self.now + ms * 1000

    def drift(self, rate: float) -> None:
        """The device's clock is faster by this part than the bridge's."""
        self.down.drift.rate = rate
        self.up.drift.rate = 1 / (1 + rate) - 1

    def erase(self, ms: float) -> None:
        """The device erases flash: it does nothing, and its UART is not read."""
        self.device.deaf_until = self.device.erasing_until = self.now + ms * 1000

    def run(self, until: Callable[[], bool], limit_ms: float) -> bool:
        """Until `until()` is true, or `limit_ms` have passed."""
        stop = self.now + limit_ms * 1000
        while self.now < stop:
            self.step(stop)
            if until():
                return True
        return False

    def step(self, stop: float) -> None:
        """Everything that is due now, then on to the next moment at which something is."""
        self.steps += 1
        ms = self.ms()
        later = min(self.now + 250_000.0, stop)
        if 0 <= self._open_at <= self.now:
            self.open()
        elif self._open_at > 0:
            later = min(later, self._open_at)
        for end in self.ends:
            come = end.into.receive(self.now)
            room = end.room if self.now >= end.erasing_until else _FIFO
            end.buffer += come[: max(room - len(end.buffer), 0)]  # what does not fit is lost
            if self.now < end.deaf_until:
                later = min(later, end.deaf_until)
                continue
            if end.buffer and self.now >= end.read_at:
                octets, end.buffer = end.buffer[:4096], end.buffer[4096:]
                end.read_at = self.now + end.every
                self._handle(end, end.link.receive(octets, ms))
            self._handle(end, end.link.tick(ms))
            self._flush(end, ms)
        for end in self.ends:
            if self.now < end.deaf_until:
                continue
            wait = end.link.timeout(ms)
            if wait >= 0:
                later = min(later, (int(self.now / 1000) + wait) * 1000.0)
            coming = end.read_at if end.buffer else end.into.next()
            if coming is not None:
                later = min(later, max(coming, end.read_at))
            full = end.out.waiting(self.now) - end.batch
            if full > 0:
                later = min(later, self.now + full * end.out.octet_us + 1)
        self.now = max(later, self.now + 50)

    def _handle(self, end: End, found: list[tuple[int, Any]]) -> None:
        for kind, value in found:
            if kind == STREAM:
                up = end is self.bridge
                assert value == stream(end.epoch, up, end.got, len(value)), (
                    f"not what was sent, from octet {end.got} on, {'up' if up else 'down'}"
                )
                end.got += len(value)
                continue
            if kind != CONSOLE:
                end.events.append((kind, value))
            if kind == OPENED:
                self.connections += 1
                if end is self.bridge:
                    end.link.accept(self.rng.randrange(1, 1 << 32), 1767225600, self.ms())
                    end.epoch = end.link._epoch
                    end.sent = end.got = 0
            elif kind == CLOSED and end is self.device and self.reopen:
                self._open_at = self.now + self.rng.randrange(1000, 1_000_000)

    def _flush(self, end: End, ms: int) -> None:
        link = end.link
        while True:
            if link.is_open and end.sent < end.wanted and link.pending() < 8192:
                n = min(end.wanted - end.sent, 8192)
                end.sent += link.send(stream(end.epoch, end is self.device, end.sent, n))
            if end.out.waiting(self.now) > end.batch:
                return
            octets = link.output(ms)
            if octets is None:
                return
            end.out.send(bytes(octets), self.now)
