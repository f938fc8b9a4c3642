"""RawSocket: replies to the handshake, frames cut at every point, lengths, bad prefixes."""

from helpers import raises

from wamp import rawsocket
from wamp.errors import HandshakeRefused, LocalProtocolError, RemoteProtocolError, TransportError
from wamp.rawsocket import MESSAGE, PING, PONG, Frames, RawSocket

WELCOME = b"\x7f\xf3\x00\x00"

EXPONENTS = (
    (0, 0),
    (1, 0),
    (511, 0),
    (512, 0),
    (513, 1),
    (1024, 1),
    (1025, 2),
    (4096, 3),
    (4097, 4),
    (65536, 7),
    (1 << 20, 11),
    ((1 << 23) + 1, 15),
    (1 << 24, 15),
    (1 << 30, 15),
)

# Reply, error code, words that the text must have.
REFUSALS = (
    (b"\x7f\x10\x00\x00", 1, "serializer unsupported"),
    (b"\x7f\x20\x00\x00", 2, "maximum message length"),
    (b"\x7f\x30\x00\x00", 3, "reserved bits"),
    (b"\x7f\x40\x00\x00", 4, "connection count"),
    (b"\x7f\x00\x00\x00", 0, "illegal or unknown error code"),
    (b"\x7f\x50\x00\x00", 5, "illegal or unknown error code"),
    (b"\x7f\xf0\x00\x00", 15, "illegal or unknown error code"),
    # Not a refusal by code: another serializer, reserved octets, another protocol.
    (b"\x7f\xf1\x00\x00", None, "serializer 1"),
    (b"\x7f\xf2\x00\x00", None, "serializer 2"),
    (b"\x7f\xff\x00\x00", None, "serializer 15"),
    (b"\x7f\xf3\x01\x00", None, "reserved bits"),
    (b"\x7f\xf3\x00\x01", None, "reserved bits"),
    (b"HTTP", None, "HTTP"),
    (b"\x15\x03\x03\x00", None, "TLS"),
    (b"\x16\x03\x01\x02", None, "TLS"),
    (b"SSH-", None, "53 53 48 2d"),
    (b"\x00\x00\x00\x00", None, "00 00 00 00"),
    (b"\xff\xff\xff\xff", None, "ff ff ff ff"),
)

# First octet, whatever the length: reserved bits, the X bit, reserved types.
BAD_PREFIXES = tuple([x for x in range(256) if x > 2])

STREAM = (
    (MESSAGE, b"\x83\x01\x02\x03"),
    (PING, b""),
    (PING, b"ping"),
    (MESSAGE, b""),
    (PONG, b"\x00\x00\x00\x01"),
    (MESSAGE, bytes(range(256)) * 2),
    (MESSAGE, b"z"),
)


def octets_of(frames):
    """The octets of (type, payload) pairs, without the code under test."""
    out = b""
    for kind, payload in frames:
        n = len(payload)
        out += bytes((kind, n >> 16, n >> 8 & 255, n & 255)) + payload
    return out


def fed(receiver, pieces):
    """All that comes of pieces fed one after another."""
    found = []
    for piece in pieces:
        found += receiver.receive(piece)
    return found


def test_exponents():
    for length, n in EXPONENTS:
        assert rawsocket.exponent(length) == n, length


def test_request():
    for length, n in EXPONENTS:
        assert rawsocket.request(length) == bytes((0x7F, n << 4 | 3, 0, 0)), length
        assert RawSocket(length).request() == bytes((0x7F, n << 4 | 3, 0, 0)), length
    assert rawsocket.request(4096, 1) == b"\x7f\x31\x00\x00"
    assert RawSocket(512, 2).request() == b"\x7f\x02\x00\x00"


def test_reply_gives_the_routers_limit():
    for n in range(16):
        raw = RawSocket(4096)
        assert list(raw.receive(bytes((0x7F, n << 4 | 3, 0, 0)))) == []
        assert raw.frames.send_limit == min(512 << n, (1 << 24) - 1), n
        assert raw.frames.limit == 4096
        assert raw.ended() is None


