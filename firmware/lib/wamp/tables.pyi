from typing import Any, Final

from .joining import FEATURES as FEATURES
from .joining import roles as roles

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

OPTIONS: dict[int, dict[str, type]]
LAYOUT: dict[int, tuple[str, int, tuple[tuple[str, str], ...]]]

CHALLENGED: Final = 1
JOINED: Final = 2
ENDED: Final = 3
DONE: Final = 4
ANSWERED: Final = 5
FAILED: Final = 6
HAPPENED: Final = 7
INVOKED: Final = 8
INTERRUPTED: Final = 9
REVOKED: Final = 10
PROGRESSED: Final = 11
CONTINUED: Final = 12

CLOSED: Final = 0
JOINING: Final = 1
ESTABLISHED: Final = 2
SHUTTING_DOWN: Final = 3

def check_options(code: int, options: dict[str, Any]) -> None: ...
