"""The serial link under faults drawn from seeds, both ends' real code, in virtual time.

Whatever the schedule: within a connection every octet arrives exactly once and in order (the
virtual line checks each), memory stays bounded, nobody spins, and once the line is clean both ends
are soon in one connection and all of its octets arrive.
"""

import random

import pytest

from microwamp_rig.virtual_link import Faults, VirtualLink, Wire
from wamp.link import CLOSED
from wamp.linkframe import check

SEEDS = range(24)
#: Octets that a program sends in every connection: more than the disturbance lasts.
MUCH = 1 << 30
#: From a clean line to a connection: half a frame given up (0.25 s), an old connection noticed
#: (`lost_ms`, 10 s) or its RESET (0.5 s), the device's pause (1 s), OPEN again (2 s).
RECOVERY_MS = 15_000
#: From a clean line to octets both ways, in a connection that was not lost: a probe is sent once a
#: second at least.
CLEAN_MS = 1_100
#: An outage that no connection notices: `lost_ms` less a keepalive and a probe.
OUTLIVED_MS = 6_500


def bounded(line):
    """What either end holds, and how often it was asked."""
    for end in line.ends:
        link = end.link
        assert len(link._flight) <= 128 and len(link._beyond) <= 128, "parts"
        assert sum(len(part[3]) for part in link._flight) <= 4096, "octets under way"
        assert link._nxt - link._una <= 4097, "positions under way"
        assert link.fill <= 1038 and len(link._control) <= 10, "frames"
        assert link.pending() <= 1 << 17, "octets queued"
    # Per millisecond: a read at each end, a batch that is through, and some frames' ends.
    assert line.steps <= 200 + line.now / 1000 * 25, "it spins"


def recovers(line):
    """On a clean line: a connection in bounded time, in which everything arrives."""
    for wire in (line.up, line.down):
        wire.clean()
    for end in line.ends:
        end.every = 1000
        end.deaf_until = end.erasing_until = 0.0
    line.bridge.link.set_window(16320)
    assert line.run(line.connected, RECOVERY_MS), "no connection on a clean line"
    for end in line.ends:
        end.wanted = end.sent + 3000
    closed = [len(end.events) for end in line.ends]
    if not line.run(line.delivered, RECOVERY_MS):
        # What one end took for a connection may have been over for the other.
        assert [len(end.events) for end in line.ends] != closed, "it stands still"
        for end in line.ends:
            end.wanted = end.sent + 3000
        assert line.run(line.delivered, RECOVERY_MS), "not all of it arrives"
    bounded(line)


def busy_line(seed, baud):
    """Both ends have more to send than the line carries."""
    line = VirtualLink(seed, baud)
    line.connect()
    line.device.wanted = line.bridge.wanted = MUCH
    return line


def goes_on(line):
    """A second after the line is clean octets arrive both ways: the next probe finds out."""
    got = line.device.got, line.bridge.got
    line.run(lambda: False, CLEAN_MS)
    assert line.device.got > got[0] and line.bridge.got > got[1], "it does not go on"


def arrives(line):
    """All that was sent arrives, in the same connection."""
    for end in line.ends:
        end.wanted = end.sent
    assert line.run(line.delivered, 10_000) and line.connections == 2


