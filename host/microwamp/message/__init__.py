"""The WAMP messages as typed objects: made by the program or parsed from what a peer sent.

Each class has `parse` (from the list that a serializer made of octets; ProtocolError for anything
that is not a valid message), `marshal` (back to such a list) and `serialize` (to octets, kept).
A class is loaded when it is first used: a program that publishes does not pay for the others.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._base import FlatBuffersTable, Message, MessageWithAppPayload, PayloadMessage
from ._generated import CLASSES
from ._passthru import enc_from_ppt, ppt_from_enc
from ._uri import (
    check_or_raise_extra,
    check_or_raise_id,
    check_or_raise_realm_name,
    check_or_raise_uri,
    identify_realm_name_category,
    is_valid_enc_algo,
    is_valid_enc_serializer,
)

if TYPE_CHECKING:
    from ._generated.abort import Abort
    from ._generated.authenticate import Authenticate
    from ._generated.call import Call
    from ._generated.cancel import Cancel
    from ._generated.challenge import Challenge
    from ._generated.error import Error
    from ._generated.event import Event
    from ._generated.event_received import EventReceived
    from ._generated.goodbye import Goodbye
    from ._generated.hello import Hello
    from ._generated.interrupt import Interrupt
    from ._generated.invocation import Invocation
    from ._generated.publish import Publish
    from ._generated.published import Published
    from ._generated.register import Register
    from ._generated.registered import Registered
    from ._generated.result import Result
    from ._generated.subscribe import Subscribe
    from ._generated.subscribed import Subscribed
    from ._generated.unregister import Unregister
    from ._generated.unregistered import Unregistered
    from ._generated.unsubscribe import Unsubscribe
    from ._generated.unsubscribed import Unsubscribed
    from ._generated.welcome import Welcome
    from ._generated.yield_ import Yield

__all__ = [
    "MESSAGE_TYPE_MAP",
    "Abort",
    "Authenticate",
    "Call",
    "Cancel",
    "Challenge",
    "Error",
    "Event",
    "EventReceived",
    "FlatBuffersTable",
    "Goodbye",
    "Hello",
    "Interrupt",
    "Invocation",
    "Message",
    "MessageTypes",
    "MessageWithAppPayload",
    "PayloadMessage",
    "Publish",
    "Published",
    "Register",
    "Registered",
    "Result",
    "Subscribe",
    "Subscribed",
    "Unregister",
    "Unregistered",
    "Unsubscribe",
    "Unsubscribed",
    "Welcome",
    "Yield",
    "check_or_raise_extra",
    "check_or_raise_id",
    "check_or_raise_realm_name",
    "check_or_raise_uri",
    "enc_from_ppt",
    "identify_realm_name_category",
    "is_valid_enc_algo",
    "is_valid_enc_serializer",
    "ppt_from_enc",
]

_MODULES = dict(CLASSES.values())


def _load(name: str) -> type[Message]:
    klass: type[Message] = getattr(import_module(f"._generated.{_MODULES[name]}", __name__), name)
    globals()[name] = klass
    return klass


def __getattr__(name: str) -> Any:
    """Load a message class when it is first used."""
    if name in _MODULES:
        return _load(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})


class MessageTypes(dict[int, type[Message]]):
    """Code to message class. `types[code]` loads that class only, anything else loads all.

    codes: those in the map.
    """

    def __init__(self, codes: tuple[int, ...]) -> None:
        super().__init__()
        self._codes = codes

    def __missing__(self, code: int) -> type[Message]:
        if code not in self._codes:
            raise KeyError(code)
        klass = self[code] = _load(CLASSES[code][0])
        return klass

    def _all(self) -> dict[int, type[Message]]:
        return {code: self[code] for code in self._codes}

    def __contains__(self, code: object) -> bool:
        return code in self._codes

    def __iter__(self) -> Iterator[int]:
        return iter(self._codes)

    def __len__(self) -> int:
        return len(self._codes)

    def __eq__(self, other: object) -> bool:
        return self._all() == other

    def __repr__(self) -> str:
        return repr(self._all())

    def get(self, code: int, default: Any = None) -> Any:
        return self[code] if code in self._codes else default

    def keys(self) -> KeysView[int]:  # type: ignore[override]
        return self._all().keys()

    def values(self) -> ValuesView[type[Message]]:  # type: ignore[override]
        return self._all().values()

    def items(self) -> ItemsView[int, type[Message]]:  # type: ignore[override]
        return self._all().items()

    def copy(self) -> dict[int, type[Message]]:
        return self._all()


# All messages there are: the specification's 24 and EventReceived.
MESSAGE_TYPE_MAP = MessageTypes(tuple(CLASSES))
