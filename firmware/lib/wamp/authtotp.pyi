from collections.abc import Callable

from .auth import Ticket

class TOTP(Ticket):
    def __init__(
        self,
        authid: str,
        secret: str | bytes,
        clock: Callable[[], float],
        allow_clear: bool = False,
    ) -> None: ...

def totp(secret: bytes, seconds: int, digits: int = 6) -> str: ...
def base32(text: str) -> bytes: ...
