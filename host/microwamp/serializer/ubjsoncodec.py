"""UBJSON (draft 12) and BJData (draft 3): encode and decode, bounded against every input.

The two forms share their markers and little else: UBJSON is big-endian and has octets as
`[$U#`, BJData is little-endian, has unsigned integers (u m M), half floats and octets as `[$B#`.
Nothing in the octets tells which form they are, so both ends have to agree on it; autobahn up to
25.12.2 speaks UBJSON, from 26.6.1 on BJData.

What the wire says becomes None, bool, int, float, Decimal, str, bytes, list and dict; arrays with
dimensions become lists of lists. Of equal keys the last wins.
"""

import math
import struct
from decimal import Decimal, InvalidOperation
from typing import Any

from wamp.errors import RemoteProtocolError

from .limits import DEPTH, DIGITS

FORMS = ("bjdata", "ubjson")

_ARRAY, _ARRAY_END = ord("["), ord("]")
_OBJECT, _OBJECT_END = ord("{"), ord("}")
_TYPE, _COUNT = ord("$"), ord("#")
_TEXT, _CHAR, _UINT8, _INT8 = ord("S"), ord("C"), ord("U"), ord("i")
_NULL, _NOOP, _TRUE, _FALSE = ord("Z"), ord("N"), ord("T"), ord("F")
_BYTE, _NUMBER = ord("B"), ord("H")

# Markers of numbers: struct's code of each, and whether it may be a length.
_UBJSON_NUMBERS = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f", "D": "d"}
_BJDATA_NUMBERS = {**_UBJSON_NUMBERS, "u": "H", "m": "I", "M": "Q", "h": "e", "B": "B"}
_INTEGERS = frozenset(map(ord, "iUIlLumM"))

_SMALL = [b"U" + bytes((n,)) for n in range(256)]
_TEXT_HEAD = [b"SU" + bytes((n,)) for n in range(256)]


class Codec:
    """One of the two forms: `encode` and `decode`."""

    def __init__(self, form: str = "bjdata") -> None:
        """form: "bjdata" or "ubjson"."""
        if form not in FORMS:
            raise ValueError(f"unknown form {form!r} of UBJSON, known: {', '.join(FORMS)}")
        self.form = form
        bjdata = form == "bjdata"
        order = "<" if bjdata else ">"
        self._order = order
        numbers = _BJDATA_NUMBERS if bjdata else _UBJSON_NUMBERS
        self._codes = {ord(marker): code for marker, code in numbers.items()}
        self._numbers = {
            ord(marker): (struct.Struct(order + code).unpack_from, struct.calcsize(order + code))
            for marker, code in numbers.items()
        }
        self._octets = _BYTE if bjdata else _UINT8
        self._octets_head = b"[$B#" if bjdata else b"[$U#"
        # From the narrowest on: (below this, marker and number).
        positive = "umM" if bjdata else "IlL"
        width = (16, 32, 64) if bjdata else (15, 31, 63)
        self._positive = [
            (1 << bits, struct.Struct(order + "c" + numbers[m]).pack, m.encode())
            for m, bits in zip(positive, width, strict=True)
        ]
        self._negative = [
            (-(1 << bits), struct.Struct(order + "c" + numbers[m]).pack, m.encode())
            for m, bits in zip("iIlL", (7, 15, 31, 63), strict=True)
        ]
        self._float = struct.Struct(order + "cd").pack

    # -- encoding

    def encode(self, value: Any) -> bytes:
        """`value` as octets. Raises TypeError or ValueError for what has no such form."""
        out: list[bytes] = []
        self._put(out, value, DEPTH)
        return b"".join(out)

    def _put(self, out: list[bytes], value: Any, depth: int) -> None:
        kind = type(value)
        if kind is str:
            raw = value.encode()
            n = len(raw)
            if n == 1:
                out.append(b"C" + raw)
            elif n < 256:
                out.append(_TEXT_HEAD[n] + raw)
            else:
                out.append(b"S" + self._integer(n) + raw)
        elif kind is int:
            out.append(_SMALL[value] if 0 <= value < 256 else self._integer(value))
        elif kind is dict:
            if not depth:
                raise ValueError(f"nested deeper than {DEPTH} levels")
            out.append(b"{")
            for key, item in value.items():
                if type(key) is not str:
                    raise TypeError(f"a dictionary with the key {key!r:.40}, strings needed")
                raw = key.encode()
                n = len(raw)
                out.append((_SMALL[n] if n < 256 else self._integer(n)) + raw)
                self._put(out, item, depth - 1)
            out.append(b"}")
        elif kind is list or kind is tuple:
            if not depth:
                raise ValueError(f"nested deeper than {DEPTH} levels")
            out.append(b"[")
            put, below = self._put, depth - 1
            for item in value:
                put(out, item, below)
            out.append(b"]")
        elif value is None:
            out.append(b"Z")
        elif value is True:
            out.append(b"T")
        elif value is False:
            out.append(b"F")
        elif kind is float:
            out.append(self._float(b"D", value))
        elif kind is bytes or kind is bytearray or kind is memoryview:
            raw = bytes(value)
            out.append(self._octets_head + self._integer(len(raw)) + raw)
        elif kind is Decimal:
            out.append(self._digits(str(value)))
        else:
            self._put(out, _plain(value), depth)

    def _integer(self, value: int) -> bytes:
        if value >= 0:
            if value < 256:
                return _SMALL[value]
            for limit, pack, marker in self._positive:
                if value < limit:
                    return pack(marker, value)
        else:
            for limit, pack, marker in self._negative:
                if value >= limit:
                    return pack(marker, value)
        return self._digits(str(value))

    def _digits(self, text: str) -> bytes:
        return b"H" + self._integer(len(text)) + text.encode()

    # -- decoding

    def decode(self, data: bytes) -> Any:
        """The one value in `data`. Raises RemoteProtocolError, whatever is wrong with it."""
        reader = _Reader(self, bytes(data))
        try:
            value, pos = reader.value(0, DEPTH)
        except (IndexError, struct.error):
            raise RemoteProtocolError(f"malformed {self.form}: ends within a value") from None
        except UnicodeDecodeError as e:
            raise RemoteProtocolError(f"malformed {self.form}: text that is not UTF-8") from e
        if pos != len(data):
            raise RemoteProtocolError(
                f"malformed {self.form}: {len(data) - pos} octets after the value"
            )
        return value


