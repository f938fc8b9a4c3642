from collections.abc import Sequence
from typing import Any

from .session import Protocol, _Authenticator

FEATURES: dict[str, tuple[str, ...]]

def roles() -> dict[str, Any]: ...

class Joining:
    def __init__(self, auth: Sequence[_Authenticator]) -> None: ...
    def hello(self, agent: str | None) -> dict[str, Any]: ...
    def receive(
        self, protocol: Protocol, code: int, message: list[Any]
    ) -> tuple[Any, ...] | None: ...

def let_go() -> None: ...
