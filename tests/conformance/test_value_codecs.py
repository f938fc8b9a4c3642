"""Our codecs of plain values, UBJSON, FlexBuffers and CBOR out, against tables and libraries."""

from __future__ import annotations

import collections
import datetime
import enum
import json
import math
import random
import uuid
from decimal import Decimal
from typing import Any

import cbor2
import pytest
from autobahn_side import ask
from corpus import MESSAGES
from flatbuffers import flexbuffers

from microwamp.exception import ProtocolError
from microwamp.message import Message
from microwamp.serializer import JsonObjectSerializer, cborwriter, flexbufferscodec
from microwamp.serializer.limits import DEPTH
from microwamp.serializer.ubjsoncodec import FORMS, Codec

# Value, and its octets as we write them: BJData, UBJSON.
WRITTEN: list[tuple[Any, bytes, bytes]] = [
    (None, b"Z", b"Z"),
    (True, b"T", b"T"),
    (False, b"F", b"F"),
    (0, b"U\x00", b"U\x00"),
    (255, b"U\xff", b"U\xff"),
    (256, b"u\x00\x01", b"I\x01\x00"),
    (-1, b"i\xff", b"i\xff"),
    (-128, b"i\x80", b"i\x80"),
    (-129, b"I\x7f\xff", b"I\xff\x7f"),
    (-32769, b"l\xff\x7f\xff\xff", b"l\xff\xff\x7f\xff"),
    (65535, b"u\xff\xff", b"l\x00\x00\xff\xff"),
    (65536, b"m\x00\x00\x01\x00", b"l\x00\x01\x00\x00"),
    (2**31, b"m\x00\x00\x00\x80", b"L\x00\x00\x00\x00\x80\x00\x00\x00"),
    (2**32, b"M\x00\x00\x00\x00\x01\x00\x00\x00", b"L\x00\x00\x00\x01\x00\x00\x00\x00"),
    (2**53, b"M\x00\x00\x00\x00\x00\x00\x20\x00", b"L\x00\x20\x00\x00\x00\x00\x00\x00"),
    (-(2**63), b"L" + bytes(7) + b"\x80", b"L\x80" + bytes(7)),
    (2**63, b"M" + bytes(7) + b"\x80", b"HU\x139223372036854775808"),
    (2**64, b"HU\x1418446744073709551616", b"HU\x1418446744073709551616"),
    (-(2**63) - 1, b"HU\x14-9223372036854775809", b"HU\x14-9223372036854775809"),
    (0.5, b"D" + bytes(6) + b"\xe0\x3f", b"D\x3f\xe0" + bytes(6)),
    (Decimal("1.50"), b"HU\x041.50", b"HU\x041.50"),
    ("", b"SU\x00", b"SU\x00"),
    ("a", b"Ca", b"Ca"),
    ("\u00e9", b"SU\x02\xc3\xa9", b"SU\x02\xc3\xa9"),
    ("x" * 300, b"Su\x2c\x01" + b"x" * 300, b"SI\x01\x2c" + b"x" * 300),
    (b"", b"[$B#U\x00", b"[$U#U\x00"),
    (b"\x00\xff", b"[$B#U\x02\x00\xff", b"[$U#U\x02\x00\xff"),
    ([], b"[]", b"[]"),
    ([1, [2]], b"[U\x01[U\x02]]", b"[U\x01[U\x02]]"),
    ({}, b"{}", b"{}"),
    ({"a": {"": 1}}, b"{U\x01a{U\x00U\x01}}", b"{U\x01a{U\x00U\x01}}"),
]
# Octets that others may write, and what they mean: (form or None for both, octets, value).
READ: list[tuple[str | None, bytes, Any]] = [
    (None, b"[#U\x02U\x01T", [1, True]),
    (None, b"[$i#U\x03\x01\xff\x80", [1, -1, -128]),
    (None, b"[$S#U\x02U\x01aU\x00", ["a", ""]),
    (None, b"[$[#U\x02]U\x01]", [[], [1]]),
    (None, b"[$Z#U\x03", [None, None, None]),
    (None, b"[$T#U\x02", [True, True]),
    (None, b"[$C#U\x02ab", ["a", "b"]),
    (None, b"{#U\x01U\x01aZ", {"a": None}),
    (None, b"{$U#U\x02U\x01a\x01U\x01b\x02", {"a": 1, "b": 2}),
    (None, b"{U\x01aU\x01U\x01aU\x02}", {"a": 2}),
    (None, b"{i\x01aT}", {"a": True}),
    (None, b"Si\x01a", "a"),
    (None, b"N[NU\x01NN]", [1]),
    (None, b"{NU\x01aNTN}", {"a": True}),
    (None, b"HU\x0212", 12),
    (None, b"HU\x031e2", Decimal("1E+2")),
    (None, b"i\x80", -128),
    ("bjdata", b"[$B#i\x02ab", b"ab"),
    ("bjdata", b"[$U#U\x02ab", [97, 98]),
    ("bjdata", b"[$u#u\x02\x00\x01\x00\x02\x00", [1, 2]),
    ("bjdata", b"[$U#[U\x02U\x03]\x01\x02\x03\x04\x05\x06", [[1, 2, 3], [4, 5, 6]]),
    ("bjdata", b"[$B#[$U#U\x02\x01\x02ab", [[97, 98]]),
    ("bjdata", b"h\x00\x3c", 1.0),
    ("bjdata", b"d\x00\x00\x80\x3f", 1.0),
    ("bjdata", b"B\x07", 7),
    ("ubjson", b"[$U#U\x02ab", b"ab"),
    ("ubjson", b"[$I#U\x02\x00\x01\xff\xff", [1, -1]),
    ("ubjson", b"d\x3f\x80\x00\x00", 1.0),
    ("ubjson", b"l\x00\x00\x00\x05", 5),
]


