"""CBOR, by the cbor2 package, held to what a message may be."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import cbor2
from cbor2 import loads

from microwamp.message import Message
from wamp.errors import RemoteProtocolError

from ._base import ObjectSerializer, Serializer
from .cborwriter import encode, encode_message
from .limits import DEPTH, NUMBER_KEYS_OCTETS

# cbor2 stops at the end of a value and does not tell where that is. So every value is read as
# the first of a list of two, the second being octets that nobody else can know.
_END = os.urandom(16)
_HEAD, _TAIL = b"\x82", b"\x50" + _END


def _refuse(*_: Any) -> NoReturn:
    raise RemoteProtocolError("CBOR with a tag that is refused")


# Tags whose values are not what their octets are: big floats (2^(2^31) in six octets), text and
# values by reference (a few octets grow to any size), regular expressions and MIME messages
# (programs and parsers fed by a peer). 55799 says only that this is CBOR.
_TAGS: dict[int, Callable[..., Any]] = dict.fromkeys((5, 25, 28, 29, 35, 36, 256), _refuse)
_TAGS[55799] = lambda value, _immutable: value


def _untagged(tag: cbor2.CBORTag, immutable: bool) -> Any:
    """The value of a tag that cbor2 does not know, and reads as one that cannot be changed."""
    return tag.value if immutable else _thawed(tag.value)


def _thawed(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_thawed(item) for item in value]
    if isinstance(value, cbor2.frozendict):
        return {key: _thawed(item) for key, item in value.items()}
    return value


_DEPTH = DEPTH + 1  # and the list of two
_loads_strict = partial(
    loads,
    max_depth=_DEPTH,
    semantic_decoders=_TAGS,
    tag_hook=_untagged,
    strict_hashable_types=True,
)


class CBORObjectSerializer(ObjectSerializer):
    """Values as CBOR (RFC 8949).

    Decimals, dates, fractions, UUIDs and sets travel as the tags that are registered for them; of
    a tag that is unknown only the value is kept. Of equal keys the last wins.
    """

    NAME = "cbor"
    BINARY = True

    def pack(self, obj: Any) -> bytes:
        return encode(obj)

    def serialize_message(self, message: Message) -> bytes:
        if self._batched:
            return super().serialize_message(message)
        return encode_message(message)

    def unpack(self, data: bytes) -> Any:
        try:
            if len(data) > NUMBER_KEYS_OCTETS:
                value, end = _loads_strict(_HEAD + data + _TAIL)
            else:
                value, end = loads(
                    _HEAD + data + _TAIL,
                    max_depth=_DEPTH,
                    semantic_decoders=_TAGS,
                    tag_hook=_untagged,
                )
        except cbor2.CBORDecodeEOF as e:
            raise RemoteProtocolError("ends within a value") from e
        if end != _END:
            raise RemoteProtocolError("octets after the end of the value")
        if 0xF7 in data:
            return _without_undefined(value)
        return value


def _without_undefined(value: Any) -> Any:
    """`value` with None in place of undefined, which JavaScript has and no other format."""
    kind = type(value)
    if kind is list:
        for i, item in enumerate(value):
            value[i] = _without_undefined(item)
    elif kind is dict:
        for key, item in value.items():
            value[key] = _without_undefined(item)
    elif value is cbor2.undefined:
        return None
    return value


class CBORSerializer(Serializer):
    """WAMP messages as CBOR."""

    SERIALIZER_ID = "cbor"
    RAWSOCKET_SERIALIZER_ID = 3
    MIME_TYPE = "application/cbor"

    def __init__(self, batched: bool = False) -> None:
        super().__init__(CBORObjectSerializer(batched))
        if not batched:
            self._pack_message = encode_message  # what it comes to, without the call in between
