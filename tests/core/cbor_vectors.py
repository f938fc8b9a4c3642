"""Octets and the values they stand for: RFC 8949 appendix A, and more of our own; no tests."""

from collections import OrderedDict

SINGLE = float("16777217") == 16777216  # floats of the interpreter have 24 bits, not 53

INF = float("inf")
NAN = float("nan")


def scaled(n, exponent):
    """n * 2^exponent exactly; MicroPython reads decimals with large exponents inexactly."""
    value = float(n)
    while exponent:
        step = min(abs(exponent), 24)
        value = value / (1 << step) if exponent < 0 else value * (1 << step)
        exponent += step if exponent < 0 else -step
    return value


# RFC 8949 appendix A: (octets, value), where the octets are the preferred form of the value.
BOTH_WAYS = (
    ("00", 0),
    ("01", 1),
    ("0a", 10),
    ("17", 23),
    ("1818", 24),
    ("1819", 25),
    ("1864", 100),
    ("1903e8", 1000),
    ("1a000f4240", 1000000),
    ("1b000000e8d4a51000", 1000000000000),
    ("1bffffffffffffffff", 18446744073709551615),
    ("c249010000000000000000", 18446744073709551616),
    ("3bffffffffffffffff", -18446744073709551616),
    ("c349010000000000000000", -18446744073709551617),
    ("20", -1),
    ("29", -10),
    ("3863", -100),
    ("3903e7", -1000),
    ("f90000", 0.0),
    ("f98000", -0.0),
    ("f93c00", 1.0),
    ("f93e00", 1.5),
    ("f97bff", 65504.0),
    ("fa47c35000", 100000.0),
    ("fa7f7fffff", scaled(0xFFFFFF, 104)),
    ("f90001", scaled(1, -24)),
    ("f90400", scaled(1, -14)),
    ("f9c400", -4.0),
    ("f97c00", INF),
    ("f97e00", NAN),
    ("f9fc00", -INF),
    ("f4", False),
    ("f5", True),
    ("f6", None),
    ("40", b""),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("60", ""),
    ("6161", "a"),
    ("6449455446", "IETF"),
    ("62225c", '"\\'),
    ("62c3bc", "\u00fc"),
    ("63e6b0b4", "\u6c34"),
    ("64f0908591", "\U00010151"),
    ("80", []),
    ("83010203", [1, 2, 3]),
    ("8301820203820405", [1, [2, 3], [4, 5]]),
    ("98190102030405060708090a0b0c0d0e0f101112131415161718181819", list(range(1, 26))),
    ("a0", {}),
    ("a201020304", OrderedDict(((1, 2), (3, 4)))),
    ("a26161016162820203", OrderedDict((("a", 1), ("b", [2, 3])))),
    ("826161a161626163", ["a", {"b": "c"}]),
    (
        "a56161614161626142616361436164614461656145",
        OrderedDict((("a", "A"), ("b", "B"), ("c", "C"), ("d", "D"), ("e", "E"))),
    ),
)

# The same, for values that only a double keeps.
DOUBLES = (
    ("fb3ff199999999999a", 1.1),
    ("fb7e37e43c8800759c", scaled(0x17E43C8800759C, 944)),
    ("fbc010666666666666", -4.1),
)

# RFC 8949 appendix A, where we write something else or nothing at all.
INWARDS = (
    ("fa7f800000", INF),
    ("fa7fc00000", NAN),
    ("faff800000", -INF),
    ("fb7ff0000000000000", INF),
    ("fb7ff8000000000000", NAN),
    ("fbfff0000000000000", -INF),
    ("f7", None),
    ("f0", None),
    ("f8ff", None),
    ("c074323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"),
    ("c11a514b67b0", 1363896240),
    ("c1fb41d452d9ec200000", 1363896240.5),
    ("d74401020304", b"\x01\x02\x03\x04"),
    ("d818456449455446", b"dIETF"),
    ("d82076687474703a2f2f7777772e6578616d706c652e636f6d", "http://www.example.com"),
    ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
    ("7f657374726561646d696e67ff", "streaming"),
    ("9fff", []),
    ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
    ("9f01820203820405ff", [1, [2, 3], [4, 5]]),
    ("83018202039f0405ff", [1, [2, 3], [4, 5]]),
    ("83019f0203ff820405", [1, [2, 3], [4, 5]]),
    ("9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", list(range(1, 26))),
    ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
    ("826161bf61626163ff", ["a", {"b": "c"}]),
    ("bf6346756ef563416d7421ff", {"Fun": True, "Amt": -2}),
)

