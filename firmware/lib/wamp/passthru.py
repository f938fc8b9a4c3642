"""Payload passthru on the way out: loaded when a payload of octets is sent.

There are two ways to say it. The specification (WAMP advanced profile, "Payload Passthru Mode")
has the octets as the only argument and `ppt_*` attributes; crossbar and autobahn have the octets
in place of the arguments and `enc_*`. Programs may use either; a router gets the one it announces,
the specification's if it announces both.
"""

from .errors import LocalProtocolError, say

try:
    from micropython import const
except ImportError:  # CPython
    const = int

# The specification's name, crossbar's
_NAMES = (
    ("ppt_scheme", "enc_algo"),
    ("ppt_serializer", "enc_serializer"),
    ("ppt_keyid", "enc_key"),
)
# Words of programs that the specification's form, or both, know only as somebody's own.
_OWN = {"cryptobox": "x_cryptobox", "opaque": "x_opaque"}

# What may be said; beside it words of one's own, x_ and two or more of a-z, 0-9 and _. crossbar
# resets the connection for any other.
_KNOWN = (
    ("x_cryptobox", "x_opaque", "mqtt", "xbr"),
    ("json", "msgpack", "cbor", "ubjson", "flatbuffers"),
)

_PUBLISH = const(16)


def wrap(protocol, message, at, args, kwargs):
    """Append octets to a message, and put into a copy of its options how they are to be read.

    protocol: knows what the router announces. at: of the options in the message. args: the octets.
    Raises LocalProtocolError.
    """
    options = dict(message[at])
    if type(args) is not bytes:
        what = "ppt_scheme" if "ppt_scheme" in options else "enc_algo"
        raise say(LocalProtocolError, "octets", what)
    role = "broker" if message[0] == _PUBLISH else "dealer"
    cipher = options.pop("ppt_cipher", None)
    scheme = _taken(options, 0)
    serializer = _taken(options, 1)
    key = _taken(options, 2)
    if scheme is None or kwargs:
        raise say(LocalProtocolError, "scheme")
    if scheme == "wamp":
        raise say(LocalProtocolError, "wamp")
    if scheme == "x_cryptobox":
        serializer = serializer or "json"
        cipher = cipher or "xsalsa20poly1305"
    if serializer == "native":
        serializer = None
    for i, word in enumerate((scheme, serializer)):
        if word is not None and word not in _KNOWN[i] and not _own(word):
            raise say(LocalProtocolError, "word", _NAMES[i][0], word)
    if protocol.router_has(role, "payload_passthru_mode"):
        form = 0
        message.append([args])
        if cipher:
            options["ppt_cipher"] = cipher
    elif protocol.router_has(role, "payload_transparency"):
        form = 1
        message.append(args)
        if scheme == "x_cryptobox":
            scheme = "cryptobox"
        elif cipher:
            raise say(LocalProtocolError, "cipher", cipher)
    else:
        raise say(LocalProtocolError, "feature", "a payload of octets", "payload_passthru_mode")
    for names, value in zip(_NAMES, (scheme, serializer, key)):
        if value:
            options[names[form]] = value
    message[at] = options


def _taken(options, i):
    """Take an attribute from the options, under both its names; None if it is under neither."""
    values = []
    for name in _NAMES[i]:
        value = options.pop(name, None)
        if value is not None:
            values.append(_OWN.get(value, value) if i < 2 else value)  # a key is no word
    if len(values) == 2 and values[0] != values[1]:
        raise say(LocalProtocolError, "differ", *_NAMES[i])
    return values[0] if values else None


def _own(word):
    """Whether it is a word of somebody's own, as crossbar checks it."""
    if len(word) < 4 or word[:2] != "x_" or not "a" <= word[2] <= "z":
        return False
    for c in word[3:]:
        if not ("a" <= c <= "z" or "0" <= c <= "9" or c == "_"):
            return False
    return True