@pytest.mark.parametrize("value, bjdata, ubjson", WRITTEN, ids=lambda x: f"{x!r:.30}")
def test_ubjson_both_ways(value: Any, bjdata: bytes, ubjson: bytes) -> None:
    for form, octets in (("bjdata", bjdata), ("ubjson", ubjson)):
        codec = Codec(form)
        assert codec.encode(value) == octets
        found = codec.decode(octets)
        assert found == value and type(found) is type(value)


@pytest.mark.parametrize("form, octets, value", READ, ids=lambda x: f"{x!r:.40}")
def test_ubjson_of_others(form: str | None, octets: bytes, value: Any) -> None:
    for known in FORMS if form is None else (form,):
        assert Codec(known).decode(octets) == value


def test_ubjson_forms() -> None:
    with pytest.raises(ValueError, match="unknown form 'bson' of UBJSON, known: bjdata, ubjson"):
        Codec("bson")
    assert Codec().form == "bjdata"


class Text(str):
    pass


class Level(int):
    pass


def test_ubjson_of_subclasses_and_tuples() -> None:
    codec = Codec()
    value = (Text("ab"), Level(5), {"k": (1,)})
    assert codec.decode(codec.encode(value)) == ["ab", 5, {"k": [1]}]
    for wrong in ({1: 2}, object(), {"k": {1}}):
        with pytest.raises(TypeError):
            codec.encode(wrong)
    with pytest.raises(UnicodeEncodeError):
        codec.encode("\ud800")


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_depth() -> None:
    for encode, decode in (
        (Codec().encode, Codec().decode),
        (Codec("ubjson").encode, Codec("ubjson").decode),
        (flexbufferscodec.encode, flexbufferscodec.decode),
    ):
        assert decode(encode(nested(DEPTH))) == nested(DEPTH)
        with pytest.raises(ValueError, match=f"deeper than {DEPTH}"):
            encode(nested(DEPTH + 1))
    with pytest.raises(ProtocolError, match=f"deeper than {DEPTH}"):
        Codec().decode(b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1))
    out = bytes(flexbuffers.Dumps(nested(DEPTH + 1)))
    with pytest.raises(ProtocolError, match=f"deeper than {DEPTH}"):
        flexbufferscodec.decode(out)


def test_depth_of_json() -> None:
    """It is counted in the text: brackets within strings are none, whatever is escaped there."""
    reader = JsonObjectSerializer()
    marks = ["[" * 100, '"]' * 100, "{\\" * 100, '\\"{' * 100]
    for levels in (DEPTH, DEPTH + 1):
        texts: Any = [marks, {mark: mark for mark in marks}]
        for level in range(levels - 2):
            texts = {"[": texts} if level % 2 else ["{", texts]
        if levels == DEPTH:
            assert reader.unpack(json.dumps(texts).encode()) == texts
        else:
            with pytest.raises(ProtocolError, match=f"deeper than {DEPTH}"):
                reader.unpack(json.dumps(texts).encode())


