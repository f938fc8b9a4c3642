"""Routers that do not do what they should, seen from the bridge and from the device behind it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from plant import REALM, Plant, until

import wamp
from microwamp.bridge import relay as bridge_relay
from microwamp.router import Router, RouterConfig
from microwamp_rig.crossbar import make_certificate
from wamp import ed25519, rawsocket
from wamp.auth import Cryptosign
from wamp.transport import make

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(port: int, handler: Handler) -> AsyncIterator[list[bytes]]:
    """A server that is no WAMP router; yields a list of what each client sent."""
    heard: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        number = len(heard)
        heard.append(b"")

        async def record() -> None:
            while octets := await reader.read(4096):
                heard[number] += octets

        with contextlib.suppress(OSError):
            await handler(reader, writer)
            await record()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield heard
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0.01)


def says(*parts: bytes, end: bool = True) -> Handler:
    """Waits for the first octets, answers with these, closes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        if end:
            writer.close()

    return handler


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The connection ends with RST."""
    await reader.read(100)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


HTTP = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nConnection: close\r\n\r\n"
NOT_RAWSOCKET = "this is not a RawSocket router: "

# name, what the server does, words in the bridge's log, words in the device's error
FAULTS: list[tuple[str, Handler, str, str]] = [
    ("http", says(HTTP), NOT_RAWSOCKET + "it speaks HTTP; check", "it speaks HTTP; check"),
    (
        "http in pieces",
        says(HTTP[:2], HTTP[2:]),
        NOT_RAWSOCKET + "it speaks HTTP; check",
        "it speaks HTTP; check",
    ),
    (
        "tls alert",
        says(b"\x15\x03\x01\x00\x02\x02\x46"),
        "it speaks TLS (use rss:// instead of rs://)",
        "it speaks TLS (use rss:// instead of rs://)",
    ),
    ("ssh", says(b"SSH-2.0-OpenSSH\r\n"), "octets 53 53 48 2d", "octets 53 53 48 2d"),
    ("closes", says(), "closed", "the router closed the connection without a RawSocket reply"),
    ("resets", resets, "the connection was reset", "the router closed the connection without a"),
    ("half", says(b"\x7f\xf3"), "closed", "the router closed the connection"),
    ("serializer", says(b"\x7f\x10\x00\x00"), "serializer unsupported (error 1)", "(error 1)"),
    ("length", says(b"\x7f\x20\x00\x00"), "message length unacceptable (error 2)", "(error 2)"),
    ("reserved", says(b"\x7f\x30\x00\x00"), "use of reserved bits (error 3)", "(error 3)"),
    ("full", says(b"\x7f\x40\x00\x00"), "connection count reached (error 4)", "(error 4)"),
    (
        "unknown frame",
        says(b"\x7f\xf3\x00\x00\x09\x00\x00\x01x", end=False),
        "the router sent a frame with first octet 0x09",
        "the router sent a frame with first octet 0x09",
    ),
    (
        "a bomb",
        says(b"\x7f\xf3\x00\x00\x00\x00\x01\x00" + b"\x81" * 256, end=False),
        "",
        "CBOR",
    ),
    (
        "a length without end",
        says(b"\x7f\xf3\x00\x00\x00\x00\x00\x09\x9b" + b"\x7f" * 8, end=False),
        "",
        "CBOR",
    ),
    (
        "not CBOR",
        says(b"\x7f\xf3\x00\x00\x00\x00\x00\x01\xff", end=False),
        "",
        "CBOR",
    ),
]


@pytest.mark.parametrize(
    ("handler", "logged", "told"), [pytest.param(*row[1:], id=row[0]) for row in FAULTS]
)
async def test_what_is_no_router_is_named_and_a_right_one_is_joined(handler, logged, told):
    async with Plant(router=False) as plant:
        device = plant.device()
        async with listening(plant.tcp_port, handler):
            device.start()
            await until(lambda: device.failures > 0, "the first attempt fails")
            error = str(device.error)
        assert told in error and "\n" not in error, error
        reasons: list[str] = [f.get("reason", f["state"]) for f in plant.log.all("router")]
        reasons += [f["reason"] for f in plant.log.all("protocol")]
        assert any(logged in reason for reason in reasons) or not logged, plant.log
        assert not any("\n" in reason for reason in reasons)
        await plant.start_router()
        await until(lambda: device.session is not None, "the join")
        assert device.joins == 1


async def test_nothing_listens():
    async with Plant(router=False) as plant:
        device = plant.device()
        device.start()
        await until(lambda: device.failures > 0, "the first attempt fails")
        sentence = f"{plant.url}: nothing listens there: is the router running?"
        assert str(device.error).endswith(f": {sentence}")
        assert plant.log.all("router")[0]["reason"] == sentence
        await plant.start_router()
        await until(lambda: device.session is not None, "the join")


async def test_a_router_that_never_answers(monkeypatch):
    monkeypatch.setattr(bridge_relay, "CONNECT_S", 0.5)
    async with Plant(router=False) as plant:
        device = plant.device()
        async with listening(plant.tcp_port, says(end=False)):
            device.start()
            await until(lambda: device.failures > 0, "the first attempt fails")
            error = str(device.error)
        hint = "is it HTTP there, or TLS (rss://)?"
        sentence = f"{plant.url}: no answer to the RawSocket handshake; {hint}"
        assert error.endswith(f": {sentence}")
        assert plant.log.all("router")[0]["reason"] == sentence
        await plant.start_router()
        await until(lambda: device.session is not None, "the join")


def test_the_bridge_is_done_before_the_device_gives_up():
    """Else the device could not say what is wrong with the router."""
    assert bridge_relay.CONNECT_S < wamp.Client("rs://127.0.0.1:1").timeout_ms / 1000 - 1


@contextlib.asynccontextmanager
async def full_port() -> AsyncIterator[str]:
    """The URL of a port to which no connection comes about: the kernel answers no SYN while the
    queue of a listener is full."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            other = stack.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        await asyncio.sleep(0.05)
        yield f"rs://127.0.0.1:{full.getsockname()[1]}"


