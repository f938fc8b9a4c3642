"""What the core says when something is wrong: loaded with the first error that is told."""

from .errors import RemoteProtocolError
from .messages import ID_MAX, KINDS

# Name and elements of every message, in the order of the wire.
ELEMENTS = {
    1: "HELLO realm details",
    2: "WELCOME session details",
    3: "ABORT details reason args kwargs",
    4: "CHALLENGE authmethod extra",
    5: "AUTHENTICATE signature extra",
    6: "GOODBYE details reason args kwargs",
    8: "ERROR request_type request details error args kwargs",
    16: "PUBLISH request options topic args kwargs",
    17: "PUBLISHED request publication",
    32: "SUBSCRIBE request options topic",
    33: "SUBSCRIBED request subscription",
    34: "UNSUBSCRIBE request subscription",
    35: "UNSUBSCRIBED request details",
    36: "EVENT subscription publication details args kwargs",
    48: "CALL request options procedure args kwargs",
    49: "CANCEL request options",
    50: "RESULT request details args kwargs",
    64: "REGISTER request options procedure",
    65: "REGISTERED request registration",
    66: "UNREGISTER request registration",
    67: "UNREGISTERED request details",
    68: "INVOCATION request registration details args kwargs",
    69: "INTERRUPT request options",
    70: "YIELD request options args kwargs",
}

_KINDS = {
    "i": "an id (an integer from 1 to 2^53)",
    "z": "an id or 0",
    "d": "a dictionary with string keys",
    "s": "a string",
    "t": "the type of a request",
    "a": "a list",
    "k": "a dictionary with string keys",
}

# What an option is, by its letter in `options`
_OPTIONS = {
    "b": "bool",
    "n": "an int from 1",
    "i": "a list of int",
    "s": "a list of str",
    "t": "a str that is not empty",
    "w": "one of ",
}

# key: sentence. In place of %s comes the name of the message that has the number, of %r a foreign
# value cut to a bounded length, of %a a string of our own, of %k the kind of an option, of %o
# options as `options` has them.
_SENTENCES = {
    "open": "join: a session is open already",
    "closed": "no session: %s cannot be sent",
    "full": "%d requests wait for an answer already",
    "gone": "no such %a: %r",
    "kwargs": "kwargs must be a dictionary with string keys, not %r",
    "unknown": "unknown %s option %a; known:%o",
    "option": "%s option %a is %r, needed: %k%a",
    "mode": "CANCEL option mode is %r, one of skip, kill, killnowait needed",
    "last": "call_on: the last part of call %d was sent already",
    "before": "%s before WELCOME",
    "joined": "%s in an established session",
    "roles": "WELCOME.details.roles names neither broker nor dealer",
    "again": "%d CHALLENGEs in a row",
    "never": "reply to request %d, which was never sent",
    "other": "reply for %s to request %d, which was %s",
    "taken": "REGISTERED.registration %d is taken",
    "details": "%s of a request with details",
    "callee": "ERROR.request type 68 is the callee's, not the router's",
    "running": "INVOCATION.request %d is under way already",
    "feature": "%a: the router does not announce %a",
    "scheme": "a payload of octets needs ppt_scheme (or enc_algo), and no kwargs",
    "octets": "%a is for a payload that is one octet string",
    "differ": "%a and %a say different things",
    "wamp": "the payload scheme wamp has no specification yet: it cannot be sent",
    "word": "%a is %r, which is no word of the protocol; one of your own begins with x_",
    "cipher": "ppt_cipher %r cannot be said to this router, which knows payload_transparency only",
    "uri": "%a %r is not a URI: a non-empty string without white space and #",
    "component": "%a %r is not a URI: it has an empty component",
    "prefix": "RawSocket frame with reserved bits or unknown type: first octet 0x%02x",
    "limit": "RawSocket frame of %d octets, over our limit of %d",
    "authid": "authid must be a text that is not empty",
    "ticket": "the ticket must be a text",
    "login": "the router wants a login, and this client offered none",
    "unproved": "the router has not proved to %a that it is the right one",
    "method": "the router says it let us in by another method than %a",
    "long": "message of %d octets, the router accepts %d",
}