# Longer than they need be, odd, but valid (RFC 8949 sections 3 and 4).
ODD = (
    ("1800", 0),
    ("190000", 0),
    ("1a00000000", 0),
    ("1b0000000000000000", 0),
    ("3800", -1),
    ("3b0000000000000000", -1),
    ("5800", b""),
    ("780161", "a"),
    ("79000161", "a"),
    ("7a0000000161", "a"),
    ("7b000000000000000161", "a"),
    ("9800", []),
    ("9b000000000000000100", [0]),
    ("b800", {}),
    ("b90001f6f7", {None: None}),
    ("5fff", b""),
    ("7fff", ""),
    ("5f4040ff", b""),
    ("7f60780161ff", "a"),
    ("bfff", {}),
    ("f820", None),
    ("e0", None),
    ("f3", None),
    ("d9d9f700", 0),  # self-described CBOR
    ("c0c1d818d90100da00010000db00000001000000006161", "a"),
    ("c240", 0),
    ("c340", -1),
    ("c24100", 0),
    ("c2420100", 256),
    ("c25f41014100ff", 256),
    ("d8024101", 1),
    ("d900034101", -2),
    ("c1c24105", 5),
    ("82c2410105", [1, 5]),
    ("a1c24101c24102", {1: 2}),
    ("a2010a010b", {1: 11}),  # the last of equal keys wins
    ("a2616101616102", {"a": 2}),
    ("a3416101416202200a", {b"a": 1, b"b": 2, -1: 10}),
    ("a1f90000f6", {0.0: None}),
    ("f903ff", scaled(0x3FF, -24)),
    ("f98001", -scaled(1, -24)),
    ("fa00000000", 0.0),
    ("fb8000000000000000", -0.0),
    ("f97c01", NAN),
    ("f9fe00", NAN),
    ("faffffffff", NAN),
    ("fb7ff0000000000001", NAN),
    ("fbfff0000100000000", NAN),
    ("fbffffffffffffffff", NAN),
)

# Text at the borders of the forms of UTF-8: (octets, text).
UTF8 = (
    ("7f", "\x7f"),
    ("c280", "\x80"),
    ("dfbf", "\u07ff"),
    ("e0a080", "\u0800"),
    ("ed9fbf", "\ud7ff"),
    ("ee8080", "\ue000"),
    ("efbfbf", "\uffff"),
    ("f0908080", "\U00010000"),
    ("f3a08080", "\U000e0000"),
    ("f48fbfbf", "\U0010ffff"),
    ("c3a0c3adc3b0c3b4", "\u00e0\u00ed\u00f0\u00f4"),
    ("00c2b0", "\x00\u00b0"),
)

# Where the forms of integers and floats change (RFC 8949 section 4.1).
BORDERS = (
    ("18ff", 255),
    ("190100", 256),
    ("19ffff", 65535),
    ("1a00010000", 65536),
    ("1affffffff", 4294967295),
    ("1b0000000100000000", 4294967296),
    ("37", -24),
    ("3818", -25),
    ("38ff", -256),
    ("390100", -257),
    ("39ffff", -65536),
    ("3a00010000", -65537),
    ("3affffffff", -4294967296),
    ("3b0000000100000000", -4294967297),
    ("c2581901" + 24 * "00", 1 << 192),
    ("c35818" + 24 * "ff", -(1 << 192)),
    ("c250" + 16 * "ff", (1 << 128) - 1),
    ("c25101" + 16 * "00", 1 << 128),
    ("f97bff", 65504.0),
    ("fa477fe100", 65505.0),
    ("fa47800000", 65536.0),
    ("fa477fe800", 65512.0),
    ("fac7800000", -65536.0),
    ("fa33000000", scaled(1, -25)),
    ("fa33c00000", scaled(3, -25)),
    ("f90003", scaled(3, -24)),
    ("f983ff", -scaled(0x3FF, -24)),
    ("fa387fe000", scaled(0x7FF, -25)),
    ("f90401", scaled(0x401, -24)),
    ("f94de0", 23.5),
    ("fa3f801000", scaled(0x801, -11)),
    ("f93c01", scaled(0x401, -10)),
)

# The same, for values that only a double keeps or that lie at the ends of a single.
DOUBLE_BORDERS = (
    ("fb3ff0000004000000", scaled(0x4000001, -26)),
    ("fb47efffffe0000001", scaled(0x1FFFFFE0000001, 75)),
    ("fb47f0000000000000", scaled(1, 128)),
    ("fb7fefffffffffffff", scaled((1 << 53) - 1, 971)),
    ("fb7fe0000000000000", scaled(1, 1023)),
    ("fa00800000", scaled(1, -126)),
    ("fa00000001", scaled(1, -149)),
    ("fa007fffff", scaled(0x7FFFFF, -149)),
    ("fa80400000", -scaled(1, -127)),
    ("fb3690000000000000", scaled(1, -150)),
    ("fb36a8000000000000", scaled(3, -150)),
    ("fb0000000000000001", scaled(1, -1074)),
    ("fbc037b33333333333", -23.7),
)


def same(a, b):
    """Whether two values are equal and of equal types all the way down, NaN and -0.0 included."""
    if isinstance(b, dict):
        # A key that is NaN is not found in any dict.
        return (
            isinstance(a, dict)
            and len(a) == len(b)
            and all(k != k or k in a and same(a[k], b[k]) for k in b)
        )
    if type(a) is not type(b):
        return False
    if type(a) is list:
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if type(a) is float:
        return a != a and b != b or a == b and str(a) == str(b)
    return a == b
