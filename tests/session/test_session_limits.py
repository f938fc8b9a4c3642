"""What bounds a session's memory and time, and time limits that callees keep."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sessions import LIMIT_S, Played, Told, close, embedded, joined, played

import microwamp._session._callee as callee
import microwamp._session._life as life
import microwamp._session._pubsub as pubsub
from microwamp.exception import ApplicationError, LocalProtocolError, TransportLost
from microwamp.types import CallOptions, RegisterOptions


async def test_requests_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "REQUESTS", 3)

    async def play(router: Played) -> None:
        await router.join()
        for _ in range(3):
            await router.receive()
        router.send([50, 1, {}, ["answered"]])
        await router.receive()

    async with played(play) as url:
        session = await joined(url)
        calls = [session.call("com.example.x") for _ in range(3)]
        with pytest.raises(LocalProtocolError, match="3"):
            session.call("com.example.x")
        assert len(session.pending) == 3
        assert await asyncio.wait_for(calls[0], LIMIT_S) == "answered"
        calls.append(session.call("com.example.x"))  # there is room again
        async with asyncio.timeout(LIMIT_S):
            found = await asyncio.gather(*calls[1:], return_exceptions=True)
            await session.gone
        assert [type(one) for one in found] == [TransportLost] * 3


async def test_invocations_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "REQUESTS", 3)
    go = asyncio.Event()

    async def wait(n: int) -> int:
        await go.wait()
        return n

    async with embedded() as router:
        session = await joined(router.urls[0])
        monkeypatch.setattr(life, "REQUESTS", 100)
        caller = await joined(router.urls[0])
        await session.register(wait, "com.example.wait")
        calls = [caller.call("com.example.wait", n) for n in range(5)]
        async with asyncio.timeout(LIMIT_S):
            surplus = await asyncio.gather(*calls[3:], return_exceptions=True)
            assert [getattr(e, "error", None) for e in surplus] == ["wamp.error.unavailable"] * 2
            go.set()
            assert await asyncio.gather(*calls[:3]) == [0, 1, 2]
            assert await caller.call("com.example.wait", 7) == 7
        await close(session, caller)


async def test_event_handlers_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub, "HANDLERS", 3)
    go = asyncio.Event()
    heard: list[int] = []

    async def wait(n: int) -> None:
        await go.wait()
        heard.append(n)

    async def play(router: Played) -> None:
        await router.join()
        router.send([33, (await router.receive())[1], 5])
        router.send(*([36, 5, 1 + n, {}, [n]] for n in range(9)))
        await router.receive()
        router.send([36, 5, 100, {}, [100]])
        await router.receive()

    async with played(play) as url:
        session = await joined(url)
        await session.subscribe(wait, "com.example.topic")
        async with asyncio.timeout(LIMIT_S):
            while session.dropped < 6:
                await asyncio.sleep(0.005)
            go.set()
            while len(heard) < 3:
                await asyncio.sleep(0.005)
            session.publish("com.example.go")
            while 100 not in heard:
                await asyncio.sleep(0.005)
        assert heard == [0, 1, 2, 100] and session.dropped == 6
        session.disconnect()
        await asyncio.wait_for(session.gone, LIMIT_S)


async def test_parts_that_wait_for_their_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callee, "PARTS", 3)

    async def never_asks(*args: Any) -> None:
        await asyncio.get_running_loop().create_future()

    async with embedded() as router:
        session = await joined(router.urls[0])
        await session.register(never_asks, "com.example.parts")
        call = session.open_call("com.example.parts", 0)
        for n in range(5):
            call.send(n)
        with pytest.raises(ApplicationError) as caught:
            await asyncio.wait_for(call.result, LIMIT_S)
        assert caught.value.error == "wamp.error.unavailable"
        assert session.invocations == []
        await close(session)


async def test_who_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import microwamp.transport._base as base

    monkeypatch.setattr(base, "BACKLOG_MAX", 1 << 20)

    async def play(router: Played) -> None:
        await router.join()
        await asyncio.get_running_loop().create_future()

    async with played(play) as url:
        session = await joined(url)
        call = session.call("com.example.x")
        with pytest.raises(TransportLost):
            async with asyncio.timeout(LIMIT_S):
                while True:
                    session.publish("com.example.topic", "x" * 100_000)
                    await asyncio.sleep(0)
        async with asyncio.timeout(LIMIT_S):
            await session.gone
            with pytest.raises(TransportLost, match="does not read"):
                await call


async def test_a_callee_keeps_the_time_of_its_callers() -> None:
    """`forward_timeout`: the dealer leaves the limit to the callee, which then answers with an
    error and interrupts its endpoint; without it, it is the dealer that does."""
    ended: list[str] = []
    codes: list[int] = []

    class Watched(Told):
        def receive(self, wmsg: list[Any]) -> None:
            codes.append(wmsg[0])
            super().receive(wmsg)

    async def slow(tag: str) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(tag)

    async with embedded() as router:
        session = await joined(router.urls[0], Watched())
        caller = await joined(router.urls[0])
        forward = RegisterOptions(forward_timeout=True)
        await session.register(slow, "com.example.forward", forward)
        await session.register(slow, "com.example.plain")
        for uri in ("com.example.forward", "com.example.plain"):
            # The local limit of the caller would come first: leave it out.
            call = caller._call(uri, (uri,), {}, None, {"timeout": 50}).on_reply
            with pytest.raises(ApplicationError) as caught:
                await asyncio.wait_for(call, LIMIT_S)
            assert caught.value.error == ApplicationError.TIMEOUT
            async with asyncio.timeout(LIMIT_S):
                while ended[-1:] != [uri]:
                    await asyncio.sleep(0.005)
            assert session.invocations == []
            assert (69 in codes) is (uri == "com.example.plain")  # INTERRUPT
        # The caller's own limit, and both at once.
        with pytest.raises(ApplicationError, match="no result within 0.05 s"):
            await caller.call("com.example.forward", "own", options=CallOptions(timeout=0.05))
        await close(session, caller)


async def test_every_answer_that_does_not_come_in_time_is_dropped() -> None:
    """A result that comes after its call was cancelled, or was over time, harms nobody."""

    async def play(router: Played) -> None:
        await router.join()
        request = (await router.receive())[1]
        assert (await router.receive())[:2] == [49, request]  # CANCEL
        router.send([50, request, {}, ["late"]], [50, request, {}, ["later"]])
        router.send([8, 48, request, {}, "wamp.error.canceled"])
        request = (await router.receive())[1]
        router.send([50, request, {}, ["in time"]])
        await router.receive()

    async with played(play) as url:
        session = await joined(url)
        with pytest.raises(ApplicationError):
            await session.call("com.example.x", options=CallOptions(timeout=0.02))
        assert await asyncio.wait_for(session.call("com.example.x"), LIMIT_S) == "in time"
        assert session._protocol.dropped == 3 and session.is_attached()
        session.disconnect()
        await asyncio.wait_for(session.gone, LIMIT_S)
