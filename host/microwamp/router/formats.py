"""The serializers of the router: CBOR by `codec`, the others by `microwamp.serializer`, which is
loaded when a client wants one of them.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from wamp.errors import Error, RemoteProtocolError

from . import codec
from .session import Message

# By their numbers in RawSocket's handshake (WAMP advanced profile, "RawSocket").
NUMBERS = {1: "json", 2: "msgpack", 3: "cbor", 4: "ubjson", 5: "flatbuffers"}
# As subprotocols of WebSocket are called, without their "wamp.2.".
NAMES = tuple(name + mode for name in NUMBERS.values() for mode in ("", ".batched"))

# What crossbar and autobahn put behind each message of a batch in JSON; they refuse the 0x1e of
# the specification. Clients of ours read both.
_SEPARATOR = b"\x18"


class Unsayable(Error):
    """A message that a format cannot express."""


class Format:
    """One serializer. name: as in NAMES. binary: whether WebSocket is to mark it so."""

    def __init__(self, name: str) -> None:
        self.name, _, mode = name.partition(".")
        self.binary = self.name != "json"
        self._batched = bool(mode)
        self._pack: Callable[[Any], bytes] = codec.encode
        self._unpack: Callable[[bytes], list[Any]] = lambda octets: [codec.decode(octets)]
        if name != "cbor":
            module = import_module("microwamp.serializer")
            objects: Any = module.create_transport_serializer(name)._serializer
            self._pack = objects.serialize
            self._unpack = objects.unserialize
            if name == "json.batched":
                self._pack = lambda message: objects.pack(message) + _SEPARATOR

    def encode(self, message: Message) -> bytes:
        """One message; raises Unsayable."""
        try:
            return self._pack(message)
        except Exception as e:
            # The libraries' own errors: an integer of more than 64 bits in MessagePack, say.
            raise Unsayable(f"{self.name} cannot express it: {str(e)[:120]}") from e

    def decode(self, octets: bytes) -> list[Any]:
        """The messages of one payload, one without batches; raises RemoteProtocolError."""
        if self._pack is codec.encode:
            return self._unpack(octets)
        try:
            found = self._unpack(octets)
        except Exception as e:
            text = str(e)[:120] or type(e).__name__
            raise RemoteProtocolError(f"malformed {self.name}: {text}") from e
        return [codec.plain(one, len(octets)) for one in found]


@cache
def format_of(name: str) -> Format:
    """The format with a name; the same one each time."""
    return Format(name)