def value(source: random.Random, depth: int, bits: int) -> Any:
    which = source.randrange(9 if depth else 6)
    if which == 0:
        return source.choice((None, True, False))
    if which < 3:
        return source.choice((1, -1)) * source.getrandbits(source.randrange(1, bits))
    if which == 3:
        return source.uniform(-1e6, 1e6)
    length = source.choice((0, 1, 2, 7, 255, 256, 300))
    if which == 4:
        return "".join(source.choices("ab\u00e9\U0001f600", k=length))
    if which == 5:
        return source.randbytes(source.choice((length, length, 70_000 if depth else 3)))
    if which < 8:
        return [value(source, depth - 1, bits) for _ in range(source.randrange(6))]
    return {
        "".join(source.choices("abcdef", k=source.randrange(1, 6))): value(source, depth - 1, bits)
        for _ in range(source.randrange(6))
    }


@pytest.mark.parametrize("form", FORMS)
def test_random_values_in_ubjson(form: str) -> None:
    source = random.Random(f"ubjson {form}")
    codec = Codec(form)
    for _ in range(1500):
        item = value(source, 4, 80)
        assert codec.decode(codec.encode(item)) == item


def test_bjdata_against_autobahn() -> None:
    """autobahn's package for BJData writes the same octets, and reads ours."""
    source = random.Random("bjdata")
    codec = Codec("bjdata")
    items = [value(source, 3, 62) for _ in range(300)]
    packed = ask({"op": "pack", "serializer": "ubjson", "value": item} for item in items)
    ours = [codec.encode(item) for item in items]
    assert [answer["octets"] for answer in packed] == [octets.hex() for octets in ours]
    read = ask({"op": "unpack", "serializer": "ubjson", "octets": x.hex()} for x in ours)
    assert [answer["value"] for answer in read] == items


def test_flexbuffers_against_the_library() -> None:
    source = random.Random("flexbuffers")
    for _ in range(1500):
        item = value(source, 4, 62)
        octets = flexbufferscodec.encode(item)
        assert flexbufferscodec.decode(octets) == item
        assert flexbuffers.Loads(octets) == item
        assert flexbufferscodec.decode(bytes(flexbuffers.Dumps(item))) == item


def test_flexbuffers_types_that_we_do_not_write() -> None:
    def build(fill: Any) -> bytes:
        builder = flexbuffers.Builder()
        fill(builder)
        return bytes(builder.Finish())

    cases: list[tuple[Any, Any]] = [
        (lambda b: b.TypedVectorFromElements([1, -2, 300]), [1, -2, 300]),
        (lambda b: b.TypedVectorFromElements([1.5, 2.25]), [1.5, 2.25]),
        (lambda b: b.TypedVectorFromElements([True, False]), [True, False]),
        (lambda b: b.TypedVectorFromElements(["a", "bc"]), ["a", "bc"]),
        (lambda b: b.FixedTypedVectorFromElements([1, -2, 3]), [1, -2, 3]),
        (lambda b: b.FixedTypedVectorFromElements([1.5, 2.5]), [1.5, 2.5]),
        (lambda b: b.IndirectInt(-(2**40)), -(2**40)),
        (lambda b: b.IndirectUInt(2**63), 2**63),
        (lambda b: b.IndirectFloat(0.1), 0.1),
        (lambda b: b.Float(0.5, 4), 0.5),
        (lambda b: b.UInt(200), 200),
        (lambda b: b.Key("key"), "key"),
    ]
    for fill, expected in cases:
        assert flexbufferscodec.decode(build(fill)) == expected


def test_flexbuffers_limits() -> None:
    for number in (2**63 - 1, 2**63, 2**64 - 1, -(2**63)):
        assert flexbufferscodec.decode(flexbufferscodec.encode([number])) == [number]
    for wrong in (2**64, -(2**63) - 1, {"a\0b": 1}):
        with pytest.raises(ValueError):
            flexbufferscodec.encode([wrong])
    for odd in ({1: 2}, object(), {1, 2}):
        with pytest.raises(TypeError):
            flexbufferscodec.encode([odd])


