"""wamp.cbor against the cbor2 package: random values both ways, every half, damaged octets."""

import enum
import math
import random
import struct
from collections import OrderedDict, defaultdict
from typing import Any

import cbor2
import pytest

from wamp import cbor, cborrare
from wamp.errors import LocalProtocolError, RemoteProtocolError

ROUNDS = 3000

BORDERS = [
    sign * (1 << bits) + off
    for bits in (0, 5, 8, 16, 32, 53, 64, 65, 127, 2000)
    for sign in (1, -1)
    for off in (-1, 0, 1)
]
LENGTHS = (0, 1, 2, 5, 23, 24, 25, 255, 256, 300)
ALPHABETS = (
    "abcdef ./_",
    "\u0000\u007f\u0080\u00e9\u07ff",
    "\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff",
)


def number(source: random.Random) -> float:
    """A double, often one that a half or a single keeps as well."""
    which = source.randrange(5)
    if which == 0:
        return source.uniform(-100, 100)
    if which == 1:
        return source.randrange(-4096, 4096) / source.choice((1, 2, 16, 1024, 3))
    code, width = ((">e", 2), (">f", 4), (">d", 8))[which - 2]
    value: float = struct.unpack(code, source.randbytes(width))[0]
    return value


def leaf(source: random.Random) -> Any:
    which = source.randrange(7)
    if which == 0:
        return source.choice(BORDERS)
    if which == 1:
        return source.getrandbits(source.randrange(1, 80)) * source.choice((1, -1))
    if which == 2:
        return number(source)
    if which == 3:
        return source.choice((None, True, False))
    if which == 4:
        return source.randbytes(source.choice(LENGTHS))
    return "".join(source.choices(source.choice(ALPHABETS), k=source.choice(LENGTHS)))


def value(source: random.Random, depth: int) -> Any:
    which = source.randrange(4) if depth else 0
    if which < 2:
        return leaf(source)
    n = source.choice((0, 1, 2, 3, 7, 24))
    if which == 2:
        return [value(source, depth - 1) for _ in range(n)]
    # NaN is no key: it is not found again.
    return {
        key: value(source, depth - 1) for key in (leaf(source) for _ in range(n)) if key == key
    }


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    if isinstance(a, float):
        return a != a and b != b or a == b and math.copysign(1, a) == math.copysign(1, b)
    return bool(a == b)


def test_both_ways() -> None:
    source = random.Random(8949)
    for _ in range(ROUNDS):
        item = value(source, 4)
        ours = bytes(cbor.encode(item))
        assert same(cbor.decode(ours), item), item
        assert same(cbor2.loads(ours), item), item
        assert same(cbor.decode(cbor2.dumps(item)), item), item
        assert same(cbor.decode(cbor2.dumps(item, indefinite_containers=True)), item), item


def test_preferred_forms() -> None:
    # Beside the order of keys, cbor2's canonical form is the preferred one.
    source = random.Random(4)
    for _ in range(ROUNDS):
        item = [leaf(source), number(source), {"a": number(source)}]
        assert cbor.encode(item) == cbor2.dumps(item, canonical=True), item


def test_every_half() -> None:
    for bits in range(1 << 16):
        octets = b"\xf9" + bits.to_bytes(2, "big")
        expected = struct.unpack(">e", octets[1:])[0]
        assert same(cbor.decode(octets), expected), octets
        assert cbor.encode(expected) == (octets if expected == expected else b"\xf9\x7e\x00")


def test_singles_and_their_neighbours() -> None:
    source = random.Random(754)
    for _ in range(8000):
        octets = source.randbytes(4)
        if source.randrange(2):  # few bits in the fraction: nearly or exactly a half
            octets = bytes((octets[0], octets[1], octets[2] & 0xE1, 0))
        exact = struct.unpack(">f", octets)[0]
        for item in (exact, math.nextafter(exact, math.inf), math.nextafter(exact, -math.inf)):
            assert cbor.encode(item) == cbor2.dumps(item, canonical=True), item


