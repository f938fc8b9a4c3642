from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from .client import Client
from .errors import Error

_Handler: TypeAlias = Callable[..., object]
_H = TypeVar("_H", bound=_Handler)

class Declaration:
    code: int
    uri: str
    handler: Callable[..., object]
    options: dict[str, Any]
    details: bool
    id: int | None
    error: Error | None
    settled: bool
    refusals: int
    request: int | None
    at: int
    def __init__(
        self,
        client: Client,
        code: int,
        uri: str,
        handler: Callable[..., object],
        options: dict[str, Any],
        details: bool,
    ) -> None: ...
    async def confirmed(self, timeout_ms: int | None = None) -> Declaration: ...
    async def remove(self) -> None: ...
    def wake(self) -> None: ...
    def settle(self, id: int | None, error: Error | None = None) -> None: ...
    def expire(self) -> None: ...
    def handle(self, report: tuple[Any, ...]) -> None: ...

def declare(
    client: Client,
    code: int,
    uri: str,
    handler: Callable[..., object] | None,
    details: bool,
    options: dict[str, Any],
) -> Declaration | Callable[[_H], _H]: ...
