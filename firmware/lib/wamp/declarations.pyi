from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar, overload

from .client import Client
from .errors import Error

_Handler: TypeAlias = Callable[..., object]
_H = TypeVar("_H", bound=_Handler)
_Match: TypeAlias = Literal["exact", "prefix", "wildcard"]
_Invoke: TypeAlias = Literal["single", "roundrobin", "random", "first", "last"]

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

class Declarations:
    dropped: int
    @overload
    def subscribe(
        self,
        topic: str,
        handler: None = None,
        details: bool = False,
        *,
        match: _Match = ...,
        get_retained: bool = ...,
    ) -> Callable[[_H], _H]: ...
    @overload
    def subscribe(
        self,
        topic: str,
        handler: _Handler,
        details: bool = False,
        *,
        match: _Match = ...,
        get_retained: bool = ...,
    ) -> Declaration: ...
    @overload
    def register(
        self,
        procedure: str,
        handler: None = None,
        details: bool = False,
        *,
        match: _Match = ...,
        invoke: _Invoke = ...,
        concurrency: int = ...,
        disclose_caller: bool = ...,
        force_reregister: bool = ...,
        forward_timeout: bool = ...,
    ) -> Callable[[_H], _H]: ...
    @overload
    def register(
        self,
        procedure: str,
        handler: _Handler,
        details: bool = False,
        *,
        match: _Match = ...,
        invoke: _Invoke = ...,
        concurrency: int = ...,
        disclose_caller: bool = ...,
        force_reregister: bool = ...,
        forward_timeout: bool = ...,
    ) -> Declaration: ...
