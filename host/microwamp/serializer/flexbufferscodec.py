"""FlexBuffers: encode and decode, bounded against every input.

A buffer is written from its leaves to its root, which stands last with its type and its width;
offsets lead back. What the octets say becomes None, bool, int, float, str, bytes, list and dict.
"""

import struct
from typing import Any, NoReturn

from wamp.errors import RemoteProtocolError

from .limits import DEPTH

# Types; a value's type octet is type << 2 | binary logarithm of its width.
_NULL, _INT, _UINT, _FLOAT, _KEY, _STRING = range(6)
_INDIRECT_INT, _INDIRECT_UINT, _INDIRECT_FLOAT, _MAP, _VECTOR = range(6, 11)
_VECTOR_KEY, _VECTOR_BOOL, _BLOB, _BOOL = 14, 36, 25, 26
_INLINE = (_NULL, _INT, _UINT, _FLOAT, _BOOL)
# Vectors whose elements are of one type: 15 is a deprecated one of strings, those from 16 to 24
# have two, three or four elements.
_TYPED = {11: _INT, 12: _UINT, 13: _FLOAT, _VECTOR_KEY: _KEY, 15: _STRING, _VECTOR_BOOL: _BOOL}
_FIXED = {16 + i: (_INT + i % 3, 2 + i // 3) for i in range(9)}
_INDIRECT = {_INDIRECT_INT: _INT, _INDIRECT_UINT: _UINT, _INDIRECT_FLOAT: _FLOAT}

_WIDTH_LOG = {1: 0, 2: 1, 4: 2, 8: 3}
_FLOATS = {2: "<e", 4: "<f", 8: "<d"}

# A value on its way out: its type, the width it needs, and the number itself or the octet at
# which it stands.
_Item = tuple[int, int, Any]


def encode(value: Any) -> bytes:
    """`value` as a buffer. Raises TypeError or ValueError for what has no such form."""
    writer = _Writer()
    kind, width, number = writer.put(value, DEPTH)
    out = writer.out
    if kind in _INLINE:
        out += _scalar(kind, width, number)
        return bytes(out) + bytes((kind << 2 | _WIDTH_LOG[width], width))
    root = next(w for w in (1, 2, 4, 8) if len(out) + -len(out) % w - number < 1 << 8 * w)
    out += bytes(-len(out) % root)
    out += (len(out) - number).to_bytes(root, "little")
    return bytes(out) + bytes((kind << 2 | _WIDTH_LOG[width], root))


def _scalar(kind: int, width: int, number: Any) -> bytes:
    if kind == _FLOAT:
        return struct.pack(_FLOATS[width], number)
    packed: bytes = number.to_bytes(width, "little", signed=kind == _INT)
    return packed


class _Writer:
    """A buffer that grows; keys and strings that are equal are written once."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.keys: dict[str, int] = {}

    def put(self, value: Any, depth: int) -> _Item:
        kind = type(value)
        if value is None:
            return _NULL, 1, 0
        if kind is bool:
            return _BOOL, 1, int(value)
        if kind is int:
            bits = (value if value >= 0 else ~value).bit_length() + 1
            if bits > 65 or bits == 65 and value < 0:
                raise ValueError(f"an integer of {bits} bits, which FlexBuffers do not have")
            if bits == 65:
                return _UINT, 8, value
            return _INT, next(w for w in (1, 2, 4, 8) if bits <= 8 * w), value
        if kind is float:
            return _FLOAT, 8, value
        if kind is str:
            return self.sized(_STRING, value.encode(), b"\0")
        if kind is bytes or kind is bytearray or kind is memoryview:
            return self.sized(_BLOB, bytes(value), b"")
        if not depth:
            raise ValueError(f"nested deeper than {DEPTH} levels")
        if kind is list or kind is tuple:
            return self.vector(_VECTOR, [self.put(item, depth - 1) for item in value])
        if kind is dict:
            return self.map(value, depth - 1)
        raise TypeError(f"a value of type {kind.__name__}, which FlexBuffers do not have")

    def sized(self, kind: int, raw: bytes, end: bytes) -> _Item:
        width = next(w for w in (1, 2, 4, 8) if len(raw) < 1 << 8 * w)
        self.out += bytes(-len(self.out) % width) + len(raw).to_bytes(width, "little")
        at = len(self.out)
        self.out += raw + end
        return kind, width, at

    def key(self, key: Any) -> int:
        if type(key) is not str:
            raise TypeError(f"a dictionary with the key {key!r:.40}, strings needed")
        if "\0" in key:
            raise ValueError("a key with U+0000, which FlexBuffers do not have")
        at = self.keys.get(key)
        if at is None:
            at = self.keys[key] = len(self.out)
            self.out += key.encode() + b"\0"
        return at

    def map(self, value: dict[str, Any], depth: int) -> _Item:
        keys = [(_KEY, 1, self.key(key)) for key in sorted(value)]
        items = [self.put(value[key], depth) for key in sorted(value)]
        _, width, at = self.vector(_VECTOR_KEY, keys)
        return self.vector(_MAP, items, (at, width))

    def vector(self, kind: int, items: list[_Item], keys: tuple[int, int] | None = None) -> _Item:
        """A vector, of a map if the place and width of its keys are given."""
        n = len(items)
        before = 1 if keys is None else 3
        for width in (1, 2, 4, 8):
            start = len(self.out) + -len(self.out) % width
            first = start + before * width
            limit = 1 << 8 * width
            if n >= limit or (keys and start - keys[0] >= limit):
                continue
            if all(
                w <= width if k in _INLINE else first + i * width - number < limit
                for i, (k, w, number) in enumerate(items)
            ):
                break
        out = self.out
        out += bytes(start - len(out))
        if keys is not None:
            out += (start - keys[0]).to_bytes(width, "little")
            out += keys[1].to_bytes(width, "little")
        out += n.to_bytes(width, "little")
        for i, (k, _, number) in enumerate(items):
            if k in _INLINE:
                out += _scalar(k, width, number)
            else:
                out += (first + i * width - number).to_bytes(width, "little")
        if kind != _VECTOR_KEY:
            for k, w, _ in items:
                out.append(k << 2 | _WIDTH_LOG[width if k in _INLINE else w])
        return kind, width, first


def decode(data: bytes) -> Any:
    """The value in a buffer. Raises RemoteProtocolError, whatever is wrong with it."""
    if len(data) < 3:
        _wrong(f"{len(data)} octets")
    width = data[-1]
    if width not in _WIDTH_LOG or width > len(data) - 2:
        _wrong(f"a root of {width} octets")
    return _Reader(bytes(data)).value(data[-2], len(data) - 2 - width, width, DEPTH)


def _wrong(what: str) -> NoReturn:
    raise RemoteProtocolError(f"malformed FlexBuffers: {what}")


class _Reader:
    """One decoding.

    Offsets may lead to the same place again and again. A text is made once and shared; the
    elements that are visited may not be more than the octets, or few octets would become very
    many values.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.left = len(data)
        self.texts: dict[int, str] = {}

    def number(self, at: int, width: int) -> int:
        if at < 0 or at + width > self.size:
            _wrong(f"a number at octet {at} of {self.size}")
        return int.from_bytes(self.data[at : at + width], "little")

    def follow(self, at: int, width: int) -> int:
        target = at - self.number(at, width)
        if target < 0:
            _wrong(f"an offset to octet {target}")
        return target

    def value(self, packed: int, at: int, parent: int, depth: int) -> Any:
        """The value of type `packed` whose `parent` octets stand at `at`."""
        kind, width = packed >> 2, 1 << (packed & 3)
        if kind in _INLINE:
            return self.scalar(kind, at, parent)
        target = self.follow(at, parent)
        if kind in _INDIRECT:
            return self.scalar(_INDIRECT[kind], target, width)
        if kind == _KEY:
            return self.key(target)
        if kind == _STRING:
            found = self.texts.get(target)
            if found is None:
                found = self.texts[target] = self.text(self.sized(target, width))
            return found
        if kind == _BLOB:
            return self.sized(target, width)
        if not depth:
            _wrong(f"nesting deeper than {DEPTH} levels")
        depth -= 1
        if kind in _FIXED:
            element, n = _FIXED[kind]
            self.claim(target, n, width)
            return [self.scalar(element, target + i * width, width) for i in range(n)]
        if kind in _TYPED:
            return self.typed(_TYPED[kind], target, width, depth)
        if kind == _VECTOR:
            return self.items(target, width, depth)
        if kind == _MAP:
            keys = self.keys(target, width)
            items = self.items(target, width, depth)
            if len(keys) != len(items):
                _wrong(f"a map of {len(keys)} keys and {len(items)} values")
            return dict(zip(keys, items, strict=True))
        _wrong(f"unknown type {kind}")

    def scalar(self, kind: int, at: int, width: int) -> Any:
        number = self.number(at, width)
        if kind == _NULL:
            return None
        if kind == _BOOL:
            return number != 0
        if kind == _UINT:
            return number
        if kind == _INT:
            return int.from_bytes(self.data[at : at + width], "little", signed=True)
        if width == 1:
            _wrong("a float of one octet")
        return struct.unpack_from(_FLOATS[width], self.data, at)[0]

    def claim(self, at: int, n: int, octets: int) -> None:
        """Refuses n elements of that many octets each, where they do not fit or are too many."""
        if n * octets > self.size - at:
            _wrong(f"{n} elements claimed with {self.size - at} octets left")
        self.left -= n
        if self.left < 0:
            _wrong("more elements, all together, than octets")

    def count(self, at: int, width: int) -> int:
        return self.number(at - width, width)

    def sized(self, at: int, width: int) -> bytes:
        n = self.count(at, width)
        if n > self.size - at:
            _wrong(f"{n} octets claimed with {self.size - at} left")
        # Each element with the same octets anew: as `left` counts them, they cannot be very many.
        self.left -= n
        if self.left < 0:
            _wrong("more octets in all values together than in the buffer")
        return self.data[at : at + n]

    def text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError as e:
            raise RemoteProtocolError("malformed FlexBuffers: text that is not UTF-8") from e

    def key(self, at: int) -> str:
        found = self.texts.get(~at)  # a key and a string may stand at one place
        if found is None:
            end = self.data.find(b"\0", at)
            if end < 0:
                _wrong("a key without an end")
            self.left -= end - at
            if self.left < 0:
                _wrong("more octets in all values together than in the buffer")
            found = self.texts[~at] = self.text(self.data[at:end])
        return found

    def keys(self, at: int, width: int) -> list[str]:
        """The keys of the map at `at`: a vector of its own, which maps may share."""
        vector = self.follow(at - 3 * width, width)
        wide = self.number(at - 2 * width, width)
        if wide not in _WIDTH_LOG:
            _wrong(f"keys of {wide} octets")
        n = self.count(vector, wide)
        if n != self.count(at, width) or n * wide > self.size - vector:
            _wrong(f"{n} keys for {self.count(at, width)} values")
        return [self.key(self.follow(vector + i * wide, wide)) for i in range(n)]

    def typed(self, kind: int, at: int, width: int, depth: int) -> list[Any]:
        n = self.count(at, width)
        self.claim(at, n, width)
        if kind in _INLINE:
            return [self.scalar(kind, at + i * width, width) for i in range(n)]
        # Strings in such a vector have lengths of one octet: why it is deprecated.
        return [self.value(kind << 2, at + i * width, width, depth) for i in range(n)]

    def items(self, at: int, width: int, depth: int) -> list[Any]:
        n = self.count(at, width)
        self.claim(at, n, width + 1)
        types = at + n * width
        return [self.value(self.data[types + i], at + i * width, width, depth) for i in range(n)]
