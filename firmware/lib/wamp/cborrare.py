"""What is seldom in CBOR: big integers, half floats, tags, strings in chunks, odd types.

Functions of `cbor`, in a module that is loaded with the first such item.
"""

from collections import OrderedDict

from .cbor import _bad, _decode, _head
from .errors import LocalProtocolError

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_OCTETS = const(0x40)
_TAG = const(0xC0)
_SIMPLE = const(0xE0)
_HALF = const(0xF9)
_BREAK = const(0xFF)

try:
    b"\xc0\x80".decode()
    _UTF8_IS_UNCHECKED = True
except UnicodeError:  # CPython
    _UTF8_IS_UNCHECKED = False

_TAG_BIGNUM = const(2)
_TAG_NEGATIVE_BIGNUM = const(3)


def bignum(out, major, n):
    """Append an integer of more than 64 bits; major: 0, or 0x20 for a negative one."""
    size = 16
    while n >> 8 * size:
        size *= 2
    octets = n.to_bytes(size, "big").lstrip(b"\0")
    out.append(_TAG | (_TAG_NEGATIVE_BIGNUM if major else _TAG_BIGNUM))
    _head(out, _OCTETS, len(octets))
    out += octets


def plain(value):
    """The same value as the plain builtin it derives from."""
    if isinstance(value, str):
        return value.encode().decode()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, dict):
        return OrderedDict(value.items())
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise LocalProtocolError("cannot encode a value of type %s" % type(value).__name__)


def chunks(data, i, end, major, add):
    """Add the string whose chunks begin at octet `i`; returns where its break ends."""
    chunks = []
    while data[i] != _BREAK:
        if data[i] & 0xE0 != major or data[i] & 0x1F == 31:
            raise _bad("a chunk that is not a string of the same type with a length", i)
        i = _decode(data, i, end, 1, chunks.append, 1)
    add((b"" if major == _OCTETS else "").join(chunks))
    return i + 1


def tags(data, i, end):
    """Pass over the tags from octet `i` on; returns where the tagged item begins and None.

    For a bignum, which is one item with its tag: where it ends and the integer.
    """
    while data[i] & 0xE0 == _TAG:
        start = i
        tag = data[i] & 0x1F
        i += 1
        if tag > 23:
            if tag > 27:
                raise _bad("unassigned head 0x%02x" % data[start], start)
            size = 1 << (tag - 24)
            tag = int.from_bytes(data[i : i + size], "big")
            i += size
        if tag == _TAG_BIGNUM or tag == _TAG_NEGATIVE_BIGNUM:
            if data[i] & 0xE0 != _OCTETS:
                raise _bad("a bignum that is not octets", start)
            octets = []
            i = _decode(data, i, end, 1, octets.append, 1)
            n = int.from_bytes(octets[0], "big")
            return i, (n if tag == _TAG_BIGNUM else -1 - n)
    if data[i] == _BREAK:
        raise _bad("a tag without an item", start)
    return i, None


def simple(data, i, head):
    """The rare items of major type 7, octet `i` being the one after the head."""
    if head == _HALF:
        half = data[i] << 8 | data[i + 1]
        exponent = half >> 10 & 0x1F
        value = half & 0x3FF
        if exponent == 31:
            value = float("nan" if value else "inf")
        else:
            value = ((value | 0x400) << exponent if exponent else value << 1) / 0x2000000
        return i + 2, (-value if half & 0x8000 else value)
    if head == _BREAK:
        raise _bad("a break outside an indefinite item", i - 1)
    if head > _SIMPLE | 24 or head == _SIMPLE | 24 and data[i] < 32:
        raise _bad("unassigned head 0x%02x" % head, i - 1)
    return (i + 1 if head == _SIMPLE | 24 else i), None


def not_finite(data, i):
    """The double whose head is octet `i`, its exponent being all ones."""
    if data[i + 2] == 0xF0 and data[i + 3 : i + 9] == b"\0\0\0\0\0\0":
        return float("-inf" if data[i + 1] & 0x80 else "inf")
    return float("nan")


def check_utf8(octets):
    """Raise UnicodeError if the octets of a str are not UTF-8 after all."""
    if _UTF8_IS_UNCHECKED and not is_utf8(octets):
        raise UnicodeError


def is_utf8(octets):
    """Whether octets that MicroPython takes for UTF-8 are that (RFC 3629 section 4).

    It lets overlong forms, surrogates and code points beyond 10FFFF pass, which the peers do not.
    Only the octet after the first one of a character can be too low or too high.
    """
    lead = 0
    for octet in octets:
        if octet > 0xBF:
            if octet < 0xC2 or octet > 0xF4:
                return False
            if octet > 0xDF:
                lead = octet
        elif lead:
            if (
                (lead == 0xE0 and octet < 0xA0)
                or (lead == 0xED and octet > 0x9F)
                or (lead == 0xF0 and octet < 0x90)
                or (lead == 0xF4 and octet > 0x8F)
            ):
                return False
            lead = 0
    return True