def test_limit_is_what_was_announced():
    for length in (1, 512, 513, 4000, 4096, 5000, 1 << 24):
        raw = RawSocket(length)
        announced = 512 << (raw.request()[1] >> 4)
        raw.receive(WELCOME)
        # A length of 2^24 needs the X bit, which is not for us.
        assert raw.frames.limit == min(announced, (1 << 24) - 1), length
        assert raw.frames.limit >= min(length, (1 << 24) - 1), length


def test_refusals_are_named():
    for reply, code, words in REFUSALS:
        raw = RawSocket()
        error = raises(HandshakeRefused, raw.receive, reply)
        assert error.code == code, (reply, error.code)
        assert words in str(error), (reply, error)
        assert isinstance(error, TransportError)
        assert raw.frames is None, reply


def test_refusals_split_at_every_point():
    for reply, code, words in REFUSALS:
        for i in range(1, 4):
            raw = RawSocket()
            assert list(raw.receive(reply[:i])) == []
            error = raises(HandshakeRefused, raw.receive, reply[i:] + b" and more")
            assert error.code == code and words in str(error), (reply, i)


def test_end_in_the_handshake():
    for n in range(4):
        raw = RawSocket()
        raw.receive(WELCOME[:n])
        error = raw.ended()
        assert type(error) is HandshakeRefused and error.code is None, n
        assert ("middle" in str(error)) == (n > 0), (n, error)
    raw = RawSocket()
    raw.receive(WELCOME + b"\x00")
    assert raw.ended() is None


def test_other_serializer():
    raw = RawSocket(4096, 1)
    raises(HandshakeRefused, raw.receive, WELCOME)
    raw = RawSocket(4096, 1)
    raw.receive(b"\x7f\xf1\x00\x00")
    assert raw.frames is not None


def test_handshake_and_frames_cut_at_every_point():
    octets = WELCOME + octets_of(STREAM)
    for i in range(len(octets) + 1):
        raw = RawSocket()
        assert fed(raw, (octets[:i], octets[i:])) == list(STREAM), i
        assert raw.frames.waiting() == 0, i


def test_handshake_and_frames_octet_by_octet():
    octets = WELCOME + octets_of(STREAM)
    raw = RawSocket()
    found = []
    for i in range(len(octets)):
        found += raw.receive(octets[i : i + 1])
        if i >= 3:
            assert raw.frames is not None
    assert found == list(STREAM)


def test_kinds_of_buffers():
    octets = WELCOME + octets_of(STREAM)
    for kind in (bytes, bytearray, memoryview):
        for i in range(0, 40):
            raw = RawSocket()
            found = fed(raw, (kind(octets[:i]), kind(octets[i:])))
            assert found == list(STREAM), (kind, i)
            for _, payload in found:
                assert type(payload) is bytes, kind


def test_a_buffer_may_be_used_again():
    frames = Frames(4096)
    buffer = bytearray(8)
    found = []
    octets = octets_of(STREAM)
    for i in range(0, len(octets), 8):
        n = len(octets[i : i + 8])
        buffer[:n] = octets[i : i + 8]
        found += frames.receive(memoryview(buffer)[:n])
        buffer[:] = b"\xff" * 8
    assert found == list(STREAM)


def test_many_frames_in_one_piece():
    frames = Frames(4096)
    found = frames.receive(octets_of([(MESSAGE, b"%d" % i) for i in range(300)]))
    assert [payload for _, payload in found] == [b"%d" % i for i in range(300)]


def test_pseudo_random_pieces():
    octets = octets_of(STREAM) * 3
    n = 12345
    for _ in range(50):
        frames = Frames(4096)
        found = []
        i = 0
        while i < len(octets):
            n = (n * 1103515245 + 12345) & 0x7FFFFFFF
            size = 1 + (n >> 16) % 97
            found += frames.receive(octets[i : i + size])
            i += size
        assert found == list(STREAM) * 3


