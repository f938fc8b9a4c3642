from collections.abc import Callable, Generator
from typing import Any

ITERATIONS_MAX: int
KEYLEN_MAX: int

class Authenticator:
    method: str
    needs_private_link: bool
    authid: str | None
    def __init__(self, authid: str | None = None) -> None: ...
    def prepare(self) -> Generator[None, None, None]: ...
    def hello(self, details: dict[str, Any]) -> None: ...
    def challenge(
        self, extra: dict[str, Any]
    ) -> Generator[None, None, tuple[str, dict[str, Any]]]: ...
    def welcome(self, details: dict[str, Any]) -> None: ...

class Anonymous(Authenticator): ...

class Ticket(Authenticator):
    authid: str
    def __init__(self, authid: str, ticket: str, allow_clear: bool = False) -> None: ...

class CRA(Authenticator):
    authid: str
    def __init__(self, authid: str, secret: str | bytes) -> None: ...

class Cryptosign(Authenticator):
    public: bytes | None
    def __init__(
        self,
        seed: bytes | bytearray | None,
        public: bytes | bytearray | None = None,
        authid: str | None = None,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> None: ...
