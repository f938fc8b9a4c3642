"""Programs with `run`: SIGTERM and SIGINT have their components leave, and what ends them is their
exit status.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import pytest
from sessions import LIMIT_S, REALM, Played, embedded, joined, played

PROGRAM = """
import asyncio, sys
from microwamp import Component, Session, run

class Talking(Session):
    def onJoin(self, details):
        print("joined", flush=True)
    def onLeave(self, details):
        print("left", details.reason, flush=True)
        return super().onLeave(details)
    def onDisconnect(self):
        print("disconnected", flush=True)

async def fail(loop, session):
    raise ValueError("of the main")

urls, realm, what = sys.argv[1].split(), sys.argv[2], sys.argv[3]
main = fail if what == "fail" else None
run(
    [
        Component(main, {"url": url, "max_retries": 0}, realm=realm, session_factory=Talking)
        for url in urls
    ],
    log_level=None,
)
print("done", flush=True)
"""


async def started(urls: str, what: str = "stay", realm: str = REALM) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, urls, realm, what),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Tests may run where SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[list[str], str, int]:
    """What it printed, its errors, its status."""
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    assert process.returncode is not None
    return out.decode().split("\n")[:-1], err.decode(), process.returncode


async def line(process: asyncio.subprocess.Process, text: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        assert (await process.stdout.readline()).decode() == text + "\n"


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
async def test_a_signal_has_components_leave(number: signal.Signals) -> None:
    left: list[Any] = []
    async with embedded() as router:
        watching = await joined(router.urls[0])
        await watching.subscribe(lambda *args: left.append(args), "wamp.session.on_leave")
        process = await started(" ".join([router.urls[0]] * 2))
        for _ in range(2):
            await line(process, "joined")
        os.kill(process.pid, number)
        out, err, status = await ended(process)
        assert sorted(out[:-1]) == ["disconnected"] * 2 + ["left wamp.close.normal"] * 2
        assert (out[-1], err, status) == ("done", "", 0)
        async with asyncio.timeout(LIMIT_S):
            while len(left) < 2:
                await asyncio.sleep(0.01)
        watching.disconnect()
        await watching.gone


async def test_a_signal_while_it_connects_or_joins() -> None:
    """A router that accepts and says nothing, at the handshake and at HELLO."""
    reached = asyncio.Event()

    async def at_the_handshake(router: Played) -> None:
        reached.set()
        await router.request()

    async def at_hello(router: Played) -> None:
        await router.shake()
        await router.receive()
        reached.set()
        await router.receive()

    for play in (at_the_handshake, at_hello):
        reached.clear()
        async with played(play) as url:
            process = await started(url)
            async with asyncio.timeout(LIMIT_S):
                await reached.wait()
            process.send_signal(signal.SIGTERM)
            out, err, status = await ended(process)
            assert (out[-1], err, status) == ("done", "", 0), (out, err)


async def test_what_ends_a_program_is_its_status() -> None:
    async with embedded() as router:
        url = router.urls[0]
        for urls, what, realm, words in (
            (url, "fail", REALM, "ValueError: of the main"),
            (url, "stay", "nowhere", "SessionAborted: wamp.error.no_such_realm: no realm"),
            ("rs://127.0.0.1:1", "stay", REALM, "never connected: rs://127.0.0.1:1: nothing"),
        ):
            out, err, status = await ended(await started(urls, what, realm))
            assert status == 1 and words in err.strip().split("\n")[-1], (out, err)
            assert "done" not in out
