"""The serial link: vectors, connections, and the stream over a bad line in virtual time."""

from binascii import crc32, hexlify, unhexlify
from struct import pack

from helpers import raises
from link_vectors import ACCEPTOR, FRAMES, INITIATOR

from wamp import linkcontrol, linkframe
from wamp.errors import LocalProtocolError
from wamp.link import CLOSED, CONSOLE, OPENED, STREAM, Link
from wamp.linkacceptor import Acceptor


class Random:
    """A small generator that gives the same numbers on every interpreter."""

    def __init__(self, seed):
        self.state = seed * 2654435761 % 4294967296 or 1

    def __call__(self, n):
        x = self.state
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        self.state = x
        return x % n


class Direction:
    """One direction of a line: octets with a time of arrival, spoilt on the way."""

    def __init__(self, random, ms_per_octet_1000=11, flip=0, drop=0, double=0, insert=0):
        # flip, drop, double and insert are chances per octet in millionths
        self.random = random
        self.rate = ms_per_octet_1000
        self.flip, self.drop, self.double, self.insert = flip, drop, double, insert
        self.free_at = 0  # in microseconds
        self.queue = []
        self.cut = False
        self.octets = 0

    def put(self, octets, now):
        self.octets += len(octets)
        out = bytearray()
        random = self.random
        for x in bytes(octets):
            if self.flip and random(1000000) < self.flip:
                x ^= 1 << random(8)
            if self.insert and random(1000000) < self.insert:
                out.append(random(256))
            if self.drop and random(1000000) < self.drop:
                continue
            out.append(x)
            if self.double and random(1000000) < self.double:
                out.append(x)
        self.free_at = max(self.free_at, now * 1000) + len(octets) * self.rate
        if not self.cut:
            self.queue.append((self.free_at, bytes(out)))

    def get(self, now):
        out = b""
        while self.queue and self.queue[0][0] <= now * 1000:
            out += self.queue.pop(0)[1]
        return out

    def next(self):
        return self.queue[0][0] // 1000 + 1 if self.queue else None


class Pair:
    """An initiator and an acceptor with a line between them, in virtual milliseconds."""

    def __init__(self, seed=1, start=0, device=None, bridge=None, **faults):
        self.random = Random(seed)
        self.now = start
        self.base = start
        self.device = device or Link(window=2048, send_buffer=2048, name="unix")
        self.bridge = bridge or Acceptor(window=16384, send_buffer=16384)
        self.up = Direction(self.random, **faults)
        self.down = Direction(self.random, **faults)
        self.events = {"d": [], "b": []}
        self.got = {"d": bytearray(), "b": bytearray()}
        self.to_send = {"d": b"", "b": b""}
        self.accept = True
        self.epochs = 0

    def ticks(self):
        return self.now & 0x3FFFFFFF

    def handle(self, who, found):
        for kind, value in found:
            if kind == STREAM:
                self.got[who] += value
            else:
                self.events[who].append((kind, value))
                if kind == OPENED and who == "b" and self.accept:
                    self.epochs += 1
                    self.bridge.accept(0x5000 + self.epochs, 1767225600, self.ticks())

    def flush(self):
        for who, link, line in (("d", self.device, self.up), ("b", self.bridge, self.down)):
            if self.to_send[who]:
                n = link.send(self.to_send[who])
                self.to_send[who] = self.to_send[who][n:]
            while True:
                octets = link.output(self.ticks())
                if octets is None:
                    break
                line.put(octets, self.now - self.base)

    def step(self):
        now = self.now - self.base
        octets = self.up.get(now)
        if octets:
            self.handle("b", self.bridge.receive(octets, self.ticks()))
        octets = self.down.get(now)
        if octets:
            self.handle("d", self.device.receive(octets, self.ticks()))
        self.handle("d", self.device.tick(self.ticks()))
        self.handle("b", self.bridge.tick(self.ticks()))
        self.flush()
        waits = [250]
        for link in (self.device, self.bridge):
            t = link.timeout(self.ticks())
            if t >= 0:
                waits.append(t)
        for line in (self.up, self.down):
            t = line.next()
            if t is not None:
                waits.append(t - now)
        self.now += max(min(waits), 1)

    def run(self, until=None, limit=60000):
        end = self.now + limit
        while self.now < end:
            self.step()
            if until is not None and until():
                return True
        return until is None

    def connect(self):
        self.bridge.announce(self.ticks())
        self.device.open(0x1234567, self.ticks())
        assert self.run(lambda: self.device.is_open and self.bridge.is_open), "no connection"
        return self

    def delivered(self, up, down=b""):
        return lambda: self.got["b"] == up and self.got["d"] == down


