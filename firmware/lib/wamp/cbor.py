"""CBOR (RFC 8949): encode and decode, bounded against every input.

Made for MicroPython, where one function call costs as much as some five other steps: one
bytearray out, an index into the octets in, one call per container instead of one per item, the
common items handled in line and the rare ones in functions of their own.

What the wire says becomes: integers of any size (bignums, tags 2 and 3, included) int, octets
bytes, text str, arrays list, maps dict, floats of all three widths float; null, undefined and the
simple values that nobody has assigned None. Of other tags only the value that they tag is kept.
Of equal keys in a map the last wins.

Floats have the precision of the interpreter: where that is single, as on most boards, a double
from the wire is rounded, and infinite if it is too large. Containers grow with the octets that
are there, an empty array costs 32 octets and more for the one it came as: the transport's length
limit is what bounds the memory, and a MemoryError is not caught here.
"""

import struct
import sys
from collections import OrderedDict
from struct import pack, unpack_from

from .errors import LocalProtocolError, RemoteProtocolError

try:
    from micropython import const
except ImportError:  # CPython
    const = int

__all__ = ("decode", "encode")

# A name that the module itself has is found faster than one of the interpreter.
bool = bool
bytearray = bytearray
bytes = bytes
dict = dict
float = float
int = int
len = len
list = list
str = str
tuple = tuple
type = type

# Major types, in the three high bits of an item's first octet (RFC 8949 section 3.1).
_NEGATIVE = const(0x20)
_OCTETS = const(0x40)
_TEXT = const(0x60)
_ARRAY = const(0x80)
_MAP = const(0xA0)
_TAG = const(0xC0)
_SIMPLE = const(0xE0)

_FALSE = const(0xF4)
_TRUE = const(0xF5)
_NULL = const(0xF6)
_HALF = const(0xF9)
_SINGLE = const(0xFA)
_DOUBLE = const(0xFB)
_BREAK = const(0xFF)


# Keys that fall into one slot of a dict make building it quadratic, and MicroPython's hashes are
# not seeded: 1,024 such keys take 0.6 s of an RP2040 (measured), 4,096 would take near ten.
_PAIRS_MAX = const(1024)

# Not a constant expression, because the compiler that folds it may have better floats.
_FLOATS_ARE_SINGLE = float("16777217") == 16777216

# What unpack_from raises beyond the end: MicroPython has no error class of struct's own.
_StructError = getattr(struct, "error", ValueError)


def encode(value, depth=16):
    """The octets of `value`, each item in the shortest form that keeps it (RFC 8949 section 4.1).

    value: None, bool, int (of any size), float, str, bytes, bytearray, memoryview, list, tuple,
    dict with keys of these, and subclasses of them; memoryviews are copied once.
    depth: how many lists and dicts an item may stand in.
    Raises LocalProtocolError for any other type, for text that UTF-8 cannot carry (lone
    surrogates), and for what is nested deeper, so also for a list that contains itself.
    """
    out = bytearray()
    if type(value) is list and 0 < len(value) < 24:  # a message: saves a call
        out.append(_ARRAY | len(value))
        _encode(out, out.append, value, depth)
    else:
        _encode(out, out.append, (value,), depth + 1)
    return out


