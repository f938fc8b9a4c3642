from typing import Any

from ._mpports import UartPort

def open_path(path: str) -> StreamPort: ...

class StreamPort(UartPort):
    def __init__(self, s: Any) -> None: ...