def pattern(n, seed=7):
    random = Random(seed)
    out = bytearray()
    for _ in range(n):
        out.append(random(256))
    return bytes(out)


def test_vectors():
    seeds = {
        "i": pack(">II", INITIATOR, ACCEPTOR),
        "a": pack(">II", ACCEPTOR, INITIATOR),
    }
    for name in FRAMES:
        sender, kind, payload, seq, ack, credit, octets = FRAMES[name]
        seed = crc32(seeds[sender]) if kind < 8 else 0
        made = linkframe.frame(kind, unhexlify(payload), seed, seq, ack, credit)
        assert hexlify(made).decode() == octets, name


def test_vectors_are_what_the_link_sends():
    device = Link(window=4096, name="pico")
    device.open(INITIATOR, 0)
    assert hexlify(device.output(0)).decode() == FRAMES["OPEN"][6]
    bridge = Acceptor(window=16384)
    bridge.announce(0)
    assert hexlify(bridge.output(0)).decode() == FRAMES["ANNOUNCE"][6]
    found = bridge.receive(unhexlify(FRAMES["OPEN"][6]), 0)
    assert found == [(OPENED, "pico")], found
    bridge.accept(ACCEPTOR, 1767225600, 0)
    assert hexlify(bridge.output(0)).decode() == FRAMES["ACCEPT"][6]
    assert device.receive(unhexlify(FRAMES["ACCEPT"][6]), 0) == [(OPENED, 1767225600)]
    assert device.send(unhexlify("7f330000")) == 4
    assert hexlify(bytes(device.output(0))).decode() == FRAMES["DATA"][6]
    assert bridge.receive(unhexlify(FRAMES["DATA"][6]), 0) == [(STREAM, b"\x7f\x33\x00\x00")]
    assert hexlify(bytes(bridge.output(0))).decode() == FRAMES["ACK"][6]
    device.receive(unhexlify(FRAMES["ACK"][6]), 0)
    linkcontrol.console(device, b"hi")
    assert hexlify(device.output(0)).decode() == FRAMES["CONSOLE"][6]
    bridge.refuse(linkframe.VERSION, "v2")
    assert hexlify(bridge.output(0)).decode() == FRAMES["REFUSE"][6]


def test_header_check_finds_every_error_of_two_bits():
    words = [0, 1, 0x0400, 0x0800, 0x1801, 0x4012, 0x5807, 1024]
    for w in words:
        code = w << 8 | linkframe.check(w)
        for i in range(24):
            for j in range(24):
                other = code ^ (1 << i) ^ (1 << j if j != i else 0)
                v = other >> 8
                if v >> 11 < 12 and v & 2047 <= 1024:
                    assert linkframe.check(v) != other & 255, (w, i, j)


def test_announce_has_no_control_keys():
    bridge = Acceptor()
    bridge.announce(0)
    for x in bridge.output(0):
        assert not 0 < x < 6


def test_octets_in_both_directions():
    pair = Pair().connect()
    pair.to_send["d"], pair.to_send["b"] = pattern(5000), pattern(9000, 8)
    assert pair.run(pair.delivered(pattern(5000), pattern(9000, 8)))
    assert pair.device.resent == 0 and pair.bridge.resent == 0


def test_one_octet_at_a_time():
    pair = Pair().connect()
    sent = pattern(300)
    pair.device.send(sent)
    octets = b""
    while True:
        frame = pair.device.output(pair.ticks())
        if frame is None:
            break
        octets += bytes(frame)
    got = b""
    for i in range(len(octets)):
        for kind, value in pair.bridge.receive(octets[i : i + 1], pair.ticks()):
            assert kind == STREAM
            got += value
    assert got == sent


