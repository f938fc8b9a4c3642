"""CBOR at the router's edge: cbor2, held to the values that WAMP has.

Whatever is wrong with octets from a client comes out as one RemoteProtocolError.
"""

from io import BytesIO
from typing import Any

import cbor2

from wamp.errors import RemoteProtocolError

# Levels of nesting: the device's decoder takes 16, programs on hosts seldom use 20. Without a
# limit a megabyte of opening brackets would exhaust the C stack of whoever walks the value next.
DEPTH = 64

# Bits of an integer: CPython refuses to print integers of more than 4300 digits, so a log line
# about a longer one would raise; RSA moduli still fit.
_INTEGER_BITS = 4096

_SCALARS = frozenset((type(None), bool, float, str, bytes))


def decode(octets: bytes) -> Any:
    """The value in `octets`: None, bool, int, float, str, bytes, list, dict with string keys.

    Raises RemoteProtocolError for anything else: broken CBOR, octets after the value, tags that
    stand for other types (dates, decimals, references), duplicate or non-string keys, nesting
    beyond DEPTH.
    """
    decoder = cbor2.CBORDecoder(BytesIO(octets), max_depth=DEPTH, allow_duplicate_keys=False)
    try:
        value = decoder.decode()
    except Exception as e:
        # cbor2's own errors, and what its decoders of tagged values let through (OverflowError,
        # MemoryError, ...): all of it is the sender's fault.
        raise RemoteProtocolError(f"malformed CBOR: {str(e)[:120]}") from e
    try:
        decoder.read(1)
    except cbor2.CBORDecodeEOF:
        return plain(value, len(octets))
    raise RemoteProtocolError("malformed CBOR: octets after the end of the value")


def encode(message: Any) -> bytes:
    """One message as CBOR; its values came from `decode` or from the router itself."""
    return cbor2.dumps(message)


def plain(value: Any, octets: int) -> Any:
    """`value` with undefined as None; refuses what WAMP does not have.

    A value of n octets has at most n parts. More can only come from shared references, which a
    few hundred octets can blow up to any size: the budget ends that, and cycles too.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is not list and kind is not dict:
        return _leaf(value)
    budget = octets
    stack = [value]
    while stack:
        here = stack.pop()
        budget -= len(here)
        if budget < 0:
            raise RemoteProtocolError("CBOR with shared references, which WAMP does not have")
        if type(here) is dict:
            for key, item in here.items():
                if type(key) is not str:
                    raise RemoteProtocolError(
                        f"a dictionary with a key of type {type(key).__name__}, strings needed"
                    )
                kind = type(item)
                if kind is list or kind is dict:
                    stack.append(item)
                elif kind not in _SCALARS:
                    here[key] = _leaf(item)
        else:
            for i, item in enumerate(here):
                kind = type(item)
                if kind is list or kind is dict:
                    stack.append(item)
                elif kind not in _SCALARS:
                    here[i] = _leaf(item)
    return value


def _leaf(value: Any) -> Any:
    if type(value) is int:
        if value.bit_length() > _INTEGER_BITS:
            raise RemoteProtocolError(f"an integer of {value.bit_length()} bits")
        return value
    if value is cbor2.undefined:
        return None
    raise RemoteProtocolError(f"CBOR value of type {type(value).__name__}, unknown to WAMP")
