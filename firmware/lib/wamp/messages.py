"""The table of WAMP messages: numbers, element layout, options; and the check that applies it.

Everything this library knows about the shape of a message stands here once (WAMP basic profile,
"Messages"); the host package adds types and documentation to the same keys.
"""

from .errors import LocalProtocolError, RemoteProtocolError

HELLO = 1
WELCOME = 2
ABORT = 3
CHALLENGE = 4
AUTHENTICATE = 5
GOODBYE = 6
ERROR = 8
PUBLISH = 16
PUBLISHED = 17
SUBSCRIBE = 32
SUBSCRIBED = 33
UNSUBSCRIBE = 34
UNSUBSCRIBED = 35
EVENT = 36
CALL = 48
CANCEL = 49
RESULT = 50
REGISTER = 64
REGISTERED = 65
UNREGISTER = 66
UNREGISTERED = 67
INVOCATION = 68
INTERRUPT = 69
YIELD = 70

# Identifiers are integers in [1, 2^53] (WAMP basic profile, "IDs").
ID_MAX = 1 << 53

# code: (name, elements that must be there, (label, kind) of every element after the code).
# Kinds: i id, z id or 0, d dictionary, s string, t code of a request, a arguments, k keyword
# arguments, r the dictionary of a revocation. Arguments may be None (crossbar sends null when
# only keywords are set) or octets (a payload that is passed through).
LAYOUT = {
    HELLO: ("HELLO", 2, (("realm", "s"), ("details", "d"))),
    WELCOME: ("WELCOME", 2, (("session", "i"), ("details", "d"))),
    ABORT: ("ABORT", 2, (("details", "d"), ("reason", "s"), ("args", "a"), ("kwargs", "k"))),
    CHALLENGE: ("CHALLENGE", 2, (("authmethod", "s"), ("extra", "d"))),
    AUTHENTICATE: ("AUTHENTICATE", 2, (("signature", "s"), ("extra", "d"))),
    GOODBYE: ("GOODBYE", 2, (("details", "d"), ("reason", "s"), ("args", "a"), ("kwargs", "k"))),
    ERROR: (
        "ERROR",
        4,
        (
            ("request type", "t"),
            ("request", "i"),
            ("details", "d"),
            ("error", "s"),
            ("args", "a"),
            ("kwargs", "k"),
        ),
    ),
    PUBLISH: (
        "PUBLISH",
        3,
        (("request", "i"), ("options", "d"), ("topic", "s"), ("args", "a"), ("kwargs", "k")),
    ),
    PUBLISHED: ("PUBLISHED", 2, (("request", "i"), ("publication", "i"))),
    SUBSCRIBE: ("SUBSCRIBE", 3, (("request", "i"), ("options", "d"), ("topic", "s"))),
    SUBSCRIBED: ("SUBSCRIBED", 2, (("request", "i"), ("subscription", "i"))),
    UNSUBSCRIBE: ("UNSUBSCRIBE", 2, (("request", "i"), ("subscription", "i"))),
    UNSUBSCRIBED: ("UNSUBSCRIBED", 1, (("request", "z"), ("details", "r"))),
    EVENT: (
        "EVENT",
        3,
        (
            ("subscription", "i"),
            ("publication", "i"),
            ("details", "d"),
            ("args", "a"),
            ("kwargs", "k"),
        ),
    ),
    CALL: (
        "CALL",
        3,
        (("request", "i"), ("options", "d"), ("procedure", "s"), ("args", "a"), ("kwargs", "k")),
    ),
    CANCEL: ("CANCEL", 2, (("request", "i"), ("options", "d"))),
    RESULT: (
        "RESULT",
        2,
        (("request", "i"), ("details", "d"), ("args", "a"), ("kwargs", "k")),
    ),
    REGISTER: ("REGISTER", 3, (("request", "i"), ("options", "d"), ("procedure", "s"))),
    REGISTERED: ("REGISTERED", 2, (("request", "i"), ("registration", "i"))),
    UNREGISTER: ("UNREGISTER", 2, (("request", "i"), ("registration", "i"))),
    UNREGISTERED: ("UNREGISTERED", 1, (("request", "z"), ("details", "r"))),
    INVOCATION: (
        "INVOCATION",
        3,
        (
            ("request", "i"),
            ("registration", "i"),
            ("details", "d"),
            ("args", "a"),
            ("kwargs", "k"),
        ),
    ),
    INTERRUPT: ("INTERRUPT", 2, (("request", "i"), ("options", "d"))),
    YIELD: ("YIELD", 2, (("request", "i"), ("options", "d"), ("args", "a"), ("kwargs", "k"))),
}

# Options that a user may pass, with the type the specification gives them (booleans are booleans:
# crossbar resets the connection for `acknowledge: 1`).
OPTIONS = {
    PUBLISH: {
        "acknowledge": bool,
        "exclude_me": bool,
        "exclude": list,
        "exclude_authid": list,
        "exclude_authrole": list,
        "eligible": list,
        "eligible_authid": list,
        "eligible_authrole": list,
        "disclose_me": bool,
        "retain": bool,
    },
    SUBSCRIBE: {"match": str, "get_retained": bool},
    CALL: {"disclose_me": bool},
    REGISTER: {
        "match": str,
        "invoke": str,
        "concurrency": int,
        "disclose_caller": bool,
        "force_reregister": bool,
    },
}

# Options that are one of a few words; crossbar resets the connection for any other.
_WORDS = {
    "match": ("exact", "prefix", "wildcard"),
    "invoke": ("single", "roundrobin", "random", "first", "last"),
}

