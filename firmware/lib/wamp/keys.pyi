from os import PathLike
from typing import TypeAlias

from .auth import Cryptosign

_Path: TypeAlias = str | PathLike[str]

PRIVATE: str
PUBLIC: str

def cryptosign(path: _Path, authid: str | None = None) -> Cryptosign: ...
def read_key(path: _Path) -> tuple[bytes, bytes | None]: ...
def new_seed(entropy: bytes = b"") -> bytes: ...
def write_key(path: _Path, seed: bytes, public: bytes, comment: str = "") -> None: ...
