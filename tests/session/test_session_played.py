"""`Session` with routers that end, break the rules or say nothing: everything settles."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sessions import LIMIT_S, WELCOME, Played, Told, joined, played

import microwamp._session._life as life
from microwamp import connect
from microwamp.exception import (
    ConfigurationError,
    HandshakeRefused,
    TransportError,
    TransportLost,
)
from microwamp.types import PublishOptions

ACKNOWLEDGE = PublishOptions(acknowledge=True)


async def _at_once(router: Played) -> None:
    return


async def _within_the_handshake(router: Played) -> None:
    router.writer.write(b"\x7f\xf3")


async def _refusing(router: Played) -> None:
    router.writer.write(b"\x7f\x10\x00\x00")


async def _http(router: Played) -> None:
    router.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("play", (_at_once, _within_the_handshake, _refusing, _http))
async def test_no_handshake(play):
    async with played(play) as url:
        session = Told()
        with pytest.raises((HandshakeRefused, TransportError)):
            await asyncio.wait_for(connect(session, url), LIMIT_S)
        assert session.events == [] and not session.is_connected()


async def test_nobody_listens_and_bad_urls():
    with pytest.raises(TransportError, match="nothing listens"):
        await connect(Told(), "rs://127.0.0.1:1")
    for url in ("rs://127.0.0.1", "http://127.0.0.1:80", "rs://:99", "", "ws://"):
        with pytest.raises(ConfigurationError):
            await connect(Told(), url)
    with pytest.raises(ConfigurationError, match="unknown serializer"):
        await connect(Told(), "rs://127.0.0.1:1", "xml")


async def test_a_silent_router_is_given_up():
    async def play(router: Played) -> None:
        await router.receive()
        await router.receive()

    async with played(play) as url:
        with pytest.raises(TransportError, match="no (answer to the handshake|connection) within"):
            await connect(Told(), url, open_timeout=0.1)


async def _after_hello(router: Played) -> None:
    await router.shake()
    await router.receive()


async def _no_welcome(router: Played) -> None:
    await router.shake()
    await router.receive()
    router.send([2, 1, {"roles": {}}])
    await router.receive()


async def _no_cbor(router: Played) -> None:
    await router.shake()
    await router.receive()
    router.raw(b"\xff\xff")
    assert (await router.receive())[2] == "wamp.error.protocol_violation"


async def _aborting(router: Played) -> None:
    await router.shake()
    await router.receive()
    router.send([3, {"message": "no such realm"}, "wamp.error.no_such_realm"])


async def _challenging(router: Played) -> None:
    await router.shake()
    await router.receive()
    router.send([4, "ticket", {}])
    await router.receive()


NOT_JOINED = {
    _after_hello: "wamp.close.transport_lost",
    _no_welcome: "wamp.error.protocol_violation",
    _no_cbor: "wamp.error.protocol_violation",
    _aborting: "wamp.error.no_such_realm",
    _challenging: "wamp.error.no_matching_auth_method",
}


@pytest.mark.parametrize("play", NOT_JOINED)
async def test_a_router_that_does_not_let_us_in(play):
    async with played(play) as url:
        session = Told()
        await connect(session, url)
        async with asyncio.timeout(LIMIT_S):
            await session.gone
        assert session.events == ["connect", "leave", "disconnect"]
        assert session.left.result().reason == NOT_JOINED[play]


async def test_hello_that_stays_unanswered(monkeypatch):
    monkeypatch.setattr(life, "JOIN_S", 0.05)

    async def play(router: Played) -> None:
        await router.shake()
        await router.receive()
        assert (await router.receive())[0] == 3
        await router.receive()

    async with played(play) as url:
        session = Told()
        await connect(session, url)
        async with asyncio.timeout(LIMIT_S):
            assert (await session.left).reason == "wamp.close.timeout"
            await session.gone


async def _closing(router: Played) -> None:
    await router.join()
    for _ in range(4):
        await router.receive()


async def _saying_goodbye(router: Played) -> None:
    await _closing(router)
    router.send([6, {"message": "maintenance"}, "wamp.close.system_shutdown"])
    await router.receive()


async def _breaking_the_rules(router: Played) -> None:
    await _closing(router)
    router.send([50, 99, {}])
    await router.receive()


async def _without_a_message(router: Played) -> None:
    await _closing(router)
    router.raw(b"\x1c")
    await router.receive()


async def _too_long(router: Played) -> None:
    await _closing(router)
    router.writer.write(b"\x00\xff\xff\xff")
    await router.receive()


ENDS = {
    _closing: "wamp.close.transport_lost",
    _saying_goodbye: "wamp.close.system_shutdown",
    _breaking_the_rules: "wamp.error.protocol_violation",
    _without_a_message: "wamp.error.protocol_violation",
    _too_long: "wamp.error.protocol_violation",
}


class Rude(Told):
    """Overrides all hooks, and calls none of the base class."""

    def onLeave(self, details: Any) -> None:
        self.left.set_result(details)
        raise RuntimeError("onLeave")


@pytest.mark.parametrize("kind", (Told, Rude))
@pytest.mark.parametrize("play", ENDS)
async def test_every_request_settles_when_a_session_ends(play, kind):
    async with played(play) as url:
        session = await joined(url, kind())
        requests = [
            session.call("com.example.x"),
            session.publish("com.example.x", options=ACKNOWLEDGE),
            session.register(print, "com.example.x"),
            session.subscribe(print, "com.example.x"),
        ]
        assert len(session.pending) == 4
        async with asyncio.timeout(LIMIT_S):
            found = await asyncio.gather(*requests, return_exceptions=True)
            assert [type(one) for one in found] == [TransportLost] * 4
            assert (await session.left).reason == ENDS[play]
            if kind is Rude:
                session.disconnect()
            await session.gone
        assert session.pending == [] and not session.is_attached()


async def test_a_router_that_does_not_answer_goodbye(monkeypatch):
    monkeypatch.setattr(life, "LEAVE_S", 0.05)

    async def play(router: Played) -> None:
        await router.join()
        message = await router.receive()
        assert message[:2] == [6, {"message": "bye"}] and message[2] == "com.example.enough"
        await router.receive()

    async with played(play) as url:
        session = await joined(url)
        await asyncio.wait_for(session.leave("com.example.enough", "bye"), LIMIT_S)
        assert session.left.result().reason == "wamp.close.normal"


async def test_onleave_that_hangs_holds_nothing(monkeypatch):
    monkeypatch.setattr(life, "HOOK_S", 0.05)

    class Hanging(Told):
        async def onLeave(self, details):
            await asyncio.get_running_loop().create_future()

    async def play(router: Played) -> None:
        await router.join()
        await router.receive()
        router.send([6, {}, "wamp.close.goodbye_and_out"])
        await router.receive()

    async with played(play) as url:
        session = await joined(url, Hanging())
        await asyncio.wait_for(session.leave(), LIMIT_S)
        assert session.gone.done()


@pytest.mark.parametrize("hook", ("onConnect", "onJoin", "onWelcome", "onChallenge"))
@pytest.mark.parametrize("how", ("raises", "cancels itself", "returns nonsense"))
async def test_hooks_that_fail(hook, how):
    async def play(router: Played) -> None:
        await router.shake()
        await router.receive()
        if hook == "onChallenge":
            router.send([4, "ticket", {}])
            await router.receive()
        router.send(WELCOME)
        await router.receive()

    async def bad(*args):
        if how == "raises":
            raise RuntimeError("on purpose")
        if how == "cancels itself":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(1)
        return 17

    async with played(play) as url:
        session = Told()
        if hook == "onChallenge":
            joining = lambda: session.join("devices", ["ticket"], "alice")  # noqa: E731
            session.onConnect = joining  # type: ignore[method-assign]
        setattr(session, hook, bad)
        await connect(session, url)
        async with asyncio.timeout(LIMIT_S):
            if (hook, how) == ("onConnect", "returns nonsense"):
                session.disconnect()  # nobody joined: that is a choice
            elif hook == "onJoin":
                fails = how != "returns nonsense"
                while not session.is_attached() or fails and not session.errors:
                    await asyncio.sleep(0.005)
                session.leave()
            await session.gone
        assert not session.is_connected()
        if how != "returns nonsense":
            assert any(hook in text for _, text in session.errors)


async def test_authenticate_carries_the_signature_and_welcome_is_checked():
    seen: list[Any] = []

    async def play(router: Played) -> None:
        await router.shake()
        seen.append(await router.receive())
        router.send([4, "x-own", {"nonce": "abc"}])
        seen.append(await router.receive())
        router.send(WELCOME)
        seen.append(await router.receive())

    class Own(Told):
        def onConnect(self) -> None:
            self.join("devices", ["x-own", "ticket"], "alice", "boss", {"pubkey": "00"})

        async def onChallenge(self, challenge):
            await asyncio.sleep(0)
            return challenge.method + challenge.extra["nonce"], {"more": 1}

        def onWelcome(self, welcome):
            return f"session {welcome.session} is not to be trusted"

    async with played(play) as url:
        session = Own()
        await connect(session, url)
        async with asyncio.timeout(LIMIT_S):
            await session.gone
    hello, authenticate, abort = seen
    assert hello[2]["authmethods"] == ["x-own", "ticket"]
    assert (hello[2]["authid"], hello[2]["authrole"]) == ("alice", "boss")
    assert hello[2]["authextra"] == {"pubkey": "00"}
    assert authenticate == [5, "x-ownabc", {"more": 1}]
    assert abort[0] == 3 and abort[2] == "wamp.error.cannot_authenticate"
    assert not session.joined.done()
    assert "not to be trusted" in (session.left.result().message or "")


async def test_revocation_ends_registration_and_subscription():
    async def play(router: Played) -> None:
        await router.join()
        request = (await router.receive())[1]
        router.send([65, request, 5])
        request = (await router.receive())[1]
        router.send([33, request, 6])
        router.send([67, 0, {"registration": 5, "reason": "wamp.error.unregistered"}])
        router.send([35, 0, {"subscription": 6}])
        await router.receive()

    async with played(play) as url:
        session = await joined(url)
        registration = await session.register(print, "com.example.x")
        subscription = await session.subscribe(print, "com.example.x")
        async with asyncio.timeout(LIMIT_S):
            while registration.active or subscription.active:
                await asyncio.sleep(0.005)
        await asyncio.wait_for(session.leave(), LIMIT_S)
