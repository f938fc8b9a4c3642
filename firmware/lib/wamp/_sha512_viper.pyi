from array import array
from typing import Any

micropython: Any  # the module, or a stand-in where there is none

def words(octets: bytes) -> array[int]: ...
def digest(padded: bytes, start: array[int], rounds: array[int]) -> bytes: ...
