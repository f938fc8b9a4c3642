"""The shape of WAMP messages, and the checks that apply it (WAMP basic profile, "Messages").

What a board needs for every message is here; sentences for errors, options and names are modules
of their own, loaded when they are needed. `__getattr__` gives what `tables` has.
"""

from .errors import LocalProtocolError, say

try:
    from micropython import const
except ImportError:  # CPython
    const = int

# Identifiers are integers in [1, 2^53] (WAMP basic profile, "IDs").
ID_MAX = 1 << 53

# code: how many elements must follow it, then the kind of each that may. i id, z id or 0,
# d dictionary, s string, t code of a request, a arguments, k keyword arguments. Arguments may be
# None (crossbar sends null when only keywords are set) or octets (a payload passed through).
KINDS = {
    1: b"\x02sd",
    2: b"\x02id",
    3: b"\x02dsak",
    4: b"\x02sd",
    5: b"\x02sd",
    6: b"\x02dsak",
    8: b"\x04tidsak",
    16: b"\x03idsak",
    17: b"\x02ii",
    32: b"\x03ids",
    33: b"\x02ii",
    34: b"\x02ii",
    35: b"\x01zd",
    36: b"\x03iidak",
    48: b"\x03idsak",
    49: b"\x02id",
    50: b"\x02idak",
    64: b"\x03ids",
    65: b"\x02ii",
    66: b"\x02ii",
    67: b"\x01zd",
    68: b"\x03iidak",
    69: b"\x02id",
    70: b"\x02idak",
}
_ID = const(0x69)
_ID_OR_0 = const(0x7A)
_DICTIONARY = const(0x64)
_STRING = const(0x73)
_REQUEST = const(0x74)
_ARGUMENTS = const(0x61)
_KEYWORDS = const(0x6B)

# What an ERROR may be about: PUBLISH, SUBSCRIBE, UNSUBSCRIBE, CALL, REGISTER, UNREGISTER,
# INVOCATION.
_REQUESTS = b"\x10\x20\x22\x30\x40\x42\x44"

# URIs that were found good: a program uses the same few again and again.
_good = {}


def validate(message):
    """Check a received message (a list) against the table; returns its code.

    Raises RemoteProtocolError that names the message, the element, what was found and what was
    expected. Unknown keys of dictionaries are left alone (WAMP basic profile, "Extensibility").
    """
    i = 0
    if type(message) is list and message and type(message[0]) is int:
        kinds = KINDS.get(message[0])
        n = len(message)
        if kinds is not None and kinds[0] < n <= len(kinds):
            while True:
                i += 1
                if i == n:
                    return message[0]
                kind = kinds[i]
                value = message[i]
                t = type(value)
                if t is int:
                    if kind == _ID:
                        if 0 < value <= ID_MAX:
                            continue
                    elif kind == _ID_OR_0:
                        if 0 <= value <= ID_MAX:
                            continue
                    elif kind == _REQUEST and 0 < value < 256 and value in _REQUESTS:
                        continue
                elif t is dict:
                    if kind == _DICTIONARY or kind == _KEYWORDS:
                        for key in value:
                            if type(key) is not str:
                                break
                        else:
                            continue
                elif t is str:
                    if kind == _STRING:
                        continue
                elif kind == _ARGUMENTS:
                    if t is list or value is None or t is bytes:
                        continue
                elif value is None and kind == _KEYWORDS:
                    continue
                break
    from .words import malformed

    raise malformed(message, i)


def check_uri(uri, what, pattern=False):
    """Check a URI of ours before it is sent (WAMP basic profile, "URIs", loose form).

    what: the word for the error message, such as "topic". pattern: empty components are allowed
    (prefix and wildcard matching), and the empty URI too. Raises LocalProtocolError: routers
    answer a bad URI with a reset of the connection more often than with an error.
    """
    if type(uri) is str:
        if uri in _good:
            return
        if uri.split() == ([uri] if uri else []) and "#" not in uri:
            if not (".." in uri or uri[:1] in "." or uri[-1] == "."):
                if len(_good) < 16:
                    _good[uri] = None
                return
            if pattern:
                return
            raise say(LocalProtocolError, "component", what, uri)
    raise say(LocalProtocolError, "uri", what, uri)


def __getattr__(name):
    if name[0] == "_":
        raise AttributeError(name)  # what the interpreter looks for in modules
    from . import tables

    found = globals()[name] = getattr(tables, name)
    return found
