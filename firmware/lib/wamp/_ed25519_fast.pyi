from collections.abc import Generator
from types import ModuleType

accelerator: ModuleType

def base_times(columns: bytes | bytearray) -> Generator[None, None, bytes]: ...