async def test_a_router_that_does_not_even_connect(monkeypatch):
    monkeypatch.setattr(bridge_relay, "CONNECT_S", 0.5)
    async with full_port() as url, Plant(router=False, bridge=False) as plant:
        plant.start_bridge(url=url)
        device = plant.device()
        device.start()
        await until(lambda: device.failures > 0, "the first attempt fails")
        assert "no answer within 0.5 s" in str(device.error)
        assert "no answer within 0.5 s" in plant.log.all("router")[0]["reason"]


async def test_a_device_that_floods_before_the_router_answers_is_ended():
    async with full_port() as url, Plant(router=False, bridge=False) as plant:
        plant.start_bridge(url=url)
        await until(lambda: plant.line.opened, "the bridge opens the port")
        device = make(plant.cables[0].url)
        await device.open()
        device.write(b"\x7f\x13\x00\x00")
        device.write(bytes(1 << 20))
        text = "the device sends before the router has answered"
        with pytest.raises(wamp.TransportLost, match=text):
            await device.read()
        device.close()
        assert plant.log.all("protocol")[0]["reason"] == text


async def test_a_device_that_floods_with_pings_is_ended():
    """It takes no PONG: it gives the link no credit."""
    async with Plant() as plant:
        await until(lambda: plant.line.opened, "the bridge opens the port")
        device = make(plant.cables[0].url)
        await device.open()
        device.write(b"\x7f\x13\x00\x00")
        await device.read()
        device._link._credit = 0  # type: ignore[attr-defined]
        ping = rawsocket.Frames(1 << 20).frame(bytes(4096), rawsocket.PING)
        for _ in range(60):
            device.write(ping)
        reason = "the device sends PINGs and does not take the answers"

        async def read() -> None:
            while True:
                await device.read()

        reading = asyncio.create_task(read())
        await plant.log.expect("protocol", reason=reason)
        reading.cancel()
        await asyncio.wait([reading])
        device.close()


