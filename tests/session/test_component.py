"""`Component` comes back and knows when not to; the blocking session; what an import loads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from sessions import LIMIT_S, REALM, Played, embedded, joined, played

import microwamp
from microwamp import BlockingSession, Component
from microwamp.exception import (
    ApplicationError,
    ConfigurationError,
    Error,
    SessionAborted,
    TransportError,
    TransportLost,
)
from microwamp.types import CallOptions, PublishOptions

QUICK: dict[str, Any] = {"initial_retry_delay": 0.01, "max_retry_delay": 0.02, "max_retries": 3}


def quick(url: str) -> dict[str, Any]:
    """A transport that is tried again soon, and not often."""
    return {"url": url, **QUICK}


async def test_component_declares_and_ends_with_its_main():
    async with embedded() as router:
        seen: list[Any] = []

        async def main(loop, session):
            seen.append(await session.call("com.example.add", 1, 2))
            await session.publish(
                "com.example.topic", 3, options=PublishOptions(acknowledge=True, exclude_me=False)
            )
            while len(seen) < 2:
                await asyncio.sleep(0.005)

        component = Component(main, router.urls[0], realm=REALM)
        component.register("com.example.add")(lambda a, b: a + b)
        component.subscribe("com.example.topic")(seen.append)
        events: list[str] = []
        for event in ("connect", "join", "ready", "leave", "disconnect"):
            component.on(event, lambda *args, event=event: events.append(event))
        await asyncio.wait_for(component.start(), LIMIT_S)
        assert seen == [3, 3]
        assert events == ["connect", "join", "ready", "leave", "disconnect"]
        assert (component.state, component.joins) == ("ended", 1)


async def test_component_that_never_connected_says_so():
    failures: list[Exception] = []
    component = Component(transports=quick("rs://127.0.0.1:1"), realm=REALM)
    component.on_connectfailure(lambda component, error: failures.append(error))
    with pytest.raises(TransportError, match="never connected.*nothing listens"):
        await asyncio.wait_for(component.start(), LIMIT_S)
    assert len(failures) == 4 and component.joins == 0


async def test_component_comes_back_and_says_when_it_is_lost():
    count = 0

    async def play(router: Played) -> None:
        nonlocal count
        count += 1
        if count > 3:
            return
        await router.join()
        await router.receive()
        request = 1
        router.send([65, request, 5])

    async with played(play) as url:
        component = Component(transports=quick(url), realm=REALM)
        component.register("com.example.x")(print)
        with pytest.raises(TransportError, match="lost after 3 sessions"):
            await asyncio.wait_for(component.start(), LIMIT_S)
        assert component.joins == 3


async def test_component_ends_after_a_deliberate_leave_and_after_stop():
    async with embedded() as router:
        component = Component(transports=router.urls[0], realm=REALM)
        component.on_ready(lambda session: session.leave() and None)
        await asyncio.wait_for(component.start(), LIMIT_S)
        assert component.joins == 1
        waiting = Component(transports={"url": "rs://127.0.0.1:1", "initial_retry_delay": 60})
        task = asyncio.create_task(waiting.start())
        while waiting.state != "waiting":
            await asyncio.sleep(0.005)
        await waiting.stop()
        await asyncio.wait_for(task, LIMIT_S)


async def test_component_gives_up_where_the_router_refuses():
    async def play(router: Played) -> None:
        await router.shake()
        await router.receive()
        router.send([3, {}, "wamp.error.no_such_realm"])
        await router.receive()

    async with played(play) as url:
        component = Component(transports=quick(url))
        with pytest.raises(SessionAborted, match="no_such_realm"):
            await asyncio.wait_for(component.start(), LIMIT_S)
    bad: list[Any] = [[], {"serializers": ["cbor"]}, {"url": "rs://x:1", "colour": 1}]
    for wrong in bad:
        with pytest.raises(ConfigurationError):
            Component(transports=wrong)


async def test_component_raises_what_its_main_raises():
    async with embedded() as router:

        async def main(loop, session):
            raise ValueError("main")

        component = Component(main, router.urls[0], realm=REALM)
        with pytest.raises(ValueError, match="main"):
            await asyncio.wait_for(component.start(), LIMIT_S)


async def test_blocking_session():
    async with embedded() as router:
        other = await joined(router.urls[0])

        def script() -> list[Any]:
            heard = threading.Event()
            with BlockingSession(router.urls[0], REALM) as session:
                # An endpoint may block, and ask the session itself.
                ask = session.call
                session.register(lambda n: ask("com.example.inner", n), "com.example.outer")
                session.register(lambda n: n + 1, "com.example.inner")
                session.subscribe(lambda: heard.set(), "com.example.topic")
                found = [session.call("com.example.outer", 1)]
                own = PublishOptions(acknowledge=True, exclude_me=False)
                assert session.publish("com.example.topic", options=own).id
                assert heard.wait(LIMIT_S)
                with pytest.raises(ApplicationError) as caught:
                    session.call("com.example.hang", options=CallOptions(timeout=0.1))
                found.append(caught.value.error)
            with pytest.raises(Error):
                session.call("com.example.outer", 1)
            with pytest.raises(SessionAborted):
                BlockingSession(router.urls[0], "nowhere").open()
            with pytest.raises(TransportError):
                BlockingSession("rs://127.0.0.1:1").open()
            return found

        async def hang():
            await asyncio.sleep(3600)

        await other.register(hang, "com.example.hang")
        assert await asyncio.to_thread(script) == [2, "wamp.error.timeout"]
        await other.leave()


def loaded(program: str) -> set[str]:
    """The modules that a program has loaded beside those of asyncio and ssl."""
    script = (
        "import asyncio, ssl, sys\nbefore = set(sys.modules)\n"
        f"{program}\nprint(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    return set(done.stdout.decode().split())


def test_what_an_import_loads():
    assert loaded("import microwamp") == {"microwamp"}
    found = loaded("import microwamp; microwamp.Session; microwamp.connect")
    late = ("websockets", "nacl", "msgpack", "flatbuffers", "serial", "wamp.serial", "argon2")
    for name in (*late, "microwamp.auth", "microwamp.cryptobox", "microwamp.router"):
        assert not {one for one in found if one == name or one.startswith(name + ".")}, name
    for name in microwamp.__all__:
        assert getattr(microwamp, name) is not None
    assert set(microwamp.__all__) <= set(dir(microwamp))


async def test_a_component_comes_back_when_its_router_does():
    """The same port, another router: what was declared is there again, and what ran has failed."""
    seen: list[Any] = []
    lost: list[Any] = []
    url = ""

    async def main(loop, session):
        seen.append(await session.call("com.example.add", len(seen), 1))
        if len(seen) == 1:
            lost.append(
                await asyncio.gather(session.call("com.example.hang"), return_exceptions=True)
            )
            await asyncio.get_running_loop().create_future()

    async with embedded() as router:
        url = router.urls[0]
        way: dict[str, Any] = {**quick(url), "max_retries": 200}
        component = Component(main, way, realm=REALM)
        component.register("com.example.add")(lambda a, b: a + b)
        component.register("com.example.hang")(lambda: asyncio.sleep(3600))
        task = asyncio.create_task(component.start())
        async with asyncio.timeout(LIMIT_S):
            while not (component.session and component.session.invocations):
                await asyncio.sleep(0.005)
    async with embedded(url):
        await asyncio.wait_for(task, LIMIT_S)
    assert seen == [1, 2] and component.joins == 2
    ((error,),) = lost
    assert isinstance(error, TransportLost)
