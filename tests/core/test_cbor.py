"""CBOR: octets to values and back, RFC 8949 appendix A the shortest forms, what can be sent."""

from binascii import hexlify, unhexlify
from collections import OrderedDict, namedtuple

from cbor_vectors import (
    BORDERS,
    BOTH_WAYS,
    DOUBLE_BORDERS,
    DOUBLES,
    INF,
    INWARDS,
    ODD,
    SINGLE,
    same,
)
from helpers import raises

from wamp.cbor import decode, encode
from wamp.errors import LocalProtocolError, RemoteProtocolError


def hexed(octets):
    return hexlify(octets).decode()


def test_octets_to_values():
    for octets, value in BOTH_WAYS + DOUBLES + INWARDS + ODD + BORDERS:
        found = decode(unhexlify(octets))
        assert same(found, value), (octets, value, found)


def test_values_to_octets():
    for octets, value in BOTH_WAYS + BORDERS:
        found = hexed(encode(value))
        assert found == octets, (octets, value, found)


def test_doubles():
    if SINGLE:
        return
    for octets, value in DOUBLES + DOUBLE_BORDERS:
        found = hexed(encode(value))
        assert found == octets, (octets, value, found)
        assert same(decode(unhexlify(octets)), value), octets


def test_singles_where_floats_are_single():
    if not SINGLE:
        return
    assert hexed(encode(1.1)) == "fa3f8ccccd"
    assert same(decode(unhexlify("fb7e37e43c8800759c")), INF)


def test_items_within_others():
    for octets, value in BOTH_WAYS + DOUBLES + INWARDS + ODD:
        for before, after, expected in (
            ("83182a", "617a", [42, value, "z"]),
            ("9f182a", "617aff", [42, value, "z"]),
            ("a2182a", "617af6", {42: value, "z": None}),
            ("bf182a", "617af6ff", {42: value, "z": None}),
            ("8181d81883182a", "617a", [[[42, value, "z"]]]),
        ):
            found = decode(unhexlify(before + octets + after))
            assert same(found, expected), (before, octets, after, found)


def test_what_is_given_to_decode():
    for octets in (b"\x82\x01\x41\x02", b"\x41\x02"):
        for kind in (bytes, bytearray, memoryview):
            assert same(decode(kind(octets)), decode(octets)), kind
    assert raises(RemoteProtocolError, decode, memoryview(b"\x82\x01\x41"))


def test_types_that_can_be_sent():
    class Text(str):
        pass

    class Whole(int):
        pass

    class Items(list):
        pass

    class Pairs(dict):
        pass

    pairs = Pairs()
    pairs["a"] = Whole(1)
    for value, octets in (
        (bytearray(b"\x01\x02"), "420102"),
        (memoryview(b"\x01\x02\x03")[1:], "420203"),
        ((1, (2,)), "82018102"),
        (namedtuple("Point", "x y")(1, 2), "820102"),
        (OrderedDict((("z", 1), ("a", 2))), "a2617a01616102"),
        (Text("\u00fc"), "62c3bc"),
        (Whole(1000), "1903e8"),
        (Whole(-1), "20"),
        (Items((1, 2)), "820102"),
        ([pairs], "81a1616101"),
        ({None: True}, "a1f6f5"),
        ({-1: 1.5}, "a120f93e00"),
        ({b"a": ()}, "a1416180"),
        (bytes(23), "57" + 23 * "00"),
        (bytes(24), "5818" + 24 * "00"),
        (bytes(256), "590100" + 256 * "00"),
        (23 * "a", "77" + 23 * "61"),
        (24 * "a", "7818" + 24 * "61"),
        (23 * [0], "97" + 23 * "00"),
        (24 * [0], "9818" + 24 * "00"),
        (256 * (0,), "990100" + 256 * "00"),
    ):
        found = encode(value)
        assert type(found) is bytearray
        assert hexed(found) == octets, (octets, value, found)
    for n in (23, 24, 255, 256):
        value = {}
        for key in range(n):
            value[key] = key
        assert same(decode(encode(value)), value), n


def test_types_that_cannot_be_sent():
    for value, name in (
        (object(), "object"),
        ({1, 2}, "set"),
        (LocalProtocolError, "type"),
        (LocalProtocolError("x"), "LocalProtocolError"),
        (range(3), "range"),
        (1j, "complex"),
    ):
        for outer in (value, [1, value], {"a": (value,)}):
            message = str(raises(LocalProtocolError, encode, outer))
            assert name in message, (name, message)


def test_text_that_is_not_unicode_is_not_sent():
    for value in ("\ud800", "a\udfffb", "\u00e9\udc80"):
        for outer in (value, [value], {value: 1}):
            assert "surrogates" in str(raises(LocalProtocolError, encode, outer)), outer


def test_what_contains_itself():
    value = []
    value.append(value)
    pairs = {}
    pairs["a"] = [pairs]
    wide = []
    wide.extend(50 * [wide])
    for endless in (value, pairs, wide, (value,)):
        raises(LocalProtocolError, encode, endless)
        raises(LocalProtocolError, encode, endless, 1000000)
