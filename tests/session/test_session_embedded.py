"""`Session` with the embedded router: requests, options, decorators, progress, cancelling."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from sessions import LIMIT_S, Told, close, embedded, joined, until

from microwamp import register, subscribe
from microwamp.exception import (
    ApplicationError,
    LocalProtocolError,
    SerializationError,
    SessionNotReady,
    TransportLost,
    TypeCheckError,
    error,
)
from microwamp.interfaces import IPayloadCodec
from microwamp.request import CallRequest, InvocationRequest, Registration, Subscription
from microwamp.types import (
    CallDetails,
    CallOptions,
    CallResult,
    EncodedPayload,
    EventDetails,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

ACKNOWLEDGE = PublishOptions(acknowledge=True, exclude_me=False)


async def test_hooks_come_in_order_and_details_are_filled_in():
    async with embedded() as router:
        session = Told()
        told = []
        for event in ("connect", "join", "ready", "leave", "disconnect"):
            session.on(event, lambda *args, event=event: told.append((event, args)))
        await joined(router.urls[0], session)
        details = session.session_details
        assert details is not None and details.transport is not None
        assert (details.realm, details.authmethod, details.authrole) == (
            "devices",
            "anonymous",
            "guest",
        )
        assert details.serializer == "cbor"
        assert details.transport.channel_typeid == "tcp-rawsocket-cbor"
        assert details.transport.peer == "tcp4:" + router.urls[0].removeprefix("rs://")
        assert session.session_id == details.session and session.is_attached()
        await until(lambda: len(told) == 3)
        await session.leave("wamp.close.logout", "enough")
        assert not session.is_connected() and session.transport is None
        assert session.events == ["connect", "join", "leave", "disconnect"]
        assert [event for event, _ in told] == ["connect", "join", "ready", "leave", "disconnect"]
        assert all(args[0] is session for _, args in told)
        assert session.left.result().reason == "wamp.close.normal"


async def test_results_of_every_shape():
    async with embedded() as router:
        session = await joined(router.urls[0])

        async def echo(*args, **kwargs):
            return CallResult(*args, **kwargs)

        registration = await session.register(echo, "com.example.echo")
        assert isinstance(registration, Registration) and registration.active
        assert await session.call("com.example.echo") is None
        assert await session.call("com.example.echo", [1, {"a": b"\x00"}]) == [1, {"a": b"\x00"}]
        found = await session.call("com.example.echo", 1, 2, unit="C")
        assert (found.results, found.kwresults) == ((1, 2), {"unit": "C"})
        detailed = await session.call("com.example.echo", 7, options=CallOptions(details=True))
        assert isinstance(detailed, CallResult) and detailed.results == (7,)
        await registration.unregister()
        assert "active=False" in repr(registration)
        with pytest.raises(ApplicationError) as caught:
            await session.call("com.example.echo")
        assert caught.value.error == ApplicationError.NO_SUCH_PROCEDURE
        await close(session)


async def test_two_handlers_share_a_subscription():
    async with embedded() as router:
        session = await joined(router.urls[0])
        first: list[Any] = []
        second: list[Any] = []
        one = await session.subscribe(first.append, "com.example.topic")
        two = await session.subscribe(second.append, "com.example.topic")
        assert isinstance(one, Subscription) and one.id == two.id
        published = await session.publish("com.example.topic", 1, options=ACKNOWLEDGE)
        assert published.id > 0 and published.was_encrypted is False
        await until(lambda: first and second)
        assert await one.unsubscribe() == 1
        await session.publish("com.example.topic", 2, options=ACKNOWLEDGE)
        await until(lambda: second == [1, 2])
        assert first == [1]
        assert await two.unsubscribe() == 0
        with pytest.raises(LocalProtocolError):
            two.unsubscribe()
        await close(session)


class Room:
    """Decorated methods."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @register("add")
    def add(self, a: int, b: int = 1) -> int:
        return a + b

    @register("light.<lamp:int>.set")
    async def light(self, on, lamp):
        return [self.__class__.__name__, lamp, on]

    @register("static")
    @staticmethod
    def static():
        return "static"

    @subscribe("com.example.<room>.alarm")
    def alarm(self, level, room):
        self.heard.append((room, level))

    @subscribe("com.example.all", options=SubscribeOptions(match="prefix", details=True))
    def all(self, *args, details):
        assert isinstance(details, EventDetails)
        self.heard.append((details.topic, args))


