from collections.abc import Generator
from types import ModuleType

from ._ed25519_numbers import Integers, Octets

_D: int

def verify(
    public: bytes, message: bytes, signature: bytes, accelerator: ModuleType | None = None
) -> Generator[None, None, bool]: ...
def _point(
    numbers: Integers | Octets, octets: bytes
) -> Generator[None, None, tuple[int, int] | None]: ...
