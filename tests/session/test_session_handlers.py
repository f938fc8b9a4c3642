"""Code of programs that fails where a session calls it: the session, and everybody else, go on."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from sessions import LIMIT_S, Played, Told, close, embedded, joined, played, until

from microwamp import Session
from microwamp.exception import (
    ApplicationError,
    LocalProtocolError,
    SerializationError,
    TypeCheckError,
)
from microwamp.types import (
    CallOptions,
    ComponentConfig,
    EventDetails,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

ACKNOWLEDGE = PublishOptions(acknowledge=True, exclude_me=False)


async def cancel_itself(*args: Any) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


async def test_handlers_that_hang_hold_up_nobody() -> None:
    begun: list[str] = []

    async def hang(*args: Any) -> None:
        begun.append("hang")
        await asyncio.get_running_loop().create_future()

    async with embedded() as router:
        session, other = await joined(router.urls[0]), await joined(router.urls[0])
        heard: list[Any] = []
        await session.register(hang, "com.example.hang")
        await session.register(lambda n: n + 1, "com.example.next")
        await session.subscribe(hang, "com.example.topic")
        await session.subscribe(heard.append, "com.example.topic")
        hanging = other.call("com.example.hang")
        await other.publish("com.example.topic", 1, options=ACKNOWLEDGE)
        assert await other.call("com.example.next", 1) == 2
        await other.publish("com.example.topic", 2, options=ACKNOWLEDGE)
        await until(lambda: heard == [1, 2] and len(begun) == 3)
        await close(session)
        with pytest.raises(ApplicationError) as caught:
            await asyncio.wait_for(hanging, LIMIT_S)
        assert caught.value.error == ApplicationError.CANCELED  # the callee has left
        await close(other)


@pytest.mark.parametrize("how", ("raises", "raises later", "cancels itself", "is no function"))
async def test_event_handlers_that_fail(how: str) -> None:
    async def later(*args: Any) -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    bad: Any = {
        "raises": lambda value: [][1],
        "raises later": later,
        "cancels itself": cancel_itself,
        "is no function": lambda: None,  # takes other arguments
    }[how]
    async with embedded() as router:
        session = await joined(router.urls[0])
        heard: list[Any] = []
        await session.subscribe(bad, "com.example.topic")
        await session.subscribe(heard.append, "com.example.topic")
        for n in range(3):
            await session.publish("com.example.topic", n, options=ACKNOWLEDGE)
        await until(lambda: len(heard) == 3 and len(session.errors) == 3)
        for error, message in session.errors:
            assert message.startswith(f"handler of com.example.topic: {type(error).__name__}")
        assert session._handlers == 0 and session.is_attached()
        await close(session)


async def test_progress_that_cannot_be_sent_or_taken() -> None:
    async with embedded() as router:
        session, caller = await joined(router.urls[0]), await joined(router.urls[0])

        def unsayable(details: Any) -> str:
            with pytest.raises(SerializationError):
                details.progress(object())
            assert details.progress("sayable")
            return "done"

        kept: list[Any] = []

        def keeping(details: Any) -> str:
            kept.append(details.progress)
            return "done"

        options = RegisterOptions(details=True)
        await session.register(unsayable, "com.example.unsayable", options)
        await session.register(keeping, "com.example.keeping", options)

        def bad(part: Any) -> None:
            raise ValueError(part)

        wanted = CallOptions(on_progress=bad)
        assert await caller.call("com.example.unsayable", options=wanted) == "done"
        await until(lambda: caller.errors)
        assert caller.errors[0][1] == "on_progress of com.example.unsayable: ValueError: sayable"
        wanted = CallOptions(on_progress=cancel_itself)
        assert await caller.call("com.example.unsayable", options=wanted) == "done"
        # After the answer nobody wants progress any more, nor after the session.
        assert await caller.call("com.example.keeping", options=wanted) == "done"
        assert kept[0]("late") is False
        await close(session)
        assert kept[0]("later") is False
        await close(caller)


async def test_observers_and_onusererror_that_raise(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    class Own(Told):
        def onUserError(self, fail: Any, msg: str) -> None:
            told.append(msg)
            raise RuntimeError("onUserError too")

    async with embedded() as router:
        session = Own()
        for event in ("connect", "join", "ready", "leave", "disconnect"):
            session.on(event, lambda *args, event=event: told.append(f"first of {event}"))
            session.on(event, cancel_itself)
            session.on(event, lambda *args: [][1])
            session.on(event, lambda *args, event=event: told.append(f"last of {event}"))
        with caplog.at_level(logging.CRITICAL):
            await joined(router.urls[0], session)
            await until(lambda: "last of ready" in told)
            await close(session)
        for event in ("connect", "join", "ready", "leave", "disconnect"):
            at = told.index(f"first of {event}")
            assert told[at : at + 4] == [
                f"first of {event}",
                f"observer of {event}: Error: observer of {event} cancelled itself",
                f"observer of {event}: IndexError: list index out of range",
                f"last of {event}",
            ]
        off = session.on("join", print)
        session.off("join", off)
        session.off()
        assert session._observers.observers("leave") == []


async def test_onusererror_logs_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    session = Session(ComponentConfig("devices"))
    try:
        [][1]
    except IndexError as e:
        session._user_error(e, "what for")
    assert "what for" in caplog.text and "[][1]" in caplog.text and "IndexError" in caplog.text


async def test_types_are_checked_for_coroutines_and_events_too() -> None:
    async with embedded() as router:
        session = await joined(router.urls[0])
        heard: list[Any] = []

        async def half(n: int, details: Any = None) -> int:
            return n // 2

        def event(value: dict[str, int], details: EventDetails) -> None:
            heard.append(value)

        options = RegisterOptions(details=True)
        await session.register(half, "com.example.half", options, check_types=True)
        subscribing = SubscribeOptions(details=True)
        await session.subscribe(event, "com.example.topic", subscribing, check_types=True)
        assert await session.call("com.example.half", 8) == 4
        for wrong in (["8"], [True], [], [1, 2, 3]):
            with pytest.raises(ApplicationError) as caught:
                await session.call("com.example.half", *wrong)
            assert caught.value.error == ApplicationError.TYPE_CHECK_ERROR, wrong
        await session.publish("com.example.topic", {"a": "1"}, options=ACKNOWLEDGE)
        await session.publish("com.example.topic", {"a": 1}, options=ACKNOWLEDGE)
        await until(lambda: heard)
        assert heard == [{"a": 1}]
        assert isinstance(session.errors[-1][0], TypeCheckError)
        assert "value is dict, expected dict[str, int]" in session.errors[-1][1]
        with pytest.raises(LocalProtocolError, match="cannot be looked into"):
            session.register(int, "com.example.int", check_types=True)
        await close(session)


class Picky(Exception):
    def __init__(self) -> None:
        super().__init__()


async def test_defined_exceptions_whose_constructor_takes_something_else() -> None:
    """The error arrives all the same, as an ApplicationError."""
    async with embedded() as router:
        session = await joined(router.urls[0])
        session.define(Picky, "com.example.picky")

        def fail(*args: Any) -> None:
            raise ApplicationError("com.example.picky", *args)

        await session.register(fail, "com.example.fail")
        with pytest.raises(Picky):
            await session.call("com.example.fail")
        with pytest.raises(ApplicationError) as caught:
            await session.call("com.example.fail", 1)
        assert (caught.value.error, caught.value.args) == ("com.example.picky", (1,))
        await close(session)


async def test_details_that_a_router_gets_wrong_are_absent() -> None:
    async def play(router: Played) -> None:
        await router.join()
        router.send([65, (await router.receive())[1], 5])
        router.send([33, (await router.receive())[1], 6])
        wrong = {"publisher": "x", "publisher_authid": 7, "topic": 8, "retained": 1}
        router.send([36, 6, 9, {**wrong, "publisher_authrole": "user"}, ["event"]])
        wrong = {"caller": -1, "caller_authrole": [], "procedure": 5, "timeout": "x"}
        router.send([68, 1, 5, {**wrong, "caller_authid": "ann"}, ["call"]])
        answered.set_result(await router.receive())
        await router.receive()

    seen: list[Any] = []
    answered: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    async with played(play) as url:
        session = await joined(url)

        def keep(what: str, details: Any) -> str:
            seen.append(details)
            return what

        await session.register(keep, "com.example.x", RegisterOptions(details=True))
        await session.subscribe(keep, "com.example.y", SubscribeOptions(details=True))
        async with asyncio.timeout(LIMIT_S):
            assert await answered == [70, 1, {}, ["call"]]
        event, call = seen
        assert (event.publisher, event.publisher_authid, event.retained) == (None, None, None)
        assert (event.publisher_authrole, event.topic) == ("user", "com.example.y")
        assert (call.caller, call.caller_authrole, call.procedure) == (None, None, None)
        assert call.caller_authid == "ann" and session.errors == []
        session.disconnect()
        await asyncio.wait_for(session.gone, LIMIT_S)
