"""The client against xconn's router: what that has of WAMP, over WebSocket, in three formats; and
a device on a serial line, whose bridge speaks WebSocket to it.

xconn has the basic profile, four logins and progressive results, and announces no feature. It
forgets a session at its GOODBYE alone, so each client here says it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

import microwamp
import wamp
from microwamp_rig import micropython, process
from microwamp_rig.program import Program
from microwamp_rig.pty import Pty
from wamp import auth
from wamp.errors import (
    ApplicationError,
    LocalProtocolError,
    RequestTimeout,
    SessionAborted,
    TransportLost,
)
from wamp.progress import ProgressiveCall

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DEVICE = ROOT / "tests" / "programs" / "device.py"
PYTHON = ROOT / ".venv-xconn" / "bin" / "python"
SEED = bytes(range(32))
TICKET, SECRET = "the ticket", "the secret"
FORMATS = ("cbor", "json", "msgpack")
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a router that is running."""
    assert PYTHON.exists(), "no xconn: `make setup-xconn` installs it"
    (port,) = process.free_ports(1)
    key = SigningKey(SEED).verify_key.encode().hex()
    command: list[str | Path] = [PYTHON, HERE / "xconn_router.py"]
    command += [str(port), TICKET, SECRET, key]
    with Program(command, env={**os.environ, "PYTHONPATH": ""}) as program:
        program.expect("^ready$", LIMIT_S)
        yield f"ws://127.0.0.1:{port}/ws"
        assert program.running, "\n".join(program.lines)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("format", FORMATS)
async def test_calls(url, format):
    prefix = f"com.test.calls.{format}"
    options: dict[str, Any] = {"serializer": format, "timeout_ms": int(LIMIT_S * 1000)}
    async with microwamp.Client(url, **options) as a, microwamp.Client(url, **options) as b:
        assert a.transport_details.channel_typeid == f"tcp-websocket-{format}"

        def echo(*args: Any, **kwargs: Any) -> Any:
            return wamp.Result(*args, **kwargs)

        def fail() -> None:
            raise ApplicationError("com.test.failed", 1, why=2)

        await a.register(f"{prefix}.echo", echo).confirmed()
        failing = await a.register(f"{prefix}.fail", fail).confirmed()
        many = (1, -(2**53), 1.5, "x\u20ac", None, True, [2, []], {"a": {"b": None}})
        assert await b.call(f"{prefix}.echo") is None
        assert await b.call(f"{prefix}.echo", *many, kwargs={"k": 1}) == wamp.Result(*many, k=1)
        assert await b.call(f"{prefix}.echo", kwargs={"k": 1}) == wamp.Result(k=1)
        text = "x" * 100_000
        assert await b.call(f"{prefix}.echo", text) == text
        assert await b.call(f"{prefix}.echo", b"\x00\xff") == b"\x00\xff"
        found = await asyncio.gather(*(b.call(f"{prefix}.echo", n) for n in range(100)))
        assert found == list(range(100))
        with pytest.raises(ApplicationError) as failed:
            await b.call(f"{prefix}.fail")
        assert failed.value.error == "com.test.failed"
        assert (failed.value.args, failed.value.kwargs) == ((1,), {"why": 2})
        await failing.remove()
        with pytest.raises(ApplicationError, match="no_such_procedure"):
            await b.call(f"{prefix}.fail")


@pytest.mark.parametrize("format", FORMATS)
async def test_events(url, format):
    topic = f"com.test.events.{format}"
    heard: list[Any] = []
    async with (
        microwamp.Client(url, serializer=format) as a,
        microwamp.Client(url, serializer=format) as b,
    ):

        def event(*args: Any, **kwargs: Any) -> None:
            heard.append((args, kwargs))

        subscribed = await a.subscribe(topic, event).confirmed()
        assert await b.publish(topic, 1, kwargs={"a": [2]}, acknowledge=True)
        await b.publish(topic, 2)
        await b.publish(topic, acknowledge=True)
        await until(lambda: len(heard) == 3)
        assert heard == [((1,), {"a": [2]}), ((2,), {}), ((), {})]
        await subscribed.remove()
        await b.publish(topic, 3, acknowledge=True)
        assert len(heard) == 3


LOGINS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "ticket": (
        lambda: auth.Ticket("joe", TICKET, allow_clear=True),
        lambda: auth.Ticket("joe", "another", allow_clear=True),
    ),
    "wampcra": (lambda: auth.CRA("joe", SECRET), lambda: auth.CRA("joe", "another")),
    "cryptosign": (
        lambda: auth.Cryptosign(SEED, authid="joe"),
        lambda: auth.Cryptosign(bytes(32), authid="joe"),
    ),
}


