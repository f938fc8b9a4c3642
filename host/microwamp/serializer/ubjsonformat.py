"""UBJSON and BJData, by a codec of our own: one package for it is dead, the other needs NumPy."""

from typing import Any

from ._base import ObjectSerializer, Serializer
from .ubjsoncodec import Codec


class UBJSONObjectSerializer(ObjectSerializer):
    """Values as UBJSON, in the form that both ends have agreed on."""

    NAME = "ubjson"
    BINARY = True

    def __init__(self, batched: bool = False, form: str = "bjdata") -> None:
        """form: "bjdata" (autobahn 26.6.1 and newer) or "ubjson" (older ones): see ubjsoncodec."""
        super().__init__(batched)
        codec = Codec(form)
        self.form = form
        self._encode, self._decode = codec.encode, codec.decode

    def pack(self, obj: Any) -> bytes:
        return self._encode(obj)

    def unpack(self, data: bytes) -> Any:
        return self._decode(data)


class UBJSONSerializer(Serializer):
    """WAMP messages as UBJSON."""

    SERIALIZER_ID = "ubjson"
    RAWSOCKET_SERIALIZER_ID = 4
    MIME_TYPE = "application/ubjson"

    def __init__(self, batched: bool = False, form: str = "bjdata") -> None:
        """form: "bjdata" or "ubjson", for both directions: the octets do not tell which."""
        super().__init__(UBJSONObjectSerializer(batched, form))
