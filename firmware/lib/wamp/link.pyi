from typing import Any, Final

STREAM: Final = 0
OPENED: Final = 1
CLOSED: Final = 2
CONSOLE: Final = 3

def diff(a: int, b: int) -> int: ...

class Link:
    is_open: bool
    fill: int
    rto: int
    received: int
    sent: int
    damaged: int
    resent: int
    timeouts: int
    def __init__(
        self,
        window: int = 4096,
        fragment: int = 1024,
        lost_ms: int = 10000,
        send_buffer: int = 4096,
        name: str = "",
    ) -> None: ...
    def open(self, epoch: int, now: int) -> None: ...
    def close(self, code: int = 0, text: str = "", at_once: bool = False) -> None: ...
    def send(self, data: bytes | bytearray | memoryview) -> int: ...
    def put(self, data: bytes | bytearray | memoryview, now: int) -> memoryview | None: ...
    def pending(self) -> int: ...
    def output(self, now: int) -> bytes | memoryview | None: ...
    # (STREAM, octets), (OPENED, UTC or name), (CLOSED, (code, text)), (CONSOLE, octets)
    def receive(
        self, data: bytes | bytearray | memoryview, now: int
    ) -> list[tuple[int, Any]]: ...
    def timeout(self, now: int) -> int: ...
    def tick(self, now: int) -> list[tuple[int, Any]]: ...