@pytest.mark.parametrize("login", LOGINS)
async def test_logins(url, login):
    right, wrong = LOGINS[login]
    log: list[str] = []
    async with microwamp.Client(url, auth=right(), log=log.append) as client:
        assert (client.details["authid"], client.details["authrole"]) == ("joe", "user")
        # xconn's WELCOME does not say how.
        assert log == ["joined devices as joe (by an unnamed method)"]
    with pytest.raises(SessionAborted, match="authentication_failed"):
        await microwamp.Client(url, auth=wrong(), reconnect=False).join()


async def test_progressive_results(url):
    async with microwamp.Client(url) as a, microwamp.Client(url) as b:

        def count(n: int, details: Any) -> str:
            for i in range(n):
                assert details["progress"](i)
            return "done"

        heard: list[int] = []
        await a.register("com.test.count", count, details=True).confirmed()
        assert await b.call("com.test.count", 3, on_progress=heard.append) == "done"
        assert heard == [0, 1, 2]
        assert await b.call("com.test.count", 0) == "done"


async def test_what_is_not_announced_is_not_sent(url):
    async with microwamp.Client(url) as a, microwamp.Client(url) as b:
        gate = asyncio.Event()
        limited: dict[str, Any] = {"timeout": 5}
        await a.register("com.test.slow", gate.wait).confirmed()
        with pytest.raises(LocalProtocolError, match="progressive_call_invocations"):
            await ProgressiveCall(b, "com.test.slow").send(1)
        with pytest.raises(LocalProtocolError, match="timeout"):
            await b.call("com.test.slow", **limited)
        # No CANCEL either: the callee works on, and the session outlives the time-out.
        with pytest.raises(RequestTimeout):
            await b.call("com.test.slow", timeout_ms=50)
        gate.set()
        assert await b.call("com.test.slow") is True
        assert b.joins == a.joins == 1 and a.error is None and b.error is None


async def test_a_name_that_is_taken(url):
    async with microwamp.Client(url) as a, microwamp.Client(url) as b:
        mine = await a.register("com.test.taken", lambda: "a").confirmed()
        yours = b.register("com.test.taken", lambda: "b")
        with pytest.raises(ApplicationError, match="procedure_already_exists"):
            await yours.confirmed()
        await mine.remove()
        await until(lambda: yours.id is not None)
        assert await a.call("com.test.taken") == "b"


async def test_signs_of_life(url):
    """Asked with a call that xconn does not know: no_such_procedure is one."""
    async with microwamp.Client(url, alive_ms=3 * 60_000) as client:
        for _ in range(3):
            client.expire()  # as if a minute had passed, and then another one in silence
            reads = client.reads
            client.expire()
            await until(lambda: client.reads > reads)
        assert client.joins == 1 and client.error is None


async def test_another_session(url):
    """xconn closes the connection after GOODBYE: another one is made."""
    async with microwamp.Client(url) as a, microwamp.Client(url, realm="other") as b:
        await a.register("com.test.realm", lambda: a.realm).confirmed()
        transport = a._transport  # type: ignore[attr-defined]
        await a.rejoin("other")
        assert a._transport is not transport  # type: ignore[attr-defined]
        assert await b.call("com.test.realm") == "other" and a.joins == 2
    # Who wants no reconnecting is told.
    client = microwamp.Client(url, reconnect=False)
    await client.join()
    with pytest.raises(TransportLost, match="closed"):
        await client.rejoin("other")
    await client.ended()


@pytest.mark.parametrize("login", ("anonymous", "cryptosign"))
async def test_a_device_on_a_serial_line(url, login):
    """The device library on MicroPython, a bridge, and CBOR in WebSocket messages."""
    arguments = {"anonymous": ["anonymous"], "cryptosign": ["cryptosign", SEED.hex(), "joe"]}
    prefix = f"com.test.serial.{login}"
    pty = Pty()
    try:
        bridge_command = [sys.executable, "-m", "microwamp", "bridge", pty.path]
        environment = micropython.environment() | {
            "MICROWAMP_URL": f"serial:fd/{pty.fd}",
            "TEST_DEVICE": json.dumps({"login": arguments[login], "prefix": prefix}),
        }
        with (
            Program([*bridge_command, "--router", url, "--baud", "921600", "--json"]) as bridge,
            Program(
                [*micropython.command("unix"), DEVICE], env=environment, pass_fds=[pty.fd]
            ) as device,
        ):
            await asyncio.to_thread(device.expect, "^ready$", LIMIT_S)
            limit = int(LIMIT_S * 1000)
            async with microwamp.Client(url, timeout_ms=limit) as host:
                about = await host.call(f"{prefix}.about")
                assert about["channel"] == "serial-rawsocket-cbor"
                assert about["python"] == "micropython" and about["joins"] == 1
                authid = {"anonymous": "anonymous", "cryptosign": "joe"}[login]
                assert about["details"]["authid"] == authid
                octets = os.urandom(2000)
                assert await host.call(f"{prefix}.twice", octets) == octets + octets
                with pytest.raises(ApplicationError, match="com.test.failed"):
                    await host.call(f"{prefix}.fail")
            assert bridge.running
    finally:
        pty.close()
