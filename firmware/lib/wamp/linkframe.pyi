from typing import Final

BY_PEER: Final = 0
BY_ROUTER: Final = 1
NO_ROUTER: Final = 2
STOPPING: Final = 3
PROTOCOL: Final = 4
VERSION: Final = 5
NOT_SERVED: Final = 6
NO_CONNECTION: Final = 7
LOST: Final = 255

VERSION_1: Final = 0x41
PAYLOAD_MAX: Final = 1024
OVERHEAD: Final = 14
SYNC: Final[bytes]

T_DATA: Final = 0
T_ACK: Final = 1
T_PROBE: Final = 2
T_CLOSE: Final = 3
T_RESET: Final = 4
T_CONSOLE: Final = 5
T_OPEN: Final = 8
T_ACCEPT: Final = 9
T_ANNOUNCE: Final = 10
T_REFUSE: Final = 11

def check(w: int) -> int: ...
def frame(
    kind: int,
    payload: bytes,
    seed: int = 0,
    seq: int = 0xFFFF,
    ack: int = 0xFFFF,
    credit: int = 0xFF,
) -> bytes: ...
def reason(payload: bytes) -> tuple[int, str]: ...
def is_text(octets: bytes) -> bool: ...
