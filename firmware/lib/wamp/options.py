"""The options that requests take, and their check; loaded when a program uses the first."""

from .errors import LocalProtocolError, say

# Options that a user may pass, by the number of the message (PUBLISH, SUBSCRIBE, CALL, CANCEL,
# REGISTER, YIELD). Behind each stands what it is: b boolean (crossbar resets the connection for
# `acknowledge: 1`), n number from 1, i list of ids, s list of strings, t text that is not empty,
# w one of WORDS. As text, because a board keeps every name of a dictionary for ever.
NAMES = {
    16: " acknowledge:b exclude_me:b exclude:i exclude_authid:s exclude_authrole:s eligible:i"
    " eligible_authid:s eligible_authrole:s disclose_me:b retain:b",
    32: " match:w get_retained:b",
    48: " disclose_me:b receive_progress:b progress:b timeout:n",
    49: " mode:w",
    64: " match:w invoke:w concurrency:n disclose_caller:b force_reregister:b forward_timeout:b",
    70: " progress:b",
}
# Payload passthru: of PUBLISH, CALL, YIELD
PASSTHRU = (
    " ppt_scheme:t ppt_serializer:t ppt_cipher:t ppt_keyid:t enc_algo:t enc_serializer:t enc_key:t"
)

# crossbar resets the connection for any other.
WORDS = {
    "match": "exact prefix wildcard",
    "invoke": "single roundrobin random first last",
    "mode": "skip kill killnowait",
}


def names_of(code):
    """The options of a request, as text (see NAMES)."""
    return NAMES[code] + PASSTHRU if code in (16, 48, 70) else NAMES[code]


def check(code, options):
    """Check the options a user passed to a request (PUBLISH, SUBSCRIBE, CALL, REGISTER).

    Raises LocalProtocolError that names the option and lists the known ones, or the type needed.
    """
    known = names_of(code)
    for option in options:
        value = options[option]
        at = known.find(" %s:" % option)
        if at < 0:
            raise say(LocalProtocolError, "unknown", code, option, known)
        kind = known[at + len(option) + 2]
        t = type(value)
        good = False
        if kind == "b":
            good = t is bool
        elif kind == "n":
            good = t is int and value > 0
        elif kind == "t":
            good = t is str and value != ""
        elif kind == "w":
            good = t is str and value in WORDS[option].split()
        elif t is list:
            item_type = int if kind == "i" else str
            good = all([type(item) is item_type for item in value])
        if not good:
            words = WORDS[option] if kind == "w" else ""
            raise say(LocalProtocolError, "option", code, option, value, kind, words)


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
