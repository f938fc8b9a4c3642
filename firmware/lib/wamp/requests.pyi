from collections.abc import Callable, Sequence
from typing import Any

from .client import Client
from .errors import Error

def result(
    args: Sequence[Any] | bytes,
    kwargs: dict[str, Any] | None,
    details: dict[str, Any] | None = None,
) -> Any: ...

class Request:
    client: Client
    name: str
    at: int
    timeout_ms: int
    mode: str | None
    on_progress: Callable[..., object] | None
    id: int | None
    settled: bool
    value: Any
    error: Error | None
    wake: Callable[[], None]
    def __init__(
        self,
        client: Client,
        name: str,
        timeout_ms: int | None,
        mode: str | None = None,
        on_progress: Callable[..., object] | None = None,
    ) -> None: ...
    def settle(self, value: Any, error: Error | None = None) -> None: ...
    def expire(self) -> None: ...
    async def outcome(self) -> Any: ...
    def done(self) -> None: ...