def test_overhead_under_three_percent_on_a_clean_line():
    pair = Pair().connect()
    data = pattern(1024)
    # The first frames are short until the line has shown that it is clean.
    pair.to_send["d"] = data * 60
    assert pair.run(pair.delivered(data * 60))
    before = pair.up.octets
    pair.to_send["d"] = data * 20
    assert pair.run(pair.delivered(data * 80))
    assert pair.up.octets - before < 1.03 * 1024 * 20, pair.up.octets - before


def check_lossy(seed, size, **faults):
    pair = Pair(seed, **faults)
    pair.connect()
    up, down = pattern(size, seed), pattern(size, seed + 1)
    pair.to_send["d"], pair.to_send["b"] = up, down
    done = pair.run(pair.delivered(up, down), 600000)
    closed = [e for e in pair.events["d"] + pair.events["b"] if e[0] == CLOSED]
    assert done and not closed, (seed, faults, len(pair.got["b"]), len(pair.got["d"]), closed)
    return pair


def test_bit_errors():
    for flip, size in ((100, 20000), (800, 10000), (8000, 2000)):
        for seed in (1, 2, 3):
            check_lossy(seed, size, flip=flip)


def test_lost_doubled_and_inserted_octets():
    for seed in range(1, 5):
        check_lossy(seed, 6000, drop=500)
        check_lossy(seed, 6000, double=500)
        check_lossy(seed, 6000, insert=500)
        check_lossy(seed, 6000, drop=300, double=300, insert=300, flip=300)


def test_positions_and_ticks_wrap():
    pair = Pair(5, start=0x3FFFFFFF - 700, flip=50)
    pair.connect()
    data = pattern(1700)
    # 150,000 octets pass 2^16 twice, in pieces that a small heap can hold.
    for i in range(90):
        pair.to_send["d"] = data
        assert pair.run(pair.delivered(data), 60000), i
        pair.got["b"] = bytearray()
    assert pair.now > 0x3FFFFFFF


def test_a_cut_shorter_than_lost_ms_is_invisible():
    pair = Pair().connect()
    pair.up.cut = pair.down.cut = True
    pair.to_send["d"] = pattern(3000)
    pair.run(limit=8000)
    assert pair.got["b"] == b""
    pair.up.cut = pair.down.cut = False
    assert pair.run(pair.delivered(pattern(3000)), 5000)
    assert [e for e in pair.events["d"] if e[0] == CLOSED] == []
    assert pair.epochs == 1


def test_a_longer_cut_ends_the_connection_at_both_ends():
    pair = Pair().connect()
    pair.up.cut = pair.down.cut = True
    pair.to_send["d"] = pattern(100)
    pair.run(limit=12000)
    for who in "db":
        assert [e[1][0] for e in pair.events[who] if e[0] == CLOSED] == [linkframe.LOST], who
    assert not pair.device.is_open and not pair.bridge.is_open
    pair.to_send["d"] = b""
    pair.up.cut = pair.down.cut = False
    pair.connect()
    assert pair.epochs == 2


def test_idle_connection_stays_up_and_costs_little():
    pair = Pair().connect()
    before = pair.up.octets + pair.down.octets
    pair.run(limit=60000)
    assert pair.device.is_open and pair.bridge.is_open
    assert pair.up.octets + pair.down.octets - before < 60 * 4 * 14


def test_close_after_data():
    pair = Pair(3, flip=300).connect()
    pair.to_send["b"] = pattern(3000)
    pair.flush()
    assert not pair.to_send["b"]
    pair.bridge.close(linkframe.BY_ROUTER, "the router went away")
    assert pair.run(lambda: len(pair.events["d"]) == 2 and len(pair.events["b"]) == 2)
    assert pair.got["d"] == pattern(3000)
    assert pair.events["d"][1] == (CLOSED, (1, "the router went away"))
    assert pair.events["b"][1][0] == CLOSED
    assert pair.device.send(b"x") == 0


def test_reset_ends_at_once():
    pair = Pair().connect()
    pair.bridge.close(linkframe.STOPPING, "bridge stopped", True)
    assert pair.run(lambda: len(pair.events["d"]) == 2, 1000)
    assert pair.events["d"][1] == (CLOSED, (3, "bridge stopped"))


def test_lost_reset_is_healed():
    pair = Pair().connect()
    pair.bridge.close(linkframe.STOPPING, "bridge stopped", True)
    pair.bridge.output(pair.ticks())  # lost
    pair.to_send["d"] = b"hello"
    assert pair.run(lambda: len(pair.events["d"]) == 2, 3000)
    assert pair.events["d"][1][1][0] == linkframe.NO_CONNECTION


