"""Arguments and errors of the router's own procedures."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from wamp.errors import ApplicationError

from . import uris
from .session import Message, Out, Session

if TYPE_CHECKING:
    from .realm import Realm

Args: TypeAlias = list[Any]
Kwargs: TypeAlias = dict[str, Any]
Answer: TypeAlias = tuple[Message, Out]
Procedure: TypeAlias = Callable[["Realm", Session, Args, Kwargs, int], Answer]

# Longest reason and message that go to a session: GOODBYE, UNREGISTERED and UNSUBSCRIBED must fit
# into the 1024 octets that the smallest client accepts.
TEXT = 250


def argument(args: Args, at: int, name: str, kind: type, *default: Any) -> Any:
    """A positional argument; with a default it may be missing or None. Raises ApplicationError."""
    if len(args) <= at or (default and args[at] is None):
        if default:
            return default[0]
        raise invalid(f"argument {name} is missing")
    if type(args[at]) is not kind:
        raise invalid(f"argument {name}: {kind.__name__} needed")
    return args[at]


def reason(kwargs: Kwargs, default: str) -> str:
    """The keyword argument `reason`, a URI. Raises ApplicationError."""
    uri = kwargs.get("reason")
    if uri is None:
        return default
    if type(uri) is not str or not uris.valid(uri) or len(uri) > TEXT:
        raise ApplicationError(ApplicationError.INVALID_URI, "reason is not a URI")
    return uri


def invalid(text: str) -> ApplicationError:
    """The error for a wrong argument."""
    return ApplicationError(ApplicationError.INVALID_ARGUMENT, text)


def match_of(args: Args) -> str:
    """The match policy in the options that are the second argument of the look-ups."""
    match = argument(args, 1, "options", dict, {}).get("match", "exact")
    if match not in ("exact", "prefix", "wildcard"):
        raise invalid("options.match: exact, prefix or wildcard needed")
    return str(match)


def by_match(entries: list[Any]) -> dict[str, list[int]]:
    """The ids of registrations or subscriptions for each match policy."""
    found: dict[str, list[int]] = {"exact": [], "prefix": [], "wildcard": []}
    for one in entries:
        found[one.match].append(one.id)
    return found
