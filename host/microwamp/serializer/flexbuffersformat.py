"""FlexBuffers, by a codec of our own: for payloads only, no transport has an id for it."""

from typing import Any

from . import flexbufferscodec
from ._base import ObjectSerializer


class FlexBuffersObjectSerializer(ObjectSerializer):
    """Values as FlexBuffers."""

    NAME = "flexbuffers"
    BINARY = True

    def pack(self, obj: Any) -> bytes:
        return flexbufferscodec.encode(obj)

    def unpack(self, data: bytes) -> Any:
        return flexbufferscodec.decode(data)
