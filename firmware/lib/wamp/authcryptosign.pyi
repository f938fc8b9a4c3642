from collections.abc import Callable, Sequence
from typing import Any

from .auth import Authenticator

class Cryptosign(Authenticator):
    public: bytes | None
    def __init__(
        self,
        seed: bytes | bytearray | None,
        public: bytes | bytearray | None = None,
        authid: str | None = None,
        sign: Callable[[bytes], bytes] | None = None,
        router: bytes | bytearray | Sequence[bytes] | None = None,
        random: Callable[[int], bytes] | None = None,
        verify: Callable[[bytes, bytes, bytes], bool] | None = None,
    ) -> None: ...
    def _bound(self, octets: bytes, extra: dict[str, Any]) -> bytes: ...

def unhex(text: object, length: int) -> bytes | None: ...
