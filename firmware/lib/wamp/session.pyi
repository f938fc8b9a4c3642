from collections.abc import Callable, Sequence
from typing import Any, Final, type_check_only
from typing import Protocol as _Interface

from .errors import Error

CHALLENGED: Final = 1
JOINED: Final = 2
ENDED: Final = 3
DONE: Final = 4
ANSWERED: Final = 5
FAILED: Final = 6
HAPPENED: Final = 7
INVOKED: Final = 8
INTERRUPTED: Final = 9
REVOKED: Final = 10
PROGRESSED: Final = 11
CONTINUED: Final = 12

CLOSED: Final = 0
JOINING: Final = 1
ESTABLISHED: Final = 2
SHUTTING_DOWN: Final = 3

# What a session needs of an authenticator; wamp.auth.Authenticator has more.
@type_check_only
class _Authenticator(_Interface):
    @property
    def method(self) -> str: ...
    def hello(self, details: dict[str, Any]) -> None: ...
    def welcome(self, details: dict[str, Any]) -> None: ...

class Protocol:
    state: int
    session: int | None
    details: dict[str, Any] | None
    dropped: int
    _pending: dict[int, tuple[int, Any, Any]]  # by request id: code, handle, what else is kept
    _last: int  # the request id used last
    def __init__(
        self,
        send: Callable[[list[Any]], object],
        requests: int = 128,
        invocations: int = 128,
    ) -> None: ...
    def join(
        self, realm: str, auth: Sequence[_Authenticator] = (), agent: str | None = None
    ) -> None: ...
    def authenticate(self, signature: str, extra: dict[str, Any]) -> None: ...
    def leave(self, reason: str = "wamp.close.close_realm", message: str = "") -> None: ...
    def abort(self, reason: str, message: str = "") -> None: ...
    def violation(self, error: Error) -> tuple[int, Error]: ...
    def abandon(self) -> None: ...
    def end(self) -> list[Any]: ...
    def router_has(self, role: str, feature: str) -> bool: ...
    def publish(
        self,
        handle: object | None,
        topic: str,
        args: Sequence[Any] | bytes | None = None,
        kwargs: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> int: ...
    def call(
        self,
        handle: object,
        procedure: str,
        args: Sequence[Any] | bytes | None = None,
        kwargs: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> int: ...
    def subscribe(
        self, handle: object, topic: str, entry: object, options: dict[str, Any] | None = None
    ) -> int: ...
    def register(
        self, handle: object, procedure: str, entry: object, options: dict[str, Any] | None = None
    ) -> int: ...
    def unsubscribe(self, handle: object, subscription: int, entry: object) -> bool: ...
    def unregister(self, handle: object, registration: int) -> int: ...
    # One more part of a call that began with options={"progress": True}; the last part comes
    # without it. False (nothing was sent): the call is answered, cancelled or forgotten already.
    def call_on(
        self,
        request: int,
        procedure: str,
        args: Sequence[Any] | bytes | None = None,
        kwargs: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> bool: ...
    # mode: skip, kill or killnowait. The handle stays pending until ANSWERED, FAILED or
    # `forget`. False (nothing was sent): not pending, or the dealer cannot cancel.
    def cancel(self, request: int, mode: str = "killnowait") -> bool: ...
    def full(self) -> bool: ...
    def forget(self, request: int) -> Any | None: ...
    def answer(
        self,
        request: int,
        args: Sequence[Any] | bytes | None = None,
        kwargs: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None: ...
    # False (nothing was sent): the caller wants no progress, or was interrupted, or is answered.
    def progress(
        self,
        request: int,
        args: Sequence[Any] | bytes | None = None,
        kwargs: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> bool: ...
    def fail(
        self,
        request: int,
        error: str,
        args: Sequence[Any] | bytes | None = None,
        kwargs: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None: ...
    # (kind, ...): the constants above say what follows each. Opaque payloads (payload passthru):
    # args is bytes and kwargs None, ppt_* or enc_* stand in the details, as the router sent them.
    def receive(self, message: Any) -> tuple[Any, ...] | None: ...
