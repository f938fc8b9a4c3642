from collections.abc import Callable
from typing import Any

from .client import Client
from .declarations import Declaration

# The types of calls in parts and of what else progress needs; `details` of handlers get
#   progress(*args, kwargs=None, **options) -> bool
#   async receive() -> wamp.Result | None
def act(client: Client, kind: int, report: tuple[Any, ...]) -> None: ...
def interrupt(client: Client, request: int, uri: str) -> None: ...
def prepare(
    client: Client, declaration: Declaration, request: int, details: dict[str, Any]
) -> Any: ...

class ProgressiveCall:
    def __init__(
        self,
        client: Client,
        procedure: str,
        timeout_ms: int | None = None,
        on_progress: Callable[..., object] | None = None,
        cancel_mode: str = "killnowait",
        **options: Any,
    ) -> None: ...
    async def send(self, *args: Any, kwargs: dict[str, Any] | None = None) -> bool: ...
    async def finish(self, *args: Any, kwargs: dict[str, Any] | None = None) -> Any: ...
    def cancel(self) -> None: ...
