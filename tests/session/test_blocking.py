"""`microwamp.BlockingSession` live: errors, time-outs, a router that is lost, Ctrl-C, its end."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
import sys
import threading
from typing import Any

import pytest
from sessions import LIMIT_S, REALM, Hanging, Played, close, embedded, joined, played

from microwamp import BlockingSession
from microwamp.exception import (
    ApplicationError,
    Error,
    LocalProtocolError,
    RequestTimeout,
    SerializationError,
    SessionAborted,
    TransportError,
    TransportLost,
)
from microwamp.types import CallOptions, PublishOptions
from microwamp_rig import crossbar as xb
from microwamp_rig.crossbar import CrossbarNode

ACKNOWLEDGED = PublishOptions(acknowledge=True)


async def test_errors_reach_the_caller():
    async with embedded() as router:

        def script() -> None:
            def broken(kind: str) -> Any:
                if kind == "own":
                    raise ApplicationError("com.example.wrong", 7, more=8)
                if kind == "stop":
                    raise StopIteration("here")
                if kind == "value":
                    raise ValueError("not that")
                return object()

            with BlockingSession(router.urls[0], REALM) as session:
                session.register(broken, "com.example.broken")
                for kind, uri, words in (
                    ("own", "com.example.wrong", "7"),
                    ("value", "wamp.error.runtime_error", "not that"),
                    ("stop", "wamp.error.runtime_error", "StopIteration"),
                    ("else", "wamp.error.invalid_payload", ""),
                ):
                    with pytest.raises(ApplicationError) as caught:
                        session.call("com.example.broken", kind)
                    assert caught.value.error == uri and words in str(caught.value.args)
                    if kind == "own":
                        assert caught.value.kwargs == {"more": 8}
                with pytest.raises(ApplicationError, match="no_such_procedure"):
                    session.call("com.example.nothing")
                with pytest.raises(ApplicationError, match="procedure_already_exists"):
                    session.register(broken, "com.example.broken")
                with pytest.raises(LocalProtocolError):
                    session.call("com..example")
                with pytest.raises(SerializationError):
                    session.publish("com.example.topic", object(), options=ACKNOWLEDGED)
                with pytest.raises(Error, match="open already"):
                    session.open()
                assert session.publish("com.example.topic") is None
            assert not session.is_attached
            with pytest.raises(TransportError, match="not open"):
                session.call("com.example.broken")
            session.close()  # once more is nothing

        await asyncio.to_thread(script)


async def test_a_registration_and_a_subscription_end():
    async with embedded() as router:

        def script() -> None:
            with BlockingSession(router.urls[0], REALM) as session:
                offered = session.register(lambda: 1, "com.example.one")
                heard: list[int] = []
                wanted = session.subscribe(heard.append, "com.example.topic")
                assert session.call("com.example.one") == 1
                session.unregister(offered)
                session.unsubscribe(wanted)
                with pytest.raises(ApplicationError, match="no_such_procedure"):
                    session.call("com.example.one")
                with pytest.raises(LocalProtocolError, match="no longer active"):
                    session.unregister(offered)
                own = PublishOptions(acknowledge=True, exclude_me=False)
                session.publish("com.example.topic", 1, options=own)
                assert heard == []

        await asyncio.to_thread(script)


async def test_coroutine_functions_run_in_its_own_thread():
    """They must not block: what would wait for itself is refused."""
    async with embedded() as router:

        def script() -> None:
            session = BlockingSession(router.urls[0], REALM)

            async def inner(which: str) -> str:
                with pytest.raises(Error, match="own thread would wait for ever") as caught:
                    session.close() if which == "close" else session.call("com.example.inner", "")
                return str(caught.value)

            with session:
                session.register(inner, "com.example.inner")
                for which in ("call", "close"):
                    assert "for ever" in session.call("com.example.inner", which)

        await asyncio.to_thread(script)


async def test_more_calls_than_threads():
    """Endpoints that all wait for each other: 16 at a time, and further ones later."""
    async with embedded() as router:
        caller = await joined(router.urls[0])
        most = [0]
        under_way = threading.Semaphore(0)
        lock = threading.Lock()
        count = [0]
        gate = threading.Event()

        def wait() -> None:
            with lock:
                count[0] += 1
                most[0] = max(most[0], count[0])
            under_way.release()
            assert gate.wait(LIMIT_S)
            with lock:
                count[0] -= 1

        with_all = BlockingSession(router.urls[0], REALM)
        await asyncio.to_thread(with_all.open)
        await asyncio.to_thread(with_all.register, wait, "com.example.wait")
        # Several registrations of one session may be called at a time.
        calls = [caller.call("com.example.wait") for _ in range(20)]
        for _ in range(16):
            assert await asyncio.to_thread(under_way.acquire, True, LIMIT_S)
        assert most[0] == 16
        gate.set()
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(*calls)
        assert most[0] == 16
        await asyncio.to_thread(with_all.close)
        await close(caller)


async def test_time_outs():
    """A call that nobody answers, a publication without acknowledgement, joining."""

    async def answers_nothing(router: Played) -> None:
        await router.join()
        while True:
            await router.receive()

    async def shakes_hands(router: Played) -> None:
        await router.shake()
        await router.receive()
        await router.receive()

    async def is_silent(router: Played) -> None:
        await router.receive()

    def script(url: str) -> None:
        with BlockingSession(url, REALM, timeout=0.2) as session:
            with pytest.raises(ApplicationError, match=ApplicationError.TIMEOUT):
                session.call("com.example.f")
            with pytest.raises(ApplicationError, match=ApplicationError.TIMEOUT):
                session.call("com.example.f", options=CallOptions(timeout=0.1))
            with pytest.raises(RequestTimeout, match=f"{url}: no answer within 0.2 s"):
                session.publish("com.example.t", options=ACKNOWLEDGED)
            with pytest.raises(RequestTimeout):
                session.subscribe(print, "com.example.t")
            assert session.is_attached

    async with played(answers_nothing) as url:
        await asyncio.to_thread(script, url)
    for play, error in ((shakes_hands, RequestTimeout), (is_silent, TransportError)):
        async with played(play) as url:
            slow = BlockingSession(url, REALM, timeout=0.1, open_timeout=0.2)
            with pytest.raises(error, match="within"):
                await asyncio.to_thread(slow.open)
            assert slow._thread is None and not slow.is_attached


async def test_a_router_that_is_lost():
    """What waits fails at once, and what comes later says why; open() begins anew."""
    visits = [0]

    async def leaves(router: Played) -> None:
        visits[0] += 1
        await router.join()
        message = await router.receive()
        if visits[0] == 2:
            router.send([50, message[1], {}, ["again"]])
            await router.receive()

    def script(url: str) -> None:
        session = BlockingSession(url, REALM).open()
        with pytest.raises(TransportLost, match="closed the connection"):
            session.call("com.example.f")
        for attempt in (
            lambda: session.call("com.example.f"),
            lambda: session.publish("com.example.t"),
            lambda: session.register(print, "com.example.p"),
        ):
            with pytest.raises(TransportLost, match="has ended .*closed the connection.*open"):
                attempt()
        assert not session.is_attached
        session.close()
        with session:
            assert session.call("com.example.f") == "again"

    async with played(leaves) as url:
        await asyncio.to_thread(script, url)


async def test_a_router_that_says_goodbye_and_one_that_aborts():
    async def goodbye(router: Played) -> None:
        await router.join()
        await router.receive()
        router.send([6, {"message": "maintenance"}, "wamp.close.system_shutdown"])
        await router.receive()

    async def aborts(router: Played) -> None:
        await router.shake()
        await router.receive()
        router.send([3, {"message": "not you"}, "wamp.error.not_authorized"])

    def script(url: str) -> None:
        with BlockingSession(url, REALM) as session:
            with pytest.raises(TransportLost, match="system_shutdown"):
                session.call("com.example.f")

    async with played(goodbye) as url:
        await asyncio.to_thread(script, url)
    async with played(aborts) as url:
        with pytest.raises(SessionAborted, match="not_authorized.*not you"):
            await asyncio.to_thread(BlockingSession(url, REALM).open)


SCRIPT = """
import sys, time
from microwamp import BlockingSession

