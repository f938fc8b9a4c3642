"""What a client may put into the dictionaries of its messages, and what it must have announced.

A wrong type is a violation of the protocol (the conformance samples of wamp-proto expect an
ABORT), a wrong word for `match`, `invoke` or `mode` as well, and so is the use of a feature that
HELLO did not announce: each feature's chapter says that it MUST be announced. Unknown options are
left alone.
"""

from collections.abc import Mapping
from typing import Any

from wamp.errors import RemoteProtocolError

from .session import Message, Session
from .wire import (
    CALL,
    CANCEL,
    ERROR,
    ID_MAX,
    PAYLOAD_AT,
    PUBLISH,
    REGISTER,
    ROLE_OF,
    SUBSCRIBE,
    YIELD,
)
from .wire import name as message_name

# Where the options (of ERROR: the details) stand in the message.
_AT = {PUBLISH: 2, SUBSCRIBE: 2, CALL: 2, CANCEL: 2, REGISTER: 2, YIELD: 2, ERROR: 3}

_TYPES: dict[int, dict[str, type]] = {
    PUBLISH: {
        "acknowledge": bool,
        "disclose_me": bool,
        "eligible": list,
        "eligible_authid": list,
        "eligible_authrole": list,
        "exclude": list,
        "exclude_authid": list,
        "exclude_authrole": list,
        "exclude_me": bool,
        "retain": bool,
    },
    SUBSCRIBE: {"get_retained": bool, "match": str},
    CALL: {"disclose_me": bool, "progress": bool, "receive_progress": bool, "timeout": int},
    CANCEL: {"mode": str},
    REGISTER: {
        "concurrency": int,
        "disclose_caller": bool,
        "force_reregister": bool,
        "forward_timeout": bool,
        "invoke": str,
        "match": str,
    },
    YIELD: {"progress": bool},
    ERROR: {},
}

_WORDS = {
    "match": ("exact", "prefix", "wildcard"),
    "invoke": ("single", "first", "last", "roundrobin", "random"),
    "mode": ("skip", "kill", "killnowait"),
}
_MINIMUM = {"concurrency": 1, "timeout": 0}

# The feature that stands behind an option; it must be announced for the role that sends the
# message. An option with its default value uses nothing.
_FEATURES: dict[int, dict[str, str]] = {
    PUBLISH: {
        "disclose_me": "publisher_identification",
        "exclude_me": "publisher_exclusion",
        "eligible": "subscriber_blackwhite_listing",
        "eligible_authid": "subscriber_blackwhite_listing",
        "eligible_authrole": "subscriber_blackwhite_listing",
        "exclude": "subscriber_blackwhite_listing",
        "exclude_authid": "subscriber_blackwhite_listing",
        "exclude_authrole": "subscriber_blackwhite_listing",
    },
    SUBSCRIBE: {"match": "pattern_based_subscription"},
    CALL: {"disclose_me": "caller_identification", "receive_progress": "progressive_call_results"},
    REGISTER: {
        "disclose_caller": "caller_identification",
        "forward_timeout": "call_timeout",
        "invoke": "shared_registration",
        "match": "pattern_based_registration",
    },
}
_DEFAULTS: dict[str, Any] = {"match": "exact", "invoke": "single", "exclude_me": True}

# Payload passthru mode (advanced profile), and the form that crossbar and autobahn have of it:
# attributes that travel with a payload which is octets.
PASSTHRU = ("ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid")
TRANSPARENCY = ("enc_algo", "enc_serializer", "enc_key")


def check(message: Message, session: Session, lenient: bool, transparency: bool) -> None:
    """Check the options and the payload of a message from a session.

    lenient: features need not be announced, but where the specification itself calls that a
    violation. transparency: crossbar's form of opaque payloads is switched on.
    Raises RemoteProtocolError that names message, option and what is wrong with it.
    """
    code = message[0]
    at = _AT.get(code)
    if at is None:
        return
    options = message[at]
    if code == CANCEL and not lenient:
        _needs(session, code, "CANCEL", "call_canceling")
    if options:
        _types(code, options)
        if not lenient:
            _announced(code, options, session)
        if code == CALL and options.get("progress"):
            _needs(session, CALL, "CALL.progress", "progressive_call_invocations")
    start = PAYLOAD_AT.get(code)
    if start is not None and (options or len(message) > start):
        _payload(code, message, start, session, transparency)


def check_continuation(message: Message) -> None:
    """Check a further CALL of a progressive call: of its options only `progress` counts.

    Source: advanced profile, "Freezing of Options in Progressive Call Invocations".
    """
    progress = message[2].get("progress", False)
    if type(progress) is not bool:
        raise RemoteProtocolError(f"CALL.progress is {_short(progress)}, bool needed")


