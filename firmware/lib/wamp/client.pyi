from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, Self, TypeAlias, type_check_only

from .declarations import Declarations
from .errors import Error
from .handlers import Handlers
from .transport import TransportDetails

_Codec: TypeAlias = tuple[Callable[[Any], bytes | bytearray], Callable[[bytes], Any]]

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

class Client(Handlers, Declarations):
    url: str
    realm: str
    timeout_ms: int
    session: int | None
    details: dict[str, Any]
    error: Error | None
    joins: int
    failures: int
    transport_details: TransportDetails
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
        **transport: Any,
    ) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def join(self) -> None: ...
    def start(self) -> None: ...
    async def leave(self) -> None: ...
    async def ended(self) -> None: ...
    # Options by their names: what a checker finds here, the library refuses at run time.
    async def call(
        self,
        procedure: str,
        *args: Any,
        kwargs: dict[str, Any] | None = None,
        timeout_ms: int | None = None,
        disclose_me: bool = ...,
    ) -> Any: ...
    async def publish(
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
    ) -> int | None: ...
