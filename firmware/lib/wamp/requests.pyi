from collections.abc import Callable, Sequence
from typing import Any

from .client import Client
from .errors import Error

class Result:
    args: Sequence[Any]
    kwargs: dict[str, Any]
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __eq__(self, other: object) -> bool: ...

def result(args: Sequence[Any], kwargs: dict[str, Any]) -> Any: ...

class Request:
    name: str
    at: int
    timeout_ms: int
    id: int | None
    settled: bool
    value: Any
    error: Error | None
    def __init__(self, name: str, at: int, timeout_ms: int) -> None: ...
    def settle(self, value: Any = None, error: Error | None = None) -> None: ...
    async def wait(self) -> None: ...
    def wake(self) -> None: ...
    def rest(self) -> None: ...

class Declaration:
    code: int
    uri: str
    handler: Callable[..., object]
    options: dict[str, Any]
    details: bool
    id: int | None
    error: Error | None
    refusals: int
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
