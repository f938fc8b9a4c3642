from asyncio import Task
from collections.abc import Callable

from .client import Client

def guard(
    client: Client, feed: Callable[[], object], every_ms: int = 1000, stuck_ms: int = 180000
) -> Task[None]: ...
