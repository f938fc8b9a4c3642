from typing import Final

CBOR: Final = 3
MESSAGE: Final = 0
PING: Final = 1
PONG: Final = 2

def exponent(length: int) -> int: ...
def request(length: int, serializer: int = 3) -> bytes: ...
def check_reply(reply: bytes, serializer: int = 3) -> int: ...