def _encode(out, add, items, depth):
    if depth < 1:
        raise LocalProtocolError("cannot encode: nested too deeply, or in itself")
    try:
        for item in items:
            kind = type(item)
            if kind is str:
                octets = item.encode()
                n = len(octets)
                if n != len(item):
                    from .cborrare import check_utf8

                    check_utf8(octets)
                if n < 24:
                    add(_TEXT | n)
                else:
                    _head(out, _TEXT, n)
                out += octets
            elif kind is int:
                if item < 0:
                    _head(out, _NEGATIVE, -1 - item)
                elif item < 24:
                    add(item)
                else:
                    _head(out, 0, item)
            elif kind is list or kind is tuple:
                n = len(item)
                if n < 24:
                    add(_ARRAY | n)
                else:
                    _head(out, _ARRAY, n)
                if n:
                    _encode(out, add, item, depth - 1)
            elif kind is dict or kind is OrderedDict:
                n = len(item)
                if n < 24:
                    add(_MAP | n)
                else:
                    _head(out, _MAP, n)
                if n:
                    flat = []
                    for key in item:
                        flat.append(key)
                        flat.append(item[key])
                    _encode(out, add, flat, depth - 1)
            elif kind is float:
                out += _float(item)
            elif kind is bool:
                add(_TRUE if item else _FALSE)
            elif item is None:
                add(_NULL)
            elif kind is bytes or kind is bytearray:
                _head(out, _OCTETS, len(item))
                out += item
            else:
                from .cborrare import plain

                _encode(out, add, (plain(item),), depth)
    except UnicodeError:
        raise LocalProtocolError("cannot encode text with surrogates or beyond Unicode")
    except RuntimeError:  # the interpreter's stack is shorter than `depth`
        raise LocalProtocolError("cannot encode: nested too deeply for the stack")


def _head(out, major, n):
    if n < 24:
        out.append(major | n)
    elif n < 0x100:
        out.append(major | 24)
        out.append(n)
    elif n < 0x10000:
        out += pack(">BH", major | 25, n)
    elif n < 0x100000000:
        out += pack(">BI", major | 26, n)
    elif n < 0x10000000000000000:
        out += pack(">BQ", major | 27, n)
    else:  # only integers get here
        from .cborrare import bignum

        bignum(out, major, n)


def _float(value):
    """The shortest of half, single and double that keeps the value; NaN has one form.

    What a shorter form has no bits for must be zero, so most values are settled by one octet.
    """
    if value != value:
        return b"\xf9\x7e\x00"
    if _FLOATS_ARE_SINGLE:
        octets = pack(">Bf", _SINGLE, value)
    else:
        from .cbordouble import narrow

        octets = narrow(value)
        if len(octets) > 5:
            return octets
    if octets[4] or octets[3] & 0x1F:
        return octets
    # Exponent and fraction stand side by side in both, the exponents 112 apart.
    half = ((octets[1] & 0x7F) << 11 | octets[2] << 3 | octets[3] >> 5) - (112 << 10)
    if half == -(112 << 10):
        half = 0
    elif half < 0x400:  # subnormal: the leading one becomes a bit of the fraction
        shift = 1 - (half >> 10)
        half = half & 0x3FF | 0x400
        if shift > 10 or half & ((1 << shift) - 1):
            return octets
        half >>= shift
    elif half >= 0x7C00:
        if half != 143 << 10:
            return octets
        half = 0x7C00  # infinity
    return pack(">BH", _HALF, (octets[1] & 0x80) << 8 | half)


def decode(data, depth=16):
    """The value of the one item that `data` holds.

    data: bytes; a bytearray or memoryview is copied once.
    depth: how many arrays and maps an item may stand in.
    Raises RemoteProtocolError for everything that is not one well-formed, valid item (RFC 8949
    sections 1.2 and 5.3), for deeper nesting, for a map of more than 1,024 pairs and for one with
    an array or map as key. No length is believed before the octets are known to be there.
    """
    if type(data) is not bytes:
        data = bytes(data)
    values = []
    if data and _ARRAY < data[0] < _ARRAY + 24:  # a message: saves a call
        i = _decode(data, 1, len(data), data[0] & 0x1F, values.append, depth)
    else:
        depth += 1
        i = _decode(data, 0, len(data), 1, values.append, depth)
        values = values[0]
    if i != len(data):
        raise _bad("octets after the end", i)
    return values


def _bad(what, at):
    return RemoteProtocolError("CBOR: %s, at octet %d" % (what, at))


