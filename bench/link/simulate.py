"""A serial line between both ends of the link, in virtual time: microseconds, faults from a seed.

Both ends are the library's own code. A `Wire` carries octets at the line's rate and spoils them;
each end reads what has come once a millisecond at most and may keep `batch` octets waiting for
the wire, as a board's UART port does (`wamp._mpports`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from wamp.link import CLOSED, OPENED, STREAM, Link
from wamp.linkacceptor import Acceptor

_BITS = 10  # of an octet on the line: start, eight, stop
_READ_US = 1000  # what has come is looked at so often


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
        self.cut = False
        self.stalled = False
        self.free_at = 0.0
        self.sent = 0
        self._coming: list[tuple[float, bytes]] = []
        self._burst = 0

    def send(self, octets: bytes, now: float) -> None:
        begin = max(self.free_at, now)
        self.free_at = begin + len(octets) * self.octet_us
        self.sent += len(octets)
        if not self.cut:
            # In pieces, so that what lies at the beginning is there before the end is.
            for i in range(0, len(octets), 64):
                piece = octets[i : i + 64]
                self._coming.append((begin + (i + len(piece)) * self.octet_us, self._spoil(piece)))

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

    def next(self) -> float | None:
        return self._coming[0][0] if self._coming and not self.stalled else None

    def _spoil(self, octets: bytes) -> bytes:
        f, chance = self.faults, self.rng.random
        if f == _CLEAN and not self._burst:
            return octets
        out = bytearray()
        for octet in octets:
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


_CLEAN = Faults()


class End:
    """One end, its port and its program."""

    def __init__(self, link: Any, out: Wire, into: Wire, batch: float) -> None:
        self.link = link
        self.out = out
        self.into = into
        self.batch = batch
        self.to_send = b""
        self.got = bytearray()
        self.events: list[tuple[int, Any]] = []
        self.read_at = 0.0
        self.deaf = False  # nobody reads, as while flash is erased
        self.pieces = 0


class Simulation:
    """A device and a bridge. Times in microseconds of virtual time, `now`."""

    def __init__(self, seed: int, baud: int = 921600, faults: Faults = _CLEAN) -> None:
        rng = random.Random(seed)
        self.rng = rng
        self.now = 0.0
        self.up, self.down = Wire(rng, baud, faults), Wire(rng, baud, faults)
        batch = max(min(2048, baud // 250), 32)
        self.device = End(Link(4096, 1024, 10000, 4096, "bench"), self.up, self.down, batch)
        self.bridge = End(Acceptor(16320, 1024, 10000, 16384), self.down, self.up, batch)
        self.ends = (self.device, self.bridge)
        self.epoch = 0

    def ms(self) -> int:
        return int(self.now / 1000) & 0x3FFFFFFF

    def connect(self, limit_ms: int = 60000) -> None:
        self.bridge.link.announce(self.ms())
        self.device.link.open(self.rng.randrange(1, 1 << 32), self.ms())
        self.run(lambda: self.device.link.is_open and self.bridge.link.is_open, limit_ms)

    def run(self, until: Any, limit_ms: int) -> bool:
        """Until `until()` is true, or `limit_ms` have passed."""
        stop = self.now + limit_ms * 1000
        while self.now < stop:
            self.step()
            if until():
                return True
        return False

    def step(self) -> None:
        """Everything that is due now, then on to the next moment at which something is."""
        ms = self.ms()
        later = self.now + 250_000.0
        for end in self.ends:
            if not end.deaf:
                if self.now >= end.read_at:
                    octets = end.into.receive(self.now)
                    if octets:
                        end.read_at = self.now + _READ_US
                        self._handle(end, end.link.receive(octets, ms))
                self._handle(end, end.link.tick(ms))
                self._flush(end, ms)
        for end in self.ends:
            if end.deaf:
                continue
            wait = end.link.timeout(ms)
            if wait >= 0:
                later = min(later, (int(self.now / 1000) + wait) * 1000.0)
            come = end.into.next()
            if come is not None:
                later = min(later, max(come, end.read_at))
            full = end.out.waiting(self.now) - end.batch
            if full > 0:
                later = min(later, self.now + full * end.out.octet_us + 1)
        self.now = max(later, self.now + 50)

    def _handle(self, end: End, found: list[tuple[int, Any]]) -> None:
        for kind, value in found:
            if kind == STREAM:
                end.got += value
                continue
            end.events.append((kind, value))
            if kind == OPENED and end is self.bridge:
                self.epoch += 1
                end.link.accept(self.rng.randrange(1, 1 << 32), 1767225600, self.ms())
            elif kind == CLOSED:
                end.to_send = b""

    def _flush(self, end: End, ms: int) -> None:
        link = end.link
        while True:
            if end.to_send:
                n = link.send(end.to_send)
                end.to_send = end.to_send[n:]
            if end.out.waiting(self.now) > end.batch:
                return
            octets = link.output(ms)
            if octets is None:
                return
            end.out.send(bytes(octets), self.now)
