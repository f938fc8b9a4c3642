"""CBOR that should not be: malformed, invalid, cut, damaged; limits and bombs.

Whatever the octets are, decode returns a value or raises RemoteProtocolError.
"""

import sys
from binascii import crc32, unhexlify

from cbor_vectors import BORDERS, BOTH_WAYS, DOUBLES, INWARDS, ODD, UTF8, same
from helpers import raises

from wamp.cbor import decode, encode
from wamp.errors import LocalProtocolError, RemoteProtocolError

# Boards have less memory and time than the interpreters on a host.
HOST = sys.platform in ("linux", "darwin", "win32")

# Not CBOR, or not valid: (octets, what the message says).
REFUSED = (
    ("", "octet 0"),
    ("1c", "0x1c, at octet 0"),  # reserved additional information, RFC 8949 section 3
    ("1d", "0x1d"),
    ("1e", "0x1e"),
    ("1f", "0x1f"),
    ("3c", "0x3c"),
    ("3f", "0x3f"),
    ("5c", "0x5c"),
    ("5e", "0x5e"),
    ("7d", "0x7d"),
    ("9c", "0x9c"),
    ("9e", "0x9e"),
    ("bd", "0xbd"),
    ("dc00", "0xdc"),
    ("de00", "0xde"),
    ("df00", "0xdf"),
    ("fc", "0xfc"),
    ("fd", "0xfd"),
    ("fe", "0xfe"),
    ("821c00", "octet 1"),
    ("f800", "0xf8"),  # simple values below 32 have one octet
    ("f814", "0xf8"),
    ("f818", "0xf8"),
    ("f81f", "0xf8"),
    ("ff", "break"),
    ("8101ff", "after the end, at octet 2"),
    ("81ff", "break"),
    ("8201ff", "break"),
    ("a1ff", "items"),
    ("a1ff00", "break"),
    ("a101ff", "break"),
    ("9f81ff", "break"),
    ("9fa101ffff", "break"),
    ("c1ff", "tag"),
    ("9fc1ff", "tag without an item, at octet 1"),
    ("9fc0c1ffff", "tag"),
    ("bf01ff", "key without value, at octet 0"),
    ("bf010203ff", "key without value"),
    ("9f", "truncated, at octet 1"),
    ("9f01", "truncated, at octet 2"),
    ("bf01", "truncated"),
    ("5f", "truncated"),
    ("5f4101", "truncated"),
    ("5f6161ff", "chunk"),
    ("7f4161ff", "chunk"),
    ("5f00ff", "chunk"),
    ("5fc24101ff", "chunk"),
    ("5f5fffff", "chunk"),
    ("5f5f4101ffff", "chunk"),
    ("7f7f6161ffff", "chunk"),
    ("7f61c361bcff", "UTF-8, at octet 1"),  # a character cut between chunks
    ("c2", "truncated"),
    ("c200", "bignum"),
    ("c26161", "bignum"),
    ("c280", "bignum"),
    ("c3f6", "bignum"),
    ("c2c24101", "bignum"),
    ("c2c14101", "bignum"),
    ("d80261", "bignum"),
    ("c25f6101ff", "chunk"),
    ("c2ff", "bignum"),
    ("a18001", "key, at octet 0"),
    ("a1a001", "key"),
    ("81a19f01ff02", "key, at octet 1"),
    ("bfbfff00ff", "key"),
    ("0000", "after the end, at octet 1"),
    ("8000", "after the end, at octet 1"),
    ("810000", "after the end, at octet 2"),
    ("6161ff", "after the end"),
    ("fb00000000000000", "truncated"),
    ("82fb0000000000000000", "truncated"),
    ("fa000000", "truncated"),
    ("f900", "truncated"),
)

# Text that one interpreter's own decoder would take (RFC 3629 sections 3, 4 and 10).
NOT_UTF8 = (
    "80",
    "bf",
    "c3",
    "c328",
    "c080",
    "c1bf",
    "c0af",
    "e28228",
    "e282",
    "e08080",
    "e09fbf",
    "eda080",
    "edbfbf",
    "eda080edb080",
    "f0808080",
    "f08fbfbf",
    "f4908080",
    "f48fbf",
    "f5808080",
    "f7bfbfbf",
    "f888808080",
    "fc8480808080",
    "fe",
    "ff",
    "61c08062",
    "c3a9e282ace08080",
    "f0908591eda0bd",
)


def refused(octets, depth=16):
    return str(raises(RemoteProtocolError, decode, octets, depth))


