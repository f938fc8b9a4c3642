from os import PathLike
from typing import TypeAlias

from .keyfile import PRIVATE as PRIVATE
from .keyfile import PUBLIC as PUBLIC
from .keyfile import cryptosign as cryptosign
from .keyfile import read_key as read_key

__all__ = ("PRIVATE", "PUBLIC", "cryptosign", "new_seed", "read_any_key", "read_key", "write_key")

_Path: TypeAlias = str | PathLike[str]

def new_seed(entropy: bytes = b"") -> bytes: ...
def read_any_key(path: _Path) -> tuple[bytes | None, bytes]: ...
def write_key(path: _Path, seed: bytes, public: bytes, comment: str = "") -> None: ...
