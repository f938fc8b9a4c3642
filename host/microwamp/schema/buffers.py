"""Tables of FlatBuffers: written in one pass, read with every offset and length checked.

FlatBuffers are made to be read without a look at the whole, and Python has no verifier for them:
a reader that trusts them follows offsets to anywhere. Here every number from the octets is held
against their length before it is used.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from wamp.errors import RemoteProtocolError

# A field's value on its way out: a number, or a blob, where in it the value starts, and whether
# the blob needs to begin at a multiple of 8 (else of 4).
Blob = tuple[bytes, int, bool]
# Numbers by their struct code, "O" for the offset of a blob.
WIDTHS = {"Q": 8, "i": 4, "I": 4, "O": 4, "H": 2, "B": 1}

# Shapes (sets of fields that are present) of which the layout is kept; programs send few.
_SHAPES_KEPT = 512

_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_U64 = struct.Struct("<Q").unpack_from
_2U16 = struct.Struct("<HH").unpack_from
_PAD = (b"\0\0\0\0", b"\0\0\0", b"\0\0", b"\0")
_EMPTY: Blob = (b"\0\0\0\0", 0, False)

# Root offset, then the table `Message`: its vtable (length, size of the table, fields) and itself
# (offset to the vtable, offset of the message, tag). The message's own octets follow at 24.
_ROOT = struct.Struct("<I4HiIB3x")
HEAD = _ROOT.size


class Shape:
    """Layout of a table in which certain fields are present."""

    __slots__ = ("prefix", "entry", "pack", "fields", "children")

    def __init__(self, codes: str, present: Iterable[int]) -> None:
        """codes: struct code of every field by slot; present: slots, ascending."""
        slots = list(present)
        length = 4 + 2 * (slots[-1] + 1 if slots else 0)
        # The table starts 4 beyond a multiple of 8: after the offset to its vtable, the widest
        # fields are then aligned, and all others after them.
        entry = length + (4 - length) % 8
        offsets = [0] * ((length - 4) // 2)
        form = "<i"
        at = 4
        self.fields: list[tuple[int, int]] = []
        for slot in sorted(slots, key=lambda slot: -WIDTHS[codes[slot]]):
            code = codes[slot]
            offsets[slot] = at
            form += "I" if code == "O" else code
            self.fields.append((slot, entry + at if code == "O" else 0))
            at += WIDTHS[code]
        vtable = struct.pack(f"<HH{len(offsets)}H", length, at, *offsets)
        form += f"{-at % 4}x"
        self.prefix = vtable.ljust(entry, b"\0")
        self.entry = entry
        self.pack = struct.Struct(form).pack
        self.children = entry + at + -at % 4


class Layout:
    """Tables of one type; writes them."""

    def __init__(self, codes: str) -> None:
        """codes: struct code of every field, slot by slot; "O" for what has an offset."""
        self._codes = codes
        self._shapes: dict[int, Shape] = {}

    def _shape(self, mask: int) -> Shape:
        if len(self._shapes) >= _SHAPES_KEPT:
            self._shapes.clear()
        shape = Shape(self._codes, (i for i in range(len(self._codes)) if mask >> i & 1))
        self._shapes[mask] = shape
        return shape

    def write(self, values: dict[int, Any]) -> Blob:
        """A table with these values by slot, as a blob."""
        mask = 0
        for slot in values:
            mask |= 1 << slot
        shape = self._shapes.get(mask) or self._shape(mask)
        numbers = [shape.entry]
        pos = shape.children
        parts = [shape.prefix, b""]
        for slot, at in shape.fields:
            if not at:
                numbers.append(values[slot])
                continue
            blob, entry, wide = values[slot]
            if wide and pos & 7:
                parts.append(b"\0\0\0\0")
                pos += 4
            parts.append(blob)
            numbers.append(pos + entry - at)
            pos += len(blob)
        parts[1] = shape.pack(*numbers)
        return b"".join(parts), shape.entry, True


def octets(value: bytes) -> Blob:
    """A vector of octets."""
    n = len(value)
    return n.to_bytes(4, "little") + value + (_PAD[n & 3] if n & 3 else b""), 0, False


def text(value: str) -> Blob:
    """A string, which ends with a zero."""
    raw = value.encode()
    n = len(raw)
    return n.to_bytes(4, "little") + raw + _PAD[n & 3], 0, False


def ids(values: Sequence[int]) -> Blob:
    """A vector of uint64."""
    n = len(values)
    return struct.pack(f"<4xI{n}Q", n, *values), 4, True


def offsets(blobs: Sequence[Blob]) -> Blob:
    """A vector of what has offsets: strings, tables."""
    n = len(blobs)
    pos = 4 + 4 * n
    numbers = [n]
    parts = [b""]
    for i, (blob, entry, wide) in enumerate(blobs):
        if wide and pos & 7:
            parts.append(b"\0\0\0\0")
            pos += 4
        numbers.append(pos + entry - (4 + 4 * i))
        parts.append(blob)
        pos += len(blob)
    parts[0] = struct.pack(f"<{n + 1}I", *numbers)
    return b"".join(parts), 0, True


def message(tag: int, body: Blob) -> bytes:
    """A whole buffer: the table `Message` around the table of a message."""
    blob, entry, _ = body
    # Vtable at 4, table at 12; its offset of the message stands at 16, the message at 24.
    return _ROOT.pack(12, 8, 12, 8, 4, 8, HEAD - 16 + entry, tag) + blob


def wrong(what: str) -> NoReturn:
    raise RemoteProtocolError(f"malformed FlatBuffers: {what}")


_entries: dict[int, Any] = {}


def fields(data: bytes, pos: int) -> tuple[int, tuple[int, ...]]:
    """The table at `pos`: its size, and the offsets of its fields by slot (0: absent)."""
    size = len(data)
    if pos > size - 4:
        wrong(f"a table at octet {pos} of {size}")
    vtable = pos - _I32(data, pos)[0]
    if not 0 <= vtable <= size - 4:
        wrong(f"a vtable at octet {vtable} of {size}")
    length, width = _2U16(data, vtable)
    if length < 4 or length & 1 or length > size - vtable:
        wrong(f"a vtable of {length} octets with {size - vtable} left")
    if not 4 <= width <= size - pos:
        wrong(f"a table of {width} octets with {size - pos} left")
    unpack = _entries.get(length)
    if unpack is None:
        unpack = struct.Struct(f"<{length // 2 - 2}H").unpack_from
        if length < 256:
            _entries[length] = unpack
    found: tuple[int, ...] = unpack(data, vtable + 4)
    return width, found


def follow(data: bytes, at: int) -> int:
    """Where the offset at `at` points to; there are at least 4 octets."""
    pos: int = at + _U32(data, at)[0]
    if pos > len(data) - 4:
        wrong(f"an offset to octet {pos} of {len(data)}")
    return pos


def read_octets(data: bytes, at: int) -> bytes:
    """The vector of octets, or string, that the offset at `at` points to."""
    pos = at + _U32(data, at)[0] + 4
    if pos > len(data):
        wrong(f"an offset to octet {pos - 4} of {len(data)}")
    end: int = pos + _U32(data, pos - 4)[0]
    if end > len(data):
        wrong(f"{end - pos} octets claimed with {len(data) - pos} left")
    return data[pos:end]


def read_text(data: bytes, at: int) -> str:
    """The string that the offset at `at` points to."""
    raw = read_octets(data, at)
    try:
        return raw.decode()
    except UnicodeDecodeError as e:
        raise RemoteProtocolError(f"malformed FlatBuffers: text that is not UTF-8: {e}") from e


def read_ids(data: bytes, at: int) -> list[int]:
    """The vector of uint64 that the offset at `at` points to."""
    pos = follow(data, at)
    n = _U32(data, pos)[0]
    if n * 8 > len(data) - pos - 4:
        wrong(f"{n} numbers claimed with {len(data) - pos - 4} octets left")
    return list(struct.unpack_from(f"<{n}Q", data, pos + 4))


def read_offsets(data: bytes, at: int) -> range:
    """Where the offsets stand of the vector that the offset at `at` points to."""
    pos = follow(data, at)
    n = _U32(data, pos)[0]
    if n * 4 > len(data) - pos - 4:
        wrong(f"{n} elements claimed with {len(data) - pos - 4} octets left")
    return range(pos + 4, pos + 4 + 4 * n, 4)


def read_texts(data: bytes, at: int) -> list[str]:
    """The vector of strings that the offset at `at` points to.

    Offsets may lead to the same string again and again: all together may not be longer than the
    buffer, or few octets would become very many.
    """
    found = []
    left = len(data)
    for place in read_offsets(data, at):
        found.append(read_text(data, place))
        left -= len(found[-1])
        if left < 0:
            wrong("strings that are longer, all together, than the buffer")
    return found


def read_message(data: bytes) -> tuple[int, int]:
    """The tag of a buffer's message, and where its table is."""
    if len(data) < 8:
        wrong(f"{len(data)} octets")
    root = _U32(data, 0)[0]
    width, found = fields(data, root)
    if len(found) < 2 or not found[0] or not found[1]:
        wrong("a message without a type")
    if found[0] >= width or found[1] > width - 4:
        wrong("a field outside of its table")
    return data[root + found[0]], follow(data, root + found[1])
