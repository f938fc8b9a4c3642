"""What the splice does to the octets of both directions: pure, without a port or a router."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable

import cbor2
import pytest

from microwamp.bridge.splice import PING_MAX, Splice, peek, realm_of
from wamp.errors import Error, HandshakeRefused, RemoteProtocolError
from wamp.rawsocket import LENGTH_MAX, MESSAGE, PING, PONG

EXCEEDED = "wamp.error.payload_size_exceeded"
DEVICE_TAKES = 1024  # octets, by HELLO_4
HELLO_4 = b"\x7f\x13\x00\x00"
ROUTER_TAKES = 4096
REPLY_4 = b"\x7f\x33\x00\x00"


def frame(payload: bytes, kind: int = MESSAGE) -> bytes:
    return bytes((kind,)) + len(payload).to_bytes(3, "big") + payload


def message(*elements: object) -> bytes:
    return frame(cbor2.dumps(list(elements)))


def frames(octets: bytes) -> list[tuple[int, bytes]]:
    """The frames of a stream that must hold whole ones."""
    found = []
    while octets:
        n = int.from_bytes(octets[1:4], "big")
        assert len(octets) >= 4 + n, "half a frame"
        found.append((octets[0], octets[4 : 4 + n]))
        octets = octets[4 + n :]
    return found


class Middle:
    """A splice with what came out of it, joined."""

    def __init__(self, opened: bool = True) -> None:
        self.seen: list[tuple[bool, int]] = []
        self.heads: list[bytes] = []
        self.splice = Splice(self._message)
        if opened:
            assert self.device(HELLO_4) == (b"\x7f\xf3\x00\x00", b"")
            assert self.router(REPLY_4) == (b"", REPLY_4)

    def _message(self, from_device: bool, code: int, head: bytes) -> None:
        self.seen.append((from_device, code))
        self.heads.append(head)

    def device(self, octets: bytes) -> tuple[bytes, bytes]:
        """Feed octets of the device; (to the router, to the device)."""
        self.splice.from_device(octets)
        return self.take()

    def router(self, octets: bytes) -> tuple[bytes, bytes]:
        self.splice.from_router(octets)
        return self.take()

    def take(self) -> tuple[bytes, bytes]:
        out = b"".join(self.splice.to_router), b"".join(self.splice.to_device)
        self.splice.to_router.clear()
        self.splice.to_device.clear()
        return out


# A session as it passes, with everything the splice looks at.
FROM_DEVICE = (
    HELLO_4
    + message(1, "devices", {"roles": {"caller": {}}})
    + message(5, "signature", {})
    + frame(b"", PING)
    + message(48, 1, {}, "com.example.time", [1, 2.5, "x" * 300])
    + frame(b"left over", PONG)
    + frame(bytes(range(200)), PING)
    + frame(b"")
    + message(70, 1, {}, [b"y" * 900])
    + message(6, {}, "wamp.close.close_realm")
)
FROM_ROUTER = (
    REPLY_4
    + message(4, "cryptosign", {"challenge": "00" * 32})
    + message(2, 123456789, {"roles": {"dealer": {}}})
    + message(68, 7, 1, {}, ["z" * 2000])
    + frame(b"are you there", PING)
    + message(36, 1, 2, {}, ["z" * 5000])
    + message(68, 8, 1, {}, ["short"])
    + message(50, 1, {}, [b"z" * 9000])
    + frame(b"", PONG)
    + message(8, 48, 2, {}, "com.example.failed", ["z" * 3000])
    + message(6, {}, "wamp.close.goodbye_and_out")
)


def apart(octets: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    return frames(octets[4:]), octets[:4]


def test_a_session_passes_and_only_its_frame_of_limits_is_written_anew():
    middle = Middle(opened=False)
    to_router, to_device = middle.device(FROM_DEVICE)
    # The device's PONGs wait until the device has had the handshake of the router.
    assert to_device == b""
    more, to_device = middle.router(FROM_ROUTER)
    sent, hello = apart(to_router + more)
    assert hello == b"\x7f\xf3\x00\x00"  # the largest LENGTH, the same serializer
    ours = [cbor2.loads(octets) for kind, octets in sent if kind == MESSAGE and octets]
    theirs = [
        cbor2.loads(octets)
        for kind, octets in frames(FROM_DEVICE[4:])
        if kind == MESSAGE and octets
    ]
    assert ours[: len(theirs)] == theirs
    text = "a message of 2010 octets, the device takes 1024"
    assert ours[len(theirs) :] == [[8, 68, 7, {}, EXCEEDED, [text]]]
    assert [octets for kind, octets in sent if kind == PONG] == [b"are you there"]
    got, reply = apart(to_device)
    assert reply == REPLY_4
    assert [octets for kind, octets in got if kind == PONG] == [b"", bytes(range(200))]
    heard = [cbor2.loads(octets) for kind, octets in got if kind == MESSAGE]
    assert [(m[0], m[1]) for m in heard] == [
        (4, "cryptosign"),
        (2, 123456789),
        (68, 8),
        (8, 48),
        (8, 48),
        (6, {}),
    ]
    assert [m[2:5] for m in heard if m[0] == 8] == [[1, {}, EXCEEDED], [2, {}, EXCEEDED]]
    assert middle.splice.dropped == 4
    assert middle.seen == [(True, 1), (True, 6), (False, 2), (False, 6)]
    assert realm_of(middle.heads[0]) == "devices"


def whole(first: bytes, second: bytes, device_first: bool) -> tuple[bytes, bytes]:
    middle = Middle(opened=False)
    a = middle.device(first) if device_first else middle.router(second)
    b = middle.router(second) if device_first else middle.device(first)
    return a[0] + b[0], a[1] + b[1]


def test_cut_at_every_point_gives_the_same_octets():
    expected = whole(FROM_DEVICE, FROM_ROUTER, True)
    for at in range(len(FROM_DEVICE) + 1):
        middle = Middle(opened=False)
        out = [middle.device(FROM_DEVICE[:at]), middle.device(FROM_DEVICE[at:])]
        out.append(middle.router(FROM_ROUTER))
        assert (b"".join(o[0] for o in out), b"".join(o[1] for o in out)) == expected, at
    expected = whole(FROM_DEVICE, FROM_ROUTER, False)
    points = [n for n in range(len(FROM_ROUTER) + 1) if n < 2600 or n > len(FROM_ROUTER) - 3400]
    for at in points:
        middle = Middle(opened=False)
        out = [middle.router(FROM_ROUTER[:at]), middle.router(FROM_ROUTER[at:])]
        out.append(middle.device(FROM_DEVICE))
        assert (b"".join(o[0] for o in out), b"".join(o[1] for o in out)) == expected, at


def test_one_octet_at_a_time():
    middle = Middle(opened=False)
    out = [middle.device(bytes((x,))) for x in FROM_DEVICE]
    out += [middle.router(bytes((x,))) for x in FROM_ROUTER]
    joined = b"".join(o[0] for o in out), b"".join(o[1] for o in out)
    assert joined == whole(FROM_DEVICE, FROM_ROUTER, True)


def sorted_frames(octets: bytes) -> list[tuple[int, bytes]]:
    return sorted(frames(octets[4:]))


def passed(octets: bytes, made_here: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """The frames that were passed on, in their order."""
    return [f for f in frames(octets[4:]) if f[0] != PONG and f[1] not in made_here]


def test_cut_and_mixed_at_random_gives_the_same_frames():
    """What the splice puts in of its own never lands within a frame that passes."""
    expected = whole(FROM_DEVICE, FROM_ROUTER, True)
    errors = [f[1] for side in expected for f in frames(side[4:]) if EXCEEDED.encode() in f[1]]
    for seed in range(200):
        rng = random.Random(seed)
        middle = Middle(opened=False)
        out = [middle.device(HELLO_4)]  # no router speaks first
        rest = [FROM_DEVICE[4:], FROM_ROUTER]
        most = rng.choice((7, 40, 400, 5000))
        while rest[0] or rest[1]:
            side = rng.randrange(2) if rest[0] and rest[1] else int(not rest[0])
            n = rng.randint(1, most)
            piece, rest[side] = rest[side][:n], rest[side][n:]
            out.append(middle.router(piece) if side else middle.device(piece))
        for side in range(2):
            joined = b"".join(o[side] for o in out)
            assert joined[:4] == expected[side][:4], seed
            assert sorted_frames(joined) == sorted_frames(expected[side]), seed
            assert passed(joined, errors) == passed(expected[side], errors), seed


# -- PING -----------------------------------------------------------------------------------------


def test_a_ping_is_answered_to_who_asked_and_goes_no_further():
    middle = Middle()
    for payload in (b"", b"1", bytes(125), bytes(PING_MAX)):
        assert middle.device(frame(payload, PING)) == (b"", frame(payload, PONG))
        assert middle.router(frame(payload, PING)) == (frame(payload, PONG), b"")


def test_a_pong_goes_nowhere():
    middle = Middle()
    for payload in (b"", b"1", bytes(5000)):
        assert middle.device(frame(payload, PONG)) == (b"", b"")
        assert middle.router(frame(payload, PONG)) == (b"", b"")


def test_a_ping_over_the_limit_is_refused():
    for side in ("device", "router"):
        with pytest.raises(RemoteProtocolError, match=f"PING of {PING_MAX + 1} octets"):
            getattr(Middle(), side)(frame(bytes(PING_MAX + 1), PING)[:4])


def test_a_pong_waits_for_the_end_of_the_frame_that_is_passing():
    middle = Middle()
    event = message(36, 1, 2, {}, ["x" * 700])
    assert middle.router(event[:100]) == (b"", event[:100])
    assert middle.device(frame(b"ask", PING)) == (b"", b"")
    assert middle.router(event[100:-1]) == (b"", event[100:-1])
    assert middle.router(event[-1:] + event) == (b"", event[-1:] + frame(b"ask", PONG) + event)
    call = message(48, 1, {}, "com.example.x", ["y" * 700])
    assert middle.device(call[:7]) == (call[:7], b"")
    assert middle.router(frame(b"ask", PING)) == (b"", b"")
    assert middle.device(call[7:]) == (call[7:] + frame(b"ask", PONG), b"")


def test_a_pong_between_prefix_octets_comes_at_once():
    """Less than a prefix has not been passed on yet."""
    middle = Middle()
    event = message(36, 1, 2, {})
    assert middle.router(event[:3]) == (b"", b"")
    assert middle.device(frame(b"ask", PING)) == (b"", frame(b"ask", PONG))
    assert middle.router(event[3:]) == (b"", event)


def test_an_error_waits_for_the_end_of_the_frame_that_is_passing():
    middle = Middle()
    call = message(48, 1, {}, "com.example.x", ["y" * 700])
    assert middle.device(call[:50]) == (call[:50], b"")
    assert middle.router(message(68, 9, 1, {}, ["x" * 2000])) == (b"", b"")
    to_router, _ = middle.device(call[50:])
    assert to_router.startswith(call[50:])
    assert cbor2.loads(frames(to_router[len(call) - 50 :])[0][1])[:5] == [8, 68, 9, {}, EXCEEDED]


def test_a_flood_of_pings_within_a_frame_ends_the_connection():
    middle = Middle()
    middle.router(message(36, 1, 2, {}, ["x" * 700])[:100])
    with pytest.raises(RemoteProtocolError, match="PING"):
        for _ in range(1000):
            assert middle.device(frame(bytes(1000), PING)) == (b"", b"")


# -- limits ---------------------------------------------------------------------------------------


def test_limits_are_read_from_both_handshakes():
    for nibble in range(16):
        middle = Middle(opened=False)
        to_router, _ = middle.device(bytes((0x7F, nibble << 4 | 3, 0, 0)))
        assert to_router == b"\x7f\xf3\x00\x00"
        _, to_device = middle.router(bytes((0x7F, nibble << 4 | 3, 0, 0)))
        assert to_device == bytes((0x7F, nibble << 4 | 3, 0, 0))
        expected = min(512 << nibble, LENGTH_MAX)
        assert middle.splice.device_limit == middle.splice.router_limit == expected


def test_serializer_and_reserved_bits_of_the_handshake_are_for_the_router_to_judge():
    assert Middle(opened=False).device(b"\x7f\x51\x02\x03") == (b"\x7f\xf1\x02\x03", b"")


def test_a_refusal_of_the_handshake_passes_and_is_named():
    for code in range(16):
        middle = Middle(opened=False)
        middle.device(HELLO_4)
        refusal = bytes((0x7F, code << 4, 0, 0))
        with pytest.raises(HandshakeRefused) as raised:
            middle.router(refusal)
        assert raised.value.code == code
        assert middle.take() == (b"", refusal)


def test_what_just_fits_passes_both_ways():
    middle = Middle()
    for n in (DEVICE_TAKES - 1, DEVICE_TAKES):
        octets = frame(cbor2.dumps([36, 1, 2, {}]) + bytes(n))[: 4 + n]
        octets = b"\x00" + n.to_bytes(3, "big") + octets[4:]
        assert middle.router(octets) == (b"", octets)
    octets = frame(bytes(ROUTER_TAKES))
    assert middle.device(octets) == (octets, b"")
    assert middle.splice.dropped == 0


def test_an_invocation_that_is_too_long_is_answered_to_the_router():
    middle = Middle()
    for request in (1, 23, 24, 255, 256, 65535, 65536, 2**32, 2**53):
        to_router, to_device = middle.router(message(68, request, 5, {}, ["x" * 1024]))
        assert to_device == b""
        ((kind, octets),) = frames(to_router)
        error = cbor2.loads(octets)
        assert kind == MESSAGE
        assert error[:5] == [8, 68, request, {}, EXCEEDED]
        assert "the device takes 1024" in error[5][0]


def test_a_result_or_error_that_is_too_long_becomes_an_error_of_the_call():
    middle = Middle()
    for long in (
        message(50, 300, {}, ["x" * 1024]),
        message(50, 300, {"progress": True}, ["x" * 1024]),
        message(8, 48, 300, {}, "com.example.failed", ["x" * 1024]),
    ):
        to_router, to_device = middle.router(long)
        assert to_router == b""
        ((_, octets),) = frames(to_device)
        assert cbor2.loads(octets)[:5] == [8, 48, 300, {}, EXCEEDED]


def test_the_error_keeps_the_type_of_its_request():
    for kind in (16, 32, 34, 64, 66):
        _, to_device = Middle().router(message(8, kind, 7, {}, "com.example.no", ["x" * 1024]))
        assert cbor2.loads(to_device[4:])[:5] == [8, kind, 7, {}, EXCEEDED]


def test_an_event_that_is_too_long_is_dropped_and_counted():
    middle = Middle()
    event = message(36, 1, 2, {}, ["x" * 1024])
    assert middle.router(event) == (b"", b"")
    assert middle.router(event[:500]) == middle.router(event[500:]) == (b"", b"")
    assert middle.splice.dropped == 2
    after = message(36, 1, 3, {})
    assert middle.router(after) == (b"", after)


@pytest.mark.parametrize("code", [2, 3, 4, 6])
def test_what_the_session_cannot_do_without_ends_it_when_it_is_too_long(code):
    """A WELCOME that never comes would be waited for."""
    with pytest.raises(RemoteProtocolError, match="octets, the device takes 1024"):
        Middle().router(message(code, {"x": "x" * 1024}, "y"))


def test_a_message_over_the_routers_limit_ends_the_connection_before_it_goes_out():
    middle = Middle()
    with pytest.raises(RemoteProtocolError, match="message of 4097 octets, 4096 are allowed"):
        middle.device(frame(bytes(ROUTER_TAKES + 1))[:4])
    assert middle.take() == (b"", b"")


def test_a_long_message_is_neither_kept_nor_waited_for():
    """16 MiB in pieces, in each of the three ways a message can take."""
    piece = bytes(65536)
    n = LENGTH_MAX
    for passes, opening in (
        (True, (b"\x7f\xf3\x00\x00", "router", cbor2.dumps([36, 1, 2, {}]))),
        (False, (HELLO_4, "router", cbor2.dumps([36, 1, 2, {}]))),
        (True, (b"\x7f\xf3\x00\x00", "device", cbor2.dumps([16, 1, {}, "com.example.x"]))),
    ):
        handshake, side, head = opening
        middle = Middle(opened=False)
        middle.device(handshake)
        middle.router(b"\x7f\xf3\x00\x00")
        feed = getattr(middle, side)
        out = 1 if side == "router" else 0
        left = n - len(head)
        got = len(feed(b"\x00" + n.to_bytes(3, "big") + head)[out])
        tracemalloc.start()
        try:
            while left:
                got += len(feed(piece[: min(left, len(piece))])[out])
                left -= min(left, len(piece))
            held, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 1_000_000, f"{most} octets at a time, {opening}"
        assert held < 20_000
        assert got == (4 + n if passes else 0)


# -- bad octets -----------------------------------------------------------------------------------


def test_reserved_bits_and_unknown_frames_end_the_connection():
    for first in [*range(3, 256, 7), 0x08, 0x10, 0x80, 0xFF]:
        for side in ("device", "router"):
            middle = Middle()
            with pytest.raises(RemoteProtocolError, match=f"{side} .*0x{first:02x}"):
                getattr(middle, side)(bytes((first, 0, 0, 1)) + b"x")
            assert middle.take() == (b"", b"")


# what a thing that is no router says first, and the words that name it
NO_ROUTERS: list[tuple[bytes, str]] = [
    (b"HTTP/1.1 400 Bad Request\r\n", "speaks HTTP"),
    (b"\x15\x03\x03\x00\x02\x02\x46", "speaks TLS"),
    (b"\x16\x03\x01\x02\x00", "speaks TLS"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "53 53 48 2d"),
    (b"\x00\x00\x00\x00", "00 00 00 00"),
]


def test_something_else_than_a_router_is_named():
    for octets, words in NO_ROUTERS:
        for cut in (len(octets), 1, 3):
            middle = Middle(opened=False)
            middle.device(HELLO_4)
            with pytest.raises(HandshakeRefused, match=words):
                middle.router(octets[:cut])
                middle.router(octets[cut:])
            assert middle.take() == (b"", b"")


def test_a_device_that_does_not_speak_rawsocket_is_named():
    for octets in (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"\x00", bytes(100)):
        middle = Middle(opened=False)
        with pytest.raises(RemoteProtocolError, match="the device does not speak RawSocket"):
            middle.device(octets)
        assert middle.take() == (b"", b"")


def test_random_octets_never_raise_anything_else():
    for seed in range(500):
        rng = random.Random(seed)
        middle = Middle(opened=seed % 2 == 0)
        try:
            for _ in range(20):
                feed = middle.device if rng.random() < 0.5 else middle.router
                feed(rng.randbytes(rng.choice((1, 5, 300))))
        except Error:
            continue


@pytest.mark.parametrize("realms", [((), ("devices",)), (("devices",), ())])
def test_realms_that_change_within_a_message_change_none_of_its_octets(realms):
    """A reload limits the realms or sets them free, and the next process goes on with it."""
    octets = message(16, 1, {}, "com.example.topic", ["x" * 500]) * 3
    for cut in range(len(octets) // 3 + 8):
        splice = Splice(lambda *seen: None, realms[0])
        splice.from_device(HELLO_4)
        splice.from_router(REPLY_4)
        splice.to_router.clear()
        splice.from_device(octets[:cut])
        other = Splice(lambda *seen: None, realms[1])
        other.restore(splice.state())
        other.from_device(octets[cut:])
        assert b"".join(splice.to_router + other.to_router) == octets, cut


def test_messages_that_are_no_cbor_pass_untouched():
    """Whose fault they are the receiver finds out."""
    middle = Middle()
    for payload in (b"", b"\x00", b"\xff" * 50, b"\x80", b"\x9f\xff", b"\xa0", b"\x98", b"{}"):
        assert middle.device(frame(payload)) == (frame(payload), b"")
        assert middle.router(frame(payload)) == (b"", frame(payload))
    assert middle.seen == []


def test_a_secret_is_not_shown_to_the_log():
    middle = Middle()
    middle.device(message(5, "the-ticket", {}))
    middle.router(message(4, "ticket", {}))
    assert middle.seen == []


# -- reading the beginning of a message -----------------------------------------------------------

# octets, (code, id or request type, request of an ERROR)
PEEKS: list[tuple[bytes, tuple[int, int, int]]] = [
    (cbor2.dumps([68, 300, 1, {}]), (68, 300, 1)),
    (cbor2.dumps([8, 48, 77, {}, "x"]), (8, 48, 77)),
    (cbor2.dumps([68, 2**53, 1, {}]), (68, 2**53, 1)),
    (cbor2.dumps([1, "devices", {}]), (1, 0, 0)),
    (cbor2.dumps([6, {}, "x"]), (6, 0, 0)),
    (b"\x9f\x18\x44\x05\x01\xff", (68, 5, 1)),  # indefinite length
    (b"\x98\x04\x18\x44\x05\x01\xa0", (68, 5, 1)),  # length in an octet of its own
    (b"\x99\x00\x04\x18\x44\x05\x01\xa0", (68, 5, 1)),
    (b"\x9b\x00\x00\x00\x00\x00\x00\x00\x04\x18\x44\x05\x01\xa0", (68, 5, 1)),
    (b"\x84\x19\x00\x44\x1a\x00\x00\x00\x05\x1b" + bytes(7) + b"\x01\xa0", (68, 5, 1)),
    (b"\xd9\xd9\xf7\x84\x18\x44\x05\x01\xa0", (0, 0, 0)),  # a tag: no router sends that
    (b"\x82\x20\x01", (0, 0, 0)),  # negative
    (b"\x84\x18\x44\xc2\x41\x05\x01\xa0", (68, 0, 0)),  # a bignum
    (b"\x84\x18\x44\x1c", (68, 0, 0)),  # reserved
    (b"\x84\x18\x44\x19\x01", (68, 0, 0)),  # cut off
    (b"\x84\x18", (0, 0, 0)),
    (b"\x84", (0, 0, 0)),
    (b"\x98", (0, 0, 0)),
    (b"\x9c\x01", (0, 0, 0)),
    (b"", (0, 0, 0)),
    (b"\xa1\x01\x02", (0, 0, 0)),
    (b"\xff", (0, 0, 0)),
]


def test_peek_reads_numbers_in_all_their_forms_and_nothing_else():
    for octets, expected in PEEKS:
        assert peek(octets) == expected, octets.hex()


def test_peek_and_realm_of_never_raise():
    rng = random.Random(1)
    for _ in range(20000):
        octets = bytes((rng.choice((0x81, 0x83, 0x84, 0x98, 0x9B, 0x9F, 0xFF)),))
        octets += rng.randbytes(rng.randrange(12))
        peek(octets)
        realm_of(octets)


REALMS: list[tuple[bytes, str]] = [
    (cbor2.dumps([1, "devices", {}]), "devices"),
    (cbor2.dumps([1, "", {}]), ""),
    (cbor2.dumps([1, "x" * 23, {}]), "x" * 23),
    (cbor2.dumps([1, "x" * 24, {}]), "x" * 24),
    (cbor2.dumps([1, "x" * 255, {}]), "x" * 255),
    (cbor2.dumps([1, "x" * 280, {}]), "x" * 280),
    (cbor2.dumps([1, "gerät", {}]), "gerät"),
    (b"\x98\x03\x01\x67devices\xa0", "devices"),
    (b"\x9f\x01\x67devices\xa0\xff", "devices"),
    (b"\x83\x01\x62\xff\xfe\xa0", "��"),  # not UTF-8
    (b"\x83\x01\x47devices\xa0", ""),  # octets, not text
    (b"\x83\x01\x7f\x67devices\xff\xa0", ""),  # in pieces: nobody writes a realm so
    (b"\x83\x01\x67dev", ""),  # cut off
    (b"\x83\x01\x78", ""),
    (b"\x83\x01", ""),
    (b"\x83", ""),
    (b"", ""),
    (b"\x83\x01\x05\xa0", ""),
    (cbor2.dumps([1, "x" * 1000, {}])[:300], ""),
]


def test_realm_of():
    for octets, expected in REALMS:
        assert realm_of(octets) == expected, octets.hex()


def strange(code: int, head: int) -> bytes:
    """A message whose type has a head of 1, 2, 3 or 5 octets, and its array one of 1 or 3."""
    number = {
        1: bytes((code,)) if code < 24 else bytes((24, code)),
        2: bytes((24, code)),
        3: b"\x19" + code.to_bytes(2, "big"),
        5: b"\x1a" + code.to_bytes(4, "big"),
    }[head]
    array = b"\x83" if code % 2 else b"\x99\x00\x03"
    return frame(array + number + b"\x07\xa0")


def test_whole_messages_pass_as_their_octets_one_by_one():
    """What is cut nowhere takes a shorter way; it comes to the same."""
    codes = (0, 1, 2, 3, 6, 7, 8, 23, 24, 48, 255)
    stream = [
        *(strange(code, head) for code in codes for head in (1, 2, 3, 5)),
        *(message(code, 1, {}, "x" * 20) for code in (2, 3, 6, 16, 36, 48, 68, 70)),
        frame(b""), frame(b"\x83"), frame(b"\x83\x18"), frame(b"\x80\x10\x10"), frame(b"xyz"),
        frame(b"\x9f\x10\x01\xff"), frame(b"", PING), frame(b"abc", PONG),
        message(68, 9, 1, {}, "x" * 2000),  # too long for the device
    ]  # fmt: skip
    for from_device in (True, False):
        whole, single = Middle(), Middle()
        feeds = (whole.device, single.device) if from_device else (whole.router, single.router)
        for octets in stream:
            if from_device and len(octets) > 1000:
                continue
            out = feeds[0](octets)
            parts = [feeds[1](octets[i : i + 1]) for i in range(len(octets))]
            assert out == tuple(b"".join(part) for part in zip(*parts, strict=True)), octets
            assert whole.splice.messages == single.splice.messages
            assert whole.seen == single.seen
