"""Functions and objects that are registered or subscribed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from wamp.messages import check_uri

from ..exception import LocalProtocolError
from ..request import Endpoint
from ..uri import Declared, Pattern, declared


class Target(Endpoint):
    """A function with what its calls need. pattern: of its URI, None for a plain URI.
    timed: whether we keep the time limit of callers (RegisterOptions.forward_timeout)."""

    __slots__ = ("pattern", "timed")

    def __init__(
        self, fn: Callable[..., Any], obj: Any, details_arg: str | None, pattern: Pattern | None
    ) -> None:
        super().__init__(fn, obj, details_arg)
        self.pattern = pattern
        self.timed = False

    def call(self, args: Any, kwargs: dict[str, Any]) -> Any:
        """Call the function, on its object if it has one."""
        if self.obj is None:
            return self.fn(*args, **kwargs)
        return self.fn(self.obj, *args, **kwargs)


def target(
    function: Any, obj: Any, options: Any, pattern: Pattern, check_types: bool | None
) -> Target:
    """The target for a function and its options."""
    if check_types:
        from ._typecheck import checked

        function = checked(function)
    details_arg = options.details_arg if options is not None else None
    made = Target(function, obj, details_arg, pattern if pattern.match != "exact" else None)
    made.timed = bool(getattr(options, "forward_timeout", None))
    return made


def wire_options(options: Any, pattern: Pattern) -> dict[str, Any] | None:
    """What goes into REGISTER or SUBSCRIBE."""
    found: dict[str, Any] = options.message_attr() if options is not None else {}
    if pattern.match != "exact":
        found.setdefault("match", pattern.match)
    return found or None


def members(obj: Any, kind: str) -> Iterator[tuple[Any, Any, Declared]]:
    """(function, object, declaration) of each method that a decorator named; of a decorated
    function, of itself."""
    if inspect.isroutine(obj):
        for one in declared(obj, kind):
            yield obj, None, one
        return
    for name, member in inspect.getmembers_static(type(obj)):
        if isinstance(member, staticmethod | classmethod):
            bound = getattr(obj, name)
            for one in declared(member, kind) or declared(member.__func__, kind):
                yield bound, None, one
        elif callable(member):
            for one in declared(member, kind):
                yield member, obj, one


def told(klass: Any, given: dict[str, Any], details: dict[str, Any]) -> Any:
    """CallDetails or EventDetails. given: what is known here. details: what the router says; what
    does not fit its field is left out, as if it had not been said."""
    try:
        return klass(**given, **details)
    except LocalProtocolError:
        kinds = klass.FIELDS
        fitting = {n: v for n, v in details.items() if v is None or kinds[n][0](v)}
        return klass(**given, **fitting)


def text_of(details: dict[str, Any], name: str) -> str | None:
    """A URI among the details, None where there is none."""
    found = details.get(name)
    return found if type(found) is str and found else None


def check_options(options: Any, klass: type, what: str) -> None:
    """Raise LocalProtocolError for options of another kind."""
    if options is not None and not isinstance(options, klass):
        raise LocalProtocolError(
            f"{what}: options is {type(options).__name__}, not {klass.__name__}"
        )


def all_of(futures: list[asyncio.Future[Any]]) -> asyncio.Future[list[Any]]:
    """A future of all results, in which errors are results too."""
    return asyncio.gather(*futures, return_exceptions=True)


def declare_all(
    what: str,
    handler: Any,
    options: Any,
    check_types: bool | None,
    make: Callable[[Any, Any, str, Any, bool | None], asyncio.Future[Any]],
) -> asyncio.Future[Any]:
    """Declares each decorated method of an object by `make(function, obj, uri, options,
    check_types)`; what: "register" or "subscribe". LocalProtocolError: it has none."""
    futures = [
        make(
            function,
            obj,
            one.uri,
            options if options is not None else one.options,
            one.check_types if check_types is None else check_types,
        )
        for function, obj, one in members(handler, what)
    ]
    if not futures:
        element = "procedure" if what == "register" else "topic"
        raise LocalProtocolError(
            f"{what}: give a {element}, or decorate methods of {type(handler).__name__}"
        )
    return all_of(futures)


def prepared(
    what: str, function: Any, obj: Any, uri: str, options: Any, check_types: bool | None
) -> tuple[str, Any, Target]:
    """The URI as it is sent, the options likewise, and what is called; what: "procedure" or
    "topic". LocalProtocolError: the URI is none."""
    pattern = Pattern(uri)
    wire = wire_options(options, pattern)
    check_uri(pattern.uri, what, wire is not None and "match" in wire)
    return pattern.uri, wire, target(function, obj, options, pattern, check_types)
