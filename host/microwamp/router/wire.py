"""What the router takes of the core's table of messages, in one place.

Source of the numbers: WAMP basic profile, "Messages".
"""

from wamp import messages
from wamp.messages import (
    ABORT,
    AUTHENTICATE,
    CALL,
    CANCEL,
    CHALLENGE,
    ERROR,
    EVENT,
    GOODBYE,
    HELLO,
    ID_MAX,
    INTERRUPT,
    INVOCATION,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    REGISTERED,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    UNREGISTER,
    UNREGISTERED,
    UNSUBSCRIBE,
    UNSUBSCRIBED,
    WELCOME,
    YIELD,
    validate,
)

__all__ = [
    "ABORT",
    "AUTHENTICATE",
    "CALL",
    "CANCEL",
    "CHALLENGE",
    "CLIENT_ROLES",
    "ERROR",
    "EVENT",
    "GOODBYE",
    "HELLO",
    "ID_MAX",
    "INTERRUPT",
    "INVOCATION",
    "PAYLOAD_AT",
    "PUBLISH",
    "PUBLISHED",
    "REGISTER",
    "REGISTERED",
    "RESULT",
    "ROLE_OF",
    "SUBSCRIBE",
    "SUBSCRIBED",
    "UNREGISTER",
    "UNREGISTERED",
    "UNSUBSCRIBE",
    "UNSUBSCRIBED",
    "WELCOME",
    "YIELD",
    "name",
    "validate",
]

CLIENT_ROLES = ("publisher", "subscriber", "caller", "callee")

# The role a client must have announced to send a message in a session.
ROLE_OF = {
    PUBLISH: "publisher",
    SUBSCRIBE: "subscriber",
    UNSUBSCRIBE: "subscriber",
    CALL: "caller",
    CANCEL: "caller",
    REGISTER: "callee",
    UNREGISTER: "callee",
    YIELD: "callee",
    ERROR: "callee",
}

# Where the arguments stand in what a client sends.
PAYLOAD_AT = {PUBLISH: 4, CALL: 4, YIELD: 3, ERROR: 5}


def name(code: int) -> str:
    """The name of a message type, for sentences."""
    return str(messages.LAYOUT[code][0])
