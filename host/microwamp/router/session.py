"""What the router knows of one joined client, and the shapes of what it sends."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wamp.errors import ApplicationError

from .wire import ERROR, ID_MAX

Message: TypeAlias = list[Any]


@dataclass(frozen=True, slots=True)
class Testament:
    """A publication that waits for the end of its session.

    octets: length of the call that made it.
    """

    topic: str
    options: dict[str, Any]
    payload: Message
    octets: int


@dataclass(eq=False, slots=True)
class Session:
    """One session; two sessions are never equal.

    features: role -> features the client announced in HELLO; a role that is not a key was not
    announced. requests: the last request id from the client (session scope, sequential).
    """

    id: int
    realm: str
    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    features: dict[str, frozenset[str]]
    transport: dict[str, Any]
    requests: int = 0
    testaments: dict[str, list[Testament]] = field(
        default_factory=lambda: {"detached": [], "destroyed": []}
    )

    def announces(self, role: str, feature: str) -> bool:
        """Whether HELLO announced `feature` for `role`."""
        return feature in self.features.get(role, ())

    def next_request(self) -> int:
        """The id its next request must have; after 2^53 comes 1."""
        return self.requests % ID_MAX + 1

    def details(self) -> dict[str, Any]:
        """The dictionary of `wamp.session.get` and `wamp.session.on_join`."""
        return {
            "session": self.id,
            "authid": self.authid,
            "authrole": self.authrole,
            "authmethod": self.authmethod,
            "authprovider": self.authprovider,
            "transport": self.transport,
        }

    def disclosed(self, who: str) -> dict[str, Any]:
        """The details that tell a receiver who sent: who is `publisher` or `caller`."""
        return {
            who: self.id,
            who + "_authid": self.authid,
            who + "_authrole": self.authrole,
        }


# What broker, dealer and realm hand back: messages in the order they go out.
Out: TypeAlias = list[tuple[Session, Message]]


def payload(message: Message, start: int) -> Message:
    """Arguments and keyword arguments of a message, without those that are empty.

    Source: basic profile, "Messages": empty Arguments and ArgumentsKw should not be sent.
    """
    rest = message[start:]
    if len(rest) == 2 and not rest[1]:
        rest.pop()
    if len(rest) == 1 and rest[0] == []:
        rest.pop()
    return rest


def error(code: int, request: int, uri: str, args: Iterable[Any] = ()) -> Message:
    """An ERROR to the request `request` of the message type `code`."""
    message: Message = [ERROR, code, request, {}, uri]
    args = list(args)
    if args:
        message.append(args)
    return message


def refusal(code: int, request: int, cause: ApplicationError) -> Message:
    """The ERROR that answers a request with `cause`."""
    return error(code, request, cause.error, cause.args)
