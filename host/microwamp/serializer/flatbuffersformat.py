"""FlatBuffers: messages by our own schema and codec, with the payload in another format."""

from typing import Any

from microwamp.schema import codec

from . import create_object_serializer
from ._base import ObjectSerializer, Serializer
from .cborformat import CBORObjectSerializer


class FlatBuffersObjectSerializer(ObjectSerializer):
    """WAMP messages, as lists, as FlatBuffers. Other values have no schema and are refused."""

    NAME = "flatbuffers"
    BINARY = True

    def __init__(self, batched: bool = False, payload_serializer: str = "cbor") -> None:
        """payload_serializer: format of args and kwargs, which both ends have to agree on."""
        super().__init__(batched)
        self._payload = create_object_serializer(payload_serializer)
        rest = CBORObjectSerializer()
        self._dump, self._load = self._payload.pack, self._payload.unpack
        self._dump_rest, self._load_rest = rest.pack, rest.unpack

    def pack(self, obj: Any) -> bytes:
        return codec.encode(obj, self._dump, self._dump_rest)

    def unpack(self, data: bytes) -> Any:
        return codec.decode(bytes(data), self._load, self._load_rest)


class FlatBuffersSerializer(Serializer):
    """WAMP messages as FlatBuffers."""

    SERIALIZER_ID = "flatbuffers"
    RAWSOCKET_SERIALIZER_ID = 5
    MIME_TYPE = "application/x-flatbuffers"

    def __init__(self, batched: bool = False, payload_serializer: str = "cbor") -> None:
        """payload_serializer: "cbor", "json", "msgpack", "ubjson" or "flexbuffers": the format of
        args and kwargs. Buffers do not tell it: both ends have to agree."""
        serializer = FlatBuffersObjectSerializer(batched, payload_serializer)
        super().__init__(serializer)
        self._payload_serializer = serializer._payload

    @property
    def PAYLOAD_SERIALIZER_ID(self) -> str:
        """Name of the format of the application payload."""
        return self._payload_serializer.NAME

    def serialize_payload(self, data: Any) -> bytes:
        """Application payload (a list or a dictionary) as octets of the payload's format."""
        return self._payload_serializer.serialize(data)