async def test_a_device_that_never_speaks_does_not_keep_a_connection(monkeypatch):
    monkeypatch.setattr(bridge_relay, "CONNECT_S", 0.5)
    async with Plant() as plant:
        await until(lambda: plant.line.opened, "the bridge opens the port")
        silent = make(plant.cables[0].url)
        await silent.open()
        with pytest.raises(wamp.TransportLost, match="the device sent no RawSocket handshake"):
            await silent.read()
        silent.close()
        assert plant.log.all("router") == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    pair = folder / "certificate.pem", folder / "key.pem"
    make_certificate(*pair)
    return str(pair[0]), str(pair[1])


@contextlib.asynccontextmanager
async def tls_router(certificate: tuple[str, str]) -> AsyncIterator[str]:
    config = RouterConfig(
        realms=(REALM,),
        listen=("rss://127.0.0.1:0",),
        certificate=certificate[0],
        key=certificate[1],
    )
    async with Router(config, lambda event, fields: None) as router:
        yield router.urls[0]


async def test_rss_with_the_certificate_of_the_router(certificate):
    async with tls_router(certificate) as url, Plant(router=False, bridge=False) as plant:
        plant.start_bridge(url=url, tls=ssl.create_default_context(cafile=certificate[0]))
        device = plant.device()
        async with device:
            assert device.details["authmethod"] == "cryptosign"


async def test_rss_with_a_certificate_that_nobody_vouches_for(certificate):
    async with tls_router(certificate) as url, Plant(router=False, bridge=False) as plant:
        plant.start_bridge(url=url)
        device = plant.device()
        device.start()
        await until(lambda: device.failures > 0, "the first attempt fails")
        for text in (str(device.error), plant.log.all("router")[0]["reason"]):
            assert "certificate is not trusted" in text and "\n" not in text, text


async def test_rss_with_another_name_in_the_certificate(certificate):
    async with tls_router(certificate) as url, Plant(router=False, bridge=False) as plant:
        url = url.replace("127.0.0.1", "127.0.0.2")
        config = RouterConfig(
            realms=(REALM,), listen=(url,), certificate=certificate[0], key=certificate[1]
        )
        async with Router(config, lambda event, fields: None):
            tls = ssl.create_default_context(cafile=certificate[0])
            plant.start_bridge(url=url, tls=tls)
            device = plant.device()
            device.start()
            await until(lambda: device.failures > 0, "the first attempt fails")
            assert "certificate is not trusted" in str(device.error)
            assert "127.0.0.2" in plant.log.all("router")[0]["reason"]


async def test_rs_at_a_tls_port(certificate, monkeypatch):
    monkeypatch.setattr(bridge_relay, "CONNECT_S", 0.5)
    async with tls_router(certificate) as url, Plant(router=False, bridge=False) as plant:
        plant.start_bridge(url=url.replace("rss", "rs"))
        device = plant.device()
        device.start()
        await until(lambda: device.failures > 0, "the first attempt fails")
        # TLS waits for a fifth octet.
        assert "no answer to the RawSocket handshake; is it HTTP there, or TLS" in str(
            device.error
        )


async def test_rss_at_a_plain_port():
    async with Plant(bridge=False) as plant:
        plant.start_bridge(url=plant.url.replace("rs://", "rss://"))
        device = plant.device()
        device.start()
        await until(lambda: device.failures > 0, "the first attempt fails")
        for text in (str(device.error), plant.log.all("router")[0]["reason"]):
            assert "does not speak TLS" in text and "\n" not in text, text


async def test_unix_socket(tmp_path: Path):
    url = f"rs://unix:{tmp_path}/router"
    async with Plant(router=False, bridge=False) as plant:
        plant.start_bridge(url=url)
        device = plant.device()
        device.start()
        await until(lambda: device.failures > 0, "the first attempt fails")
        assert str(device.error).endswith(f"{url}: it does not exist")
        config = RouterConfig(realms=(REALM,), listen=(url,))
        async with Router(config, lambda event, fields: None):
            await until(lambda: device.session is not None, "the join")


