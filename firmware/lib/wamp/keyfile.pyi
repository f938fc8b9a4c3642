from collections.abc import Sequence
from os import PathLike
from typing import TypeAlias

from .authcryptosign import Cryptosign

_Path: TypeAlias = str | PathLike[str]

PRIVATE: str
PUBLIC: str
HOST: bool

def cryptosign(
    path: _Path, authid: str | None = None, router: str | Sequence[str] | None = None
) -> Cryptosign: ...
def read_key(path: _Path) -> tuple[bytes, bytes | None]: ...
def read_octets(path: _Path, owned: bool = True) -> bytes: ...
