from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any, Literal, Protocol, Self, TypeAlias, TypeVar, overload, type_check_only

from .declarations import Declaration
from .errors import Error
from .outbox import Outbox
from .transport import TransportDetails

_Codec: TypeAlias = tuple[Callable[[Any], bytes | bytearray], Callable[[bytes], Any]]

_Handler: TypeAlias = Callable[..., object]
_H = TypeVar("_H", bound=_Handler)
_Match: TypeAlias = Literal["exact", "prefix", "wildcard"]
_Invoke: TypeAlias = Literal["single", "roundrobin", "random", "first", "last"]

# What wamp.auth.Authenticator has; any other class with the same will do.
@type_check_only
class _Authenticator(Protocol):
    @property
    def method(self) -> str: ...
    @property
    def needs_private_link(self) -> bool: ...
    def prepare(self) -> Generator[None, None, None]: ...
    def hello(self, details: dict[str, Any]) -> None: ...
    def challenge(
        self, extra: dict[str, Any]
    ) -> Generator[None, None, tuple[str, dict[str, Any]]]: ...
    def welcome(self, details: dict[str, Any]) -> None: ...

class Client:
    url: str
    realm: str
    timeout_ms: int
    max_length: int
    auth: Sequence[_Authenticator]
    reconnect: bool
    alive_ms: int
    state: str
    session: int | None
    details: dict[str, Any]
    error: Error | None
    joins: int
    failures: int
    reads: int
    at: int
    ping: bool
    on_event: Callable[[str, Any], object] | None
    network: Callable[[], Awaitable[object]] | None
    outbox: Outbox | None
    transport_details: TransportDetails
    dropped: int
    def __init__(
        self,
        url: str,
        realm: str = "devices",
        auth: _Authenticator | Sequence[_Authenticator] | None = None,
        timeout_ms: int = 10000,
        max_length: int = ...,
        reconnect: bool = True,
        log: Callable[[str], object] | None = None,
        codec: _Codec | None = None,
        alive_ms: int | None = None,
        ping: bool = False,
        on_event: Callable[[str, Any], object] | None = None,
        network: Callable[[], Awaitable[object]] | None = None,
        outbox: Outbox | None = None,
        **transport: Any,
    ) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def join(self) -> Self: ...
    def start(self) -> None: ...
    async def leave(self, *_: object) -> None: ...
    def rejoin(
        self,
        realm: str | None = None,
        auth: _Authenticator | Sequence[_Authenticator] | None = None,
    ) -> Coroutine[Any, Any, Self]: ...
    async def ended(self) -> None: ...
    # Options by their names: what a checker finds here, the library refuses at run time.
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
    def call(
        self,
        procedure: str,
        *args: Any,
        kwargs: dict[str, Any] | None = None,
        timeout_ms: int | None = None,
        on_progress: Callable[..., object] | None = None,
        cancel_mode: Literal["skip", "kill", "killnowait"] = "killnowait",
        disclose_me: bool = ...,
        ppt_scheme: str = ...,
        ppt_serializer: str = ...,
        ppt_cipher: str = ...,
        ppt_keyid: str = ...,
        enc_algo: str = ...,
        enc_serializer: str = ...,
        enc_key: str = ...,
    ) -> Coroutine[Any, Any, Any]: ...
    def publish(
        self,
        topic: str,
        *args: Any,
        kwargs: dict[str, Any] | None = None,
        acknowledge: bool = False,
        timeout_ms: int | None = None,
        exclude_me: bool = ...,
        exclude: list[int] = ...,
        exclude_authid: list[str] = ...,
        exclude_authrole: list[str] = ...,
        eligible: list[int] = ...,
        eligible_authid: list[str] = ...,
        eligible_authrole: list[str] = ...,
        disclose_me: bool = ...,
        retain: bool = ...,
        ppt_scheme: str = ...,
        ppt_serializer: str = ...,
        ppt_cipher: str = ...,
        ppt_keyid: str = ...,
        enc_algo: str = ...,
        enc_serializer: str = ...,
        enc_key: str = ...,
    ) -> Coroutine[Any, Any, int | None]: ...
    def expire(self) -> None: ...
    def starved(self, error: MemoryError) -> None: ...
