"""The options that requests take, and their check; loaded when a program uses the first."""

from .errors import LocalProtocolError, say
from .words import name, short

_PASSTHRU = {
    "ppt_scheme": str,
    "ppt_serializer": str,
    "ppt_cipher": str,
    "ppt_keyid": str,
    "enc_algo": str,
    "enc_serializer": str,
    "enc_key": str,
}

# Options that a user may pass, by the number of the message (PUBLISH, SUBSCRIBE, CALL, CANCEL,
# REGISTER, YIELD), with the type the specification gives them (booleans are booleans: crossbar
# resets the connection for `acknowledge: 1`).
OPTIONS = {
    16: {
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
    32: {"match": str, "get_retained": bool},
    48: {"disclose_me": bool, "receive_progress": bool, "progress": bool, "timeout": int},
    49: {"mode": str},
    64: {
        "match": str,
        "invoke": str,
        "concurrency": int,
        "disclose_caller": bool,
        "force_reregister": bool,
        "forward_timeout": bool,
    },
    70: {"progress": bool},
}
for _code in (16, 48, 70):
    OPTIONS[_code].update(_PASSTHRU)

# Options that are one of a few words; crossbar resets the connection for any other.
WORDS = {
    "match": ("exact", "prefix", "wildcard"),
    "invoke": ("single", "roundrobin", "random", "first", "last"),
    "mode": ("skip", "kill", "killnowait"),
}


def check(code, options):
    """Check the options a user passed; as `messages.check_options`."""
    known = OPTIONS[code]
    for option in options:
        value = options[option]
        if option not in known:
            text = "unknown %s option %s; known: %s"
            values = (name(code), option, ", ".join(sorted(known)))
            raise LocalProtocolError(text % values)
        needed = _needed(option, value, known[option])
        if needed:
            text = "%s option %s is %s, %s needed"
            raise LocalProtocolError(text % (name(code), option, short(value), needed))


def _needed(option, value, kind):
    """What an option should be, for an error message; None when it is."""
    if type(value) is not kind:
        return kind.__name__
    if option in WORDS and value not in WORDS[option]:
        return "one of " + ", ".join(WORDS[option])
    if kind is int and value < 1:
        return "1 or more"
    if option in _PASSTHRU and not value:
        return "a word"
    if kind is list:
        item_kind = int if option in ("exclude", "eligible") else str
        for item in value:
            if type(item) is not item_kind:
                return "a list of " + item_kind.__name__
    return None


def call_flags(protocol, options):
    """What a session keeps of a CALL's options (`_WANTED` and `_OPEN` of `session`).

    Raises LocalProtocolError for what this router would mistake: crossbar takes the parts of a
    call for calls of their own, and `timeout` for seconds.
    """
    for option, feature in (
        ("progress", "progressive_call_invocations"),
        ("timeout", "call_timeout"),
    ):
        if options.get(option) and not protocol.router_has("dealer", feature):
            raise say(LocalProtocolError, "feature", "CALL option " + option, feature)
    wanted = 1 if options.get("receive_progress") else 0
    return wanted | 2 if options.get("progress") else wanted
