"""What is fuzzed: each target takes any octets and raises only where the library has a bug.

The targets run on CPython, where a fuzzer looks for octets that reach new code (tests/fuzz), and
on MicroPython, where `test_fuzz_corpus` repeats those it found. Pure, in virtual time. What only
one target needs is imported there: a board has not the memory for all.
"""

from binascii import crc32
from struct import pack

from wire import ROLES, Wire

from wamp import linkframe, session
from wamp.cbor import decode, encode
from wamp.errors import Error, LocalProtocolError, RemoteProtocolError
from wamp.link import CLOSED
from wamp.rawsocket import RawSocket

LIMIT = 1024  # octets of a RawSocket frame


class Over(Exception):
    """The octets are used up."""


class Octets:
    """Takes decisions from octets, one after another."""

    def __init__(self, data):
        self._data = data
        self._at = 0

    def below(self, n):
        """A number under n: of one octet, or of two where that is not enough."""
        value = 0
        for _ in range(1 if n <= 256 else 2):
            if self._at >= len(self._data):
                raise Over()
            value = value << 8 | self._data[self._at]
            self._at += 1
        return value % n

    def one_of(self, values):
        return values[self.below(len(values))]

    def take(self, n):
        """The next octets, n at most."""
        found = self._data[self._at : self._at + n]
        self._at += len(found)
        return found


def cbor(data):
    """Decoding ends with a value or a RemoteProtocolError; the value survives both ways."""
    from cbor_vectors import same

    try:
        value = decode(data)
    except RemoteProtocolError:
        return
    try:
        octets = bytes(encode(value))
    except LocalProtocolError:
        return  # an integer over our limit for sending
    assert same(decode(octets), value), (data, octets)


def _frames(pieces):
    """(frames, error, octets held at most) of a RawSocket connection that gets these pieces."""
    raw = RawSocket(LIMIT)
    found = []
    held = 0
    for piece in pieces:
        try:
            found += raw.receive(piece)
        except Error as e:
            return found, type(e), held
        if raw.frames is not None:
            held = max(held, raw.frames.waiting())
    return found, None, held


def rawsocket(data):
    """The same frames and the same error, in whatever pieces the octets come."""
    if not data:
        return
    step = 1 + data[0] % 9
    data = data[1:]
    if step > 4:
        data = b"\x7f\xf3\x00\x00" + data  # past the handshake
    whole = _frames([data])
    pieces = _frames([data[i : i + step] for i in range(0, len(data), step)])
    assert whole[1] == pieces[1], (data, whole[1], pieces[1])
    assert pieces[2] < LIMIT + 4, pieces[2]
    if whole[1] is None:
        assert whole[0] == pieces[0], data
    for kind, payload in pieces[0]:
        assert kind <= 2 and len(payload) <= LIMIT


def message(data):
    """Any value as a message, in every state: a report or ENDED, and never an exception."""
    try:
        value = decode(data)
    except RemoteProtocolError:
        return
    for state in range(4):
        wire = Wire()
        protocol = session.Protocol(wire.send, 8, 4)
        if state:
            protocol.join("devices")
        if state > 1:
            protocol.receive([2, 1, {"roles": ROLES}])
            protocol.call("call", "com.x")
            protocol.publish("publish", "com.x", [1])
            protocol.subscribe("subscribe", "com.x", "entry")
            protocol.register("register", "com.x", "entry")
            protocol.receive([33, 3, 7])
            protocol.receive([65, 4, 8])
        if state > 2:
            protocol.leave()
        wire.take()
        report = protocol.receive(value)
        sent = wire.take()
        assert len(sent) <= 1, (value, sent)
        if not state:
            assert report is None and not sent, (value, report)
        elif report is not None and report[0] == session.ENDED:
            assert protocol.state == session.CLOSED
        again = protocol.end()
        back = 1 if report and report[0] in (session.DONE, session.ANSWERED, session.FAILED) else 0
        assert len(again) + back == (2 if state > 1 else 0), (value, report, again)


def sessions(data):
    """The model of test_session_model, its program and its router driven by the octets."""
    from test_session_model import Run

    run = Run(0)
    run.random = Octets(data)
    try:
        for _ in range(4):
            run.session()
    except Over:
        pass


def link(data):
    """Both ends over a line that is spoilt as the octets say.

    Within a connection what arrives is what was sent, from its beginning, without a gap; what is
    held is bounded. Frames that are forged with the right seed may end a connection or bring
    false octets, but nothing else.
    """
    from test_link import Pair

    choose = Octets(data)
    pair = Pair()
    pair.connect()
    forged = False
    sent = {"d": b"", "b": b""}
    try:
        while True:
            what = choose.below(12)
            if what < 2:
                who, one = ("d", pair.device) if what else ("b", pair.bridge)
                piece = choose.take(1 + choose.below(64)) * (1 + choose.below(20))
                sent[who] += piece[: one.send(piece)]
                pair.flush()
            elif what < 5:
                for _ in range(choose.below(20)):
                    pair.step()
            elif what < 8:
                line = pair.up if choose.below(2) else pair.down
                if line.queue:
                    n = choose.below(len(line.queue))
                    at, octets = line.queue.pop(n)
                    if what == 5 and octets:
                        octets = bytearray(octets)
                        octets[choose.below(len(octets))] ^= 1 + choose.below(255)
                        octets = bytes(octets)
                    elif what == 6:
                        octets += octets[choose.below(len(octets) + 1) :]
                    else:
                        octets = octets[: choose.below(len(octets) + 1)]
                    line.queue.insert(n, (at, octets))
            elif what == 8:
                pair.now += choose.below(4096)
            elif what == 9:
                line = pair.up if choose.below(2) else pair.down
                line.queue.append((line.free_at, choose.take(choose.below(40))))
            elif what == 10:
                forged = True
                line = pair.up if choose.below(2) else pair.down
                line.queue.append((line.free_at, _forged(pair, choose, line is pair.up)))
            else:
                pair.device.open(1 + choose.below(1000), pair.ticks())
                pair.flush()
            if [e for e in pair.events["d"] + pair.events["b"] if e[0] == CLOSED]:
                break
            for who, other in (("d", "b"), ("b", "d")):
                got = bytes(pair.got[other])
                assert forged or sent[who][: len(got)] == got, (who, sent[who], got)
            for one in (pair.device, pair.bridge):
                assert 0 <= one.pending() <= 16384
            if pair.epochs > 1:
                break
    except Over:
        pass


def _forged(pair, choose, from_device):
    """A frame that passes the checks of the other end, whatever it says."""
    ends = pack(">II", 0x1234567, 0x5000 + pair.epochs)
    if not from_device:
        ends = ends[4:] + ends[:4]
    kind = choose.below(32)
    seed = crc32(ends) if kind < 8 else 0
    seq, ack, credit = choose.below(65536), choose.below(65536), choose.below(256)
    payload = choose.take(choose.below(60))
    return linkframe.frame(kind, payload, seed, seq, ack, credit)


TARGETS = {
    "cbor": cbor,
    "rawsocket": rawsocket,
    "message": message,
    "sessions": sessions,
    "link": link,
}