def name(code):
    """The name of the message with this number."""
    return ELEMENTS[code].split()[0]


def sentence(key, values):
    """The sentence of this key with its values."""
    text = _SENTENCES[key]
    shown = []
    at = -1
    for value in values:
        at = text.index("%", at + 1)
        how = text[at + 1]
        if how == "s":
            value = name(value)
        elif how == "r":
            value = short(value)
        elif how == "k":
            value = _OPTIONS[value]
        elif how == "o":
            value = ",".join([" " + option[:-2] for option in sorted(value.split())])
        shown.append(value)
    for how in "rako":
        text = text.replace("%" + how, "%s")
    return text % tuple(shown)


def short(value):
    """Type and beginning of a foreign value, for an error message of bounded length."""
    if type(value) is str or type(value) is bytes:
        return repr(value[:24]) + ("" if len(value) <= 24 else "...")
    if type(value) is list or type(value) is dict:
        return "a %s of %d" % (type(value).__name__, len(value))
    if type(value) is int and not -ID_MAX <= value <= ID_MAX:
        return "an integer out of range"  # CPython refuses to write very long ones
    return repr(value)[:32]


def malformed(message, i):
    """The RemoteProtocolError for what `validate` refuses: element i, or the whole with i 0."""
    if type(message) is not list or not message:
        text = "not a WAMP message: a list with at least one element expected"
    elif type(message[0]) is not int or message[0] not in KINDS:
        text = "unknown WAMP message type %s" % short(message[0])
    else:
        kinds = KINDS[message[0]]
        labels = ELEMENTS[message[0]].split()
        if not i:
            values = (labels[0], len(message), kinds[0] + 1, len(kinds))
            text = "%s with %d elements, %d to %d expected" % values
        else:
            needed = _KINDS[chr(kinds[i])]
            label = labels[i].replace("_", " ")
            text = "%s.%s is %s, not %s" % (labels[0], label, short(message[i]), needed)
    return RemoteProtocolError(text)


def described(error):
    """An ApplicationError as text."""
    text = str(error.error)
    if error.args:
        text += ": " + ", ".join([str(a) for a in error.args])
    if error.kwargs:
        text += " " + str(error.kwargs)
    return text


# Error codes of the handshake's reply (WAMP advanced profile, "RawSocket").
_REFUSALS = (
    "illegal or unknown error code",
    "serializer unsupported",
    "maximum message length unacceptable",
    "use of reserved bits",
    "maximum connection count reached",
)


def refused(reply, serializer):
    """The HandshakeRefused for a reply of the router: with its error code, or with what the octets
    look like."""
    from .failures import HandshakeRefused

    low = reply[1] & 15
    high = reply[1] >> 4
    if reply[0] != 0x7F:
        looks = "it began with the octets %s" % " ".join(["%02x" % x for x in reply])
        if reply[:4] == b"HTTP":
            looks = "it speaks HTTP"
        elif reply[0] == 0x15 or reply[0] == 0x16:
            looks = "it speaks TLS (use rss:// instead of rs://)"
        text = "this is not a RawSocket router: %s; check host, port and scheme of the URL" % looks
    elif low == 0:
        why = _REFUSALS[high if high < len(_REFUSALS) else 0]
        text = "the router refused the RawSocket handshake: %s (error %d)" % (why, high)
        error = HandshakeRefused(text)
        error.code = high
        return error
    elif low != serializer:
        text = "the router answered with serializer %d, %d was asked for" % (low, serializer)
    else:
        text = "the router used reserved bits of the RawSocket handshake"
    return HandshakeRefused(text)


def unanswered(began):
    """The HandshakeRefused for a stream that ended before the reply was whole."""
    from .failures import HandshakeRefused

    if began:
        text = "the router closed the connection in the middle of the RawSocket handshake"
    else:
        text = (
            "the router closed the connection without a RawSocket reply: is CBOR enabled on that "
            "port, and is it a RawSocket port?"
        )
    return HandshakeRefused(text)
