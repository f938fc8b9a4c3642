"""Serializers: names and numbers, batches, statistics, errors, conventions of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from covering import covers

from microwamp import serializer
from microwamp.exception import ProtocolError, SerializationError
from microwamp.interfaces import IObjectSerializer, ISerializer
from microwamp.message import MESSAGE_TYPE_MAP, Call, Message, Publish, Published
from microwamp.serializer import (
    CBORObjectSerializer,
    CBORSerializer,
    FlatBuffersSerializer,
    JsonObjectSerializer,
    JsonSerializer,
    MsgPackSerializer,
    Serializer,
    UBJSONSerializer,
    create_object_serializer,
    create_transport_serializer,
    create_transport_serializers,
)

# Class, SERIALIZER_ID, RAWSOCKET_SERIALIZER_ID, MIME_TYPE, binary.
FORMATS = [
    (JsonSerializer, "json", 1, "application/json", False),
    (MsgPackSerializer, "msgpack", 2, "application/x-msgpack", True),
    (CBORSerializer, "cbor", 3, "application/cbor", True),
    (UBJSONSerializer, "ubjson", 4, "application/ubjson", True),
    (FlatBuffersSerializer, "flatbuffers", 5, "application/x-flatbuffers", True),
]
NAMES = [name for _, name, *_ in FORMATS]
FIRST = Publish(1, "com.example.topic", args=[1, b"\0"], kwargs={"k": None})
SECOND = Published(1, 2**53)


@covers(
    "serializer.*Serializer",
    "serializer.*Serializer.*_ID",
    "serializer.*Serializer.MIME_TYPE",
    "serializer.*Serializer.BINARY",
)
@pytest.mark.parametrize("klass, name, number, mime, binary", FORMATS)
def test_names_and_numbers(
    klass: type[Serializer], name: str, number: int, mime: str, binary: bool
) -> None:
    plain: Any = klass
    assert (klass.SERIALIZER_ID, klass.RAWSOCKET_SERIALIZER_ID) == (name, number)
    assert klass.MIME_TYPE == mime
    assert plain().SERIALIZER_ID == name
    assert plain(batched=True).SERIALIZER_ID == f"{name}.batched"
    assert type(create_transport_serializer(name)) is klass
    batched = create_transport_serializer(f"{name}.batched")
    assert batched.SERIALIZER_ID == f"{name}.batched"
    assert batched.RAWSOCKET_SERIALIZER_ID == number
    assert plain().serialize(SECOND)[1] is binary
    assert plain()._serializer.NAME == name and plain()._serializer.BINARY is binary
    payload = "cbor" if name == "flatbuffers" else name
    assert plain().PAYLOAD_SERIALIZER_ID == payload
    octets = plain().serialize_payload([1, "a"])
    assert create_object_serializer(payload).unserialize(octets) == [[1, "a"]]


@covers("serializer.Serializer.MESSAGE_TYPE_MAP")
def test_message_type_map() -> None:
    assert Serializer.MESSAGE_TYPE_MAP is MESSAGE_TYPE_MAP
    assert CBORSerializer().MESSAGE_TYPE_MAP is MESSAGE_TYPE_MAP
    assert {code: klass.MESSAGE_TYPE for code, klass in MESSAGE_TYPE_MAP.items()} == {
        code: code for code in MESSAGE_TYPE_MAP
    }


def test_they_are_what_the_interfaces_describe() -> None:
    for name in NAMES:
        found = create_transport_serializer(name)
        kinds: list[Any] = [type(found), type(found._serializer)]
        assert issubclass(kinds[0], ISerializer) and issubclass(kinds[1], IObjectSerializer)


@pytest.mark.parametrize("name", ["", "xml", "cbor.", "cbor.fast", "cbor.batched.x", "CBOR"])
def test_unknown_serializers(name: str) -> None:
    with pytest.raises(ValueError, match="unknown serializer"):
        create_transport_serializer(name)


def test_serializers_of_a_transport() -> None:
    transport = SimpleNamespace(serializers=["cbor.batched", "json"])
    found = create_transport_serializers(transport)
    assert [x.SERIALIZER_ID for x in found] == transport.serializers


def test_names_of_the_module() -> None:
    for name in serializer.__all__:
        assert getattr(serializer, name).__name__ == name
        assert name in dir(serializer)
    with pytest.raises(AttributeError, match="XmlSerializer"):
        serializer.XmlSerializer  # noqa: B018


@covers("serializer.Serializer.unserialize")
@pytest.mark.parametrize("name", NAMES)
def test_messages_that_are_no_messages(name: str) -> None:
    found = create_transport_serializer(name)
    with pytest.raises(ProtocolError, match="frame"):
        found.unserialize(found.serialize(SECOND)[0], not found.serialize(SECOND)[1])
    values: list[Any] = [[], {}, 7, "text", None, [999], ["48"], [True, {}], [[48]], [48.0]]
    if name != "flatbuffers":
        pack = create_object_serializer(name).pack
        for value in values:
            with pytest.raises(ProtocolError):
                found.unserialize(pack(value))
    assert found.stats_messages() == 2  # what failed is not counted


class Odd:
    pass


@covers("serializer.Serializer.serialize")
@pytest.mark.parametrize("name", [*NAMES, "flexbuffers"])
def test_values_that_cannot_be_serialized(name: str) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    round_trip: list[Any] = []
    round_trip.append(round_trip)
    for value in (Odd(), deep, round_trip):
        if name == "flexbuffers":
            with pytest.raises((TypeError, ValueError)):
                create_object_serializer(name).serialize([value])
            continue
        with pytest.raises(SerializationError, match="Call as"):
            create_transport_serializer(name).serialize(Call(1, "com.example", args=[value]))
    while deep:
        deep = deep.pop()
    round_trip.clear()


@pytest.mark.parametrize("name", NAMES)
def test_batches(name: str) -> None:
    found = create_transport_serializer(f"{name}.batched")
    one, _ = found.serialize(FIRST)
    other, _ = found.serialize(SECOND)
    assert found.unserialize(one) == [FIRST]
    assert found.unserialize(one + other + one) == [FIRST, SECOND, FIRST]
    for broken in (b"", one[:-1], one + other[:-1], one + b"\0\0\0", one + b"\0\0\0\1", b"\x1e"):
        with pytest.raises(ProtocolError):
            found.unserialize(broken)


def test_separators_of_json() -> None:
    found = JsonSerializer(batched=True)
    one, other = found.serialize(FIRST)[0], found.serialize(SECOND)[0]
    assert one.endswith(b"]\x1e") and one.count(b"\x1e") == 1
    assert found.unserialize(one[:-1] + b"\x18" + other) == [FIRST, SECOND]


class Foreign:
    """What the interface asks for, and nothing else."""

    NAME = "json"
    BINARY = False

    def serialize(self, obj: Any) -> bytes:
        return json.dumps(obj).encode()

    def unserialize(self, payload: bytes) -> list[Any]:
        return [json.loads(line) for line in payload.splitlines()]


class ForeignSerializer(Serializer):
    SERIALIZER_ID = "foreign"


def test_a_foreign_object_serializer() -> None:
    foreign: Any = Foreign()
    found = ForeignSerializer(foreign)
    octets, binary = found.serialize(SECOND)
    assert (octets, binary) == (b"[17, 1, 9007199254740992]", False)
    assert found.SERIALIZER_ID == "foreign"
    assert found.unserialize(octets + b"\n" + octets) == [SECOND, SECOND]
    assert found.stats_messages() == 3
    for broken in (b"x", b"[]", b"{}", b"[999]"):
        with pytest.raises(ProtocolError):
            found.unserialize(broken)


# --- statistics ----------------------------------------------------------------------------------


@covers("serializer.Serializer.stats", "serializer.Serializer.stats_*")
def test_statistics() -> None:
    found = JsonSerializer()
    octets, _ = found.serialize(SECOND)
    size = len(octets)
    long = Publish(1, "com.example", args=["x" * 600])
    large, _ = found.serialize(long)
    for _ in range(3):
        found.unserialize(octets)
    assert found.RATED_MESSAGE_SIZE == 512
    assert found.stats_bytes() == 4 * size + len(large)
    assert found.stats_messages() == 5
    assert found.stats_rated_messages() == 6  # 512 < len(large) <= 1024
    since = found.stats_reset()
    details = found.stats(reset=False, details=True)
    assert details.pop("duration") >= 0
    assert details == {
        "cycle": 1,
        "serializer": "json",
        "timestamp": since,
        "serialized": {"bytes": size + len(large), "messages": 2, "rated_messages": 3},
        "unserialized": {"bytes": 3 * size, "messages": 3, "rated_messages": 3},
    }
    whole = found.stats()
    assert whole.pop("duration") >= 0
    assert whole == {
        "cycle": 2,
        "serializer": "json",
        "timestamp": since,
        "bytes": 4 * size + len(large),
        "messages": 5,
        "rated_messages": 6,
    }
    assert found.stats_reset() >= since
    assert (found.stats_bytes(), found.stats_messages(), found.stats_rated_messages()) == (0,) * 3


@covers("serializer.Serializer.RATED_MESSAGE_SIZE")
def test_rated_messages_are_rounded_up() -> None:
    found = CBORSerializer()
    for size, rated in ((512, 1), (513, 2), (1024, 2), (1025, 3)):
        message = Publish(1, "com.example", args=[b""])
        message.args = [bytes(size - len(found.serialize(message)[0]) - 2)]
        message.uncache()
        found.stats()
        assert len(found.serialize(message)[0]) == size
        assert found.stats_rated_messages() == rated


@covers("serializer.Serializer.set_stats_autoreset")
def test_auto_reset_after_rated_messages() -> None:
    found = CBORSerializer()
    seen: list[dict[str, Any]] = []
    assert found.set_stats_autoreset(3, None, seen.append) is None
    octets, _ = found.serialize(SECOND)
    found.unserialize(octets)
    assert not seen
    found.unserialize(octets)
    assert [x["rated_messages"] for x in seen] == [3]
    assert found.stats_rated_messages() == 0
    for _ in range(7):
        found.unserialize(octets)
    assert [x["rated_messages"] for x in seen] == [3, 3, 3]
    assert [x["cycle"] for x in seen] == [1, 2, 3]


def test_auto_reset_after_a_time_and_at_once() -> None:
    found = CBORSerializer()
    seen: list[dict[str, Any]] = []
    octets, _ = found.serialize(SECOND)
    assert found.set_stats_autoreset(None, 1, seen.append, reset_now=True) == seen[0]
    assert seen[0]["messages"] == 1
    found.unserialize(octets)  # more than a nanosecond has passed
    assert [x["messages"] for x in seen] == [1, 1]
    found.set_stats_autoreset(None, 3_600_000_000_000, seen.append)
    found.unserialize(octets)
    assert len(seen) == 2


@pytest.mark.parametrize(
    "rated, duration, callback",
    [(None, None, print), (0, None, print), (None, -1, print), ("5", None, print), (5, None, 7)],
)
def test_auto_reset_refuses(rated: Any, duration: Any, callback: Any) -> None:
    with pytest.raises(ValueError, match="rated_messages|duration|callback"):
        CBORSerializer().set_stats_autoreset(rated, duration, callback)


# --- JSON ----------------------------------------------------------------------------------------


def test_octets_in_json() -> None:
    found = JsonObjectSerializer()
    octets = bytes.fromhex("10e3ff9053075c526f5fc06d4fe37cdb")  # the specification's example
    assert found.serialize([octets]) == b'["\\u0000EOP/kFMHXFJvX8BtT+N82w=="]'
    value = {"a": [octets, {"b": b""}], "c": "plain", "\0key": bytearray(b"x")}
    assert found.unserialize(found.serialize(value)) == [value]
    assert found.unserialize(b'["a\\u0000b", "\\\\u0000AQ=="]') == [["a\0b", "\\u0000AQ=="]]
    for broken in (b'["\\u0000*"]', b'["\\u0000AQ="]', b'["\\u0000A"]', b'["\\u0000AQ==\\n"]'):
        with pytest.raises(ProtocolError, match=r"base64|Base64"):
            found.unserialize(broken)


def test_text_that_json_cannot_carry() -> None:
    found = JsonObjectSerializer()
    for value in (["\0text"], [{"k": ("\0",)}], [b"octets", "\0"]):
        with pytest.raises(ValueError, match=r"U\+0000"):
            found.serialize(value)
    assert found.unserialize(found.serialize(['a"\0'])) == [['a"\0']]
    with pytest.raises(SerializationError, match=r"U\+0000"):
        JsonSerializer().serialize(Call(1, "com.example", args=["\0"]))


def test_octets_as_hexadecimal_digits() -> None:
    found = JsonObjectSerializer(use_binary_hex_encoding=True)
    assert found.serialize([b"\x00\xff", "\0"]) == b'["0x00ff","\\u0000"]'
    assert found.unserialize(b'["0x00ff", "0x", "0xyz", "\\u0000AQ=="]') == [
        [b"\x00\xff", b"", "0xyz", "\0AQ=="]
    ]
    wamp = JsonSerializer(use_binary_hex_encoding=True)
    message = Call(1, "com.example", args=[b"\x01"])
    assert wamp.serialize(message)[0] == b'[48,1,{},"com.example",["0x01"]]'
    assert wamp.unserialize(wamp.serialize(message)[0]) == [message]


def test_decimals_in_json() -> None:
    found = JsonObjectSerializer(use_decimal_from_str=True)
    number = Decimal("100000000000000000000000000.5")
    assert found.serialize([number]) == b'["100000000000000000000000000.5"]'
    assert found.unserialize(found.serialize([number])) == [[number]]
    assert found.unserialize(b'["1E5", "-0.1", "E", "--1", "1a", "", 2.5]') == [
        [Decimal("1E5"), Decimal("-0.1"), "E", "--1", "1a", "", 2.5]
    ]
    assert JsonObjectSerializer().unserialize(b'["1.5"]') == [["1.5"]]
    (value,) = JsonObjectSerializer(use_decimal_from_float=True).unserialize(b"[1.10]")
    assert value == [Decimal("1.10")] and str(value[0]) == "1.10"
    wamp = JsonSerializer(use_decimal_from_str=True)
    message = Call(1, "com.example", args=[Decimal("1.5")])
    assert wamp.unserialize(wamp.serialize(message)[0]) == [message]


def test_what_is_no_json() -> None:
    found = JsonObjectSerializer()
    for value in (float("nan"), float("inf"), {1: Odd()}):
        with pytest.raises((ValueError, TypeError)):
            found.serialize([value])


# --- CBOR ----------------------------------------------------------------------------------------


@covers("serializer.CBORObjectSerializer", "serializer.CBORObjectSerializer.*serialize")
def test_decimals_in_cbor() -> None:
    value = [Decimal("273.15"), Decimal("-1E-50"), Decimal(10**40)]
    found = CBORObjectSerializer()
    assert found.serialize([Decimal("273.15")]).hex() == "81c48221196ab3"  # RFC 8949, 3.4.4
    assert found.unserialize(found.serialize(value)) == [value]


def test_what_is_tagged_in_cbor_is_of_ordinary_types() -> None:
    """Lists and dictionaries that others can change and send on; keys that cannot be changed."""
    found = CBORObjectSerializer()
    cases = {
        "d9d9f6a1616181f6": {"a": [None]},  # a tag that nobody knows
        "d9d9f681d9d9f681f7": [[None]],
        "d9d9f7a10102": {1: 2},  # "this is CBOR"
        "81d9d9f781a16161d9d9f680": [[{"a": []}]],
        "a1d9d9f6810102": {(1,): 2},
    }
    for octets, value in cases.items():
        (read,) = found.unserialize(bytes.fromhex(octets))
        assert read == value and repr(read) == repr(value), octets


# --- the payload of FlatBuffers ------------------------------------------------------------------


@pytest.mark.parametrize("payload", ["cbor", "json", "msgpack", "ubjson", "flexbuffers"])
def test_payload_serializers(payload: str) -> None:
    found = FlatBuffersSerializer(payload_serializer=payload)
    assert found.PAYLOAD_SERIALIZER_ID == payload
    octets, _ = found.serialize(FIRST)
    assert create_object_serializer(payload).serialize(FIRST.args) in octets
    assert found.unserialize(octets) == [FIRST]
    passed = Publish(1, "com.example", payload=b"\0\1", enc_algo="x_mine")
    assert found.unserialize(found.serialize(passed)[0]) == [passed]


def test_unknown_payload_serializer() -> None:
    with pytest.raises(ValueError, match="unknown serializer 'xml', known: json"):
        FlatBuffersSerializer(payload_serializer="xml")


# --- what is loaded ------------------------------------------------------------------------------

LIBRARIES = ("cbor2", "msgpack", "flatbuffers", "json", "decimal", "asyncio", "pydoc")


@pytest.mark.parametrize(
    "name, needed",
    [
        ("Serializer", set()),
        ("JsonSerializer", {"json", "decimal"}),
        ("MsgPackSerializer", {"msgpack"}),
        ("CBORSerializer", {"cbor2"}),
        ("UBJSONSerializer", {"decimal"}),
        ("FlatBuffersSerializer", {"cbor2"}),
    ],
)
def test_a_serializer_loads_its_own_library_only(name: str, needed: set[str]) -> None:
    program = (
        f"import sys; before = set(sys.modules); from microwamp.serializer import {name}\n"
        f"print(*({set(LIBRARIES)!r} & set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, text=True, stdout=subprocess.PIPE
    )
    # cbor2 itself loads what it needs: decimal, json (for email), ...
    ours = {"cbor2", "msgpack", "flatbuffers", "asyncio", "pydoc"}
    found = set(done.stdout.split())
    assert found & ours == needed & ours
    if name in ("Serializer", "MsgPackSerializer"):
        assert "json" not in found


def test_messages_of_one_serializer_in_another() -> None:
    """The router's case: what came in one format goes out in another."""
    for first in NAMES:
        for second in NAMES:
            one, other = create_transport_serializer(first), create_transport_serializer(second)
            (found,) = one.unserialize(one.serialize(FIRST)[0])
            assert isinstance(found, Message)
            (again,) = other.unserialize(other.serialize(found)[0])
            assert again == FIRST
