"""Octets that are no messages: one ProtocolError each, in bounded memory, in every serializer."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus import MESSAGES

from microwamp.exception import ProtocolError
from microwamp.message import Message
from microwamp.serializer import (
    FlatBuffersSerializer,
    Serializer,
    UBJSONSerializer,
    create_transport_serializer,
)

NAMES = ("json", "msgpack", "cbor", "bjdata", "ubjson", "flatbuffers")
ROUNDS = 3000


def make(name: str, batched: bool = False) -> Serializer:
    if name in ("bjdata", "ubjson"):
        return UBJSONSerializer(batched, form=name)
    return create_transport_serializer(name + (".batched" if batched else ""))


def refused(serializer: Serializer, octets: bytes) -> str:
    """The text of the ProtocolError that these octets raise."""
    with pytest.raises(ProtocolError) as caught:
        serializer.unserialize(octets)
    text = str(caught.value)
    assert text and len(text) < 400
    return text


# --- malformed -----------------------------------------------------------------------------------

DEEP = 100_000
MALFORMED: dict[str, list[bytes]] = {
    "json": [
        b"",
        b"[",
        b"[48,1,{},",
        b"[48,1,{},'a.b']",
        b'[48,1,{},"a.b"]]',
        b'[48,1,{},"a.b"] 1',
        b"\xff\xfe[\x00]\x00",
        '[48,1,{},"a.b"]'.encode("utf-16"),
        '[48,1,{},"a.b"]'.encode("utf-32"),
        b'[48,1,{},"a\x00b"]',
        b'[48,1,{},"a.b",["\xc3\x28"]]',
        b'[48,1,{},"a.b",["\\ud800"]]',
        b'[48,1,{},"a.b",[NaN]]',
        b'[48,1,{},"a.b",[-Infinity]]',
        b'[48,1,{},"a.b",[' + b"9" * 5000 + b"]]",
        b'[48,1,{},"a.b",["\\u0000?"]]',
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'[48,1,{},"a.b",' + b"[" * 64 + b"]" * 64 + b"]",
    ],
    "msgpack": [
        b"",
        b"\xc1",
        b"\x94\x30\x01\x80",
        b"\x94\x30\x01\x80\xa3a.b\x00",
        b"\x94\x30\x01\x80\xa3\xc3\x28b",
        b"\xdc\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\x7f\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\x91" * DEEP,
        b"\x81\xa1a" * DEEP,
        b"\xdd\x00\x0f\xff\xff" * 1000,
        b"\x91" * 65 + b"\x90",
        b"\x94\x30\x01\x80" + b"\xdc\x00\x01" * 100 + b"\xc1" + bytes(200),
    ],
    "cbor": [
        b"",
        b"\xff",
        b"\x1c",
        b"\x84\x18\x30\x01\xa0",
        b"\x84\x18\x30\x01\xa0\x63a.b\x00",
        b"\x84\x18\x30\x01\xa0\x63\xc3\x28b",
        b"\x9f\x18\x30\x01\xa0\x63a.b",
        b"\x9b\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff\x00",
        b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff\x00",
        b"\x81" * DEEP,
        b"\x9f" * DEEP,
        b"\xa1\x61a" * DEEP,
        b"\xc1" * DEEP,
        b"\x9a\x01\x00\x00\x00" * 1000,
        b"\x81\xc5\x82\x1a\x7f\xff\xff\xff\x01",  # a big float of 2^31 bits
        b"\x82\xd8\x1c\x81\xd8\x1d\x00\x00",  # a list that contains itself
        b"\x81\xd8\x23\x6a(a+)+(a+)+",  # a regular expression
        b"\x81\xd9\x01\x00\x81\x61a",  # strings by reference
        b"\x81\xc2\x59\x20\x00" + b"\xff" * 8192,  # a code of 20,000 digits
        b"\x84\x18\x30\xc2\x59\x20\x00" + b"\xff" * 8192 + b"\xa0\x63a.b",
        b"\x84\x18\x30\x01\xa1\x01\x02\x63a.b",  # a number as the key of options
        b"\xf7",
    ],
    "flatbuffers": [
        b"",
        bytes(3),
        bytes(8),
        bytes(200),
        b"\xff" * 200,
        b"\x04\0\0\0" * 20,
        b"\xfc\xff\xff\xff" + bytes(60),
        b"\x08\0\0\0" + bytes(100),
    ],
}
MALFORMED["bjdata"] = [
    b"",
    b"[",
    b"]",
    b"N",
    b"[U0U\x01{}SU\x03a.b",
    b"[U0U\x01{}SU\x03a.b]]",
    b"[U0U\x01{}SU\x03\xc3\x28b]",
    b"[" * DEEP,
    b"{U\x01a" * DEEP,
    b"[#U\x01" * DEEP,
    b"[$[#U\x01" * DEEP,
    b"[$U",
    b"[$U]",
    b"[#S",
    b"[#i\xff",
    b"[$N#U\x05",
    b"[$x#U\x01\x00",
    b"[$U#[T]\x00",
    b"[$U#[]\x00",
    b"[$U#[U\x01[]]\x00",
    b"[$U#[" + (b"HSU\xff"[:1] + b"U\xff" + b"9" * 255) * 60 + b"]\x00",
    b"SN\x01a",
    b"HU\x03abc",
    b"HU\x00",
    b"Hu\xff\xff" + b"9" * 65535,
    b"HU\x08Infinity"[:-1],
    b"C\xc3",
    b"D\x00",
    b"{U\x01a",
    b"{U\x05a}",
    b"{i\xffa}",
    b"{$U#[U\x01]U\x01a\x01",
]
MALFORMED["ubjson"] = [
    *MALFORMED["bjdata"][:22],
    b"u\x00\x01",  # markers of BJData
    b"[u\x01\x00]",
    b"h\x00\x00",
    b"[$u#U\x01\x00\x00",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batched", [False, True])
def test_malformed(name: str, batched: bool) -> None:
    serializer = make(name, batched)
    for octets in MALFORMED[name]:
        if batched:
            octets = (
                octets + b"\x1e" if name == "json" else struct.pack(">I", len(octets)) + octets
            )
        refused(serializer, octets)


def written(name: str) -> Iterator[tuple[list[Any], bytes]]:
    serializer = make(name)
    for raw in MESSAGES.values():
        yield raw, serializer.serialize(Message.parse(raw))[0]


@pytest.mark.parametrize("name", NAMES)
def test_truncated(name: str) -> None:
    """Of every message every beginning."""
    serializer = make(name)
    for raw, octets in written(name):
        for end in range(len(octets)):
            if name == "flatbuffers" and end > len(octets) - 8:
                # The zeros behind the last string are padding: nothing is missing without them.
                try:
                    (found,) = serializer.unserialize(octets[:end])
                except ProtocolError:
                    continue
                assert found.marshal() == raw
            else:
                refused(serializer, octets[:end])
        if name not in ("json", "flatbuffers"):
            refused(serializer, octets + b"\0")


def mutated(source: random.Random, octets: bytes) -> bytes:
    changed = bytearray(octets)
    for _ in range(source.choice((1, 1, 1, 2, 5))):
        at = source.randrange(len(changed))
        which = source.randrange(6)
        if which == 0:
            changed[at] ^= 1 << source.randrange(8)
        elif which == 1:
            changed[at] = source.choice((0, 1, 0x7F, 0x80, 0xFF, source.randrange(256)))
        elif which == 2:
            word = source.choice((0, 1, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(octets)))
            changed[at & ~3 : (at & ~3) + 4] = struct.pack("<I", word)
        elif which == 3:
            del changed[at : at + source.choice((1, 2, 8))]
        elif which == 4:
            changed[at:at] = source.randbytes(source.choice((1, 4)))
        else:
            other = source.randrange(len(changed))
            changed[at : at + 4] = changed[other : other + 4]
        if not changed:
            break
    return bytes(changed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batched", [False, True])
def test_mutated(name: str, batched: bool) -> None:
    """A message or a ProtocolError; what is a message can be written again."""
    source = random.Random(f"serializers {name} {batched}")
    serializer = make(name, batched)
    start = [serializer.serialize(Message.parse(raw))[0] for raw in MESSAGES.values()]
    good = 0
    for _ in range(ROUNDS):
        octets = mutated(source, source.choice(start))
        try:
            found = serializer.unserialize(octets)
        except ProtocolError as e:
            assert str(e)
            continue
        for message in found:
            good += 1
            message.marshal()
    assert good, "nothing was left of any message: the mutations are too rough to test much"


@pytest.mark.parametrize("name", NAMES)
def test_random_octets(name: str) -> None:
    source = random.Random(f"random {name}")
    serializer = make(name)
    for _ in range(ROUNDS):
        try:
            serializer.unserialize(source.randbytes(source.randrange(64)))
        except ProtocolError:
            pass


@pytest.mark.parametrize("name", ["msgpack", "cbor"])
def test_numbers_as_keys_are_for_small_messages(name: str) -> None:
    """Numbers can be chosen so that a dictionary of them takes quadratic time."""
    serializer = make(name)
    pack = serializer.serialize_payload
    payload = {number: "" for number in range(100)}
    (found,) = serializer.unserialize(pack([48, 1, {}, "com.example", [payload]]))
    assert found.marshal()[4] == [payload]
    large = {number << 40: "x" for number in range(10_000)}
    refused(serializer, pack([48, 1, {}, "com.example", [large]]))
    texts = {str(number): "x" * 8 for number in range(10_000)}
    (found,) = serializer.unserialize(pack([48, 1, {}, "com.example", [texts]]))
    assert found.marshal()[4] == [texts]


# --- FlatBuffers ---------------------------------------------------------------------------------


def test_a_vector_that_claims_2_31_elements() -> None:
    """In 104 octets."""
    serializer = FlatBuffersSerializer()
    octets, _ = serializer.serialize(Message.parse([16, 1, {"exclude": [77]}, "a.b"]))
    assert len(octets) == 104
    at = octets.index(struct.pack("<IQ", 1, 77))
    for count in (2, 1 << 29, (1 << 31) - 1, 1 << 31, (1 << 32) - 1):
        changed = octets[:at] + struct.pack("<I", count) + octets[at + 4 :]
        assert f"{count} numbers claimed" in refused(serializer, changed)


def test_every_offset_of_a_buffer() -> None:
    """Each word of a buffer, replaced by what leads outside of it, or to another place in it."""
    serializer = FlatBuffersSerializer()
    for name in ("hello full", "publish full", "error full", "welcome full"):
        octets, _ = serializer.serialize(Message.parse(MESSAGES[name]))
        size = len(octets)
        for at in range(0, size - 3, 2):
            for word in (0, 1, 4, size - at, size - at - 1, size, 0x7FFFFFFF, 0xFFFFFFFC):
                changed = octets[:at] + struct.pack("<I", word) + octets[at + 4 :]
                try:
                    serializer.unserialize(changed)
                except ProtocolError:
                    pass


def test_strings_that_are_shared_too_often() -> None:
    """Ten thousand offsets to one long string: a kilobyte would become ten megabytes."""
    serializer = FlatBuffersSerializer()
    long, many = "x" * 1000, 10_000
    raw = [16, 1, {"exclude_authid": ["a"] * many + [long]}, "com.example"]
    octets, _ = serializer.serialize(Message.parse(raw))
    at = octets.index(struct.pack("<I", many + 1), 60)
    last = at + 4 + 4 * many
    target = last + struct.unpack_from("<I", octets, last)[0]
    for shared in (1, 10, many):
        places = range(at + 4, at + 4 + 4 * shared, 4)
        words = [struct.pack("<I", target - place) for place in places]
        changed = octets[: at + 4] + b"".join(words) + octets[at + 4 + 4 * shared :]
        if shared == many:
            assert "longer, all together" in refused(serializer, changed)
        else:
            (found,) = serializer.unserialize(changed)
            assert found.marshal()[2]["exclude_authid"].count(long) == shared + 1


def test_unknown_tags_and_numbers() -> None:
    serializer = FlatBuffersSerializer()
    octets, _ = serializer.serialize(Message.parse([49, 1, {"mode": "kill"}]))
    assert octets[20] == 49
    for tag in (0, 7, 9, 15, 38, 63, 71, 255):
        changed = octets[:20] + bytes((tag,)) + octets[21:]
        assert f"unknown message type {tag}" in refused(serializer, changed)
    at = octets.rindex(b"\x01")
    assert "mode is 3" in refused(serializer, octets[:at] + b"\x03" + octets[at + 1 :])


# --- memory --------------------------------------------------------------------------------------

BOMBS = Path(__file__).with_name("bombs.py")


def test_bombs_cost_nothing() -> None:
    """In a process that may not have much more memory than it starts with."""
    done = subprocess.run(
        [sys.executable, str(BOMBS)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[0] == "refused"