async def test_decorated_objects_with_patterns_and_prefix():
    async with embedded() as router:
        session = await joined(router.urls[0])
        room = Room()
        registrations = await session.register(room, prefix="com.example.", check_types=True)
        assert len(registrations) == 3
        assert all(isinstance(one, Registration) for one in registrations)
        assert await session.call("com.example.add", 1) == 2
        assert await session.call("com.example.light.17.set", True) == ["Room", 17, True]
        assert await session.call("com.example.static") == "static"
        with pytest.raises(ApplicationError) as caught:
            await session.call("com.example.light.x.set", True)
        assert caught.value.error == ApplicationError.INVALID_ARGUMENT
        with pytest.raises(ApplicationError) as caught:
            await session.call("com.example.add", "1")
        assert caught.value.error == ApplicationError.TYPE_CHECK_ERROR
        assert "a is str, expected int" in str(caught.value)
        assert isinstance(session.errors[-1][0], TypeCheckError)
        await session.subscribe(room)
        await session.publish("com.example.kitchen.alarm", 3, options=ACKNOWLEDGE)
        await session.publish("com.example.all.x", 4, options=ACKNOWLEDGE)
        await until(lambda: len(room.heard) == 2)
        assert room.heard == [("kitchen", 3), ("com.example.all.x", (4,))]
        await close(session)


@error("com.example.error.full")
class Full(Exception):
    pass


class TooHot(Exception):
    def __init__(self, degrees, limit=None):
        super().__init__(degrees)
        self.degrees, self.limit, self.kwargs = degrees, limit, {"limit": limit}


async def test_exception_classes_travel():
    async with embedded() as router:
        session = await joined(router.urls[0])
        for exception in (Full("tank"), TooHot(90, limit=80), ApplicationError("a.b", 1, x=2)):

            def fail(exception=exception):
                raise exception

            registration = await session.register(fail, "com.example.fail")
            if isinstance(exception, TooHot):
                session.define(TooHot, "com.example.error.hot")
            if isinstance(exception, Full):
                session.define(Full)
            with pytest.raises(type(exception)) as caught:
                await session.call("com.example.fail")
            found = caught.value
            assert found.args == exception.args
            if isinstance(found, TooHot):
                assert found.limit == 80
            if isinstance(found, ApplicationError):
                assert (found.error, found.kwargs) == ("a.b", {"x": 2})
            await registration.unregister()
        with pytest.raises(LocalProtocolError):
            session.define(ValueError)
        await close(session)


async def test_progressive_results_and_calls_in_parts():
    async with embedded() as router:
        session = await joined(router.urls[0])

        async def count(n, details):
            assert isinstance(details, CallDetails)
            for i in range(n):
                assert details.progress is not None and details.progress(i, of=n)
                await asyncio.sleep(0)
            return "done"

        async def total(first, details):
            found = first
            while (part := await details.receive()) is not None:
                found += sum(part.results)
            return found

        await session.register(count, "com.example.count", RegisterOptions(details=True))
        await session.register(total, "com.example.total", RegisterOptions(details=True))
        seen = []
        options = CallOptions(on_progress=lambda i, of: seen.append((i, of)))
        assert await session.call("com.example.count", 3, options=options) == "done"
        assert seen == [(0, 3), (1, 3), (2, 3)]
        call = session.open_call("com.example.total", 1)
        assert call.send(2, 3) and call.finish(4)
        assert await asyncio.wait_for(call, LIMIT_S) == 10
        assert not call.send(5)
        await close(session)


async def test_cancelling_and_time_limits_interrupt_the_callee():
    async with embedded() as router:
        session = await joined(router.urls[0])
        ended = []

        async def slow(tag):
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(tag)

        await session.register(slow, "com.example.slow")
        for mode in ("kill", "killnowait"):
            call = session.call("com.example.slow", mode, options=CallOptions(cancel_mode=mode))
            (pending,) = session.pending
            assert isinstance(pending, CallRequest) and pending.on_reply is call
            assert pending.procedure == "com.example.slow"
            await until(lambda: session.invocations)
            assert isinstance(session.invocations[0], InvocationRequest)
            call.cancel()
            assert session.pending == []
            await until(partial(ended.__contains__, mode))
        call = session.call("com.example.slow", "skip", options=CallOptions(cancel_mode="skip"))
        await until(lambda: session.invocations)
        call.cancel()
        with pytest.raises(ApplicationError) as caught:
            await session.call("com.example.slow", "late", options=CallOptions(timeout=0.05))
        assert caught.value.error == ApplicationError.TIMEOUT
        await until(lambda: ended[-1] == "late")
        assert session.pending == []
        assert session.is_attached() and "skip" not in ended
        await close(session)


async def _cancel_itself(*args):
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


