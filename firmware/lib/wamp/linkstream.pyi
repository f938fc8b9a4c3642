from typing import Final

WINDOW_MAX: Final[int]
STREAM: Final = 0
IS_CLOSED: Final = 0
IS_OPENING: Final = 1
IS_OPEN: Final = 2
RTO_MAX: Final = 1000
RTO_FIRST: Final = 500

def diff(a: int, b: int) -> int: ...

class Stream:
    is_open: bool
    window: int
    rto: int
    received: int
    sent: int
    damaged: int
    resent: int
    timeouts: int
    def __init__(self, window: int, fragment: int, send_buffer: int) -> None: ...
    def send(self, data: bytes | bytearray | memoryview) -> int: ...
    def put(self, data: bytes | bytearray | memoryview, now: int) -> memoryview | None: ...
    def room(self) -> int: ...
    def pending(self) -> int: ...
    def set_window(self, octets: int) -> None: ...