def _plain(value: Any) -> Any:
    """An instance of a subclass as one of the class itself."""
    plain: tuple[type[Any], ...] = (int, float, str, bytes, dict, list, tuple)
    for kind in plain:
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"a value of type {type(value).__name__}, which UBJSON does not have")


class _Reader:
    """One decoding: the octets, and how many elements without octets they may still hold."""

    def __init__(self, codec: Codec, data: bytes) -> None:
        self.codec = codec
        self.data = data
        self.size = len(data)
        self.numbers = codec._numbers
        # `[$T#` followed by a count makes elements out of nothing: as many as there are octets
        # in the whole message, so that memory stays proportional to it.
        self.free = len(data)

    def wrong(self, what: str, pos: int) -> RemoteProtocolError:
        return RemoteProtocolError(f"malformed {self.codec.form}: {what} at octet {pos}")

    def value(self, pos: int, depth: int) -> tuple[Any, int]:
        """The value at `pos`, its marker first, and where it ends."""
        marker = self.data[pos]
        while marker == _NOOP:
            pos += 1
            marker = self.data[pos]
        return self.content(marker, pos + 1, depth)

    def content(self, marker: int, pos: int, depth: int) -> tuple[Any, int]:
        """The value of type `marker` whose content begins at `pos`, and where it ends."""
        if marker == _TEXT:
            n, pos = self.length(pos)
            return self.data[pos : pos + n].decode(), pos + n
        number = self.numbers.get(marker)
        if number is not None:
            return number[0](self.data, pos)[0], pos + number[1]
        if marker == _ARRAY:
            return self.array(pos, depth)
        if marker == _OBJECT:
            return self.object(pos, depth)
        if marker == _NULL:
            return None, pos
        if marker == _TRUE:
            return True, pos
        if marker == _FALSE:
            return False, pos
        if marker == _CHAR:
            return bytes((self.data[pos],)).decode(), pos + 1
        if marker == _NUMBER:
            return self.digits(pos)
        raise self.wrong(f"unknown marker {bytes((marker,))!r}", pos - 1)

    def length(self, pos: int) -> tuple[int, int]:
        """A length or count that the rest of the octets can hold, and where it ends."""
        data = self.data
        marker = data[pos]
        if marker == _UINT8:
            n: int = data[pos + 1]
            pos += 2
        elif marker in _INTEGERS and marker in self.numbers:
            unpack, width = self.numbers[marker]
            n = unpack(data, pos + 1)[0]
            pos += 1 + width
        else:
            raise self.wrong(f"the marker {bytes((marker,))!r} in place of a length", pos)
        if not 0 <= n <= self.size - pos:
            raise self.wrong(f"a length of {n} with {self.size - pos} octets left", pos)
        return n, pos

    def digits(self, pos: int) -> tuple[int | Decimal, int]:
        """A number written as text: int where it is one, else Decimal."""
        n, pos = self.length(pos)
        if n > DIGITS:
            raise self.wrong(f"a number of {n} digits, {DIGITS} at most", pos)
        text = self.data[pos : pos + n].decode()
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self.wrong(f"{text[:24]!r} in place of a number", pos) from None
        if text.removeprefix("-").isdecimal():
            return int(text), pos + n
        return number, pos + n

    def opening(self, pos: int) -> tuple[int, list[int] | None, int]:
        """What may follow `[` and `{`: the type of all elements (0: none) and their count, as
        the list of dimensions; and where that ends."""
        data = self.data
        kind = 0
        if data[pos] == _TYPE:
            kind = data[pos + 1]
            pos += 2
            if data[pos] != _COUNT:
                raise self.wrong("a type of elements without their count", pos)
        if data[pos] != _COUNT:
            return kind, None, pos
        if data[pos + 1] == _ARRAY:
            return self.dimensions(kind, pos + 1)
        n, end = self.count(kind, pos + 1)
        return kind, [n], end

    def dimensions(self, kind: int, pos: int) -> tuple[int, list[int], int]:
        sizes, end = self.array(pos + 1, 1)
        product, lists = 1, 0
        for n in sizes if type(sizes) is list and 0 < len(sizes) <= DEPTH else [-1]:
            if type(n) is not int or not 1 <= n <= self.size:
                raise self.wrong("dimensions that are not a list of sizes", pos)
            lists += product
            product *= n
        self.hold(kind, product, end)
        if lists > self.size:
            raise self.wrong(f"dimensions that make {lists} lists", pos)
        return kind, sizes, end

    def count(self, kind: int, pos: int) -> tuple[int, int]:
        marker = self.data[pos]
        if marker not in _INTEGERS or marker not in self.numbers:
            raise self.wrong(f"the marker {bytes((marker,))!r} in place of a count", pos)
        unpack, width = self.numbers[marker]
        n: int = unpack(self.data, pos + 1)[0]
        pos += 1 + width
        self.hold(kind, n, pos)
        return n, pos

    def hold(self, kind: int, n: int, pos: int) -> None:
        """Refuses `n` elements of type `kind` that the octets from `pos` on cannot hold."""
        left = self.size - pos
        if kind in (_NULL, _TRUE, _FALSE):
            left = self.free
            self.free -= n
        elif kind in self.numbers:
            left //= self.numbers[kind][1]
        if not 0 <= n <= left:
            raise self.wrong(f"a count of {n} where at most {left} elements fit", pos)

    def array(self, pos: int, depth: int) -> tuple[Any, int]:
        data = self.data
        if not depth:
            raise self.wrong(f"nesting deeper than {DEPTH} levels", pos)
        depth -= 1
        items: list[Any] = []
        first = data[pos]
        if first == _TYPE or first == _COUNT:
            return self.counted(pos, depth)
        append, content = items.append, self.content
        while True:
            marker = data[pos]
            pos += 1
            if marker == _TEXT and data[pos] == _UINT8:
                end = pos + 2 + data[pos + 1]
                if end > self.size:
                    raise IndexError
                append(data[pos + 2 : end].decode())
                pos = end
            elif marker == _UINT8:
                append(data[pos])
                pos += 1
            elif marker == _ARRAY_END:
                return items, pos
            elif marker != _NOOP:
                item, pos = content(marker, pos, depth)
                append(item)

    def counted(self, pos: int, depth: int) -> tuple[Any, int]:
        """An array with a count: octets, or a list, of lists if there are dimensions."""
        kind, sizes, pos = self.opening(pos)
        if sizes is None:
            raise self.wrong("an array without a count", pos)
        n = math.prod(sizes)
        items: Any
        if kind in self.numbers:
            unpack, width = self.numbers[kind]
            end = pos + n * width
            if kind == self.codec._octets and len(sizes) == 1:
                return self.data[pos:end], end
            code = f"{self.codec._order}{n}{self.codec._codes[kind]}"
            items = list(struct.unpack_from(code, self.data, pos))
            pos = end
        elif kind == _NOOP:
            raise self.wrong("an array of no-ops", pos)
        else:
            items = []
            for _ in range(n):
                if kind:
                    item, pos = self.content(kind, pos, depth)
                else:
                    item, pos = self.value(pos, depth)
                items.append(item)
        if len(sizes) > depth + 1:
            raise self.wrong(f"nesting deeper than {DEPTH} levels", pos)
        for size in reversed(sizes[1:]):
            items = [items[i : i + size] for i in range(0, len(items), size)]
        return items, pos

    def object(self, pos: int, depth: int) -> tuple[dict[str, Any], int]:
        data = self.data
        if not depth:
            raise self.wrong(f"nesting deeper than {DEPTH} levels", pos)
        depth -= 1
        found: dict[str, Any] = {}
        kind, sizes, pos = self.opening(pos)
        if sizes is not None:
            if len(sizes) != 1:
                raise self.wrong("an object with dimensions", pos)
            for _ in range(sizes[0]):
                n, pos = self.length(pos)
                key = data[pos : pos + n].decode()
                if kind:
                    found[key], pos = self.content(kind, pos + n, depth)
                else:
                    found[key], pos = self.value(pos + n, depth)
            return found, pos
        while True:
            marker = data[pos]
            if marker == _UINT8:
                end = pos + 2 + data[pos + 1]
                key = data[pos + 2 : end].decode()
            elif marker == _OBJECT_END:
                return found, pos + 1
            elif marker == _NOOP:
                pos += 1
                continue
            else:
                n, end = self.length(pos)
                key = data[end : end + n].decode()
                end += n
            found[key], pos = self.value(end, depth)
