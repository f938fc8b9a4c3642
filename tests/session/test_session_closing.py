"""Routers that close in every state of a session, and code of programs that fails there."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest
from logins import Quiet
from sessions import LIMIT_S, REALM, WELCOME, Played, Told, joined, played

import microwamp._session._life as life
from microwamp import Component, connect
from microwamp.auth import create_authenticator
from microwamp.exception import (
    ApplicationError,
    Error,
    SessionAborted,
    TransportError,
    TransportLost,
)
from microwamp.types import CallOptions, PublishOptions, RegisterOptions

# -- how a router ends a connection ---------------------------------------------------------------


def fin(router: Played) -> None:
    """In good order."""
    router.writer.close()


def reset(router: Played) -> None:
    """By force."""
    sock: socket.socket = router.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    router.writer.transport.abort()


def abort(router: Played) -> None:
    router.send([3, {"message": "maintenance"}, "wamp.close.system_shutdown"])
    router.writer.close()


def half_a_message(router: Played) -> None:
    router.writer.write(b"\x00\x00\x00\x40\x84\x18")
    router.writer.close()


WAYS = (fin, reset, abort, half_a_message)


# -- in which state -------------------------------------------------------------------------------


async def after_the_handshake(router: Played) -> None:
    await router.shake()


async def after_hello(router: Played) -> None:
    await router.shake()
    await router.receive()


async def after_challenge(router: Played) -> None:
    await after_hello(router)
    router.send([4, "wampcra", {"challenge": "{}", "salt": "s", "iterations": 99_000}])


async def after_authenticate(router: Played) -> None:
    await after_challenge(router)
    await router.receive()


async def with_welcome(router: Played) -> None:
    await after_hello(router)
    router.send(WELCOME)


async def with_requests(router: Played) -> None:
    await router.join()
    for _ in range(4):
        await router.receive()


async def with_an_invocation(router: Played) -> None:
    await router.join()
    request = (await router.receive())[1]
    router.send([65, request, 5], [68, 1, 5, {}, ["hang"]])


async def within_a_progressive_result(router: Played) -> None:
    await router.join()
    request = (await router.receive())[1]
    router.send([50, request, {"progress": True}, [1]])


async def after_goodbye(router: Played) -> None:
    await router.join()
    await router.receive()


STATES = {
    after_the_handshake: (),
    after_hello: (),
    after_challenge: (),
    after_authenticate: (),
    with_welcome: (),
    with_requests: ("call", "publish", "register", "subscribe"),
    with_an_invocation: ("serve",),
    within_a_progressive_result: ("progress",),
    after_goodbye: ("leave",),
}


async def hang(*args: Any) -> None:
    await asyncio.get_running_loop().create_future()


def start(session: Told, what: str) -> Any:
    """Something that waits for the router."""
    if what == "call":
        return session.call("com.example.x")
    if what == "progress":
        options = CallOptions(on_progress=lambda part: session.events.append(f"part {part}"))
        return session.call("com.example.x", options=options)
    if what == "publish":
        return session.publish("com.example.x", options=PublishOptions(acknowledge=True))
    if what == "subscribe":
        return session.subscribe(print, "com.example.x")
    if what == "leave":
        return session.leave()
    return session.register(hang, "com.example.x")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", STATES)
async def test_a_router_that_closes(state: Any, way: Any) -> None:
    async def play(router: Played) -> None:
        await state(router)
        way(router)

    async with played(play) as url:
        session = Told()
        session.add_authenticator(create_authenticator("wampcra", authid="a", secret="s"))
        async with asyncio.timeout(LIMIT_S):
            try:
                await connect(session, url)
            except TransportError:
                # The reset may come before the handshake has been read.
                assert state is after_the_handshake and session.events == []
                return
            started: list[Any] = []
            if STATES[state]:
                await session.joined
                started = [start(session, what) for what in STATES[state]]
            await session.gone
            found = await asyncio.gather(*started, return_exceptions=True)
        expected: list[type] = [TransportLost] * len(found)
        if STATES[state] in (("leave",), ("serve",)):
            # It has left; the registration was confirmed.
            assert not isinstance(found[0], Exception) or way is reset
        else:
            assert [type(one) for one in found] == expected
        if state is after_the_handshake:
            assert session.events == ["connect", "disconnect"]  # there was nothing to leave
            return
        assert session.events[0] == "connect" and session.events[-2:] == ["leave", "disconnect"]
        reason = session.left.result().reason
        known = {
            "wamp.close.transport_lost",
            "wamp.close.system_shutdown",
            "wamp.close.normal",  # ours
        }
        assert reason in known, session.left.result()
        if way is fin and state is not after_goodbye:
            assert reason == "wamp.close.transport_lost"
        assert session.pending == [] and session.invocations == [] and not session.is_connected()
        assert not session._handlers and not session._running


@pytest.mark.parametrize("state", (after_hello, with_welcome, with_requests))
async def test_a_component_knows_whether_it_was_ever_joined(state: Any) -> None:
    joins = 0

    async def play(router: Played) -> None:
        nonlocal joins
        joins += 1
        if joins < 3:
            await state(router)

    async def main(loop: Any, session: Any) -> None:
        found = [start(session, what) for what in STATES[with_requests]]
        await asyncio.gather(*found)

    async with played(play) as url:
        quick = {"url": url, "max_retries": 1, "initial_retry_delay": 0.01}
        component = Component(main, quick, realm=REALM, session_factory=Quiet)
        words = "never connected" if state is after_hello else "lost after 2 sessions"
        with pytest.raises(TransportError, match=words):
            await asyncio.wait_for(component.start(), LIMIT_S)


# -- WebSocket ------------------------------------------------------------------------------------


async def _not_at_all(router: Played) -> None:
    return


async def _within_http(router: Played) -> None:
    await router.request()
    router.writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web")


async def _refused(router: Played) -> None:
    await router.request()
    router.writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


async def _another_key(router: Played) -> None:
    await router.request()
    router.writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: AAAA\r\nSec-WebSocket-Protocol: wamp.2.cbor\r\n\r\n"
    )


async def upgraded(router: Played, subprotocol: str = "wamp.2.cbor") -> None:
    import base64
    import hashlib
    import re

    head = (await router.request()).decode()
    found = re.search(r"Sec-WebSocket-Key: (\S+)", head, re.IGNORECASE)
    assert found is not None
    key = found[1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
    ]
    if subprotocol:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    router.writer.write("\r\n".join([*lines, "", ""]).encode())


async def _without_subprotocol(router: Played) -> None:
    await upgraded(router, "")
    await router.request()


async def _another_subprotocol(router: Played) -> None:
    await upgraded(router, "wamp.2.json")
    await router.request()


REFUSED = {
    _not_at_all: "connection",
    _within_http: "connection",
    _refused: "HTTP 503",
    _another_key: "Sec-WebSocket-Accept",
    _without_subprotocol: "the server knows none of wamp.2.cbor: is it a router?",
    _another_subprotocol: "wamp.2.json",
}


@pytest.mark.parametrize("play", REFUSED)
async def test_websocket_handshakes_that_fail(play: Any) -> None:
    async with played(play) as url:
        session = Told()
        with pytest.raises(TransportError, match=REFUSED[play]) as caught:
            await asyncio.wait_for(connect(session, url.replace("rs:", "ws:")), LIMIT_S)
        assert "\n" not in str(caught.value)
        assert session.events == [] and not session.is_connected()


# Frames after the handshake, and the reason of the end
FRAMES = {
    "close": (b"\x88\x02\x03\xe8", "wamp.close.transport_lost"),
    "text": (b"\x81\x02hi", "wamp.error.protocol_violation"),
    "no cbor": (b"\x82\x01\xff", "wamp.error.protocol_violation"),
    "masked": (b"\x82\x81\x00\x00\x00\x00\x80", "wamp.error.protocol_violation"),
    "reserved bits": (b"\xf2\x01\x80", "wamp.error.protocol_violation"),
    "too long": (b"\x82\x7f\x00\x00\x00\x10\x00\x00\x00\x00", "wamp.error.protocol_violation"),
    "continuation of nothing": (b"\x80\x01\x80", "wamp.error.protocol_violation"),
    "the end": (b"", "wamp.close.transport_lost"),
}


@pytest.mark.parametrize("after_hello", (True, False))
@pytest.mark.parametrize("name", FRAMES)
async def test_websocket_frames_that_end_a_session(name: str, after_hello: bool) -> None:
    octets, reason = FRAMES[name]

    async def play(router: Played) -> None:
        await upgraded(router)
        if after_hello:
            await router._reader.read(2)
        router.writer.write(octets)
        if octets:
            await router._reader.read()

    async with played(play) as url:
        session = Told()
        async with asyncio.timeout(LIMIT_S):
            await connect(session, url.replace("rs:", "ws:"))
            await session.gone
        if after_hello:
            assert session.left.result().reason == reason
            assert session.events == ["connect", "leave", "disconnect"]
        else:
            assert session.events == ["connect", "disconnect"]


# -- hooks that hang ------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ("onChallenge", "onWelcome", "onLeave", "onDisconnect"))
async def test_hooks_that_hang(hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "HOOK_S", 0.05)
    monkeypatch.setattr(life, "ANSWER_S", 0.05)

    async def play(router: Played) -> None:
        await router.shake()
        await router.receive()
        if hook == "onChallenge":
            router.send([4, "x-own", {}])
            await router.receive()
        else:
            router.send(WELCOME)
            message = await router.receive()
            if message[0] == 6:
                router.send([6, {}, "wamp.close.goodbye_and_out"])
                await router.receive()

    class Own(Quiet):
        def onConnect(self) -> None:
            self.join(REALM, ["x-own"], "a")

    setattr(Own, hook, hang)
    async with played(play) as url:

        async def main(loop: Any, session: Any) -> None:
            """Leaves at once."""

        quick = {"url": url, "max_retries": 0}
        component = Component(main, quick, realm=REALM, session_factory=Own)
        async with asyncio.timeout(LIMIT_S):
            if hook in ("onLeave", "onDisconnect"):
                await component.start()
            else:
                with pytest.raises(Error, match="onChallenge or onWelcome does not end"):
                    await component.start()


async def test_onconnect_that_raises_ends_a_component() -> None:
    class Own(Quiet):
        def onConnect(self) -> None:
            raise ValueError("on purpose")

    async def play(router: Played) -> None:
        await router.shake()
        await router.receive()

    async with played(play) as url:
        component = Component(None, url, realm=REALM, session_factory=Own)
        with pytest.raises(ValueError, match="on purpose"):
            await asyncio.wait_for(component.start(), LIMIT_S)


# -- endpoints and handlers when the session ends -------------------------------------------------


async def test_endpoints_are_cancelled_when_the_session_ends() -> None:
    ended: list[str] = []

    async def play(router: Played) -> None:
        await router.join()
        for n in range(3):
            router.send([65, (await router.receive())[1], 5 + n])
        router.send([68, 1, 5, {}], [68, 2, 6, {}], [68, 3, 7, {"progress": True}, [1]])
        await router.receive()
        router.writer.close()

    async def stubborn() -> None:
        try:
            await hang()
        finally:
            ended.append("stubborn")
            await asyncio.sleep(0)

    async def plain() -> None:
        try:
            await hang()
        finally:
            ended.append("plain")

    async def parts(first: int, details: Any) -> None:
        try:
            await details.receive()
        except TransportLost:
            ended.append("parts")
            raise

    async with played(play) as url:
        session = await joined(url)
        await session.register(stubborn, "com.example.stubborn")
        await session.register(plain, "com.example.plain")
        await session.register(parts, "com.example.parts", RegisterOptions(details=True))
        async with asyncio.timeout(LIMIT_S):
            while len(session.invocations) < 3:
                await asyncio.sleep(0.005)
            session.publish("com.example.go")
            await session.gone
            while len(ended) < 3:
                await asyncio.sleep(0.005)
        assert sorted(ended) == ["parts", "plain", "stubborn"] and session.errors == []


async def test_two_sessions_in_a_process_have_nothing_in_common() -> None:
    async def play(router: Played) -> None:
        await router.join()
        message = await router.receive()
        if message[3] == "com.example.fatal":
            router.send([3, {}, "wamp.error.no_such_principal"])
            return
        await router.receive()
        router.send([50, message[1], {}, ["still here"]])
        await router.receive()

    class Own(Exception):
        pass

    async with played(play) as url:
        one, two = await joined(url), await joined(url)
        one.define(Own, "com.example.own")
        call = two.call("com.example.x")
        with pytest.raises(TransportLost):
            await asyncio.wait_for(one.call("com.example.fatal"), LIMIT_S)
        await asyncio.wait_for(one.gone, LIMIT_S)
        assert two.is_attached() and two.pending and not two._errors._classes
        two.publish("com.example.go")
        assert await asyncio.wait_for(call, LIMIT_S) == "still here"
        two.disconnect()
        await asyncio.wait_for(two.gone, LIMIT_S)
        assert isinstance(ApplicationError("a.b"), Error) and issubclass(SessionAborted, Error)
