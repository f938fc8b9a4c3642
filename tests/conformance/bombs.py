"""Octets that claim to be much more than they are, read with little memory to spare.

Run by test_serializer_hostile.py: prints `refused`, how many, and by how much memory grew (KiB).
"""

import resource
import struct
import sys

from microwamp.exception import ProtocolError
from microwamp.message import Publish
from microwamp.serializer import (
    FlexBuffersObjectSerializer,
    Serializer,
    UBJSONSerializer,
    create_transport_serializer,
)

# As some libraries do: what is read may not rely on Python's own limit of recursion.
sys.setrecursionlimit(1_000_000)
SPARE = 192 << 20
GROWN_KIB = 48 << 10
SIZE = 1 << 20


def laughs() -> bytes:
    """CBOR in which each list has the one before ten times, by reference: 10^9 values."""
    parts = [b"\x8a" + b"\xd8\x1c\x81\x00" + b"\xd8\x1d\x00" * 9]
    for level in range(1, 9):
        reference = b"\xd8\x1d" + bytes((level,)) if level < 24 else b""
        parts.append(b"\xd8\x1c\x8a" + reference * 10)
    return b"\x89" + b"".join(parts)


def doubling() -> bytes:
    """FlexBuffers: vectors of two, both elements the vector before: 2^40 values."""
    out = bytearray(b"\x02\x01\x01\x04\x04")  # count, two numbers, their types
    last = 1
    for _ in range(40):
        out.append(2)
        first = len(out)
        out += bytes((first - last, first + 1 - last, 10 << 2, 10 << 2))
        last = first
    out += bytes((len(out) - last, 10 << 2, 1))
    return bytes(out)


def claiming() -> list[bytes]:
    """FlatBuffers of 104 octets with a vector that claims as many elements as it can."""
    message = Publish(1, "a.b", exclude=[77])
    octets, _ = create_transport_serializer("flatbuffers").serialize(message)
    vector = struct.pack("<IQ", 1, 77)
    return [
        octets.replace(vector, struct.pack("<I", count) + vector[4:])
        for count in (1 << 29, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
    ]


def flex(kind: int, width: int, count: int) -> bytes:
    """A FlexBuffers vector of that type that claims so many elements."""
    body = count.to_bytes(width, "little") + bytes(16)
    return body + bytes((16, kind << 2 | {1: 0, 2: 1, 4: 2, 8: 3}[width], 1))


UBJSON = [
    b"[$Z#l" + b"\x7f\xff\xff\xff",
    b"[$T#L" + b"\x7f" * 8,
    b"[#L" + b"\x7f" * 8,
    b"[$D#l\x7f\xff\xff\xff" + bytes(SIZE),
    b"[$[#l\x00\x0f\xff\xff" * 1000,
    b"[" + b"[$Z#l\x00\x00\xff\xff" * 50_000,
    b"[$U#[" + b"l\x00\x00\xff\xff" + b"U\x01" * 60 + b"]" + bytes(0xFFFF),
    b"{$Z#l\x7f\xff\xff\xff",
    b"SL" + b"\x7f" * 8,
    b"[" * SIZE,
]
BOMBS: list[tuple[Serializer, list[bytes]]] = [
    (
        create_transport_serializer("json"),
        [
            b"[" * SIZE,
            b'{"":' * SIZE,
            b"[" + b"1" * SIZE,
            # What looks through strings for brackets must not begin again at each quote.
            b'"' + b'\\"[' * SIZE,
            b'"' * SIZE + b"[" * 65,
            b'"[' + b"\\" * (SIZE + 1) + b'"[' * 65,
        ],
    ),
    (
        create_transport_serializer("msgpack"),
        [
            b"\xdd\x00\x0f\xff\xff" * (SIZE // 5),
            b"\xdf\x00\x07\xff\xff\xa0" * (SIZE // 6),
            b"\xdc\xff\xff" * 1000 + bytes(SIZE),
            b"\xdd\xff\xff\xff\xff",
            b"\xc6\xff\xff\xff\xff",
            b"\x91" * SIZE,
        ],
    ),
    (
        create_transport_serializer("cbor"),
        [
            b"\x9a\x00\x0f\xff\xff" * (SIZE // 5),
            b"\x9b" + b"\x7f" * 8,
            b"\xbb" + b"\x7f" * 8,
            b"\x5b" + b"\x7f" * 8,
            b"\x5a\x7f\xff\xff\xff" + bytes(SIZE),
            b"\x81" * SIZE,
            b"\xd8\x29" * SIZE,
            b"\x81\xc5\x82\x1b\x7f" + b"\xff" * 7 + b"\x01",
            laughs(),
        ],
    ),
    (UBJSONSerializer(form="ubjson"), UBJSON),
    (UBJSONSerializer(form="bjdata"), [x.replace(b"#l\x7f", b"#l\xff") for x in UBJSON]),
    (
        create_transport_serializer("flatbuffers"),
        [
            *(struct.pack("<I", n) * (SIZE // 4) for n in (4, 8, 0x7FFFFFFF, 0xFFFFFFF8)),
            *claiming(),
        ],
    ),
    (
        create_transport_serializer("json.batched"),
        [b"[]" * SIZE, b"\x1e" * SIZE],
    ),
    *(
        (
            create_transport_serializer(name + ".batched"),
            [b"\xff\xff\xff\xff" + bytes(SIZE), b"\0\0\0\0" * SIZE],
        )
        for name in ("msgpack", "cbor", "ubjson", "flatbuffers")
    ),
]
VALUES = [
    doubling(),
    *(flex(kind, width, (1 << 8 * width) - 1) for kind in (9, 10, 11, 13, 14, 15, 25, 36)
      for width in (1, 4, 8)),
]  # fmt: skip


def refuse(what: str, read: object, octets: bytes) -> None:
    try:
        read(octets)  # type: ignore[operator]
    except ProtocolError as e:
        if not isinstance(e.__cause__, MemoryError):
            return
    sys.exit(f"{what}: {octets[:24].hex()}... was read, or took too much memory")


def main() -> None:
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + SPARE,) * 2)
    count = 0
    for serializer, bombs in BOMBS:
        for octets in bombs:
            refuse(serializer.SERIALIZER_ID, serializer.unserialize, octets)
            count += 1
    for octets in VALUES:
        refuse("flexbuffers", FlexBuffersObjectSerializer().unserialize, octets)
        count += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rss
    if grown > GROWN_KIB:
        sys.exit(f"memory grew by {grown} KiB")
    print("refused", count, grown)


main()
