"""What a session keeps of its requests, registrations and subscriptions while they are open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .exception import LocalProtocolError

__all__ = [
    "CallRequest",
    "Endpoint",
    "Handler",
    "InvocationRequest",
    "Publication",
    "PublishRequest",
    "RegisterRequest",
    "Registration",
    "Request",
    "SubscribeRequest",
    "Subscription",
    "UnregisterRequest",
    "UnsubscribeRequest",
]


class Publication:
    """An event that the broker acknowledged.

    id: publication id. was_encrypted: whether the payload was.
    """

    __slots__ = ("id", "was_encrypted")

    def __init__(self, publication_id: int, was_encrypted: bool) -> None:
        self.id = publication_id
        self.was_encrypted = was_encrypted

    def __repr__(self) -> str:
        return f"Publication(id={self.id}, was_encrypted={self.was_encrypted})"


class Subscription:
    """A handler that is subscribed to a topic.

    id: subscription id. topic: URI or pattern. active: False once it ended. session, handler: as
    given; the session has the method `_unsubscribe(subscription)`.
    """

    __slots__ = ("active", "handler", "id", "session", "topic")

    def __init__(self, subscription_id: int, topic: str, session: Any, handler: Any) -> None:
        self.id = subscription_id
        self.topic = topic
        self.active = True
        self.session = session
        self.handler = handler

    def unsubscribe(self) -> Any:
        """End this subscription; returns what the session's `_unsubscribe` returns.

        LocalProtocolError: it has ended already.
        """
        if not self.active:
            raise LocalProtocolError(f"subscription {self.id} ({self.topic}) is no longer active")
        return self.session._unsubscribe(self)

    def __repr__(self) -> str:
        return f"Subscription(id={self.id}, topic={self.topic!r}, active={self.active})"


class Registration:
    """An endpoint that is registered as a procedure.

    id: registration id. procedure: URI or pattern. active: False once it ended. session, endpoint:
    as given; the session has the method `_unregister(registration)`.
    """

    __slots__ = ("active", "endpoint", "id", "procedure", "session")

    def __init__(self, session: Any, registration_id: int, procedure: str, endpoint: Any) -> None:
        self.id = registration_id
        self.procedure = procedure
        self.active = True
        self.session = session
        self.endpoint = endpoint

    def unregister(self) -> Any:
        """End this registration; returns what the session's `_unregister` returns.

        LocalProtocolError: it has ended already.
        """
        if not self.active:
            raise LocalProtocolError(
                f"registration {self.id} ({self.procedure}) is no longer active"
            )
        return self.session._unregister(self)

    def __repr__(self) -> str:
        return f"Registration(id={self.id}, procedure={self.procedure!r}, active={self.active})"


class Handler:
    """A function that gets events.

    fn: the function. obj: the object it is called on, if any. details_arg: the keyword under which
    it gets EventDetails, if any.
    """

    __slots__ = ("details_arg", "fn", "obj")

    def __init__(
        self, fn: Callable[..., Any], obj: Any = None, details_arg: str | None = None
    ) -> None:
        self.fn = fn
        self.obj = obj
        self.details_arg = details_arg

    def __repr__(self) -> str:
        name = getattr(self.fn, "__qualname__", repr(self.fn))
        return f"{type(self).__name__}({name}, details_arg={self.details_arg!r})"


class Endpoint(Handler):
    """A function that is called for invocations.

    fn: the function. obj: the object it is called on, if any. details_arg: the keyword under which
    it gets CallDetails, if any.
    """

    __slots__ = ()


class Request:
    """A request that waits for its answer.

    request_id: of the message. on_reply: the future that the answer settles.
    """

    __slots__ = ("on_reply", "request_id")

    def __init__(self, request_id: int, on_reply: Any) -> None:
        self.request_id = request_id
        self.on_reply = on_reply

    def __repr__(self) -> str:
        return f"{type(self).__name__}(request_id={self.request_id})"


class PublishRequest(Request):
    """An acknowledged publication; was_encrypted: whether its payload was."""

    __slots__ = ("was_encrypted",)

    def __init__(self, request_id: int, on_reply: Any, was_encrypted: bool) -> None:
        super().__init__(request_id, on_reply)
        self.was_encrypted = was_encrypted


class SubscribeRequest(Request):
    """A subscription that was asked for."""

    __slots__ = ("handler", "topic")

    def __init__(self, request_id: int, topic: str, on_reply: Any, handler: Any) -> None:
        super().__init__(request_id, on_reply)
        self.topic = topic
        self.handler = handler


class UnsubscribeRequest(Request):
    """The end of a subscription that was asked for."""

    __slots__ = ("subscription_id",)

    def __init__(self, request_id: int, on_reply: Any, subscription_id: int) -> None:
        super().__init__(request_id, on_reply)
        self.subscription_id = subscription_id


class CallRequest(Request):
    """A call; options: the CallOptions in use, or None."""

    __slots__ = ("options", "procedure")

    def __init__(self, request_id: int, procedure: str, on_reply: Any, options: Any) -> None:
        super().__init__(request_id, on_reply)
        self.procedure = procedure
        self.options = options


class InvocationRequest(Request):
    """An invocation that is being answered."""

    __slots__ = ()


class RegisterRequest(Request):
    """A registration that was asked for."""

    __slots__ = ("endpoint", "procedure")

    def __init__(self, request_id: int, on_reply: Any, procedure: str, endpoint: Any) -> None:
        super().__init__(request_id, on_reply)
        self.procedure = procedure
        self.endpoint = endpoint


class UnregisterRequest(Request):
    """The end of a registration that was asked for."""

    __slots__ = ("registration_id",)

    def __init__(self, request_id: int, on_reply: Any, registration_id: int) -> None:
        super().__init__(request_id, on_reply)
        self.registration_id = registration_id