def disturb(line, rng):
    """Something happens to the line or to an end."""
    wire = rng.choice((line.up, line.down))
    end = rng.choice(line.ends)
    what = rng.randrange(17)
    if what < 4:
        faults = Faults(
            bits=rng.choice((0, 1e-5, 1e-4, 1e-3, 3e-3)),
            drop=rng.choice((0, 0, 1e-3)),
            duplicate=rng.choice((0, 0, 1e-3)),
            insert=rng.choice((0, 0, 1e-3)),
            bursts=rng.choice((0, 0, 3e-4)),
            burst_octets=rng.choice((8, 100, 2000)),
        )
        line.up.faults = line.down.faults = faults
    elif what == 4:
        wire.cut = not wire.cut
    elif what == 5:
        wire.stalled = not wire.stalled
    elif what == 6:
        wire.stuck = rng.choice((-1, -1, 0x00, 0xFF, 0xF8))
    elif what == 7:
        end.deaf_until = line.now + rng.choice((45, 400, 3000, 12000)) * 1000
    elif what == 8:
        end.every = rng.choice((1000, 20_000, 200_000))
    elif what == 9:
        line.bridge.link.set_window(rng.choice((0, 256, 16320)))
    elif what == 10:
        # What was sent in another connection, or comes back as an echo.
        octets = b"\xf8\xc1"
        for other, epoch, sent in line.heard:
            if (other, epoch) != (wire, line.device.epoch) and rng.randrange(3) == 0:
                octets = sent
        wire.inject(octets, line.now)
    elif what == 11:
        rng.choice((line.reset_device, line.kill_bridge))()
    elif what == 12:
        # Up to 3 % are nothing to a UART, beyond 4 hardly an octet arrives as it was sent.
        line.drift(rng.choice((0.0, 0.02, 0.038, -0.038, 0.045, -0.06, 0.3)))
    elif what == 13:
        wire.hold_low(line.now, rng.choice((1, 20, 300, 5000)))
    elif what == 14:
        line.erase(rng.choice((45, 400)))
    elif what == 15:
        line.hand_over(rng.choice((0, 20, 400, 3000)))
    elif end.link.is_open:
        if rng.randrange(2):
            end.link.close(0, "that was all", bool(rng.randrange(2)))
            if end is line.device and not end.link.is_open:
                line.open()
        else:
            line.bridge.link.announce(line.ms())  # the port was opened again


def remember(line, rng):
    """Keep some of what goes over the line, to bring it back later."""
    line.heard = []
    for wire in (line.up, line.down):

        def on_send(octets, wire=wire):
            if rng.randrange(50) == 0 and len(line.heard) < 40:
                line.heard.append((wire, line.device.epoch, octets))

        wire.on_send = on_send


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens(seed):
    rng = random.Random(seed)
    line = VirtualLink(seed, rng.choice((115200, 921600)))
    line.reopen = True
    remember(line, rng)
    for end in line.ends:
        end.wanted = rng.choice((0, MUCH, MUCH))
    line.bridge.link.announce(line.ms())
    line.open()
    for _ in range(40):
        line.run(lambda: False, rng.choice((1, 10, 100, 700)))
        bounded(line)
        disturb(line, rng)
    recovers(line)


@pytest.mark.parametrize("rate", [1e-5, 1e-4, 1e-3])
@pytest.mark.parametrize("seed", range(2))
def test_bit_errors_end_no_connection(seed, rate):
    """Not one in 20 s at full load, both ways."""
    line = VirtualLink(seed, 115200, Faults(bits=rate))
    line.connect()
    for end in line.ends:
        end.wanted = MUCH
    got = 0
    for _ in range(20):
        line.run(lambda: False, 1000)
        assert line.bridge.got > got, "a second without progress"
        got = line.bridge.got
        bounded(line)
    assert line.connections == 2


@pytest.mark.parametrize("rate", [0, 1e-4, 1e-3])
def test_hand_overs_end_no_connection(rate):
    """Every 0.3 s another process, at full load, both ways; each octet is compared."""
    for seed in range(3):
        line = busy_line(seed, 115200)
        line.up.faults = line.down.faults = Faults(bits=rate)
        for n in range(20):
            line.run(lambda: False, 300 + n)
            line.hand_over((2000, 5, 100, 0)[n & 3])
            bounded(line)
        line.run(lambda: False, 300)
        goes_on(line)
        arrives(line)