def test_waiting():
    frames = Frames(4096)
    assert frames.waiting() == 0
    frames.receive(b"\x00\x00")
    assert frames.waiting() == 2
    frames.receive(b"\x00\x03a")
    assert frames.waiting() == 5
    assert list(frames.receive(b"bc")) == [(MESSAGE, b"abc")]
    assert frames.waiting() == 0


def test_prefix_violations():
    for first in BAD_PREFIXES:
        for rest in (b"\x00\x00\x00", b"\x00\x00\x05hello"):
            error = raises(RemoteProtocolError, Frames(4096).receive, bytes((first,)) + rest)
            assert "0x%02x" % first in str(error), (first, error)
    # Behind a good frame, and octet by octet.
    raises(RemoteProtocolError, Frames(4096).receive, octets_of(STREAM) + b"\x08\x00\x00\x00")
    frames = Frames(4096)
    for octet in (b"\x00", b"\x00", b"\x00", b"\x01", b"x", b"\x10", b"\x00", b"\x00"):
        frames.receive(octet)
    raises(RemoteProtocolError, frames.receive, b"\x00")


def test_length_of_2_24_is_refused():
    for limit in (512, 4096, 1 << 24, 1 << 30):
        raises(RemoteProtocolError, Frames(limit).receive, b"\x08\x00\x00\x00")
        raises(RemoteProtocolError, Frames(limit).receive, b"\x08\x00\x00\x01x")


def test_length_received():
    for limit in (512, 1000, 4096):
        for n in (limit - 1, limit):
            frames = Frames(limit)
            found = frames.receive(octets_of([(MESSAGE, bytes(n))]))
            assert len(found[0][1]) == n, (limit, n)
        for kind in (MESSAGE, PING, PONG):
            for n in (limit + 1, limit * 2, 0xFFFFFF):
                # The prefix is enough: nothing waits for, or makes room for, the payload.
                frames = Frames(limit)
                prefix = bytes((kind, n >> 16, n >> 8 & 255, n & 255))
                error = raises(RemoteProtocolError, frames.receive, prefix)
                assert str(n) in str(error) and str(limit) in str(error), (limit, n)


def test_length_received_as_the_prefix_comes():
    frames = Frames(512)
    frames.receive(b"\x00\xff")
    frames.receive(b"\xff")
    raises(RemoteProtocolError, frames.receive, b"\xff")


def test_length_sent():
    for limit in (0, 1, 512, 4096):
        frames = Frames(4096, limit)
        for n in (0, limit // 2, limit):
            octets = frames.frame(b"x" * n)
            assert octets == bytes((0, n >> 16, n >> 8 & 255, n & 255)) + b"x" * n, (limit, n)
        for n in (limit + 1, limit + 1000):
            error = raises(LocalProtocolError, frames.frame, b"x" * n)
            assert str(n) in str(error) and str(limit) in str(error), (limit, n)


def test_length_sent_is_the_routers():
    raw = RawSocket(4096)
    raw.receive(b"\x7f\x03\x00\x00")  # 512 octets
    assert len(raw.frames.frame(bytes(512))) == 516
    raises(LocalProtocolError, raw.frames.frame, bytes(513))


def test_frames_there_and_back():
    frames = Frames(4096)
    for kind, payload in STREAM:
        for value in (payload, bytearray(payload)):
            octets = frames.frame(value, kind)
            assert type(octets) is bytes
            assert octets == octets_of([(kind, payload)])
            assert list(Frames(4096).receive(octets)) == [(kind, payload)]


def test_ping_is_echoed_as_it_came():
    frames = Frames(512)
    for payload in (b"", b"\x00", bytes(range(256)), bytes(512)):
        found = frames.receive(octets_of([(PING, payload)]))
        assert list(found) == [(PING, payload)]
        assert frames.frame(found[0][1], PONG) == octets_of([(PONG, payload)])


def test_a_frame_that_is_cut_off_delivers_nothing():
    frames = Frames(4096)
    assert list(frames.receive(b"\x00\x00\x00\x05hell")) == []
    assert frames.waiting() == 8