def _raise_cancelled(*args):
    raise asyncio.CancelledError


BAD_HANDLERS = {
    "raises": (lambda: 1 / 0, "wamp.error.runtime_error"),
    "result that cannot be sent": (lambda: object(), "wamp.error.invalid_payload"),
    "result that is too long": (lambda: b"x" * (17 << 20), "wamp.error.payload_size_exceeded"),
    "cancels itself": (_cancel_itself, "wamp.error.canceled"),
    "raises CancelledError": (_raise_cancelled, "wamp.error.canceled"),
    "error that cannot be sent": (ApplicationError("a.bad.error", object()), "a.bad.error"),
    "error without a URI": (ApplicationError("not a uri"), "wamp.error.runtime_error"),
}


@pytest.mark.parametrize("name", BAD_HANDLERS)
async def test_a_caller_is_answered_whatever_the_endpoint_does(name):
    endpoint, uri = BAD_HANDLERS[name]
    if isinstance(endpoint, Exception):
        exception = endpoint

        def endpoint():
            raise exception

    async with embedded() as router:
        session = await joined(router.urls[0])
        await session.register(endpoint, "com.example.bad")
        with pytest.raises(ApplicationError) as caught:
            await asyncio.wait_for(session.call("com.example.bad"), LIMIT_S)
        assert caught.value.error == uri
        assert session.is_attached() and session.invocations == []
        await session.subscribe(endpoint, "com.example.topic")
        heard: list[Any] = []
        await session.subscribe(heard.append, "com.example.topic")
        await session.publish("com.example.topic", options=ACKNOWLEDGE)
        await until(lambda: session.errors)
        await close(session)


async def test_what_cannot_be_asked_is_told_at_once():
    async with embedded() as router:
        session = Told()
        with pytest.raises(TransportLost):
            session.call("com.example.x")
        with pytest.raises(TransportLost):
            session.join("devices")
        await joined(router.urls[0], session)
        with pytest.raises(SerializationError):
            session.call("com.example.x", object())
        with pytest.raises(LocalProtocolError, match="URI"):
            session.call("com example")
        with pytest.raises(LocalProtocolError):
            session.register(object())
        with pytest.raises(LocalProtocolError):
            session.on("joined", print)
        assert session.pending == []
        session.onLeave = lambda details: None  # type: ignore[method-assign]
        leaving = session.leave()
        await until(lambda: not session.is_attached())
        with pytest.raises(SessionNotReady):
            session.publish("com.example.x")
        # Another session on the same transport.
        session.joined = asyncio.get_running_loop().create_future()
        session.join("devices")
        async with asyncio.timeout(LIMIT_S):
            await session.joined
        session.disconnect()
        await asyncio.wait_for(leaving, LIMIT_S)


class Reversed(IPayloadCodec):
    """Encodes as text, backwards, with the URI in front."""

    def encode(self, is_originating, uri, args=None, kwargs=None):
        text = repr((uri, list(args or []), kwargs or {}))
        return EncodedPayload(text[::-1].encode(), "x_backwards", "x_repr")

    def decode(self, is_originating, uri, encoded_payload):
        import ast

        assert encoded_payload.enc_algo == "x_backwards"
        return ast.literal_eval(encoded_payload.payload.decode()[::-1])


async def test_payload_codec_encodes_all_that_travels():
    async with embedded() as router:
        session = await joined(router.urls[0])
        other = await joined(router.urls[0])
        session.set_payload_codec(Reversed())
        assert isinstance(session.get_payload_codec(), Reversed)

        def half(n, details):
            assert details.enc_algo == "x_backwards"
            if n % 2:
                raise ApplicationError("com.example.odd", n)
            return n // 2

        await session.register(half, "com.example.half", RegisterOptions(details=True))
        assert await session.call("com.example.half", 8) == 4
        with pytest.raises(ApplicationError) as caught:
            await session.call("com.example.half", 7)
        assert (caught.value.error, caught.value.args) == ("com.example.odd", (7,))
        heard: list[Any] = []
        await session.subscribe(lambda *a, **k: heard.append((a, k)), "com.example.topic")
        await other.subscribe(heard.append, "com.example.topic")
        published = await session.publish("com.example.topic", 1, x=2, options=ACKNOWLEDGE)
        assert published.was_encrypted
        await until(lambda: heard and other.errors)
        assert heard == [((1,), {"x": 2})]
        refused = other.errors[0][0]
        assert isinstance(refused, ApplicationError)
        assert refused.error == ApplicationError.ENC_NO_PAYLOAD_CODEC
        await close(session, other)