def test_fragments_follow_the_line():
    """512 octets at first, 1,024 on a clean line, shorter with more bit errors, and up again."""
    line = busy_line(1, 921600)
    link = line.device.link
    assert link._cut == 512
    line.run(lambda: False, 2000)
    assert link._cut == 1024
    means = []
    for bits in (1e-5, 1e-4, 1e-3):
        line.up.faults = line.down.faults = Faults(bits=bits)
        line.run(lambda: False, 800)
        lengths = []
        for _ in range(20):
            line.run(lambda: False, 40)
            lengths.append(link._cut)
        means.append(sum(lengths) / len(lengths))
    # The roots of 14 octets and the mean distance of 1e5, 1e4 and 1e3 bits: 374, 118 and 37.
    assert 187 < means[0] < 748 and 59 < means[1] < 236 and 32 <= means[2] < 74, means
    line.up.clean()
    line.down.clean()
    line.run(lambda: False, 4000)
    assert link._cut == 1024
    arrives(line)


def test_the_timer_follows_the_round_trip():
    """40 ms at least; a reader that looks every 200 ms lets it grow, and one that hurries again
    lets it fall. Nothing is sent twice for it."""
    line = busy_line(1, 921600)
    line.run(lambda: False, 1000)
    link = line.device.link
    assert 40 <= link.rto < 150
    line.bridge.every = 200_000
    line.run(lambda: False, 5000)
    assert link.rto >= 350
    line.bridge.every = 1000
    line.run(lambda: False, 5000)
    assert 40 <= link.rto < 150
    arrives(line)
    assert link.resent == 0


@pytest.mark.parametrize("who", ["device", "bridge"])
def test_a_reset_at_every_state(who):
    """After each of the first steps of a connection with traffic, and much later."""
    for steps in (*range(60), 500):
        line = VirtualLink(steps, 921600)
        line.reopen = True
        line.device.wanted = line.bridge.wanted = 20_000
        line.bridge.link.announce(line.ms())
        line.open()
        for _ in range(steps):
            line.step(line.now + 1e6)
        (line.reset_device if who == "device" else line.kill_bridge)()
        assert line.run(line.delivered, 5000), steps
        bounded(line)


@pytest.mark.parametrize("ms", [45, 400, 3000, 9000])
def test_an_end_that_is_away_is_sent_nothing_twice(ms):
    """A flash erase, a bridge that is swapped out: what waits in its buffer is enough."""
    line = VirtualLink(1, 921600)
    line.connect()
    line.device.wanted = 3000
    line.run(line.delivered, 1000)
    line.bridge.deaf_until = line.now + ms * 1000
    line.device.wanted = 30_000
    assert line.run(line.delivered, ms + 1500)
    assert line.device.link.resent == 0 and line.connections == 2


@pytest.mark.parametrize("ms", [45, 400])
def test_an_erase_of_flash_in_mid_transfer(ms):
    """Interrupts are off: beyond 32 octets nothing is received. The transfer goes on."""
    for seed in range(4):
        line = busy_line(seed, 115200)
        for n in range(4):
            line.run(lambda: False, 40 + 37 * n + seed)
            line.erase(ms)
            line.run(lambda: False, ms)
            goes_on(line)
        arrives(line)
        assert line.bridge.link.resent > 0
        bounded(line)


@pytest.mark.parametrize("rate", [0.02, -0.02, 0.03, -0.03])
def test_drift_that_a_uart_bears_costs_nothing(rate):
    line = busy_line(2, 921600)
    line.drift(rate)
    line.run(lambda: False, 300)
    arrives(line)
    assert line.device.link.resent == line.bridge.link.resent == 0


def test_drift_that_comes_and_goes():
    """A board in the sun: its clock wanders out of reach, for a while, and comes back."""
    for seed in range(2):
        line = busy_line(seed, 57600)
        for n in range(40):
            line.drift(0.06 * (1 - abs(n - 20) / 20))
            line.run(lambda: False, 100)
            bounded(line)
        assert line.device.link.resent > 0, "it was never out of reach"
        line.drift(0.0)
        goes_on(line)
        arrives(line)


