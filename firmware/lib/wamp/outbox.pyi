from collections.abc import Coroutine, Sequence
from typing import Any

from .client import Client

class Outbox:
    limit: int
    latest: bool
    dropped: int
    def __init__(self, limit: int = 32, latest: bool = False) -> None: ...
    def __len__(self) -> int: ...
    def attach(self, client: Client) -> None: ...
    def publish(
        self,
        topic: str,
        args: Sequence[Any],
        kwargs: dict[str, Any] | None,
        options: dict[str, Any],
        acknowledge: bool,
        timeout_ms: int | None,
    ) -> Coroutine[Any, Any, int | None]: ...
    def up(self) -> None: ...
