from collections.abc import Sequence
from typing import Any

class Result:
    args: Sequence[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any] | None
    details: dict[str, Any] | None
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __eq__(self, other: object) -> bool: ...