url, what = sys.argv[1:]
with BlockingSession(url, "devices", timeout=60) as session:
    if what == "ends":
        session.register(lambda: time.sleep(3600), "com.example.sleep")
        print("ready", flush=True)
        sys.stdin.readline()
    else:
        print("ready", flush=True)
        try:
            session.call("com.example.hang")
        except KeyboardInterrupt:
            print("interrupted", session.call("com.example.fine"), flush=True)
            raise
"""


def started(url: str, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, url, what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Shells start what runs in the background with SIGINT ignored; that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


async def test_ctrl_c():
    """The call is cancelled at the router, the session goes on, and leaves in the end."""
    async with embedded() as router:
        callee = await joined(router.urls[0])
        hang = Hanging()
        await callee.register(hang, "com.example.hang")
        await callee.register(lambda: "fine", "com.example.fine")
        process = started(router.urls[0], "hangs")
        async with asyncio.timeout(2 * LIMIT_S):
            await hang.called.wait()
            process.send_signal(signal.SIGINT)
            await hang.cancelled.wait()
            out, err = await asyncio.to_thread(process.communicate)
        assert out == "ready\ninterrupted fine\n" and process.returncode != 0
        assert err.rstrip().endswith("KeyboardInterrupt"), err
        await close(callee)


async def test_an_endpoint_that_hangs_does_not_keep_a_program():
    async with embedded() as router:
        caller = await joined(router.urls[0])
        process = started(router.urls[0], "ends")
        assert process.stdout is not None and process.stdin is not None
        async with asyncio.timeout(2 * LIMIT_S):
            assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
            call = caller.call("com.example.sleep")
            await asyncio.sleep(0.1)
            out, err = await asyncio.to_thread(process.communicate, "\n")
            with pytest.raises(ApplicationError, match="wamp.error.canceled"):
                await call
        assert (process.returncode, out, err) == (0, "", "")
        await close(caller)


async def test_long_messages_through_crossbar(crossbar: CrossbarNode) -> None:
    """In pieces of the read buffer and between: TCP, TLS and Unix sockets."""
    context = ssl.create_default_context(cafile=crossbar.certificate)

    def script(url: str, **options: Any) -> None:
        with BlockingSession(url, xb.REALM, **options) as session:
            session.register(lambda octets: octets, "com.example.echo")
            for length in (0, 65_000, 65_536, 70_000, 700_000):
                octets = bytes(length)
                assert session.call("com.example.echo", octets) == octets

    await asyncio.to_thread(script, crossbar.url)
    await asyncio.to_thread(script, crossbar.tls_url, ssl=context)
    await asyncio.to_thread(script, crossbar.unix_url)
