"""The publisher's and the subscriber's half of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from wamp.messages import check_uri

from ..exception import LocalProtocolError
from ..request import Publication, PublishRequest, SubscribeRequest, Subscription
from ..request import UnsubscribeRequest as _UnsubscribeRequest
from ..types import EventDetails, PublishOptions, SubscribeOptions
from ._callee import Registering, Unregistering
from ._declare import (
    Target,
    check_options,
    declare_all,
    prepared,
    text_of,
    told,
)
from ._life import HANDLERS, Life
from ._payload import decode, encode


class Subscribing(SubscribeRequest):
    """A subscription that was asked for. entry: what it becomes."""

    __slots__ = ("entry",)

    def __init__(self, on_reply: Any, entry: Subscription) -> None:
        super().__init__(0, entry.topic, on_reply, entry.handler)
        self.entry = entry


class Unsubscribing(_UnsubscribeRequest):
    """The end of a subscription that was asked for. entry: what ends."""

    __slots__ = ("entry",)

    def __init__(self, on_reply: Any, entry: Subscription) -> None:
        super().__init__(0, on_reply, entry.id)
        self.entry = entry


class PubSub(Life):
    """Publishes and subscribes; and takes the answers that all but calls have in common."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._acts[4] = self._done
        self._acts[7] = self._happened
        self._acts[10] = self._revoked

    # -- publishing

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> Any:
        if not self._joined:
            self._check()
        check_uri(topic, "topic")
        payload: Any = args
        named: dict[str, Any] | None = kwargs
        wire: dict[str, Any] | None = None
        acknowledge = False
        if "options" in kwargs and isinstance(kwargs["options"], PublishOptions):
            options: PublishOptions = kwargs.pop("options")
            wire = options.message_attr()
            acknowledge = bool(wire.pop("acknowledge", False))
        encrypted = False
        if self._codec is not None:
            payload, named, wire = encode(self._codec, True, topic, args, kwargs, wire)
            encrypted = type(payload) is bytes
        if not acknowledge:
            self._protocol.publish(None, topic, payload, named, wire)
            return None
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        request = PublishRequest(0, future, encrypted)
        request.request_id = self._protocol.publish(request, topic, payload, named, wire)
        return future

    # -- subscribing

    def subscribe(
        self,
        handler: Callable[..., Any] | Any,
        topic: str | None = None,
        options: SubscribeOptions | None = None,
        check_types: bool | None = None,
    ) -> Any:
        self._check()
        check_options(options, SubscribeOptions, "subscribe")
        if topic is not None:
            if not callable(handler):
                raise LocalProtocolError(f"subscribe: {handler!r} cannot be called")
            return self._subscribe(handler, None, topic, options, check_types)
        return declare_all("subscribe", handler, options, check_types, self._subscribe)

    def _subscribe(
        self, function: Any, obj: Any, uri: str, options: Any, check_types: bool | None
    ) -> asyncio.Future[Any]:
        uri, wire, made = prepared("topic", function, obj, uri, options, check_types)
        entry = Subscription(0, uri, self, made)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        request = Subscribing(future, entry)
        request.request_id = self._protocol.subscribe(request, uri, entry, wire)
        return future

    def _unsubscribe(self, subscription: Subscription) -> asyncio.Future[Any]:
        self._check()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        request = Unsubscribing(future, subscription)
        sent = self._protocol.unsubscribe(request, subscription.id, subscription)
        subscription.active = False
        self._entries.discard(subscription)
        if sent is False:
            left = [
                e for e in self._entries if isinstance(e, Subscription) and e.id == subscription.id
            ]
            future.set_result(len(left))
        else:
            request.request_id = self._protocol._last
        return future

    # -- what comes

    def _done(self, report: tuple[Any, ...]) -> None:
        _, request, id = report
        future = request.on_reply
        result: Any = None
        if isinstance(request, PublishRequest):
            result = Publication(id, request.was_encrypted)
        elif isinstance(request, Subscribing | Registering):
            result = request.entry
            result.id = id
            self._entries.add(result)
        elif isinstance(request, Unregistering):
            request.entry.active = False
            self._entries.discard(request.entry)
        elif isinstance(request, Unsubscribing):
            result = 0
        if not future.done():
            future.set_result(result)

    def _revoked(self, report: tuple[Any, ...]) -> None:
        for entry in report[1]:
            entry.active = False
            self._entries.discard(entry)

    def _happened(self, report: tuple[Any, ...]) -> None:
        _, entries, publication, details, args, kwargs = report
        algorithm = None
        if type(args) is bytes:
            topic = text_of(details, "topic") or entries[0].topic
            try:
                args, kwargs, algorithm = decode(self._codec, False, topic, args, details)
            except Exception as e:
                self._user_error(e, f"event of {topic}: {type(e).__name__}: {e}")
                return
        # A handler may unsubscribe, itself or others.
        for entry in tuple(entries) if len(entries) > 1 else (entries[0],):
            if not entry.active:
                continue
            made: Target = entry.handler
            try:
                if made.details_arg is None and made.pattern is None:
                    found = made.call(args, kwargs)
                else:
                    found = self._call_handler(
                        made, entry, publication, details, args, kwargs, algorithm
                    )
            except (Exception, asyncio.CancelledError) as e:
                self._user_error(e, f"handler of {entry.topic}: {type(e).__name__}: {e}")
                continue
            if hasattr(found, "__await__"):
                self._background(found, f"handler of {entry.topic}")

    def _call_handler(
        self,
        made: Target,
        entry: Subscription,
        publication: int,
        details: dict[str, Any],
        args: Any,
        kwargs: dict[str, Any],
        algorithm: str | None,
    ) -> Any:
        get = details.get
        topic = text_of(details, "topic")
        if made.pattern is not None:
            values = made.pattern.values(topic or "")
            if values is None:
                return None  # of the wildcard, but not of the pattern
            kwargs = {**kwargs, **values}
        if made.details_arg is not None:
            kwargs = {
                **kwargs,
                made.details_arg: told(
                    EventDetails,
                    {"subscription": entry, "publication": publication, "enc_algo": algorithm},
                    {
                        "publisher": get("publisher"),
                        "publisher_authid": get("publisher_authid"),
                        "publisher_authrole": get("publisher_authrole"),
                        "topic": topic or entry.topic,
                        "retained": get("retained"),
                        "transaction_hash": get("transaction_hash"),
                        "forward_for": get("forward_for"),
                    },
                ),
            }
        return made.call(args, kwargs)

    def _background(self, found: Any, what: str) -> None:
        """Let a handler's coroutine run; too many at a time are dropped."""
        if self._handlers >= HANDLERS:
            self.dropped += 1
            if hasattr(found, "close"):
                found.close()
            return
        self._handlers += 1
        task = asyncio.ensure_future(found)
        self._tasks.add(task)

        def done(_: Any) -> None:
            self._handlers -= 1
            self._tasks.discard(task)
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if error is not None:
                self._user_error(error, f"{what}: {type(error).__name__}: {error}")

        task.add_done_callback(done)
