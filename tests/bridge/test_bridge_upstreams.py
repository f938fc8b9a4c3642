"""Routers behind WebSocket and TLS, as the bridge reaches them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from plant import REALM, Plant, until
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

import wamp
from microwamp.bridge import websocket
from microwamp.router import Router, RouterConfig
from microwamp_rig import process
from microwamp_rig.crossbar import make_certificate

CBOR = "wamp.2.cbor"


class Gateway:
    """WebSocket in front of the embedded router: one connection there for each one here."""

    def __init__(self, url: str, tls: ssl.SSLContext | None, subprotocols: list[str]) -> None:
        self.port = process.free_ports(1)[0]
        self._router = int(url.rpartition(":")[2])
        self._tls = tls
        self._subprotocols = subprotocols or None
        self.connections: list[ServerConnection] = []
        self.messages: list[tuple[str, bytes]] = []

    def url(self, host: str = "127.0.0.1") -> str:
        return f"{'wss' if self._tls else 'ws'}://{host}:{self.port}/ws"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Gateway]:
        async with serve(
            self._serve,
            "127.0.0.1",
            self.port,
            ssl=self._tls,
            subprotocols=self._subprotocols,  # type: ignore[arg-type]
            max_size=1 << 24,
            close_timeout=0.2,
        ):
            yield self

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._router)
        writer.write(b"\x7f\xf3\x00\x00")
        await reader.readexactly(4)

        async def back() -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionClosed, OSError):
                while True:
                    n = int.from_bytes(await reader.readexactly(4), "big")
                    message = await reader.readexactly(n)
                    self.messages.append(("router", message))
                    await connection.send(message)
            await connection.close()

        task = asyncio.create_task(back())
        try:
            async for message in connection:
                assert isinstance(message, bytes)
                self.messages.append(("device", message))
                writer.write(len(message).to_bytes(4, "big") + message)
                await writer.drain()
        except (ConnectionClosed, OSError):
            pass
        finally:
            task.cancel()
            writer.transport.abort()
            await asyncio.wait([task])


@contextlib.asynccontextmanager
async def plant(
    tls: ssl.SSLContext | None = None, subprotocols: tuple[str, ...] = (CBOR,)
) -> AsyncIterator[tuple[Plant, Gateway]]:
    async with Plant(bridge=False) as built:
        gateway = Gateway(built.url, tls, list(subprotocols))
        async with gateway.running():
            yield built, gateway
            await built.stop_bridge()


async def both_ways(built: Plant) -> None:
    device, host = built.device(), built.host()
    device.register("com.example.echo", lambda octets: octets)
    host.register("com.example.double", lambda octets: octets + octets)
    async with device, host:
        assert device.details["authmethod"] == "cryptosign"
        for n in (0, 1, 60000):
            octets = os.urandom(n)
            assert await host.call("com.example.echo", octets) == octets
            assert await device.call("com.example.double", octets) == octets + octets


async def test_a_session_over_websocket():
    async with plant() as (built, gateway):
        built.start_bridge(url=gateway.url())
        await both_ways(built)
        await built.log.expect("session", state="leaving")
        assert gateway.connections[0].subprotocol == CBOR
        # Whole messages, and nothing of RawSocket in them.
        assert all(octets[0] & 0xE0 == 0x80 for _, octets in gateway.messages)


async def test_a_ping_of_the_router_is_answered():
    async with plant() as (built, gateway):
        built.start_bridge(url=gateway.url())
        async with built.device() as device:
            waiting = await gateway.connections[0].ping(b"are you there")
            assert await asyncio.wait_for(waiting, 60) >= 0
            assert device.joins == 1


async def test_the_router_closes_with_a_code():
    async with plant() as (built, gateway):
        built.start_bridge(url=gateway.url())
        device = built.device()
        async with device:
            await gateway.connections[0].close(1008, "not you \x1b[2J")
            lost = await built.log.expect("router", state="lost")
            text = "the router closed the connection with code 1008 not you ?[2J"
            assert lost["reason"] == f"{gateway.url()}: {text}"
            await until(lambda: device.joins == 2, "the new join")


async def test_a_device_that_leaves_closes_the_websocket():
    async with plant() as (built, gateway):
        built.start_bridge(url=gateway.url())
        async with built.device():
            pass
        await until(lambda: bool(built.router_log.all("left")), "the router sees it")
        await asyncio.wait_for(gateway.connections[0].wait_closed(), 60)


async def test_a_message_that_is_too_long_for_one_piece_ends_the_connection():
    async with plant() as (built, gateway):
        built.start_bridge(url=gateway.url())
        device, host = built.device(max_length=4096), built.host()
        device.register("com.example.take", len)
        async with device, host:
            # What the device does not take, but the bridge does, is answered.
            with pytest.raises(wamp.ApplicationError, match="payload_size_exceeded"):
                await host.call("com.example.take", bytes(10000))
            joins = device.joins
            await gateway.connections[0].send(bytes(websocket.MESSAGE_MAX + 1))
            lost = await built.log.expect("router", state="lost")
            assert lost["reason"].endswith(
                "a message that is too long for the bridge (1048576 octets)"
            )
            await until(lambda: device.joins == joins + 1, "the new join")


async def test_a_slow_line_holds_the_websocket_back():
    async with Plant(baud=460800, bridge=False) as built:
        gateway = Gateway(built.url, None, [CBOR])
        async with gateway.running():
            built.start_bridge(url=gateway.url())
            device, host = built.device(), built.host()
            heard: list[int] = []
            device.subscribe("com.example.news", lambda n, octets: heard.append(n))
            async with device, host:
                for n in range(100):
                    await host.publish("com.example.news", n, bytes(1000))
                most = 0
                while len(heard) < 100:
                    await asyncio.sleep(0.01)
                    most = max(most, built.served().status()["buffers"]["device"])
                assert heard == list(range(100))
                assert most < 20000, f"{most} octets waited in the bridge"
            await built.stop_bridge()


async def refused(built: Plant, url: str, **options: Any) -> str:
    """The sentence that the bridge and the device have for a router that cannot be reached."""
    built.start_bridge(url=url, **options)
    device = built.device()
    device.start()
    event = await built.log.expect("router", state="unreachable")
    await until(lambda: device.failures > 0, "the device is told")
    # 120 octets are what fits a frame of the link.
    assert str(event["reason"])[:100] in str(device.error)
    reason = str(event["reason"])
    assert reason.startswith(f"{url}: ") and "\n" not in reason
    return reason.removeprefix(f"{url}: ")


async def test_another_subprotocol():
    async with plant(subprotocols=("wamp.2.json",)) as (built, gateway):
        text = await refused(built, gateway.url())
        assert text == (
            "it answers with HTTP status 400: check host, port and path, and that wamp.2.cbor is "
            "spoken there"
        )


async def test_no_subprotocol():
    async with plant(subprotocols=()) as (built, gateway):
        text = await refused(built, gateway.url())
        assert text.startswith("the router does not speak wamp.2.cbor there")


async def test_a_wrong_path():
    async def answer(connection: ServerConnection, request: Any) -> Response:
        return Response(404, "Not Found", Headers(), b"")

    async with (
        Plant(router=False, bridge=False) as built,
        serve(lambda connection: asyncio.sleep(0), "127.0.0.1", 0, process_request=answer) as end,
    ):
        port = next(iter(end.sockets)).getsockname()[1]
        text = await refused(built, f"ws://127.0.0.1:{port}/nowhere")
        assert text.startswith("it answers with HTTP status 404: check host, port and path")
        await built.stop_bridge()


async def test_rawsocket_where_websocket_was_meant():
    async with Plant(bridge=False) as built:
        text = await refused(built, built.url.replace("rs://", "ws://"))
        assert text.startswith("it does not speak WebSocket"), text


async def test_nothing_there():
    async with Plant(bridge=False) as built:
        port = process.free_ports(1)[0]
        text = await refused(built, f"ws://127.0.0.1:{port}/")
        assert text == "nothing listens there: is the router running?"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    for name, host, hours in (
        ("good", "localhost", 24.0),
        ("expired", "localhost", -1.0),
        ("other", "router.example", 24.0),
    ):
        make_certificate(folder / f"{name}.pem", folder / f"{name}.key", host, hours)
    return folder


def server_side(folder: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


# certificate of the router, what the bridge trusts, words
TLS = [
    ("good", None, "its certificate is not trusted: self-signed certificate"),
    ("expired", "expired", "its certificate is not trusted: certificate has expired"),
    ("other", "other", "its certificate is not trusted: Hostname mismatch, certificate is not "),
]


@pytest.mark.parametrize("scheme", ["wss", "rss"])
@pytest.mark.parametrize(("name", "trusted", "words"), TLS)
async def test_certificates_that_are_not_good(scheme, name, trusted, words, certificates):
    context = None
    if trusted is not None:
        context = ssl.create_default_context(cafile=str(certificates / f"{trusted}.pem"))
    if scheme == "wss":
        async with plant(server_side(certificates, name)) as (built, gateway):
            text = await refused(built, gateway.url("localhost"), tls=context)
            assert text.startswith(words)
            assert gateway.messages == []
        return
    config = RouterConfig(
        realms=(REALM,),
        listen=("rss://127.0.0.1:0",),
        certificate=str(certificates / f"{name}.pem"),
        key=str(certificates / f"{name}.key"),
    )
    async with (
        Router(config, lambda event, fields: None) as router,
        Plant(router=False, bridge=False) as built,
    ):
        url = router.urls[0].replace("127.0.0.1", "localhost")
        text = await refused(built, url, tls=context)
        assert text.startswith(words)
        await built.stop_bridge()


async def test_a_session_over_tls_and_websocket(certificates):
    context = ssl.create_default_context(cafile=str(certificates / "good.pem"))
    async with plant(server_side(certificates, "good")) as (built, gateway):
        built.start_bridge(url=gateway.url("localhost"), tls=context)
        await both_ways(built)


async def test_plain_websocket_where_tls_was_meant():
    async with plant() as (built, gateway):
        url = gateway.url("localhost").replace("ws://", "wss://")
        text = await refused(built, url)
        assert text == "it does not speak TLS, it seems: ws:// instead of wss://?"


async def test_a_unix_socket(tmp_path):
    path = f"{tmp_path}/rs.sock"
    config = RouterConfig(realms=(REALM,), listen=(f"rs://unix:{path}",))
    async with (
        Router(config, lambda event, fields: None),
        Plant(router=False, bridge=False) as built,
    ):
        built.start_bridge(url=f"rs://unix:{path}")
        async with built.device() as device:
            assert device.joins == 1
        await built.stop_bridge()
        built.start_bridge(url=f"rs://unix:{path}.none")
        device = built.device()
        device.start()
        event = await built.log.expect("router", state="unreachable")
        assert event["reason"] == f"rs://unix:{path}.none: it does not exist"
        await built.stop_bridge()


async def test_a_router_that_vanishes_is_noticed_by_keep_alive():
    """The options are on; the kernel needs two minutes to act on them."""
    async with Plant() as built:
        async with built.device():
            relay: Any = built.served()._relay
            sock = relay._upstream._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_the_library_is_loaded_when_it_is_needed_and_named_when_it_is_absent():
    code = (
        "import sys\n"
        "import microwamp.bridge, microwamp.bridge.websocket as w\n"
        "assert 'websockets' not in sys.modules\n"
        "sys.modules['websockets'] = None\n"
        "from microwamp import cli\n"
        "sys.exit(cli.main(['bridge', '/dev/null', '--router', 'ws://h/']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    words = "ws:// and wss:// need websockets: pip install 'microwamp[websocket]'"
    assert done.stderr == f"microwamp bridge: {words}\n"


@pytest.mark.timeout(180)
async def test_crossbar_over_websocket(crossbar):
    async with Plant(router=False, bridge=False) as built:
        built.start_bridge(url=crossbar.websocket_url)
        device = built.device(auth=None)
        device.register("com.test.ws.echo", lambda octets: octets)
        host = wamp.Client(crossbar.url)
        async with device, host:
            octets = os.urandom(60000)
            assert await host.call("com.test.ws.echo", octets, timeout_ms=20000) == octets
            # crossbar's connection dies of a PING over RawSocket; here, none gets through.
            assert built.served().status()["state"] == "joined"
        await built.stop_bridge()
