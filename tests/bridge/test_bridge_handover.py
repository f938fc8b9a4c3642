"""The link's state, handed over in the middle of everything, on lines that lose octets."""

from __future__ import annotations

import random

import cbor2
import pytest

from microwamp.bridge import handover
from microwamp.bridge.line import Line
from wamp.link import CLOSED, OPENED, STREAM, Link

TURN_MS = 5
OCTETS = 12000  # each way


class Pipe:
    """A line between a device and a bridge whose process changes now and then; virtual time."""

    def __init__(self, seed: int, loss: float, turns: float) -> None:
        self.rng = random.Random(seed)
        self.loss = loss
        self.turns = turns
        self.now = 1000
        self.device = Link(window=4096, send_buffer=4096)
        self.bridge = Line(10000)
        self.sent = self.rng.randbytes(OCTETS), self.rng.randbytes(OCTETS)
        self.left = [memoryview(one) for one in self.sent]
        self.heard = [b"", b""]
        self.handed = self.amid = 0

    def run(self) -> None:
        """Until both have all."""
        self.device.open(0x01020304, self.now)
        self.bridge.announce(self.now)
        while self.heard != [self.sent[1], self.sent[0]]:
            assert self.now < 600_000, "it does not come to an end"
            self.now += TURN_MS
            self._carry(self.device, self.bridge, 1)
            self._carry(self.bridge, self.device, 0)
            if self.bridge.is_open and self.rng.random() < self.turns:
                self._hand_over()

    def _carry(self, source: Link, sink: Link, to: int) -> None:
        self._take(source, 1 - to, source.tick(self.now))
        if source.is_open:
            n = source.send(self.left[1 - to])
            self.left[1 - to] = self.left[1 - to][n:]
        while (view := source.output(self.now)) is not None:
            octets = bytes(view)
            if self.rng.random() < self.loss:
                octets = octets[: self.rng.randrange(len(octets))]
            # In pieces: a hand-over may come within a frame.
            cut = self.rng.randrange(len(octets) + 1)
            for part in (octets[:cut], octets[cut:]):
                self._take(sink, to, sink.receive(part, self.now))
                if to and self.bridge.is_open and self.rng.random() < self.turns:
                    self._hand_over()
                    sink = self.bridge

    def _take(self, link: Link, side: int, events: list[tuple[int, object]]) -> None:
        for kind, value in events:
            assert kind != CLOSED, value
            if kind == STREAM:
                assert isinstance(value, bytes)
                self.heard[side] += value
            elif kind == OPENED and link is self.bridge:
                self.bridge.accept(0xA1A2A3A4, 0, self.now)

    def _hand_over(self) -> None:
        state = cbor2.loads(cbor2.dumps(handover.state_of(self.bridge)))
        self.handed += 1
        self.amid += bool(self.bridge.pending())
        self.bridge = Line(10000)
        handover.restore(self.bridge, state)
        self.bridge.announce(self.now)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("loss", [0.0, 0.05, 0.3])
def test_every_octet_arrives_once_and_in_order_whoever_goes_on(seed, loss):
    pipe = Pipe(seed, loss, 0.1)
    pipe.run()
    assert pipe.handed >= 3 and pipe.amid >= 1


def test_a_line_whose_connections_were_closed_is_handed_over_like_any():
    """By the router's end, say, an hour ago."""
    pipe = Pipe(1, 0.0, 0.0)
    pipe.run()
    pipe.bridge.close(1, "the router closed the connection")
    while pipe.bridge.is_open:
        pipe.now += TURN_MS
        for source, sink in ((pipe.bridge, pipe.device), (pipe.device, pipe.bridge)):
            source.tick(pipe.now)
            while (view := source.output(pipe.now)) is not None:
                sink.receive(bytes(view), pipe.now)
    pipe.heard = [b"", b""]
    pipe.left = [memoryview(one) for one in pipe.sent]
    pipe.turns = 0.1
    pipe.run()
    assert pipe.handed >= 3


def test_what_is_no_data_is_refused():
    line = Line(10000)
    line.__dict__["something"] = object()
    with pytest.raises(TypeError, match="a link holds a object, which cannot be handed over"):
        handover.state_of(line)
