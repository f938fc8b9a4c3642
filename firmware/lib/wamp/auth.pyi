from collections.abc import Generator
from typing import Any

from .authanonymous import Anonymous as Anonymous
from .authcra import CRA as CRA
from .authcrossbarscram import CrossbarScram as CrossbarScram
from .authcryptosign import Cryptosign as Cryptosign
from .authscram import Scram as Scram
from .authtotp import TOTP as TOTP

class Authenticator:
    method: str
    needs_authid: bool
    needs_private_link: bool
    unproved: bool
    authid: str | None
    def __init__(self, authid: str | None = None) -> None: ...
    def prepare(self) -> Generator[None, None, None]: ...
    def hello(self, details: dict[str, Any]) -> None: ...
    def challenge(
        self, extra: dict[str, Any]
    ) -> Generator[None, None, tuple[str, dict[str, Any]]]: ...
    def confirm(self, details: dict[str, Any]) -> None: ...
    def welcome(self, details: dict[str, Any]) -> None: ...

class Ticket(Authenticator):
    authid: str
    def __init__(self, authid: str, ticket: str, allow_clear: bool = False) -> None: ...