async def test_a_ping_of_the_device_is_answered_by_the_bridge_and_goes_no_further():
    """crossbar's connection would die of it."""
    reply = b"\x7f\xf3\x00\x00"
    async with Plant(router=False) as plant:
        async with listening(plant.tcp_port, says(reply, end=False)) as heard:
            await until(lambda: plant.line.opened, "the bridge opens the port")
            device = make(plant.cables[0].url)
            await device.open()
            device.write(b"\x7f\x13\x00\x00")
            octets = b""
            while len(octets) < 4:
                octets += await device.read()
            assert octets == reply
            frames = rawsocket.Frames(1 << 20)
            for payload in (b"", b"are you there", bytes(1000)):
                device.write(frames.frame(payload, rawsocket.PING))
                found: list[tuple[int, bytes]] = []
                while not found:
                    found += frames.receive(await device.read())
                assert found == [(rawsocket.PONG, payload)]
            device.write(frames.frame(b"\x81\x05"))
            await until(lambda: len(heard[0]) >= 6, "the message at the router")
            device.close()
            # (the first four octets were read by the handler)
            assert heard == [frames.frame(b"\x81\x05")]


async def test_a_router_that_stops_reading_and_resets_leaves_no_trace():
    """The device is held back meanwhile; the next connection must not begin so."""
    connections: list[asyncio.StreamWriter] = []

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        writer.write(b"\x7f\xf3\x00\x00")
        connections.append(writer)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await writer.wait_closed()

    async with Plant(router=False) as plant:
        async with listening(plant.tcp_port, deaf):
            await until(lambda: plant.line.opened, "the bridge opens the port")
            device = make(plant.cables[0].url)
            await device.open()
            device.write(b"\x7f\x13\x00\x00")
            await device.read()
            link = plant.served()._link
            message = rawsocket.Frames(1 << 20).frame(bytes(60000))
            for _ in range(1000):
                if not link.window:
                    break
                device.write(message)
                while device.backlog() > 8192 and link.window:
                    reading = asyncio.create_task(device.read())
                    await asyncio.wait([reading], timeout=0.01)
                    reading.cancel()
            assert not link.window, "the device was never held back"
            sock = connections[0].get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connections[0].transport.abort()
            with pytest.raises(wamp.TransportLost):
                while True:
                    await device.read()
            device.close()
        await plant.start_router()
        client = plant.device()
        client.start()
        await until(lambda: client.session is not None, "the join")


async def test_router_closed_and_started_again_on_the_same_port():
    async with Plant() as plant:
        device = plant.device()
        host = plant.host()
        device.register("com.example.led", lambda on: on)
        heard: list[int] = []
        device.subscribe("com.example.count", heard.append)
        async with device, host:
            assert await host.call("com.example.led", 1) == 1
            await plant.stop_router()
            aborted = wamp.SessionAborted
            await until(lambda: isinstance(device.error, aborted), "the device hears of it")
            await plant.start_router()
            await until(lambda: device.session is not None, "the device is back")
            await until(lambda: host.session is not None, "the host is back")
            await device.join()  # what was declared is answered
            assert await host.call("com.example.led", 2) == 2
            await host.publish("com.example.count", 3, acknowledge=True)
            await until(lambda: heard == [3], "the event")
            assert device.joins == 2


async def test_realm_that_does_not_exist_and_a_key_that_is_not_known():
    seed = bytes(32)
    stranger = Cryptosign(seed, bytes(ed25519.run(ed25519.public_key(seed))))
    async with Plant() as plant:
        rows: list[tuple[dict[str, Any], str]] = [
            ({"realm": "nowhere"}, "no_such_realm: no realm 'nowhere'"),
            ({"auth": stranger}, "authentication_denied: .*unknown authid or wrong"),
        ]
        for options, words in rows:
            device = plant.device(reconnect=False, **options)
            with pytest.raises(wamp.SessionAborted, match=words):
                await device.join()
            aborted = plant.log.all("session", state="aborted", by="router")
            assert aborted.pop()["realm"] == options.get("realm", "devices")
        # Nothing is left behind that would keep the next one out.
        async with plant.device() as device:
            assert device.joins == 1
