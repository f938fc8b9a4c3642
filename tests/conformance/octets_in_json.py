"""Values as JSON, both ways: octets are {"$": hex}. On both sides of what is asked of autobahn."""

from __future__ import annotations

from typing import Any


def out(value: Any) -> Any:
    """What `json.dumps` takes."""
    if isinstance(value, bytes | memoryview):
        return {"$": bytes(value).hex()}
    if isinstance(value, dict):
        return {key: out(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [out(item) for item in value]
    return value


def into(value: Any) -> Any:
    """The reverse of `out`."""
    if isinstance(value, dict):
        if value.keys() == {"$"}:
            return bytes.fromhex(value["$"])
        return {key: into(item) for key, item in value.items()}
    if isinstance(value, list):
        return [into(item) for item in value]
    return value
