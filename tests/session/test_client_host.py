"""`microwamp.Client` live: over TCP, a Unix socket and a serial line behind the bridge."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sessions import LIMIT_S, REALM, Hanging, Played, close, embedded, joined, played

import microwamp
from microwamp import BlockingSession
from microwamp.bridge import Bridge
from microwamp.bridge.config import BridgeConfig, PortConfig
from microwamp.exception import (
    ApplicationError,
    ConfigurationError,
    HandshakeRefused,
    LocalProtocolError,
    RequestTimeout,
    SessionAborted,
    TransportError,
    TransportLost,
)
from microwamp.router import RealmConfig, Router, RouterConfig
from microwamp_rig.line import Line
from microwamp_rig.pty import Pty


@asynccontextmanager
async def behind_a_bridge(url: str, realms: tuple[str, ...] = ()) -> AsyncIterator[str]:
    """The URL of a serial line with a bridge at its other end. realms: that it allows."""
    pty = Pty()
    line = Line(pty.path)
    line.start()
    config = BridgeConfig((PortConfig(line.port, url, realms=realms),))
    running = asyncio.create_task(Bridge([], url, lambda *_: None, config=config).run())
    try:
        yield f"serial:fd/{pty.fd}"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        line.close()
        pty.close()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def reached_by(kind: str, folder: Path) -> AsyncIterator[tuple[str, str]]:
    """(URL for the client that is tested, URL for others) of one embedded router."""
    config = RouterConfig(
        (RealmConfig(REALM, anonymous="guest"),),
        listen=("rs://127.0.0.1:0", f"rs://unix:{folder}/router"),
    )
    async with Router(config) as router:
        tcp, unix = router.urls
        if kind == "serial":
            async with behind_a_bridge(tcp) as url:
                yield url, tcp
        else:
            yield (tcp if kind == "tcp" else unix), tcp


@pytest.mark.parametrize("kind", ["tcp", "unix", "serial"])
async def test_all_four_roles_and_their_errors(kind: str, tmp_path: Path):
    async with reached_by(kind, tmp_path) as (url, tcp):
        other = await joined(tcp)
        never = asyncio.Event()
        heard: asyncio.Queue[Any] = asyncio.Queue()

        async def hang() -> None:
            await never.wait()

        await other.register(hang, "com.example.hang")
        client = microwamp.Client(url, realm=REALM)

        @client.register("com.example.divide")
        def divide(a: Any, b: Any) -> Any:
            if b == 1:
                raise ApplicationError("com.example.one", a)
            return a / b

        @client.subscribe("com.example.topic")
        async def on_topic(*args: Any) -> None:
            heard.put_nowait(args)

        async with asyncio.timeout(2 * LIMIT_S), client:
            framing = {"tcp": "tcp", "unix": "memory", "serial": "serial"}[kind]
            assert client.transport_details.channel_typeid == f"{framing}-rawsocket-cbor"
            assert await other.call("com.example.divide", 6, 4) == 1.5
            assert await client.call("com.example.divide", 6, 4) == 1.5
            await other.publish(
                "com.example.topic", 1, "x", options=microwamp.types.PublishOptions(True)
            )
            assert await heard.get() == (1, "x")
            assert await client.publish("com.example.topic", acknowledge=True)
            for args, uri in (((1, 1), "com.example.one"), ((1, 0), "wamp.error.runtime_error")):
                for caller in (client, other):
                    with pytest.raises(ApplicationError) as caught:
                        await caller.call("com.example.divide", *args)
                    assert caught.value.error == uri
                    assert caught.value.details is not None and caught.value.callee is None
            with pytest.raises(ApplicationError, match="no_such_procedure"):
                await client.call("com.example.nothing")
            with pytest.raises(RequestTimeout):
                await client.call("com.example.hang", timeout_ms=50)
            with pytest.raises(LocalProtocolError):
                await client.call("com.example.divide", object(), 1)
            with pytest.raises(LocalProtocolError, match="known"):
                wrong: Any = {"nosuch": True}
                await client.call("com.example.divide", 1, 2, **wrong)
            waiting = asyncio.create_task(client.call("com.example.hang"))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            text = "x" * 20_000
            assert await client.call("com.example.divide", len(text), 2) == 10_000
        await close(other)


@pytest.mark.parametrize("kind", ["tcp", "serial"])
async def test_a_router_that_is_lost_and_comes_back(kind: str):
    """What waits fails at once; what was declared is there again, and so are new calls."""
    first = RouterConfig((RealmConfig(REALM, anonymous="guest"),), listen=("rs://127.0.0.1:0",))
    router = Router(first)
    await router.__aenter__()
    tcp = router.urls[0]

    @asynccontextmanager
    async def way() -> AsyncIterator[str]:
        if kind == "tcp":
            yield tcp
        else:
            async with behind_a_bridge(tcp) as url:
                yield url

    never = asyncio.Event()
    async with asyncio.timeout(3 * LIMIT_S), way() as url:
        client = microwamp.Client(url, realm=REALM, timeout_ms=30_000)

        @client.register("com.example.hang")
        async def hang() -> None:
            await never.wait()

        @client.register("com.example.fine")
        def fine() -> str:
            return "fine"

        async with client:
            waiting = asyncio.create_task(client.call("com.example.hang"))
            await asyncio.sleep(0.1)
            await router.__aexit__(None, None, None)
            with pytest.raises(TransportLost):
                await waiting
            again = Router(RouterConfig(first.realms, listen=(tcp,)))
            late = asyncio.create_task(client.call("com.example.fine"))
            async with again:
                assert await late == "fine", "a call that began while the line was down"
                assert client.joins == 2
                other = await joined(tcp)
                assert await other.call("com.example.fine") == "fine"
                await close(other)


async def test_without_reconnect_it_says_what_ended_it():
    async def leaves(router: Played) -> None:
        await router.join()
        await router.receive()

    async with played(leaves) as url:
        client = microwamp.Client(url, realm=REALM, reconnect=False)
        async with asyncio.timeout(LIMIT_S):
            await client.join()
            with pytest.raises(TransportLost):
                await client.call("com.example.f")
            await client.ended()
            assert isinstance(client.error, TransportLost)
            await client.leave()
    async with embedded() as router:
        nowhere = microwamp.Client(router.urls[0], realm="nowhere", reconnect=False)
        with pytest.raises(SessionAborted, match="no_such_realm"):
            await nowhere.join()
    nobody = microwamp.Client("rs://127.0.0.1:1", reconnect=False)
    with pytest.raises(TransportError, match="nothing listens"):
        await nobody.join()


async def test_a_blocking_session_on_a_serial_line():
    async with embedded() as router, behind_a_bridge(router.urls[0]) as url:

        def script() -> None:
            with BlockingSession(url, REALM) as session:
                assert session.details is not None and session.details.transport is not None
                assert session.details.transport.channel_typeid == "serial-rawsocket-cbor"
                session.register(lambda text: text, "com.example.echo")
                assert session.call("com.example.echo", "x" * 20_000) == "x" * 20_000
                with pytest.raises(ApplicationError, match="no_such_procedure"):
                    session.call("com.example.nothing")

        await asyncio.to_thread(script)


async def test_a_bridge_passes_what_it_cannot_read_where_realms_are_free():
    async with embedded() as router:
        options: dict[str, Any] = {"realm": REALM, "serializer": "json", "reconnect": False}
        async with behind_a_bridge(router.urls[0]) as url:
            async with asyncio.timeout(LIMIT_S), microwamp.Client(url, **options) as client:
                assert client.joins == 1
        async with behind_a_bridge(router.urls[0], realms=(REALM,)) as url:
            with pytest.raises(HandshakeRefused, match="serializer unsupported"):
                async with asyncio.timeout(LIMIT_S), microwamp.Client(url, **options):
                    pass


def test_what_a_client_refuses():
    for url, options, words in (
        ("rs://127.0.0.1:1", {"serializer": "nosuch"}, "nosuch"),
        ("rs://127.0.0.1:1", {"serializer": "cbor.batched"}, "no batches"),
        ("http://127.0.0.1:1", {}, "URL"),
        ("serial:/dev/null?baud=fast", {}, "baud=fast"),
        ("ws://127.0.0.1:1", {"nosuch": 1}, "unknown options"),
        ("ws://", {}, "URL"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            microwamp.Client(url, **options)


SCRIPT = """
import asyncio, sys
import microwamp

async def main():
    async with microwamp.Client(sys.argv[1], realm="devices") as client:
        print("ready", flush=True)
        try:
            await client.call("com.example.hang", timeout_ms=60000)
        finally:
            print("ended", flush=True)

asyncio.run(main())
"""


async def test_ctrl_c():
    """The program ends by itself: the call is cancelled at the router, and it hears GOODBYE."""
    async with embedded() as router:
        callee = await joined(router.urls[0])
        hang = Hanging()
        await callee.register(hang, "com.example.hang")
        left: asyncio.Queue[Any] = asyncio.Queue()
        await callee.subscribe(lambda *args: left.put_nowait(args), "wamp.session.on_leave")
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, router.urls[0]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        async with asyncio.timeout(2 * LIMIT_S):
            await hang.called.wait()
            process.send_signal(signal.SIGINT)
            await hang.cancelled.wait()
            out, err = await asyncio.to_thread(process.communicate)
            await left.get()
        assert out == "ready\nended\n" and process.returncode != 0
        assert err.rstrip().endswith("KeyboardInterrupt"), err
        await close(callee)