def test_bridge_killed_and_restarted():
    pair = Pair().connect()
    pair.to_send["d"] = pattern(500)
    pair.bridge = Acceptor()
    pair.bridge.announce(pair.ticks())
    assert pair.run(lambda: len(pair.events["d"]) == 2, 1000)
    assert pair.events["d"][1][0] == CLOSED
    pair.to_send["d"] = b""
    pair.connect()


def test_port_opened_again_resumes():
    pair = Pair().connect()
    pair.up.cut = pair.down.cut = True
    pair.to_send["d"] = pattern(500)
    pair.run(limit=5000)
    pair.up.cut = pair.down.cut = False
    pair.bridge.announce(pair.ticks())
    start = pair.now
    assert pair.run(pair.delivered(pattern(500)), 1000)
    assert pair.now - start < 200, pair.now - start
    assert pair.epochs == 1


def test_device_restarts_even_with_the_same_epoch():
    for epoch in (0x1234567, 0x7654321):
        pair = Pair().connect()
        pair.to_send["d"] = pattern(500)
        assert pair.run(pair.delivered(pattern(500)))
        pair.device = Link(window=2048, send_buffer=2048)
        pair.device.open(epoch, pair.ticks())
        assert pair.run(lambda: pair.device.is_open, 3000)
        kinds = [e[0] for e in pair.events["b"]]
        assert kinds == [OPENED, CLOSED, OPENED], kinds
        pair.to_send["d"] = pattern(300, 9)
        assert pair.run(lambda: pair.got["b"] == pattern(500) + pattern(300, 9))


def test_device_first_bridge_later_and_the_other_way_round():
    for wait in (10, 900, 30000):
        pair = Pair()
        pair.accept = False
        bridge, pair.bridge = pair.bridge, Link()  # nobody who answers
        pair.device.open(77, 0)
        pair.run(limit=wait)
        pair.bridge, pair.accept = bridge, True
        pair.bridge.announce(pair.ticks())
        start = pair.now
        assert pair.run(lambda: pair.device.is_open, 3000)
        assert pair.now - start < 400


def test_two_opens_in_one_piece():
    device, bridge = Link(), Acceptor()
    device.open(7, 0)
    octets = bytes(device.output(0))
    device.open(8, 0)
    octets += bytes(device.output(0))
    found = bridge.receive(octets, 0)
    assert found == [(OPENED, "")], found
    bridge.accept(9, 0, 0)
    assert device.receive(bridge.output(0), 0) == [(OPENED, 0)]


def test_refused():
    pair = Pair()
    pair.accept = False
    pair.device.open(5, 0)
    assert pair.run(lambda: pair.events["b"] != [])
    pair.bridge.refuse(linkframe.NOT_SERVED, "twenty devices are enough")
    assert pair.run(lambda: pair.events["d"] != [])
    assert pair.events["d"] == [(CLOSED, (6, "twenty devices are enough"))]


def test_other_version_is_refused_with_a_sentence():
    bridge = Acceptor()
    octets = linkframe.frame(8, pack(">BBIHB", 0x42, 0x43, 99, 1024, 100), credit=64)
    assert bridge.receive(octets, 0) == []
    device = Link()
    device.open(99, 0)
    found = device.receive(bridge.output(0), 0)
    assert found[0][0] == CLOSED and found[0][1][0] == linkframe.VERSION
    assert "versions 2 to 3" in found[0][1][1]


def test_credit_holds_the_sender_back():
    pair = Pair().connect()
    pair.bridge.set_window(0)
    pair.bridge.send(b"x")  # carries the news
    pair.run(lambda: pair.got["d"] == b"x")
    pair.to_send["d"] = pattern(20000)
    pair.run(limit=5000)
    assert len(pair.got["b"]) <= 16320, len(pair.got["b"])
    stuck = len(pair.got["b"])
    pair.run(limit=5000)
    assert len(pair.got["b"]) == stuck
    pair.bridge.set_window(2048)
    assert pair.run(lambda: pair.got["b"] == pattern(20000), 5000)


