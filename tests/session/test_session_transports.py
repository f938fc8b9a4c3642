"""Every transport and serializer with the embedded router: what a session knows of its transport,
what passes, and clients of different formats together.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cbor2
import pytest
from logins import serial_line, trusting
from sessions import LIMIT_S, REALM, WELCOME, Told, close, joined
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from microwamp import connect
from microwamp.exception import ApplicationError, HandshakeRefused, TransportLost
from microwamp.router import RealmConfig, Router, RouterConfig
from microwamp.types import PublishOptions, TransportDetails
from microwamp_rig.crossbar import make_certificate

ACKNOWLEDGE = PublishOptions(acknowledge=True, exclude_me=False)
FORMATS = ("cbor", "json", "msgpack", "ubjson", "flatbuffers")
BATCHED = tuple(name + mode for name in FORMATS for mode in ("", ".batched"))


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the router's certificate and key."""
    folder = tmp_path_factory.mktemp("router")
    make_certificate(folder / "server.crt", folder / "server.key")
    return folder


@asynccontextmanager
async def listening(pem: Path, *urls: str) -> AsyncIterator[Router]:
    config = RouterConfig(
        (RealmConfig(REALM, anonymous="guest", payload_transparency=True),),
        listen=urls,
        certificate=str(pem / "server.crt"),
        key=str(pem / "server.key"),
        closing_timeout=0.5,
    )
    async with Router(config, lambda *_: None) as router:
        yield router


def transport_of(session: Told) -> TransportDetails:
    details = session.session_details
    assert details is not None and details.transport is not None
    # Parsed again it says the same.
    assert TransportDetails.parse(details.transport.marshal()) == details.transport
    return details.transport


VALUES = [1, -7, "zwei \u00b0C \U0001f600", 3.5, b"\x00\xff", None, True, [], {"a": [1, {}]}]


async def traffic(one: Told, other: Told) -> None:
    """Calls, failing calls, progress and events from each to the other."""
    for caller, callee in ((one, other), (other, one)):
        heard: list[Any] = []

        def fail(*args: Any, **kwargs: Any) -> None:
            raise ApplicationError("com.example.failed", *args, **kwargs)

        registrations = [
            await callee.register(lambda *args: list(args), "com.example.list"),
            await callee.register(fail, "com.example.fail"),
        ]
        subscription = await callee.subscribe(
            lambda *a, heard=heard, **k: heard.append((list(a), k)), "com.example.topic"
        )
        assert await caller.call("com.example.list", *VALUES) == VALUES
        long = "x" * 70000
        assert await caller.call("com.example.list", long) == [long]
        with pytest.raises(ApplicationError) as caught:
            await caller.call("com.example.fail", 1, why={"b": b"\x00"})
        assert (caught.value.args, caught.value.kwargs) == ((1,), {"why": {"b": b"\x00"}})
        await caller.publish("com.example.topic", *VALUES, k=VALUES, options=ACKNOWLEDGE)
        calls = [caller.call("com.example.list", n) for n in range(50)]
        assert await asyncio.gather(*calls) == [[n] for n in range(50)]
        async with asyncio.timeout(LIMIT_S):
            while not heard:
                await asyncio.sleep(0.005)
        assert heard == [(VALUES, {"k": VALUES})]
        for registration in registrations:
            await registration.unregister()
        await subscription.unsubscribe()


@pytest.mark.parametrize("name", FORMATS)
async def test_formats_on_rawsocket(pem: Path, name: str) -> None:
    async with listening(pem, "rs://127.0.0.1:0") as router:
        session = await joined(router.urls[0], serializer=name)
        other = await joined(router.urls[0])
        assert transport_of(session).channel_typeid == f"tcp-rawsocket-{name}"
        await traffic(session, other)
        await close(session, other)


