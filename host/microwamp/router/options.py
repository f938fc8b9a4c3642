"""The options a client may send, and the check of their types.

The names and types are the core's table, completed by what only a router reads. A wrong type is a
violation of the protocol (the conformance samples of wamp-proto expect an ABORT), a wrong word for
`match`, `invoke` or `mode` as well; unknown options are left alone, except those of features this
router did not announce and that change the meaning of a message.
"""

from typing import Any

from wamp import messages
from wamp.errors import RemoteProtocolError
from wamp.messages import CALL, CANCEL, ID_MAX, PUBLISH, REGISTER, SUBSCRIBE, YIELD

# Where the options stand in the message.
_AT = {PUBLISH: 2, SUBSCRIBE: 2, CALL: 2, CANCEL: 2, REGISTER: 2, YIELD: 2}

_TYPES: dict[int, dict[str, type]] = {code: dict(messages.OPTIONS.get(code, {})) for code in _AT}
_TYPES[CALL].update(receive_progress=bool, progress=bool, timeout=int)
_TYPES[CANCEL].update(mode=str)
_TYPES[YIELD].update(progress=bool)

_WORDS = {
    "match": ("exact", "prefix", "wildcard"),
    "invoke": ("single", "first", "last", "roundrobin", "random"),
    "mode": ("skip", "kill", "killnowait"),
}
_MINIMUM = {"concurrency": 1, "timeout": 0}


def check(code: int, message: list[Any]) -> None:
    """Check the options of a message that came from a client.

    Raises RemoteProtocolError that names message, option and what is wrong with it.
    """
    at = _AT.get(code)
    if at is None or not message[at]:
        return
    known = _TYPES[code]
    name = messages.LAYOUT[code][0]
    for key, value in message[at].items():
        kind = known.get(key)
        if kind is None:
            if key.startswith("ppt_"):
                raise RemoteProtocolError(
                    f"{name}.{key}: this router did not announce payload_passthru_mode"
                )
            continue
        if type(value) is not kind:
            raise RemoteProtocolError(f"{name}.{key} is {_short(value)}, {kind.__name__} needed")
        _values(name, key, value)
    if code == CALL and message[at].get("progress"):
        raise RemoteProtocolError(
            "CALL.progress: this router did not announce progressive_call_invocations"
        )


def _values(name: str, key: str, value: Any) -> None:
    if key in _WORDS and value not in _WORDS[key]:
        raise RemoteProtocolError(
            f"{name}.{key} is {_short(value)}, one of {', '.join(_WORDS[key])} needed"
        )
    if key in _MINIMUM and value < _MINIMUM[key]:
        raise RemoteProtocolError(f"{name}.{key} is {_short(value)}, too small")
    if type(value) is list:
        ids = key in ("exclude", "eligible")
        for item in value:
            if ids and not (type(item) is int and 0 < item <= ID_MAX):
                raise RemoteProtocolError(f"{name}.{key} holds {_short(item)}, session ids needed")
            if not ids and type(item) is not str:
                raise RemoteProtocolError(f"{name}.{key} holds {_short(item)}, strings needed")


def _short(value: Any) -> str:
    return repr(value)[:32]
