from typing import Any

from .session import Protocol

OPTIONS: dict[int, dict[str, type]]
WORDS: dict[str, tuple[str, ...]]

def check(code: int, options: dict[str, Any]) -> None: ...
def call_flags(protocol: Protocol, options: dict[str, Any]) -> int: ...
