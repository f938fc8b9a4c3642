"""`Session` with crossbar.io: every transport and serializer, and autobahn at the other end."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
from autobahn_process import autobahn
from sessions import LIMIT_S, Played, Told, close, joined, played

import microwamp
from microwamp import connect
from microwamp.exception import ApplicationError, HandshakeRefused
from microwamp.types import CallOptions, CallResult, PublishOptions, RegisterOptions
from microwamp_rig import crossbar as xb
from microwamp_rig.crossbar import CrossbarNode

ACKNOWLEDGE = PublishOptions(acknowledge=True, exclude_me=False)
FORMATS = ("cbor", "json", "msgpack", "ubjson")


async def traffic(session: Told) -> None:
    """A call, a failing call, an acknowledged event."""
    heard: list[Any] = []
    registration = await session.register(lambda *args: list(args), "com.example.list")
    subscription = await session.subscribe(heard.append, "com.example.heard")
    for value in ([1, "zwei", 3.5, None, True, {"a": [1]}], ["x" * 70000]):
        assert await session.call("com.example.list", *value) == value
    with pytest.raises(ApplicationError):
        await session.call("com.example.nobody")
    await session.publish("com.example.heard", {"n": 1}, options=ACKNOWLEDGE)
    async with asyncio.timeout(LIMIT_S):
        while not heard:
            await asyncio.sleep(0.01)
    assert heard == [{"n": 1}]
    await registration.unregister()
    await subscription.unsubscribe()


@pytest.mark.parametrize("name", FORMATS)
async def test_rawsocket_serializers(crossbar: CrossbarNode, name: str) -> None:
    session = await joined(crossbar.url, serializer=name)
    assert session.session_details is not None and session.session_details.transport is not None
    assert session.session_details.transport.channel_typeid == f"tcp-rawsocket-{name}"
    await traffic(session)
    await close(session)


@pytest.mark.parametrize("name", [n + b for n in FORMATS for b in ("", ".batched")])
async def test_websocket_serializers(crossbar: CrossbarNode, name: str) -> None:
    session = await joined(crossbar.websocket_url, serializer=name, compress=name == "json")
    details = session.session_details
    assert details is not None and details.transport is not None and details.serializer == name
    found = details.transport
    assert found.websocket_protocol == f"wamp.2.{name}"
    assert found.channel_typeid == f"tcp-websocket-{name.partition('.')[0]}"
    assert found.http_headers_received and found.http_headers_sent
    await traffic(session)
    await close(session)


async def test_tls_and_unix_details(crossbar: CrossbarNode) -> None:
    context = ssl.create_default_context(cafile=str(crossbar.certificate))
    session = await joined(crossbar.tls_url, ssl=context)
    assert session.session_details is not None
    found = session.session_details.transport
    assert found is not None and found.is_secure and found.peer_cert
    assert found.channel_typeid == "tls-rawsocket-cbor"
    await traffic(session)
    await close(session)
    session = await joined(crossbar.unix_url)
    assert session.session_details is not None
    found = session.session_details.transport
    assert found is not None and found.channel_typeid == "memory-rawsocket-cbor"
    assert found.peer == "unix:" + crossbar.unix_url.removeprefix("rs://unix:")
    await traffic(session)
    await close(session)


async def test_channel_binding_of_tls_1_2(crossbar: CrossbarNode) -> None:
    async def play(router: Played) -> None:
        await router.join()
        await router.receive()
        router.send([6, {}, "wamp.close.goodbye_and_out"])
        await router.receive()

    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(crossbar.certificate, crossbar.folder / "server.key")
    context = ssl.create_default_context(cafile=str(crossbar.certificate))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with played(play, serving) as url:
        session = await joined(url, ssl=context)
        assert session.session_details is not None
        found = session.session_details.transport
        assert found is not None and found.channel_id and len(found.channel_id["tls-unique"]) == 32
        await close(session)


async def test_websocket_without_our_subprotocol(crossbar: CrossbarNode) -> None:
    for name in ("flatbuffers", "flatbuffers.batched"):
        with pytest.raises(HandshakeRefused):
            await asyncio.wait_for(connect(Told(), crossbar.websocket_url, name), LIMIT_S)

    async def page(router: Played) -> None:
        await router.request()
        router.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    async with played(page) as url:
        with pytest.raises(HandshakeRefused, match="200"):
            await connect(Told(), url.replace("rs:", "ws:"))


@pytest.mark.parametrize("name", ("cbor", "json", "msgpack"))
async def test_the_client_of_the_device_library(crossbar: CrossbarNode, name: str) -> None:
    for url in (crossbar.url, crossbar.websocket_url):
        client = microwamp.Client(url, realm=xb.REALM, serializer=name, reconnect=False)

        @client.register("com.example.double")
        def double(n):
            return 2 * n

        async with asyncio.timeout(LIMIT_S), client:
            assert await client.call("com.example.double", 21) == 42
            framing = "rawsocket" if url is crossbar.url else "websocket"
            assert client.transport_details.channel_typeid == f"tcp-{framing}-{name}"


# How the session comes to the router; autobahn always uses RawSocket and CBOR.
WAYS = (("url", "cbor"), ("websocket_url", "json"), ("websocket_url", "msgpack.batched"))


@pytest.mark.timeout(90)
async def test_autobahn_in_both_directions(crossbar: CrossbarNode) -> None:
    async with autobahn(crossbar):
        for where, serializer in WAYS:
            session = await joined(getattr(crossbar, where), serializer=serializer)
            await with_autobahn(session)
            await close(session)


async def with_autobahn(session: Told) -> None:
    before = len(await session.call("com.example.ab.events"))
    # We call, autobahn answers.
    found = await session.call("com.example.ab.echo", 1, b"\x00\xff", unit="C")
    assert (found.results, found.kwresults) == ((1, b"\x00\xff"), {"unit": "C"})
    with pytest.raises(ApplicationError) as caught:
        await session.call("com.example.ab.fail", 7, why="on purpose")
    assert caught.value.error == "com.example.ab.failed"
    assert (caught.value.args, caught.value.kwargs) == ((7,), {"why": "on purpose"})
    seen: list[int] = []
    options = CallOptions(on_progress=seen.append)
    assert await session.call("com.example.ab.count", 3, options=options) == 3
    assert seen == [0, 1, 2]
    call = session.call("com.example.ab.slow", options=CallOptions(cancel_mode="kill"))
    await asyncio.sleep(0.2)
    call.cancel()
    await session.publish("com.example.ab.topic", 1, x=2, options=ACKNOWLEDGE)
    async with asyncio.timeout(LIMIT_S):
        while len(await session.call("com.example.ab.events")) < before + 2:
            await asyncio.sleep(0.05)
    events = await session.call("com.example.ab.events")
    assert sorted(events[before:], key=str) == [[[1], {"x": 2}], "interrupted"]

    # autobahn calls, we answer.
    async def parts(n, details):
        for i in range(n):
            details.progress(i)
        return CallResult(n, unit="s")

    def fail(*args):
        raise ApplicationError("com.example.failed", *args, why="x")

    heard: list[Any] = []
    await session.register(parts, "com.example.parts", RegisterOptions(details=True))
    await session.register(fail, "com.example.fail")
    await session.register(lambda: object(), "com.example.bad")
    await session.subscribe(lambda *a, **k: heard.append((a, k)), "com.example.heard")
    do = "com.example.ab.do"
    assert await session.call(do, "com.example.parts", [2], {}) == [
        "result",
        [2],
        {"unit": "s"},
        [[0], [1]],
    ]
    said = await session.call(do, "com.example.fail", [1, 2], {})
    assert said == ["error", "com.example.failed", [1, 2], {"why": "x"}]
    said = await session.call(do, "com.example.bad", [], {})
    assert said[:2] == ["error", "SerializationError"]  # autobahn's word for it
    await session.call("com.example.ab.tell", "com.example.heard", [b"\x01"], {"a": 1})
    async with asyncio.timeout(LIMIT_S):
        while not heard:
            await asyncio.sleep(0.01)
    assert heard == [((b"\x01",), {"a": 1})]


async def test_many_calls_at_a_time(crossbar: CrossbarNode) -> None:
    session = await joined(crossbar.url)
    await session.register(lambda n: n, "com.example.same")
    calls = [session.call("com.example.same", n) for n in range(500)]
    assert await asyncio.wait_for(asyncio.gather(*calls), LIMIT_S) == list(range(500))
    await close(session)