@pytest.mark.parametrize("single", (False, True))
def test_floats_of_boards(monkeypatch: pytest.MonkeyPatch, single: bool) -> None:
    # Where floats are single, doubles are never written and nothing else changes.
    monkeypatch.setattr(cbor, "_FLOATS_ARE_SINGLE", single)
    source = random.Random(32)
    for _ in range(5000):
        item = struct.unpack(">f", source.randbytes(4))[0]
        assert cbor.encode(item) == cbor2.dumps(item, canonical=True), item
    for bits in range(0, 1 << 16, 7):
        item = struct.unpack(">e", bits.to_bytes(2, "big"))[0]
        assert cbor.encode(item) == cbor2.dumps(item, canonical=True), item


def test_utf8_check_of_micropython() -> None:
    # All that MicroPython's own decoder lets pass differs in the first two octets only.
    for first in range(0xC0, 0xF8):
        more = 1 if first < 0xE0 else 2 if first < 0xF0 else 3
        for second in range(0x80, 0xC0):
            octets = bytes((first, second)) + b"\xbf" * (more - 1)
            try:
                octets.decode()
                expected = True
            except UnicodeDecodeError:
                expected = False
            for before, after in (("", ""), ("a", "\u00e9"), ("\U0010ffff", "b")):
                whole = before.encode() + octets + after.encode()
                assert cborrare.is_utf8(whole) == expected, octets


class Level(enum.IntEnum):
    HIGH = 1000


class Word(enum.StrEnum):
    ONE = "one"


class Mixed(str, enum.Enum):  # noqa: UP042 - str() of it is not its value
    TWO = "two"


def test_types_of_cpython() -> None:
    for item, plain in (
        (Level.HIGH, 1000),
        (Word.ONE, "one"),
        (Mixed.TWO, "two"),
        ({Word.ONE: Level.HIGH}, {"one": 1000}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(int, b=1, a=2), {"b": 1, "a": 2}),
        (memoryview(b"abcdef")[::2], b"ace"),
        (memoryview(b"\0\1\0\2").cast("H"), b"\0\1\0\2"),
    ):
        assert cbor.encode(item) == cbor.encode(plain) == cbor2.dumps(plain)
    for wrong in ({1}, 1j, object(), range(2), iter([]), cbor2.CBORTag(1, 2), Level):
        with pytest.raises(LocalProtocolError, match=type(wrong).__name__):
            cbor.encode([wrong])


def damaged(source: random.Random, octets: bytes) -> bytes:
    data = bytearray(octets)
    for _ in range(source.randrange(1, 4)):
        i = source.randrange(len(data) + 1)
        which = source.randrange(5)
        if which == 0:
            del data[i:]
        elif which == 1:
            del data[i : i + source.randrange(1, 4)]
        elif which == 2:
            data.insert(i, source.randrange(256))
        elif which == 3:
            data[i:i] = data[source.randrange(len(data) + 1) :][:20]
        elif i < len(data):
            data[i] ^= 1 << source.randrange(8)
    return bytes(data)


# What we refuse and cbor2 takes, by the words of our message.
STRICTER = ("after the end", "nested too deeply", "as key")


def plain(item: Any) -> Any:
    """cbor2's value as ours: simple values and undefined are None."""
    if isinstance(item, list):
        return [plain(x) for x in item]
    if isinstance(item, dict):
        return {plain(k): plain(v) for k, v in item.items()}
    if isinstance(item, cbor2.CBORSimpleValue) or item is cbor2.undefined:
        return None
    return item


def test_damaged_octets() -> None:
    source = random.Random(2026)
    both = 0
    for _ in range(10 * ROUNDS):
        item = value(source, 3)
        data = damaged(source, cbor2.dumps(item, indefinite_containers=source.randrange(2) == 1))
        if any(0xC0 <= octet < 0xE0 for octet in data):
            continue  # perhaps a tag, which cbor2 interprets and we pass over
        try:
            ours = cbor.decode(data)
        except RemoteProtocolError as e:
            if not any(words in str(e) for words in STRICTER):
                with pytest.raises(cbor2.CBORDecodeError):
                    cbor2.loads(data)
        else:
            assert same(ours, plain(cbor2.loads(data))), data.hex()
            both += 1
    assert both > 2000
