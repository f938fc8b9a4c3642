"""What is fuzzed of the host: like tests/core/fuzz.py, which has the library's targets."""

from __future__ import annotations

from microwamp import message
from microwamp.exception import ProtocolError, SerializationError
from microwamp.serializer import (
    FlexBuffersObjectSerializer,
    Serializer,
    UBJSONSerializer,
    create_transport_serializer,
)

# The first octet of a case says which of them reads the rest.
SERIALIZERS: list[Serializer] = [
    create_transport_serializer("json"),
    create_transport_serializer("msgpack"),
    create_transport_serializer("cbor"),
    UBJSONSerializer(form="bjdata"),
    UBJSONSerializer(form="ubjson"),
    create_transport_serializer("flatbuffers"),
    create_transport_serializer("json.batched"),
    create_transport_serializer("cbor.batched"),
    create_transport_serializer("flatbuffers.batched"),
]
FLEXBUFFERS = len(SERIALIZERS)


def serializers(data: bytes) -> None:
    """Octets are a ProtocolError, or messages that go out again and come back the same."""
    which = data[0] % (FLEXBUFFERS + 1) if data else 0
    if which == FLEXBUFFERS:
        flexbuffers(data[1:])
        return
    serializer = SERIALIZERS[which]
    try:
        found = serializer.unserialize(data[1:])
    except ProtocolError:
        return
    for one in found:
        one.marshal()
        try:
            octets, _ = serializer.serialize(one)
        except SerializationError:
            # Values that only what was read can have, such as a naive date.
            assert which == 2 or which == 7, one
            continue
        (again,) = serializer.unserialize(octets)
        assert serializer.serialize(again)[0] == octets, one


def flexbuffers(data: bytes) -> None:
    """The same for values."""
    serializer = FlexBuffersObjectSerializer()
    try:
        found = serializer.unserialize(data)
    except ProtocolError:
        return
    octets = serializer.serialize(found[0])
    assert serializer.serialize(serializer.unserialize(octets)[0]) == octets, found


def warm_up() -> None:
    """Loads what is loaded on first use."""
    for code in message.MESSAGE_TYPE_MAP:
        message.MESSAGE_TYPE_MAP[code]
    for which in range(FLEXBUFFERS + 1):
        serializers(bytes((which,)))


TARGETS = {"serializers": serializers}
