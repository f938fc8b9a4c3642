"""The URIs of WAMP's own errors (WAMP basic and advanced profile), on `ApplicationError`.

`ApplicationError.NO_SUCH_PROCEDURE` is "wamp.error.no_such_procedure". Loaded by `wamp.errors` on
CPython; a program on a board imports this module if it wants the names, which take 1 kB there.
"""

from .errors import ApplicationError

for _name in (
    "INVALID_URI",
    "NO_SUCH_PROCEDURE",
    "PROCEDURE_ALREADY_EXISTS",
    "NO_SUCH_REGISTRATION",
    "NO_SUCH_SUBSCRIPTION",
    "INVALID_ARGUMENT",
    "RUNTIME_ERROR",
    "CANCELED",
    "TIMEOUT",
    "UNAVAILABLE",
    "NOT_AUTHORIZED",
    "NO_SUCH_REALM",
    "PROTOCOL_VIOLATION",
    "PAYLOAD_SIZE_EXCEEDED",
    "INVALID_PAYLOAD",
):
    setattr(ApplicationError, _name, "wamp.error." + _name.lower())
