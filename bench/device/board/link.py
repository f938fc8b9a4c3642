"""The serial link: DATA frames of 64 and 1,024 octets, made and taken, both ends on the board.

`encode` is `Link.put`, with which the transport sends one piece. `decode` is `Link.receive` of a
whole frame; `decode.pieces` of the same frame as a UART's buffer of 512 octets gives it.
"""

import gc

import measure
from measure import ticks_us

from wamp.link import Link
from wamp.linkacceptor import Acceptor

_PIECE = 512  # octets that wamp._mpports reads at a time


class Pair:
    """A device's end and a bridge's end, connected; `now` goes on by 5 ms with each exchange."""

    def __init__(self):
        self.now = 0
        self.device = Link(4096, 1024, 10000, 4096, "bench")
        self.bridge = Acceptor(16320, 1024, 10000, 16384)
        self.device.open(77, 0)
        self.bridge.receive(self.device.output(0), 0)
        self.bridge.accept(99, 0, 0)
        self.settle()

    def settle(self):
        """Until neither end has anything to say."""
        self.now += 5
        said = True
        while said:
            said = False
            for a, b in ((self.device, self.bridge), (self.bridge, self.device)):
                octets = a.output(self.now)
                if octets is not None:
                    b.receive(bytes(octets), self.now)
                    said = True

    def grow(self):
        """Until both ends send frames of 1,024 octets: the link begins with shorter ones."""
        data = bytes(1024)
        for a, b in ((self.device, self.bridge), (self.bridge, self.device)):
            longest = 0
            while longest < 1024:
                a.send(data)
                octets = a.output(self.now)
                longest = len(octets) - 14
                b.receive(bytes(octets), self.now)
                self.settle()


def main():
    pair = Pair()
    pair.grow()
    for size in (64, 1024):
        _encode(pair, size, f"link.{size}.encode")
        _decode(pair, size, f"link.{size}.decode", size + 14)
        if size > _PIECE:
            _decode(pair, size, f"link.{size}.decode.pieces", _PIECE)


def _encode(pair, size, name):
    data = bytes(size)
    series = measure.Series()
    put = pair.device.put
    heap = 0
    for i in range(12):
        now = pair.now
        if i % 4 == 0:
            measure.fresh()
        before = gc.mem_alloc() if i == 11 else 0
        t = ticks_us()
        frame = put(data, now)
        end = ticks_us()
        if frame is None:
            # The end of the ring is in the way: what goes the long way round is not counted.
            pair.device.send(data)
        else:
            if i == 11:
                heap = gc.mem_alloc() - before
            elif i:
                series.add(t, end)
            pair.bridge.receive(bytes(frame), now)
        pair.settle()
    gc.enable()
    measure.figure(name, series.mean())
    measure.figure(name + ".heap", heap)


def _decode(pair, size, name, piece):
    data = bytes(size)
    series = measure.Series()
    receive = pair.device.receive
    heap = 0
    for i in range(12):
        if i % 4 == 0:
            measure.fresh()
        pair.bridge.send(data)
        frame = memoryview(bytes(pair.bridge.output(pair.now)))
        pieces = [frame[j : j + piece] for j in range(0, len(frame), piece)]
        now = pair.now
        before = gc.mem_alloc() if i == 11 else 0
        t = ticks_us()
        for octets in pieces:
            found = receive(octets, now)
        end = ticks_us()
        if i == 11:
            heap = gc.mem_alloc() - before
        elif i:
            series.add(t, end)
        if len(found[0][1]) != size:
            raise ValueError(f"{name}: {found}")
        pair.settle()
    gc.enable()
    measure.figure(name, series.mean())
    measure.figure(name + ".heap", heap)
