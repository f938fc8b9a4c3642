from collections.abc import Generator

accelerator: None
_TABLES: tuple[bytes, ...]

def base_times(columns: bytes | bytearray) -> Generator[None, None, bytes]: ...
