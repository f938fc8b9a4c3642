from collections.abc import Callable, Iterable
from typing import Any

from .link import Link

__all__ = ("encode", "put", "receive")

def encode(
    out: bytearray, add: Callable[[int], None], items: Iterable[Any], depth: int
) -> None: ...
def put(self: Link, data: bytes | bytearray | memoryview, now: int) -> memoryview | None: ...
def receive(
    self: Link, data: bytes | bytearray | memoryview, now: int
) -> list[tuple[int, Any]]: ...
