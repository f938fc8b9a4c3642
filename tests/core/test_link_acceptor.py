"""When the acceptor's end of the link acknowledges (docs/link.md, section 4)."""

from wamp.link import OPENED, STREAM, Link
from wamp.linkacceptor import Acceptor


def connected():
    """A device and a bridge with a connection and nothing under way, and the time."""
    device = Link(window=2048, send_buffer=2048)
    bridge = Acceptor(window=16384, send_buffer=16384)
    device.open(1, 0)
    for kind, _ in bridge.receive(bytes(device.output(0)), 0):
        if kind == OPENED:
            bridge.accept(2, 0, 0)
    device.receive(bytes(bridge.output(0)), 0)
    assert device.is_open and bridge.is_open
    assert device.output(0) is None and bridge.output(0) is None
    return device, bridge, 0


def test_an_acknowledgement_waits_for_a_frame_that_carries_it():
    device, bridge, now = connected()
    assert bridge.receive(bytes(device.put(b"question", now)), now) == [(STREAM, b"question")]
    assert bridge.output(now) is None and 0 < bridge.timeout(now) <= 10
    assert bridge.send(b"answer") == 6
    assert device.receive(bytes(bridge.output(now + 3)), now + 3) == [(STREAM, b"answer")]
    assert device.pending() == 0
    assert bridge.output(now + 3) is None and bridge.timeout(now + 3) > 10


def test_an_acknowledgement_of_its_own_comes_in_time():
    device, bridge, now = connected()
    bridge.receive(bytes(device.put(b"news", now)), now)
    assert bridge.output(now) is None
    later = now + bridge.timeout(now)
    assert now < later <= now + 10
    bridge.tick(later)
    device.receive(bytes(bridge.output(later)), later)
    assert device.pending() == 0
    assert bridge.output(later) is None


def test_much_is_acknowledged_at_once():
    """Whoever sends must not wait for room: a quarter of what may be under way is answered."""
    for size, frames in ((512, 2), (1, 16)):
        device, bridge, now = connected()
        for i in range(frames):
            assert bridge.output(now) is None, (size, i)
            bridge.receive(bytes(device.put(bytes(size), now)), now)
        device.receive(bytes(bridge.output(now)), now)
        assert device.pending() == 0


def test_a_question_is_answered_at_once():
    device, bridge, now = connected()
    device.put(b"lost", now)
    later = now + device.rto
    device.tick(later)
    bridge.receive(bytes(device.output(later)), later)  # PROBE
    assert bridge.output(later) is not None
