from collections.abc import Callable, Generator

from .auth import Authenticator

ITERATIONS_MIN: int
ITERATIONS_MAX: int
ARGON2_MAX: int
SALT_MAX: int

class Scram(Authenticator):
    authid: str
    def __init__(
        self,
        authid: str,
        password: str,
        random: Callable[[int], bytes],
        argon2: Callable[[bytes, bytes, int, int], bytes] | None = None,
    ) -> None: ...
    def _salted(
        self, name: str, salt: bytes, iterations: int, memory: int
    ) -> Generator[None, None, bytes]: ...
