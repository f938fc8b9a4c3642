from collections.abc import Generator

from .auth import Authenticator

ITERATIONS_MAX: int
KEYLEN_MAX: int

class CRA(Authenticator):
    authid: str
    def __init__(self, authid: str, secret: str | bytes) -> None: ...
    def _stretch(
        self, secret: bytes, salt: bytes, iterations: int, length: int
    ) -> Generator[None, None, bytes]: ...
