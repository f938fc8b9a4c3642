from typing import Any

from .session import Protocol

def wrap(
    protocol: Protocol,
    message: list[Any],
    at: int,
    args: object,
    kwargs: dict[str, Any] | None,
) -> None: ...
