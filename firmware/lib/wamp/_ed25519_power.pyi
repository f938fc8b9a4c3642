from collections.abc import Generator

from ._ed25519_numbers import Integers, Octets

def power(numbers: Integers | Octets) -> Generator[None, None, None]: ...
