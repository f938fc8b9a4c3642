"""Serializers: WAMP messages to octets and back, one class a format.

Each format's module, and the package it stands on, is loaded when its class is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._base import ObjectSerializer, Serializer

if TYPE_CHECKING:
    from .cborformat import CBORObjectSerializer, CBORSerializer
    from .flatbuffersformat import FlatBuffersObjectSerializer, FlatBuffersSerializer
    from .flexbuffersformat import FlexBuffersObjectSerializer
    from .jsonformat import JsonObjectSerializer, JsonSerializer
    from .msgpackformat import MsgPackObjectSerializer, MsgPackSerializer
    from .ubjsonformat import UBJSONObjectSerializer, UBJSONSerializer

__all__ = [
    "CBORObjectSerializer",
    "CBORSerializer",
    "FlatBuffersObjectSerializer",
    "FlatBuffersSerializer",
    "FlexBuffersObjectSerializer",
    "JsonObjectSerializer",
    "JsonSerializer",
    "MsgPackObjectSerializer",
    "MsgPackSerializer",
    "ObjectSerializer",
    "Serializer",
    "UBJSONObjectSerializer",
    "UBJSONSerializer",
    "create_object_serializer",
    "create_transport_serializer",
    "create_transport_serializers",
]

# Name of the format: what its classes are called. FlexBuffers is for payloads only.
_FORMATS = {
    "json": "Json",
    "msgpack": "MsgPack",
    "cbor": "CBOR",
    "ubjson": "UBJSON",
    "flatbuffers": "FlatBuffers",
    "flexbuffers": "FlexBuffers",
}
_MODULES = {
    f"{stem}{kind}": f"{name}format"
    for name, stem in _FORMATS.items()
    for kind in ("ObjectSerializer", "Serializer")
    if f"{stem}{kind}" in __all__
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _named(name: str, kind: str) -> Any:
    """The class of a kind for the format `name`, or ValueError that lists the known ones."""
    found = _FORMATS.get(name, "") + kind
    if found not in _MODULES:
        known = [name for name, stem in _FORMATS.items() if stem + kind in _MODULES]
        raise ValueError(f"unknown serializer {name!r}, known: {', '.join(known)}")
    return __getattr__(found)


def create_object_serializer(name: str) -> ObjectSerializer:
    """A serializer of plain values: "json", "msgpack", "cbor", "ubjson" or "flexbuffers"."""
    found: ObjectSerializer = _named(name, "ObjectSerializer")()
    return found


def create_transport_serializer(serializer_id: str) -> Serializer:
    """A new serializer by its id: "cbor", "json.batched", ... Raises ValueError for others."""
    name, dot, mode = serializer_id.partition(".")
    if dot and mode != "batched":
        raise ValueError(f"unknown serializer {serializer_id!r}: only .batched can follow a name")
    found: Serializer = _named(name, "Serializer")(batched=bool(dot))
    return found


def create_transport_serializers(transport: Any) -> list[Serializer]:
    """New serializers for the ids in `transport.serializers`, in their order."""
    return [create_transport_serializer(name) for name in transport.serializers]