@pytest.mark.parametrize("name", BATCHED)
async def test_formats_on_websocket(pem: Path, name: str) -> None:
    async with listening(pem, "ws://127.0.0.1:0", "rs://127.0.0.1:0") as router:
        session = await joined(router.urls[0], serializer=name)
        other = await joined(router.urls[1])
        found = transport_of(session)
        assert found.channel_typeid == f"tcp-websocket-{name.partition('.')[0]}"
        assert found.websocket_protocol == f"wamp.2.{name}"
        assert session.session_details is not None
        assert session.session_details.serializer == name
        await traffic(session, other)
        await close(session, other)


# The URL to listen on, what its TransportDetails are to say
CHANNELS: dict[str, tuple[str, dict[str, Any]]] = {
    "tcp": ("rs://127.0.0.1:0", {"channel_typeid": "tcp-rawsocket-cbor"}),
    "tls": (
        "rss://127.0.0.1:0",
        {"channel_typeid": "tls-rawsocket-cbor", "is_secure": True},
    ),
    "unix": ("rs://unix:{folder}/rs.sock", {"channel_typeid": "memory-rawsocket-cbor"}),
    "ws": (
        "ws://127.0.0.1:0",
        {"channel_typeid": "tcp-websocket-cbor", "websocket_protocol": "wamp.2.cbor"},
    ),
    "wss": (
        "wss://127.0.0.1:0",
        {
            "channel_typeid": "tls-websocket-cbor",
            "websocket_protocol": "wamp.2.cbor",
            "is_secure": True,
        },
    ),
    "serial": ("rs://127.0.0.1:0", {"channel_typeid": "serial-rawsocket-cbor"}),
}


@pytest.mark.parametrize("name", CHANNELS)
async def test_what_a_session_knows_of_its_transport(pem: Path, name: str) -> None:
    listen, expected = CHANNELS[name]
    async with listening(pem, listen.format(folder=pem)) as router:
        url = router.urls[0]
        if name == "serial":
            async with serial_line(url) as line:
                await look_at(line, name, expected, {})
        else:
            context = trusting(pem / "server.crt") if name in ("tls", "wss") else None
            await look_at(url, name, expected, {"ssl": context})


async def look_at(url: str, name: str, expected: dict[str, Any], options: dict[str, Any]) -> None:
    session = await joined(url, **options)
    found = transport_of(session)
    for key, value in expected.items():
        assert getattr(found, key) == value, key
    assert found.is_server is False and found.own_pid == os.getpid() and found.own_tid
    assert bool(found.is_secure) is (name in ("tls", "wss"))
    if name == "serial":
        assert found.peer == url and found.own
    elif name == "unix":
        assert found.peer == "unix:" + url.removeprefix("rs://unix:")
    else:
        assert found.peer == "tcp4:" + url.partition("://")[2]
        assert found.own is not None and found.own.startswith("tcp4:127.0.0.1:")
        assert found.own_fd is not None and found.own_fd > 0
        # Who is gone without a word is noticed, by the kernel.
        sock = socket.socket(fileno=os.dup(found.own_fd))
        with sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    if name in ("tls", "wss"):
        assert found.peer_cert is not None and found.peer_cert["subject"]
        assert found.channel_id is None  # TLS 1.3 has none
    if name in ("ws", "wss"):
        assert found.websocket_extensions_in_use == []
        sent, received = found.http_headers_sent, found.http_headers_received
        assert sent is not None and sent["Sec-WebSocket-Protocol"] == "wamp.2.cbor"
        assert received is not None and received["upgrade"] == "websocket"
    await close(session)
    assert session.events == ["connect", "join", "leave", "disconnect"]


async def test_the_client_names_formats_in_its_order(pem: Path) -> None:
    async with listening(pem, "ws://127.0.0.1:0") as router:
        session = await joined(router.urls[0], serializer=["ubjson", "json.batched", "cbor"])
        assert transport_of(session).websocket_protocol == "wamp.2.ubjson"
        session.set_payload_codec(None)
        await close(session)