@pytest.mark.parametrize("ms", [1, 20, 400, 5000])
def test_breaks_in_mid_transfer(ms):
    for seed in range(3):
        line = busy_line(seed, 57600)
        for n in range(4):
            line.run(lambda: False, 100 + 61 * n + seed)
            for wire in (line.up, line.down)[n & 1 :]:
                wire.hold_low(line.now, ms)
            line.run(lambda: False, ms)
            goes_on(line)
        arrives(line)


def test_a_cut_is_over_when_the_line_is_back():
    """The first probe after it, at most a second later, brings everything."""
    for seed, ms in enumerate((30, 200, 1000, 4000, 8900)):
        line = VirtualLink(seed, 115200)
        line.connect()
        line.device.wanted = line.bridge.wanted = 50_000
        line.run(lambda: False, 300)
        line.up.cut = line.down.cut = True
        line.run(lambda: False, ms)
        line.up.cut = line.down.cut = False
        got = line.bridge.got, line.device.got
        line.run(lambda: False, 1100)
        assert line.bridge.got > got[0] and line.device.got > got[1], ms
        assert line.run(line.delivered, 10_000) and line.connections == 2


@pytest.mark.parametrize("idle", [False, True])
def test_an_outage_that_is_always_outlived(idle):
    """Whenever it begins: keepalives come 2.5 s after the last frame, then once a second."""
    for n in range(20):
        line = VirtualLink(n, 57600)
        line.connect()
        for end in line.ends:
            end.wanted = 0 if idle else MUCH
        line.run(lambda: False, 300 + 191 * n)
        line.up.cut = line.down.cut = True
        line.run(lambda: False, OUTLIVED_MS)
        line.up.cut = line.down.cut = False
        received = line.bridge.link.received
        line.run(lambda: False, CLEAN_MS)
        assert line.connected() and line.connections == 2, n
        assert line.bridge.link.received > received, n


def test_both_learn_of_an_end():
    """One end closes while the line is cut: the other notices within `lost_ms`."""
    for at_once in (False, True):
        for end in range(2):
            line = VirtualLink(3)
            line.connect()
            line.up.cut = line.down.cut = True
            line.ends[end].link.close(1, "", at_once)
            line.run(lambda: False, 10_600)
            assert not line.device.link.is_open and not line.bridge.link.is_open
            kinds = [event[0] for event in line.ends[1 - end].events]
            assert kinds[-1] == CLOSED


def test_frames_of_an_earlier_connection_and_echoes_change_nothing():
    """All of them, at once, in the middle of the traffic of the next connection."""
    line = VirtualLink(6)
    line.device.wanted = line.bridge.wanted = 20_000
    kept: dict[Wire, list[bytes]] = {line.up: [], line.down: []}
    for wire in kept:
        wire.on_send = kept[wire].append
    line.connect()
    assert line.run(line.delivered, 5000)
    old = {wire: b"".join(frames[2:]) for wire, frames in kept.items()}
    line.device.link.close(0, "", True)
    line.run(lambda: not line.bridge.link.is_open, 1000)
    line.open()
    line.run(line.connected, 1000)
    line.run(lambda: False, 20)
    for wire, other in ((line.up, line.down), (line.down, line.up)):
        wire.inject(old[wire], line.now)
        wire.inject(b"".join(kept[other][-20:]), line.now)
    assert line.run(line.delivered, 5000)
    assert line.connections == 4


def test_garbage_costs_a_bounded_time():
    """A header that promises 1,024 octets, and silence after it."""
    line = VirtualLink(4, 115200)
    line.connect()
    for wire in (line.up, line.down):
        wire.inject(b"\xf8\xc1\x04\x00" + bytes((check(1024), 1, 2, 3)), line.now)
    line.device.wanted = line.bridge.wanted = 100
    assert line.run(line.delivered, 1500) and line.connections == 2
