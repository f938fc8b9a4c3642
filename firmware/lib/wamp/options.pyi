from typing import Any

from .session import Protocol

NAMES: dict[int, str]
PASSTHRU: str
WORDS: dict[str, str]

def names_of(code: int) -> str: ...
def check(code: int, options: dict[str, Any]) -> None: ...
def call_flags(protocol: Protocol, options: dict[str, Any]) -> int: ...