async def test_what_a_format_cannot_express(pem: Path) -> None:
    """The caller is told, whichever side cannot; events are dropped, and nobody is cut off."""
    large = 1 << 70
    async with listening(pem, "rs://127.0.0.1:0") as router:
        url = router.urls[0]
        plain, narrow = await joined(url), await joined(url, serializer="msgpack")
        heard: list[Any] = []
        await narrow.register(lambda *args: list(args), "com.example.narrow")
        await plain.register(lambda: large, "com.example.large")
        await plain.register(lambda n: n, "com.example.plain")
        await narrow.subscribe(heard.append, "com.example.topic")
        for caller, procedure, args in (
            (plain, "com.example.narrow", (large,)),
            (narrow, "com.example.large", ()),
        ):
            with pytest.raises(ApplicationError) as caught:
                await caller.call(procedure, *args)
            assert caught.value.error == "wamp.error.invalid_payload"
            assert "msgpack cannot express it" in str(caught.value)
        await plain.publish("com.example.topic", large, options=ACKNOWLEDGE)
        await plain.publish("com.example.topic", 1, options=ACKNOWLEDGE)
        assert await narrow.call("com.example.plain", 7) == 7
        assert await plain.call("com.example.narrow", 7) == [7]
        assert heard == [1]
        await close(plain, narrow)


@pytest.mark.parametrize(
    ("headers", "status"),
    (
        ({"Origin": "http://evil.example"}, "403"),
        ({"Origin": "null"}, "403"),
        ({"Origin": "http://{host}"}, None),
        ({}, None),
    ),
)
async def test_pages_of_other_hosts(
    pem: Path, headers: dict[str, str], status: str | None
) -> None:
    async with listening(pem, "ws://127.0.0.1:0") as router:
        host = router.urls[0].removeprefix("ws://")
        headers = {name: value.format(host=host) for name, value in headers.items()}
        if status is None:
            await close(await joined(router.urls[0], headers=headers))
            return
        with pytest.raises(HandshakeRefused, match=status):
            await connect(Told(), router.urls[0], headers=headers)


# What a stranger sends, and what the router says of it
STRANGERS = [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 426"),
    (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    (b"\x7f\xf3\x00\x00", b""),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b""),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", b""),
]


@pytest.mark.parametrize("number", range(len(STRANGERS)))
async def test_strangers_on_websocket(pem: Path, number: int) -> None:
    said, answer = STRANGERS[number]
    async with listening(pem, "ws://127.0.0.1:0") as router:
        host, port = router.urls[0].removeprefix("ws://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(said)
        if number == 2:
            writer.write_eof()
        async with asyncio.timeout(LIMIT_S):
            found = await reader.read()
        assert found.startswith(answer)
        writer.close()
        # It serves others as before.
        await close(await joined(router.urls[0]))


@pytest.mark.parametrize("bomb", (False, True))
async def test_compression(bomb: bool) -> None:
    """permessage-deflate with a router that has it; what it blows up is bounded as all else."""

    async def play(channel: ServerConnection) -> None:
        await channel.recv()
        await channel.send(cbor2.dumps(WELCOME))
        call = cbor2.loads(await channel.recv(decode=False))
        octets = bytes((4 << 20) if bomb else 100_000)
        await channel.send(cbor2.dumps([50, call[1], {}, [octets]]))
        await channel.wait_closed()

    subprotocols = [Subprotocol("wamp.2.cbor")]
    async with serve(play, "127.0.0.1", 0, subprotocols=subprotocols) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        session = await joined(f"ws://127.0.0.1:{port}", compress=True)
        assert transport_of(session).websocket_extensions_in_use == ["permessage-deflate"]
        call = session.call("com.example.zeros")
        async with asyncio.timeout(LIMIT_S):
            if bomb:
                with pytest.raises(TransportLost, match="WebSocket"):
                    await call
            else:
                assert await call == bytes(100_000)
                session.disconnect()
            await session.gone
        expected = "wamp.error.protocol_violation" if bomb else "wamp.close.normal"
        assert session.left.result().reason == expected
