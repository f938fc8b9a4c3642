"""Messages of a router that says anything: nothing escapes from a session, everything settles."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref
from typing import Any

import pytest
from sessions import LIMIT_S, REALM, WELCOME, Played, Told, played

from microwamp import Component, Session
from microwamp.exception import TransportError
from microwamp.types import (
    CallOptions,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
    TransportDetails,
)

# Whatever a serializer can make of octets.
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 7, 2**53, 2**53 + 1, 2**70, 0.5, float("nan")),
    *("", "com.example.x", "a b", "\x00", "\U0001f600", "x" * 300, b"", b"\x00\xff" * 20),
    *([], [1, [2, {"a": None}]], {}, {"a": 1}, [b"x"]),
]
DETAILS = (
    *("progress", "receive_progress", "timeout", "procedure", "caller", "caller_authid"),
    *("caller_authrole", "publisher", "publisher_authid", "topic", "retained", "trustlevel"),
    *("enc_algo", "enc_key", "enc_serializer", "ppt_scheme", "ppt_serializer", "ppt_cipher"),
    *("forward_for", "transaction_hash", "mode", "reason", "registration", "subscription"),
    *("message", "callee", "callee_authid", "callee_authrole"),
)
# How often what comes; what ends a session by itself is rare.
CODES = {
    36: 30,
    68: 30,
    69: 10,
    50: 8,
    8: 4,
    35: 2,
    67: 2,
    2: 1,
    3: 1,
    4: 1,
    6: 1,
    17: 1,
    33: 1,
    65: 1,
}


class Pretended:
    """A transport on which nothing is sent."""

    def __init__(self) -> None:
        self.serializer = "cbor"
        self.transport_details = TransportDetails(channel_type=4, channel_framing=3)
        self.sent: list[list[Any]] = []
        self.session: Session | None = None

    def send_list(self, wmsg: list[Any]) -> None:
        self.sent.append(wmsg)

    def close(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            asyncio.get_running_loop().call_soon(session.closed, None)


def details(chance: random.Random) -> Any:
    if chance.random() < 0.01:
        return chance.choice(VALUES)
    names = chance.sample(DETAILS, chance.randint(0, 4))
    return {name: chance.choice(VALUES) for name in names}


def message(chance: random.Random, n: int) -> list[Any]:
    """One that a router could mean, with details and payload that it could not. n: how many were
    before it."""
    (code,) = chance.choices(list(CODES), list(CODES.values()))
    number = chance.randint(1, 8)
    call = chance.choice((6, 7))
    head: list[Any] = {
        2: [number, chance.choice((WELCOME[2], details(chance)))],
        3: [details(chance), chance.choice(VALUES)],
        4: ["ticket", details(chance)],
        6: [details(chance), "wamp.close.normal"],
        8: [48, call, details(chance), "com.example.error"],
        17: [number, 9],
        33: [number, chance.randint(20, 22)],
        35: [0, details(chance)],
        36: [chance.randint(20, 22), 9, details(chance)],
        50: [call, details(chance)],
        65: [number, chance.randint(10, 12)],
        67: [0, details(chance)],
        68: [n + 1, chance.randint(10, 12), details(chance)],
        69: [chance.randint(1, n + 1), details(chance)],
    }[code]
    if code in (8, 36, 50, 68) and chance.random() < 0.7:
        head = [*head, chance.choice(([1], [b"x"], b"octets", [], None))]
        if chance.random() < 0.3:
            head.append(chance.choice(({"a": 1}, {}, None)))
    if chance.random() < 0.01:
        del head[chance.randrange(len(head))]
    return [code, *head]


async def one_session(chance: random.Random) -> tuple[int, int]:
    """A session to its end; returns how many messages it took, and how many handlers ran."""
    ran = 0

    def handler(*args: Any, **kwargs: Any) -> Any:
        nonlocal ran
        ran += 1
        return kwargs.get("a")

    async def slow(*args: Any, **kwargs: Any) -> Any:
        nonlocal ran
        ran += 1
        await asyncio.sleep(0)
        return args

    session, transport = Told(), Pretended()
    transport.session = session
    session.onOpen(transport)
    await asyncio.sleep(0)
    assert transport.sent[0][0] == 1
    session.receive(WELCOME)
    await session.joined
    with_details = RegisterOptions(details=True, forward_timeout=True)
    waiting = [
        session.register(handler, "com.example.one"),
        session.register(slow, "com.example.two", with_details),
        session.register(slow, "com.example.<name:str>.three"),
        session.subscribe(handler, "com.example.topic"),
        session.subscribe(slow, "com.example", SubscribeOptions("prefix", details=True)),
        session.call("com.example.x", options=CallOptions(on_progress=handler, details=True)),
        session.call("com.example.y"),
        session.publish("com.example.z", options=PublishOptions(acknowledge=True)),
    ]
    for request in range(1, 4):
        session.receive([65, request, 9 + request])
    for request in range(4, 6):
        session.receive([33, request, 16 + request])
    taken = 0
    while session.is_attached() and taken < 300:
        session.receive(message(chance, taken))
        taken += 1
        if taken % 10 == 0:
            await asyncio.sleep(0)
    if session.is_connected():
        session.disconnect()
    async with asyncio.timeout(LIMIT_S):
        await session.gone
        await asyncio.gather(*waiting, return_exceptions=True)
    assert session.pending == [] and session.invocations == []
    assert session.events[-2:] == ["leave", "disconnect"]
    # No invocation is answered twice.
    answered = [m[1] for m in transport.sent if m[0] == 70 and not m[2].get("progress")]
    answered += [m[2] for m in transport.sent if m[0] == 8]
    assert len(answered) == len(set(answered)), sorted(answered)
    return taken, ran


@pytest.mark.parametrize("seed", range(4))
async def test_routers_that_say_anything(seed: int) -> None:
    chance = random.Random(seed)
    taken = ran = 0
    for _ in range(150):
        one = await one_session(chance)
        taken += one[0]
        ran += one[1]
    assert taken > 1500 and ran > 300, "the sessions end too soon to show anything"


async def test_welcomes_that_say_anything() -> None:
    """Joined, or refused with a reason: nothing in between."""
    chance = random.Random(7)
    names = ("realm", "authid", "authrole", "authmethod", "authprovider", "authextra", "resumed")
    joins = 0
    for _ in range(300):
        session, transport = Told(), Pretended()
        transport.session = session
        session.onOpen(transport)
        await asyncio.sleep(0)
        more = {name: chance.choice(VALUES) for name in chance.sample(names, 1)}
        session.receive([2, 7, {**WELCOME[2], **more}])  # type: ignore[dict-item]
        async with asyncio.timeout(LIMIT_S):
            either: list[asyncio.Future[Any]] = [session.joined, session.gone]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if session.joined.done():
                joins += 1
                session.disconnect()
            await session.gone
        assert session.left.done() and session.errors == []
    assert 20 < joins < 300


async def test_sessions_that_are_over_take_no_memory() -> None:
    """What a component made for a hundred connections is gone, but for the last."""
    made: list[weakref.ref[Session]] = []
    count = 0

    async def play(router: Played) -> None:
        nonlocal count
        count += 1
        if count <= 100:
            await router.join()
            await router.receive()

    def factory(config: Any) -> Session:
        session = Told()
        session.onUserError = lambda *args: None  # type: ignore[method-assign]
        made.append(weakref.ref(session))
        return session

    async with played(play) as url:
        quick = {"url": url, "max_retries": 1, "initial_retry_delay": 0, "max_retry_delay": 0}
        component = Component(None, quick, realm=REALM, session_factory=factory)
        component.register("com.example.x")(print)
        with pytest.raises(TransportError, match="lost after 100 sessions"):
            await asyncio.wait_for(component.start(), LIMIT_S)
    del component
    await asyncio.sleep(0)
    gc.collect()
    assert len(made) > 100 and sum(one() is not None for one in made) <= 1