def _decode(data, i, end, count, add, depth):
    """Add `count` items from octet `i` on, if negative all up to a break; returns where they end.

    Every item has an octet at least, so a count is checked against the octets left; the
    containers themselves grow with what is really there.
    """
    if count > end - i:
        raise _bad("%d items in %d octets" % (count, end - i), i)
    if depth < 1:
        raise _bad("nested too deeply", i)
    try:
        while count:
            count -= 1
            start = i
            head = data[i]
            i += 1
            if head < 24:
                add(head)
                continue
            n = head & 0x1F
            if n > 23:
                if head < _TAG:
                    if n == 24:
                        n = data[i]
                        i += 1
                    elif n == 25:
                        n = data[i] << 8 | data[i + 1]
                        i += 2
                    elif n == 26:
                        n = unpack_from(">I", data, i)[0]
                        i += 4
                    elif n == 27:
                        n = unpack_from(">Q", data, i)[0]
                        i += 8
                    elif n == 31 and head >= _ARRAY:
                        n = -1
                    elif n == 31 and head >= _OCTETS:
                        from .cborrare import chunks

                        i = chunks(data, i, end, head & 0xE0, add)
                        continue
                    else:
                        raise _bad("unassigned head 0x%02x" % head, start)
                elif head == _DOUBLE:
                    value = unpack_from(">d", data, i)[0]
                    i += 8
                    # The RP2040's conversion to single makes NaN infinite.
                    if data[start + 1] & 0x7F == 0x7F and data[start + 2] >= 0xF0:
                        from .cborrare import not_finite

                        value = not_finite(data, start)
                    add(value)
                    continue
                elif head == _SINGLE:
                    add(unpack_from(">f", data, i)[0])
                    i += 4
                    continue
            if head < _ARRAY:
                if head >= _OCTETS:
                    stop = i + n
                    if stop > end:
                        raise _bad("a string of %d octets in %d" % (n, end - i), start)
                    octets = data[i:stop]
                    i = stop
                    if head < _TEXT:
                        add(octets)
                    else:
                        text = octets.decode()
                        if len(text) != n:
                            from .cborrare import check_utf8

                            check_utf8(octets)
                        add(text)
                elif head < _NEGATIVE:
                    add(n)
                else:
                    add(-1 - n)
            elif head < _MAP:
                values = []
                add(values)
                if n:
                    i = _decode(data, i, end, n, values.append, depth - 1)
            elif head < _TAG:
                pairs = {}
                add(pairs)
                if n:
                    if n > _PAIRS_MAX:
                        raise _bad("a map of %d pairs" % n, start)
                    values = []
                    i = _decode(data, i, end, n + n, values.append, depth - 1)
                    n = len(values)
                    if n & 1:
                        raise _bad("a map with a key without value", start)
                    if n > 2 * _PAIRS_MAX:
                        raise _bad("a map of %d pairs" % (n >> 1), start)
                    for j in range(0, n, 2):
                        pairs[values[j]] = values[j + 1]
            elif head == _TRUE:
                add(True)
            elif head == _FALSE:
                add(False)
            elif head == _NULL:
                add(None)
            elif head < _SIMPLE:
                from .cborrare import tags

                i, bignum = tags(data, start, end)
                if bignum is None:
                    count += 1  # the tagged item is still to come
                else:
                    add(bignum)
            elif head == _BREAK and count < 0:
                return i
            else:
                from .cborrare import simple

                i, value = simple(data, i, head)
                add(value)
    except UnicodeError:
        raise _bad("text that is not UTF-8", start)
    except (IndexError, ValueError, _StructError):
        raise _bad("truncated", end)
    except TypeError:
        raise _bad("a map with an array or a map as key", start)
    except RuntimeError:  # the interpreter's stack is shorter than `depth`
        raise _bad("nested too deeply for the stack", start)
    return i


if sys.maxsize == 0x7FFFFFFF:
    try:
        from ._accel import encode as _encode
    except (ImportError, SyntaxError, ValueError):
        pass  # not there, or for another processor