def test_lost_window_update_is_healed():
    pair = Pair().connect()
    pair.bridge.set_window(0)
    pair.bridge.send(b"x")
    pair.run(lambda: pair.got["d"] == b"x")
    pair.to_send["d"] = pattern(20000)
    pair.run(limit=3000)
    assert len(pair.got["b"]) < 20000
    pair.bridge.set_window(2048)
    pair.bridge.output(pair.ticks())  # the ACK with the new credit is lost
    assert pair.run(lambda: pair.got["b"] == pattern(20000), 5000)


def test_console_text_between_frames():
    pair = Pair().connect()
    pair.device.send(b"abc")
    frame = bytes(pair.device.output(pair.ticks()))
    found = pair.bridge.receive(b"before\r\n" + frame + b"after\r\n", pair.ticks())
    assert found == [(CONSOLE, b"before\r\n"), (STREAM, b"abc"), (CONSOLE, b"after\r\n")], found


def test_traceback_after_a_reset_in_mid_frame():
    pair = Pair().connect()
    pair.device.send(pattern(200))
    frame = bytes(pair.device.output(pair.ticks()))
    boot = b"\r\nTraceback (most recent call last):\r\nValueError: x\r\n"
    found = pair.bridge.receive(frame[:60] + boot, pair.ticks())
    pair.now += 300
    found += pair.bridge.tick(pair.ticks())
    text = b"".join([v for k, v in found if k == CONSOLE])
    assert text == boot[2:], text
    device = Link()
    device.open(3, pair.ticks())
    found = pair.bridge.receive(device.output(pair.ticks()), pair.ticks())
    assert (OPENED, "") in found


def test_garbage_never_raises_and_memory_stays():
    random = Random(11)
    link = Pair().connect().device
    size = len(link._view)
    for _ in range(300):
        octets = bytearray()
        for _ in range(random(400)):
            octets.append((0xF8, 0xC1, 0, 4, 8, random(256))[random(6)])
        link.receive(bytes(octets), 0)
        link.tick(0)
    assert len(link._view) == size and link.fill <= size


def test_frame_that_never_comes_whole_is_given_up():
    pair = Pair().connect()
    pair.device.send(pattern(100))
    first = bytes(pair.device.output(pair.ticks()))
    pair.device.send(b"zz")
    second = bytes(pair.device.output(pair.ticks()))
    assert pair.bridge.receive(first[:-30] + second, pair.ticks()) == []
    pair.now += 250
    assert pair.bridge.timeout(pair.ticks()) == 0
    pair.bridge.tick(pair.ticks())
    # The second frame was found behind the half one, beyond the gap.
    assert pair.bridge._beyond == [(100, 102)]


def test_frames_that_overlap():
    pair = Pair().connect()
    link, data = pair.device, pattern(60)

    def come(start, stop):
        octets = linkframe.frame(0, data[start:stop], link._rx_seed, start, 0, 64)
        return b"".join([value for _, value in link.receive(octets, pair.ticks())])

    assert come(20, 30) == b"" and come(25, 40) == b"" and come(0, 10) == data[:10]
    assert come(5, 25) == data[10:40]
    assert come(0, 40) == b"" and come(35, 60) == data[40:]
    assert link._beyond == []


def test_own_echo_is_ignored():
    pair = Pair().connect()
    pair.device.send(b"abc")
    frame = bytes(pair.device.output(pair.ticks()))
    assert [e for e in pair.device.receive(frame, pair.ticks()) if e[0] != CONSOLE] == []
    device = Link()
    device.open(9, 0)
    assert device.receive(device.output(0), 0) == []


def test_forged_and_stale_frames_change_nothing():
    pair = Pair().connect()
    state = (pair.device._next_in, pair.device._una)
    for kind in range(12):
        for payload in (b"", b"\x00", b"\x41\x41" + bytes(20)):
            octets = linkframe.frame(kind, payload, 0x1234 if kind < 8 else 0)
            if kind == 10 and len(payload) > 5:
                continue  # a true ANNOUNCE of another bridge does end the connection
            pair.device.receive(octets, pair.ticks())
    assert pair.device.is_open and (pair.device._next_in, pair.device._una) == state


def test_arguments_are_checked():
    for wrong in ({"window": 100}, {"fragment": 63}, {"send_buffer": 1}, {"lost_ms": 0}):
        error = raises(LocalProtocolError, Link, **wrong)
        assert "link:" in str(error)
