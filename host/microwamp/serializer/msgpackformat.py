"""MessagePack, by the msgpack package, held to what a message may be."""

from typing import Any

import msgpack

from wamp.errors import RemoteProtocolError

from ._base import ObjectSerializer, Serializer
from .limits import DEPTH, NUMBER_KEYS_OCTETS, too_deep

# A container is allocated by the count that it claims, up to as many as there are octets. So many
# octets that look like the first one of a container are let through; where there are more, the
# counts are added up first, and the depth is looked at afterwards.
_CONTAINERS_UNSEEN = 16
_NO_CONTAINER = bytes({*range(256)} - {*range(0x80, 0xA0), *range(0xDC, 0xE0)})

_pack = msgpack.Packer(use_bin_type=True).pack
_unpack = msgpack.unpackb


class MsgPackObjectSerializer(ObjectSerializer):
    """Values as MessagePack (with the binary type). Of equal keys the last wins."""

    NAME = "msgpack"
    BINARY = True

    def pack(self, obj: Any) -> bytes:
        packed: bytes = _pack(obj)
        return packed

    def unpack(self, data: bytes) -> Any:
        many = len(data.translate(None, _NO_CONTAINER)) > _CONTAINERS_UNSEEN
        if many:
            _scan(data)
        value = _unpack(data, strict_map_key=len(data) > NUMBER_KEYS_OCTETS)
        if many and type(value) in (list, dict) and too_deep(value):
            raise RemoteProtocolError(f"nested deeper than {DEPTH} levels")
        return value


# Octets that follow the first octet of an item without contents of its own.
_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_FIXED |= {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_FIXED |= {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
# Width of the length that follows, and what is beside the content it counts.
_SIZED = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)}
_SIZED |= {0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}
# Width of the count that follows, and items for each that it counts.
_CONTAINERS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _scan(data: bytes) -> None:
    """Refuses octets whose containers claim more items, all together, than can follow."""
    size = len(data)
    pos, due = 0, 1
    while due:
        if due > size - pos:
            raise RemoteProtocolError(f"{due} items claimed at octet {pos} of {size}")
        first = data[pos]
        pos += 1
        due -= 1
        if first < 0x80 or first >= 0xE0:
            continue
        if first < 0x90:
            due += (first & 15) * 2
        elif first < 0xA0:
            due += first & 15
        elif first < 0xC0:
            pos += first & 31
        elif first in _FIXED:
            pos += _FIXED[first]
        elif first in _SIZED:
            width, beside = _SIZED[first]
            pos += width + beside + int.from_bytes(data[pos : pos + width], "big")
        elif first in _CONTAINERS:
            width, items = _CONTAINERS[first]
            due += items * int.from_bytes(data[pos : pos + width], "big")
            pos += width
        else:
            raise RemoteProtocolError(f"unknown type 0x{first:02x} at octet {pos - 1}")


class MsgPackSerializer(Serializer):
    """WAMP messages as MessagePack."""

    SERIALIZER_ID = "msgpack"
    RAWSOCKET_SERIALIZER_ID = 2
    MIME_TYPE = "application/x-msgpack"

    def __init__(self, batched: bool = False) -> None:
        super().__init__(MsgPackObjectSerializer(batched))
