"""How values appear in error messages."""

from __future__ import annotations

from typing import Any


def shown(value: Any) -> str:
    """A value of a peer as it appears in an error message: short, whatever it is."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} octets"
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        bits = value.bit_length()
        return repr(value) if bits < 128 else f"an integer of {bits} bits"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"a dictionary of {len(value)}"
    return f"a {type(value).__name__}"
