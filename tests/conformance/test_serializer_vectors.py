"""The vectors of `vectors/` in every serializer, both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from octets_in_json import into

from microwamp import message
from microwamp.serializer import (
    FlatBuffersSerializer,
    Serializer,
    UBJSONSerializer,
    create_transport_serializer,
)

VECTORS = [
    (f"{path.stem} {type(message.Message.parse(into(row[0]))).__name__} {number}", *row)
    for path in sorted(Path(__file__).with_name("vectors").glob("*.json"))
    for number, row in enumerate(json.loads(path.read_text()))
]
NAMES = ("json", "msgpack", "cbor", "ubjson", "flatbuffers")
CASES = [
    pytest.param(into(raw), name, forms[name], id=f"{what} {name}")
    for what, raw, forms, *_ in VECTORS
    for name in NAMES
]
# The official ones say what the attributes of the message are.
ATTRIBUTES = [
    pytest.param(attributes[0], name, forms[name], id=f"{what} {name}")
    for what, _, forms, *attributes in VECTORS
    if attributes
    for name in NAMES
]
HOLDERS = ("options", "details", "extra")
ROLES = {"publisher", "subscriber", "caller", "callee"}


def serializers(name: str, variants: list[str]) -> list[Serializer]:
    """One serializer for every variant: of UBJSON they are two forms."""
    if name == "ubjson":
        assert len(variants) == 2
        return [UBJSONSerializer(form="ubjson"), UBJSONSerializer(form="bjdata")]
    return [create_transport_serializer(name)] * len(variants)


def without_options(wmsg: list[Any]) -> list[Any]:
    return [item for item in wmsg if not isinstance(item, dict)]


def test_every_message_has_a_vector() -> None:
    assert len(VECTORS) == 25 + 15 and len(ATTRIBUTES) == 25 * 5
    codes = {row[1][0] for row in VECTORS}
    assert codes == set(message.MESSAGE_TYPE_MAP)


@pytest.mark.parametrize("raw, name, variants", CASES)
def test_read(raw: list[Any], name: str, variants: list[str]) -> None:
    """What the octets say is the message, and nothing is left of them."""
    for serializer, octets in zip(serializers(name, variants), variants, strict=True):
        (found,) = serializer.unserialize(bytes.fromhex(octets), serializer._binary)
        if name == "flatbuffers":
            assert without_options(found.marshal()) == without_options(raw)
        else:
            assert found.marshal() == raw
            assert found == message.Message.parse(raw)


@pytest.mark.parametrize("expected, name, variants", ATTRIBUTES)
def test_attributes(expected: dict[str, Any], name: str, variants: list[str]) -> None:
    """What is read has the attributes that the official vectors name."""
    for serializer, octets in zip(serializers(name, variants), variants, strict=True):
        found: Any = serializer.unserialize(bytes.fromhex(octets))[0]
        wmsg = found.marshal()
        for key, value in expected.items():
            if key == "message_type":
                assert type(found).MESSAGE_TYPE == value
            elif key in HOLDERS and not hasattr(found, key):
                held = next((item for item in wmsg[1:] if isinstance(item, dict)), {})
                assert held == value
            elif key == "payload":
                assert found.payload == (None if value is None else bytes.fromhex(value))
            elif key == "roles":
                # autobahn's FlatBuffers have no roles: they are then all that a client can have.
                assert set(found.roles) == (ROLES if name == "flatbuffers" else set(value))
            else:
                # Attributes are "request", "publication", where the vectors add "_id".
                assert getattr(found, key.removesuffix("_id")) == value


@pytest.mark.parametrize("raw, name, variants", CASES)
def test_write(raw: list[Any], name: str, variants: list[str]) -> None:
    """What we write are the octets of one variant, up to the order of keys; of FlatBuffers, whose
    layout is free, octets that say the same."""
    for serializer, octets in zip(serializers(name, variants), variants, strict=True):
        wmsg = message.Message.parse(raw)
        written, _ = serializer.serialize(wmsg)
        if name == "flatbuffers":
            (found,) = FlatBuffersSerializer().unserialize(written)
            assert found == wmsg
        else:
            assert serializer.unserialize(written) == [wmsg]
            assert sorted(written) in [sorted(bytes.fromhex(x)) for x in {octets, *variants}]