def opaque(message: Message, start: int) -> bool:
    """Whether the payload is one binary item, as payload passthru mode wants it."""
    rest = message[start:]
    return (
        bool(rest)
        and type(rest[0]) is list
        and len(rest[0]) == 1
        and type(rest[0][0]) is bytes
        and not (len(rest) == 2 and rest[1])
    )


def passthru(options: Mapping[str, Any], rest: Message) -> dict[str, Any]:
    """The attributes that travel on with the payload `rest`."""
    if options and "ppt_scheme" in options:
        return {key: options[key] for key in PASSTHRU if key in options}
    if rest and type(rest[0]) is bytes:
        return {key: options[key] for key in TRANSPARENCY if options.get(key) is not None}
    return {}


def passthru_feature(options: Mapping[str, Any], rest: Message) -> str | None:
    """The feature that the receiver of this payload must have announced, None for a plain one."""
    if "ppt_scheme" in options:
        return "payload_passthru_mode"
    if rest and type(rest[0]) is bytes:
        return "payload_transparency"
    return None


def _types(code: int, options: Mapping[str, Any]) -> None:
    known = _TYPES[code]
    name = message_name(code)
    for key, value in options.items():
        kind = known.get(key)
        if kind is None:
            continue
        if type(value) is not kind:
            raise RemoteProtocolError(f"{name}.{key} is {_short(value)}, {kind.__name__} needed")
        _values(name, key, value)


def _values(name: str, key: str, value: Any) -> None:
    if key in _WORDS and value not in _WORDS[key]:
        raise RemoteProtocolError(
            f"{name}.{key} is {_short(value)}, one of {', '.join(_WORDS[key])} needed"
        )
    if key in _MINIMUM and not _MINIMUM[key] <= value <= ID_MAX:
        raise RemoteProtocolError(f"{name}.{key} is {_short(value)}, out of range")
    if type(value) is list:
        ids = key in ("exclude", "eligible")
        for item in value:
            if ids and not (type(item) is int and 0 < item <= ID_MAX):
                raise RemoteProtocolError(f"{name}.{key} holds {_short(item)}, session ids needed")
            if not ids and type(item) is not str:
                raise RemoteProtocolError(f"{name}.{key} holds {_short(item)}, strings needed")


def _announced(code: int, options: Mapping[str, Any], session: Session) -> None:
    features = _FEATURES.get(code, {})
    for key, value in options.items():
        feature = features.get(key)
        if feature is not None and value != _DEFAULTS.get(key, False):
            _needs(session, code, f"{message_name(code)}.{key}", feature)


def _payload(code: int, message: Message, at: int, session: Session, transparency: bool) -> None:
    options = message[_AT[code]]
    args = message[at] if len(message) > at else []
    kwargs = message[at + 1] if len(message) > at + 1 else {}
    if not options and type(args) is list and kwargs is not None:
        return  # nearly always
    name = message_name(code)
    if kwargs is None:
        raise RemoteProtocolError(f"{name}.kwargs is null, a dictionary needed")
    used = [key for key in PASSTHRU if key in options]
    if used:
        _needs(session, code, f"{name}.{used[0]}", "payload_passthru_mode")
        for key in used:
            if type(options[key]) is not str:
                raise RemoteProtocolError(f"{name}.{key} is {_short(options[key])}, str needed")
        if not options.get("ppt_scheme"):
            raise RemoteProtocolError(f"{name}.{used[0]} without a ppt_scheme")
        if not opaque(message, at):
            raise RemoteProtocolError(f"{name} with ppt_scheme: one binary item in args needed")
    elif type(args) is bytes and transparency:
        _needs(session, code, f"{name}.args as octets", "payload_transparency")
        for key in TRANSPARENCY:
            if type(options.get(key)) not in (str, type(None)):
                raise RemoteProtocolError(f"{name}.{key} is {_short(options[key])}, str needed")
        if kwargs:
            raise RemoteProtocolError(f"{name}.kwargs beside args that are octets")
    elif type(args) is not list:
        raise RemoteProtocolError(f"{name}.args is {type(args).__name__}, a list needed")


def _needs(session: Session, code: int, what: str, feature: str) -> None:
    role = ROLE_OF[code]
    if not session.announces(role, feature):
        raise RemoteProtocolError(f"{what}, but HELLO did not announce {feature} for {role}")


def _short(value: Any) -> str:
    # CPython refuses to print very long integers.
    return "an integer out of range" if _huge(value) else repr(value)[:32]


def _huge(value: Any) -> bool:
    return type(value) is int and value.bit_length() > 4096