def test_refused():
    for octets, what in REFUSED:
        message = refused(unhexlify(octets))
        assert what in message, (octets, what, message)


def test_every_truncation():
    for row in BOTH_WAYS + DOUBLES + INWARDS + ODD + BORDERS:
        octets = unhexlify(row[0])
        for n in range(len(octets)):
            assert refused(octets[:n]), (octets, n)
        assert "after the end" in refused(octets + b"\x00"), octets


def text(octets):
    return bytes((0x60 | len(octets),)) + octets


def test_text_is_utf8():
    for octets in NOT_UTF8:
        octets = unhexlify(octets)
        for data in (
            text(octets),
            b"\x82\x00" + text(b"ab" + octets),
            b"\xa1" + text(octets) + b"\x00",
            b"\x7f" + text(b"a") + text(octets) + b"\xff",
            text(b"\xc3\xa9" + octets),
            text(octets + b"\xc3\xa9"),
        ):
            assert "UTF-8" in refused(data), data
    for octets, value in UTF8:
        octets = unhexlify(octets)
        assert same(decode(text(octets)), value), octets
        assert encode(value) == text(octets), octets
    everything = "".join([value for octets, value in UTF8])
    assert same(decode(encode(everything)), everything)
    # Octets are not looked into.
    assert decode(b"\x42\xc0\x80") == b"\xc0\x80"


def test_depth():
    for depth in (1, 2, 16, 20):
        for opening, closing in (
            (b"\x81", b""),
            (b"\x9f", b"\xff"),
            (b"\xa1\x00", b""),
            (b"\xbf\x00", b"\xff"),
            (b"\xd8\x20\x81", b""),
        ):
            data = depth * opening + b"\x07" + depth * closing
            value = decode(data, depth)
            assert decode(encode(value, depth), depth) == value, (depth, opening)
            raises(LocalProtocolError, encode, value, depth - 1)
            assert "deep" in refused(data, depth - 1), (depth, opening)
            data = opening + data + closing
            assert "deep" in refused(data, depth), (depth, opening)
    # The default.
    assert decode(16 * b"\x81" + b"\x00")
    raises(RemoteProtocolError, decode, 17 * b"\x81" + b"\x00")
    # Items beside each other are not deeper, and strings, tags and bignums have no depth.
    assert same(decode(b"\x83\x80\x80\xa0", 1), [[], [], {}])
    assert same(decode(b"\x5f\x41\x01\xff", 0), b"\x01")
    assert same(decode(b"\xd8\x20\xc2\x41\x01", 0), 1)
    assert same(decode(b"\x80", 0), [])


def test_nesting_bombs():
    n = 10000 if HOST else 1000
    for opening in (
        b"\x81",
        b"\x9f",
        b"\xa1",
        b"\xa1\x00",
        b"\xbf\x00",
        b"\x5f",
        b"\x7f",
        b"\xc2",
        b"\xc1\x81",
        b"\x81\xc2",
        b"\x82\x00",
        b"\x9f\xbf",
    ):
        assert refused(n * opening), opening
        assert refused(n * opening + b"\x00"), opening
    # Deeper than the stack of the interpreter goes: an error, not a crash.
    for opening in (b"\x81", b"\x9f", b"\xa1\x00", b"\xc1\x81"):
        assert "deep" in refused(n * opening + b"\x00", 1000000), opening
    # Tags in a row are not nesting.
    assert same(decode(n * b"\xc1" + b"\x05"), 5)
    assert same(decode(b"\x81" + n * b"\xd8\x20" + b"\x05"), [5])


def test_length_bombs():
    rest = b"\x00\x61\x61\xff\x00\x00"
    for major in (0x40, 0x60, 0x80, 0xA0):
        for argument in (
            b"\x18\xff",
            b"\x19\xff\xff",
            b"\x1a\x00\x10\x00\x00",
            b"\x1a\x7f\xff\xff\xff",
            b"\x1a\x80\x00\x00\x00",
            b"\x1a\xff\xff\xff\xff",
            b"\x1b\x00\x00\x00\x01\x00\x00\x00\x00",
            b"\x1b\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\x1b\x80\x00\x00\x00\x00\x00\x00\x00",
            b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
        ):
            head = bytes((major | argument[0],)) + argument[1:]
            for data in (
                head,
                head + rest,
                b"\x84\x18\x30" + head + rest,
                b"\x9f" + head + rest,
                b"\xa1\x00" + head + rest,
                b"\xc2" + head + rest,
                b"\x5f" + head + rest + b"\xff",
                b"\x7f" + head + rest + b"\xff",
            ):
                assert refused(data), data
    # One item too many for the octets left, at each level.
    assert "octet 1" in refused(b"\x82\x00")
    assert "octet 2" in refused(b"\x82\xa1\x00")
    assert "octet 1" in refused(b"\x82\x62\x61")


