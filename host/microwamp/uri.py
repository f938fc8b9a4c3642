"""URI patterns, and the decorators that name what a function is registered or subscribed for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from wamp.messages import check_uri

from .exception import LocalProtocolError, error

if TYPE_CHECKING:
    from .types import RegisterOptions, SubscribeOptions

__all__ = ["Declared", "Pattern", "declared", "error", "register", "subscribe"]

_COMPONENT = re.compile(r"<([a-z][a-z0-9_]*)(?::(string|str|int))?>")
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Pattern:
    """A URI, or a pattern such as `com.example.<room>.set.<channel:int>`.

    Each `<name>` stands for one component of the URI; with `:int` it has to be a number. uri: what
    is registered or subscribed, with empty components for them; match: "exact" or "wildcard".
    """

    def __init__(self, uri: str) -> None:
        if not isinstance(uri, str) or not uri:
            raise LocalProtocolError(f"{uri!r} is not a URI")
        self.text = uri
        self._types: dict[str, type] = {}
        parts, wanted = [], []
        for part in uri.split("."):
            found = _COMPONENT.fullmatch(part)
            if found is None:
                if "<" in part or ">" in part:
                    raise LocalProtocolError(
                        f"{uri!r}: {part!r} is not <name>, <name:string> or <name:int>"
                    )
                parts.append(part)
                wanted.append(re.escape(part) if part else r"[^.\s#]+")
                continue
            name, kind = found.groups()
            if name in self._types:
                raise LocalProtocolError(f"{uri!r}: {name!r} appears twice")
            self._types[name] = int if kind == "int" else str
            parts.append("")
            wanted.append(f"(?P<{name}>" + (r"[0-9]+" if kind == "int" else r"[^.\s#]+") + ")")
        self.match = "wildcard" if self._types else "exact"
        self.uri = ".".join(parts)
        check_uri(self.uri, "pattern", True)
        self._regex = re.compile(r"\.".join(wanted))

    def values(self, uri: str) -> dict[str, Any] | None:
        """What the named components of a URI are; None if it does not fit."""
        found = self._regex.fullmatch(uri)
        if found is None:
            return None
        return {name: kind(found[name]) for name, kind in self._types.items()}

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


class Declared:
    """What a decorator keeps at a function. kind: "register" or "subscribe"."""

    def __init__(self, kind: str, uri: str, options: Any, check_types: bool | None) -> None:
        self.kind = kind
        self.uri = uri
        self.options = options
        self.check_types = check_types


def declared(function: Any, kind: str) -> list[Declared]:
    """What the decorators of a function say, the first that was written first."""
    found = getattr(function, "_microwamp", ())
    return [one for one in found if isinstance(one, Declared) and one.kind == kind]


def _declare(
    kind: str, uri: str | None, options: Any, check_types: bool | None
) -> Callable[[_Function], _Function]:
    if uri is not None:
        Pattern(uri)  # says at once what is wrong with it

    def decorate(function: _Function) -> _Function:
        if not callable(function):
            raise LocalProtocolError(f"{kind} decorates functions, not {function!r}")
        name = uri if uri is not None else getattr(function, "__name__", "")
        one = Declared(kind, name, options, check_types)
        kept: Any = function
        kept._microwamp = [one, *getattr(function, "_microwamp", ())]
        return function

    return decorate


def register(
    uri: str | None = None,
    options: RegisterOptions | None = None,
    check_types: bool | None = None,
) -> Callable[[_Function], _Function]:
    """Decorator: `session.register(object)` registers this method. uri: None is its name."""
    return _declare("register", uri, options, check_types)


def subscribe(
    uri: str | None = None,
    options: SubscribeOptions | None = None,
    check_types: bool | None = None,
) -> Callable[[_Function], _Function]:
    """Decorator: `session.subscribe(object)` subscribes this method. uri: None is its name."""
    return _declare("subscribe", uri, options, check_types)