def test_flexbuffers_mutated() -> None:
    source = random.Random("flexbuffers, mutated")
    start = [flexbufferscodec.encode(value(source, 4, 62)) for _ in range(200)]
    start += [bytes(flexbuffers.Dumps(flexbufferscodec.decode(octets))) for octets in start]
    for _ in range(6000):
        octets = bytearray(source.choice(start)[-2000:])
        for _ in range(source.choice((1, 2, 4))):
            octets[source.randrange(len(octets))] = source.choice(
                (0, 1, 255, source.getrandbits(8))
            )
        try:
            flexbufferscodec.decode(bytes(octets))
        except ProtocolError:
            pass


def test_flexbuffers_truncated() -> None:
    source = random.Random("flexbuffers, truncated")
    for _ in range(40):
        octets = flexbufferscodec.encode([value(source, 3, 62)])
        for start in range(0, len(octets), 1 + len(octets) // 200):
            try:
                flexbufferscodec.decode(octets[start:])
                flexbufferscodec.decode(octets[:start])
            except ProtocolError:
                pass


# --- CBOR, out -----------------------------------------------------------------------------------


class Colour(enum.IntEnum):
    RED = 300


BORDERS = [s * (1 << b) + o for b in (0, 5, 8, 16, 32, 53, 63, 64, 65) for s in (1, -1)
           for o in (-1, 0, 1)]  # fmt: skip
UNUSUAL: list[Any] = [
    *BORDERS,
    *(math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 1e308),
    *("x" * n for n in (0, 1, 23, 24, 64, 65, 255, 256, 65_536)),
    *(bytes(n) for n in (0, 23, 24, 255, 256, 65_536)),
    *([None] * n for n in (23, 24, 255, 256, 65_536)),
    {str(n): n for n in range(300)},
    {1: 2, b"k": [3], (1, 2): {}, None: True, 1.5: "x"},
    *(bytearray(b"ab"), memoryview(b"cd"), ("t", ("u",)), {1, 2}, frozenset("a")),
    *(Decimal("1.5"), uuid.UUID(int=7), datetime.date(2026, 11, 22), Text("text"), Level(7)),
    datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC),
    *(collections.OrderedDict(b=1, a=2), collections.deque([1, [2]]), Colour.RED),
    cbor2.undefined,
    cbor2.CBORTag(1000, "x"),
]


def test_cbor_is_what_cbor2_writes() -> None:
    for item in UNUSUAL:
        for wrapped in (item, [item], {"k": item}, [{"k": [item, 1]}]):
            assert cborwriter.encode(wrapped) == cbor2.dumps(wrapped), f"{item!r:.40}"


def test_random_values_in_cbor() -> None:
    source = random.Random("cborwriter")
    for _ in range(2000):
        item = value(source, 4, 80)
        assert cborwriter.encode(item) == cbor2.dumps(item)


def test_more_texts_than_are_kept() -> None:
    for n in range(3 * 1024):
        item = {f"key {n}": f"text {n}"}
        assert cborwriter.encode(item) == cbor2.dumps(item)


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_straight_to_cbor(name: str) -> None:
    """The octets of the list, up to the order of options."""
    message = Message.parse(MESSAGES[name])
    octets = cborwriter.encode_message(message)
    listed = cbor2.dumps(message.marshal())
    assert sorted(octets) == sorted(listed) and cbor2.loads(octets) == cbor2.loads(listed)


def test_messages_with_unusual_payloads() -> None:
    for wmsg in (
        [48, 300, {}, "a.b", [1] * 300],
        [48, 70_000, {"x_more": [1]}, "a.b", [], {"k": 1}],
        [16, 1, {"exclude": [2**40], "disclose_me": False}, "a" * 300, [nested(DEPTH - 2)]],
        [36, 1, 2**53, {"trustlevel": 0, "topic": "a.b"}],
    ):
        message = Message.parse(wmsg)
        assert cbor2.loads(cborwriter.encode_message(message)) == wmsg
    for wrong in (
        [48, 1, {}, "a.b", [nested(DEPTH - 1)]],
        [48, 1, {}, "a.b", [], {"k": nested(63)}],
    ):
        with pytest.raises(ValueError, match="deeper"):
            cborwriter.encode_message(Message.parse(wrong))
        with pytest.raises(ValueError, match="deeper"):
            cborwriter.encode(wrong)
