from typing import Any, Final

HELLO: Final = 1
WELCOME: Final = 2
ABORT: Final = 3
CHALLENGE: Final = 4
AUTHENTICATE: Final = 5
GOODBYE: Final = 6
ERROR: Final = 8
PUBLISH: Final = 16
PUBLISHED: Final = 17
SUBSCRIBE: Final = 32
SUBSCRIBED: Final = 33
UNSUBSCRIBE: Final = 34
UNSUBSCRIBED: Final = 35
EVENT: Final = 36
CALL: Final = 48
CANCEL: Final = 49
RESULT: Final = 50
REGISTER: Final = 64
REGISTERED: Final = 65
UNREGISTER: Final = 66
UNREGISTERED: Final = 67
INVOCATION: Final = 68
INTERRUPT: Final = 69
YIELD: Final = 70
ID_MAX: Final[int]
KINDS: dict[int, bytes]

LAYOUT: dict[int, tuple[str, int, tuple[tuple[str, str], ...]]]
OPTIONS: dict[int, dict[str, type]]
FEATURES: dict[str, tuple[str, ...]]

def roles() -> dict[str, Any]: ...
def validate(message: Any) -> int: ...
def check_options(code: int, options: dict[str, Any]) -> None: ...
def check_uri(uri: Any, what: str, pattern: bool = False) -> None: ...
