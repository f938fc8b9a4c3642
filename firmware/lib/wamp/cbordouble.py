"""Doubles for `cbor`: loaded by interpreters that have them, which most boards do not."""

from struct import pack, unpack_from

try:
    from micropython import const
except ImportError:  # CPython
    const = int

_SINGLE = const(0xFA)
_DOUBLE = const(0xFB)


def narrow(value):
    """A double that is not NaN as a single where that keeps the value, else as it is."""
    octets = pack(">Bd", _DOUBLE, value)
    if octets[8] or octets[7] or octets[6] or octets[5] & 0x1F:
        return octets
    exponent = (octets[1] & 0x7F) << 4 | octets[2] >> 4
    if 1150 < exponent < 2047:  # finite, and too large for a single
        return octets
    single = pack(">Bf", _SINGLE, value)
    if exponent < 897 and unpack_from(">f", single, 1)[0] != value:
        return octets
    return single