# What the roles of this client can do beyond the basic profile: announced in HELLO, and nothing
# that is not implemented (WAMP advanced profile, "Feature Announcement").
FEATURES = {
    "publisher": (
        "publisher_exclusion",
        "publisher_identification",
        "subscriber_blackwhite_listing",
    ),
    "subscriber": (
        "pattern_based_subscription",
        "publisher_identification",
        "subscription_revocation",
    ),
    "caller": ("caller_identification",),
    "callee": (
        "caller_identification",
        "pattern_based_registration",
        "registration_revocation",
        "shared_registration",
    ),
}

_REQUESTS = (PUBLISH, SUBSCRIBE, UNSUBSCRIBE, CALL, REGISTER, UNREGISTER, INVOCATION)
_NAMES = {
    "i": "an id (an integer from 1 to 2^53)",
    "z": "an id or 0",
    "d": "a dictionary with string keys",
    "r": "a dictionary with string keys",
    "s": "a string",
    "t": "the type of a request",
    "a": "a list",
    "k": "a dictionary with string keys",
}


def roles():
    """The `roles` dictionary of HELLO: every role with its features (WAMP advanced profile)."""
    found = {}
    for role in FEATURES:
        features = {}
        for name in FEATURES[role]:
            features[name] = True
        found[role] = {"features": features}
    return found


def _fits(kind, value):
    t = type(value)
    if kind == "i":
        return t is int and 0 < value <= ID_MAX
    if kind == "s":
        return t is str
    if kind == "a":
        return t is list or value is None or t is bytes
    if kind == "z":
        return t is int and 0 <= value <= ID_MAX
    if kind == "t":
        return t is int and value in _REQUESTS
    if value is None:
        return kind == "k"
    if t is not dict:
        return False
    for key in value:
        if type(key) is not str:
            return False
    return True


def validate(message):
    """Check a received message (a list) against the table; returns its code.

    Raises RemoteProtocolError that names the message, the element, what was found and what was
    expected. Unknown keys of dictionaries are left alone (WAMP basic profile, "Extensibility").
    """
    if type(message) is not list or not message:
        raise RemoteProtocolError("not a WAMP message: a list with at least one element expected")
    code = message[0]
    if type(code) is not int or code not in LAYOUT:
        raise RemoteProtocolError("unknown WAMP message type %s" % _short(code))
    name, low, elements = LAYOUT[code]
    n = len(message) - 1
    if n < low or n > len(elements):
        raise RemoteProtocolError(
            "%s with %d elements, %d to %d expected" % (name, n + 1, low + 1, len(elements) + 1)
        )
    i = 0
    for label, kind in elements:
        if i == n:
            return code
        i += 1
        value = message[i]
        # The usual cases without a function call, which costs a microcontroller 20 us each.
        t = type(value)
        if t is int:
            if kind == "i" and 0 < value <= ID_MAX:
                continue
        elif t is dict:
            if not value and (kind == "d" or kind == "k"):
                continue
        elif t is list and kind == "a":
            continue
        if not _fits(kind, value):
            raise RemoteProtocolError(
                "%s.%s is %s, not %s" % (name, label, _short(value), _NAMES[kind])
            )
    return code


def _short(value):
    """Type and beginning of a foreign value, for an error message of bounded length."""
    if type(value) is str or type(value) is bytes:
        return repr(value[:24]) + ("" if len(value) <= 24 else "...")
    if type(value) is list or type(value) is dict:
        return "a %s of %d" % (type(value).__name__, len(value))
    if type(value) is int and not -ID_MAX <= value <= ID_MAX:
        return "an integer out of range"  # CPython refuses to write very long ones
    return repr(value)[:32]


def check_options(code, options):
    """Check the options a user passed to a request (PUBLISH, SUBSCRIBE, CALL, REGISTER).

    Raises LocalProtocolError that names the option and lists the known ones, or the type needed.
    """
    known = OPTIONS[code]
    for name in options:
        if name not in known:
            raise LocalProtocolError(
                "unknown %s option %s; known: %s"
                % (LAYOUT[code][0], name, ", ".join(sorted(known)))
            )
        needed = _needed(name, options[name], known[name])
        if needed:
            raise LocalProtocolError(
                "%s option %s is %s, %s needed"
                % (LAYOUT[code][0], name, _short(options[name]), needed)
            )


def _needed(name, value, kind):
    """What an option should be, for an error message; None when it is."""
    if type(value) is not kind:
        return kind.__name__
    if name in _WORDS and value not in _WORDS[name]:
        return "one of " + ", ".join(_WORDS[name])
    if kind is int and value < 1:
        return "1 or more"
    if kind is list:
        item_kind = int if name in ("exclude", "eligible") else str
        for item in value:
            if type(item) is not item_kind:
                return "a list of " + item_kind.__name__
    return None


def check_uri(uri, what, pattern=False):
    """Check a URI of ours before it is sent (WAMP basic profile, "URIs", loose form).

    what: the word for the error message, such as "topic". pattern: empty components are allowed
    (prefix and wildcard matching), and the empty URI too. Raises LocalProtocolError: routers
    answer a bad URI with a reset of the connection more often than with an error.
    """
    if type(uri) is str and uri in _good and not pattern:
        return
    if type(uri) is not str or not (uri or pattern):
        raise LocalProtocolError("%s %s is not a URI: a non-empty string" % (what, _short(uri)))
    if uri.split() != ([uri] if uri else []) or "#" in uri:
        raise LocalProtocolError("%s %s has white space or # in it" % (what, _short(uri)))
    if not pattern:
        if ".." in uri or uri[0] == "." or uri[-1] == ".":
            raise LocalProtocolError("%s %s has an empty component" % (what, _short(uri)))
        if len(_good) < 16:
            _good[uri] = None


# URIs that were found good: a program uses the same few again and again.
_good = {}