def test_chunks_without_number():
    n = 4000 if HOST else 400
    for major in (0x40, 0x60):
        data = bytes((major | 0x1F,)) + n * bytes((major | 1, 0x61)) + b"\xff"
        assert decode(data) == n * (b"a" if major == 0x40 else "a")
        assert len(decode(bytes((major | 0x1F,)) + n * bytes((major,)) + b"\xff")) == 0


def test_map_limit():
    # Keys that meet in one slot make a large dict slow to build, so its size has a limit.
    pairs = bytearray()
    for key in range(1024):
        pairs += encode(key)
        pairs.append(0)
    for before, after in ((b"\xb9\x04\x00", b""), (b"\xbf", b"\xff")):
        value = decode(before + pairs + after)
        assert len(value) == 1024 and value[1023] == 0
        value = None
    pairs += b"\x20\x00"
    for before, after in ((b"\xb9\x04\x01", b""), (b"\xbf", b"\xff")):
        assert "1025 pairs, at octet 0" in refused(before + pairs + after)


class Random:
    """A small generator of our own, so that all interpreters see the same octets."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        # The high bits of a linear congruential generator with the full period of 2^30.
        self.state = (self.state * 20213 + 12345) & 0x3FFFFFFF
        return (self.state >> 12) % n


HEADS = unhexlify(
    "00171819 1a1b1c1f 2038393a 3b3f4041 57585b5f 6061787b 7f808182 989b9f a0a1a2b8"
    "bbbfc0c1 c2c3d7d8 dbdfe0f4 f5f6f7f8 f9fafbfc ffc3e0ed".replace(" ", "")
)


def mutate(data, random):
    data = bytearray(data)
    for _ in range(1 + random.below(3)):
        what = random.below(7)
        i = random.below(len(data) + 1)
        if what == 0:
            data = data[:i]
        elif what == 1:
            data = data[:i] + data[i + 1 + random.below(3) :]
        elif what == 2:
            data = data[:i] + bytes((HEADS[random.below(len(HEADS))],)) + data[i:]
        elif what == 3:
            data = data[:i] + data[random.below(len(data) + 1) :]
        elif i < len(data):
            if what == 4:
                data[i] = random.below(256)
            elif what == 5:
                data[i] ^= 1 << random.below(8)
            else:
                data[i] = HEADS[random.below(len(HEADS))]
    return bytes(data)


# How many of the first so many damaged messages are refused, and the CRC-32 of which ones: a
# decoder that differs between two interpreters shows here. New vectors change the numbers.
OUTCOMES = ((400, 322, 0x5CC20695), (4000, 3224, 0x58EE6C20))


def test_damaged_octets():
    seeds = [unhexlify(row[0]) for row in BOTH_WAYS + DOUBLES + INWARDS + ODD]
    for octets in (
        # Of the WAMP specification's message samples: WELCOME, ERROR, EVENT, PUBLISH.
        "83021b00000002202394b4a165726f6c6573a26662726f6b6572a0666465616c6572a0",
        "850818301a00773bf7a06f636f6d2e6d796170702e6572726f72",
        "8518241a0095e5261b0000001a21a278bea0816d48656c6c6f2c206576656e7421",
        "85101a0e49c1afa072636f6d2e6d796170702e6d79746f70696331816d48656c6c6f2c20776f726c6421",
    ):
        for _ in range(20):
            seeds.append(unhexlify(octets))
    random = Random(1)
    row = bytearray()
    for cases, expected, expected_which in OUTCOMES if HOST else OUTCOMES[:1]:
        for _ in range(cases - len(row)):
            data = mutate(seeds[random.below(len(seeds))], random)
            try:
                value = decode(data)
            except RemoteProtocolError:
                row.append(1)
                continue
            row.append(0)
            assert same(decode(encode(value)), value), data
        assert (sum(row), crc32(row)) == (expected, expected_which), (
            cases,
            sum(row),
            hex(crc32(row)),
        )


def test_noise():
    random = Random(2)
    for _ in range(4000 if HOST else 200):
        data = bytes([random.below(256) for _ in range(random.below(40))])
        try:
            decode(data)
        except RemoteProtocolError:
            pass
