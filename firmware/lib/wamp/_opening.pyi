from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

from .client import Client, _Authenticator, _Codec

_T = TypeVar("_T")

def prepare(
    client: Client,
    auth: _Authenticator | list[_Authenticator] | tuple[_Authenticator, ...] | None,
    log: Callable[[str], object] | None,
    codec: _Codec | None,
) -> None: ...
async def connect(client: Client, join_ms: int) -> None: ...
async def limited(client: Client, steps: Awaitable[_T], ms: int) -> _T: ...
async def steps(generator: Generator[None, None, _T]) -> _T: ...
