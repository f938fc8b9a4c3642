"""RAM runs out, at each point: a clean error, a re-join, and never a client that is dead."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import wamp
from microwamp.router import Permission, RealmConfig, Role, Router, RouterConfig
from microwamp_rig import micropython
from wamp.errors import ApplicationError, Error, RequestTimeout

PROGRAM = Path(__file__).parents[1] / "programs" / "starving.py"
HEAP = "192k"

# Free octets: a point each 96, where the steps are of 16 octets; and further, in longer steps, to
# where nothing fails any more.
NEAR = "0:2400:96"
FAR = "2400:12000:480"
# What begins with an import, in less memory than that takes: see docs/design.md, section 6.
IMPORTS = {"publish": "1536:3072:96"}
ACTIONS = (
    "call,call_many,call_that_fails",
    "call_in_vain,subscribe",
    "publish",
    "event,plain,coroutine",
    "raising,long",
    "killed",
)
REALM = RealmConfig(
    anonymous="anonymous",
    roles=(
        Role("anonymous", (Permission(), Permission("wamp.", frozenset({"call", "subscribe"})))),
    ),
)


class Peer:
    """What the device talks to; `hung`: calls of it that were left without an answer."""

    def __init__(self, client: wamp.Client) -> None:
        self.client = client
        self.hung: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def declare(self) -> None:
        client = self.client
        client.register("com.host.echo", lambda x: x)
        client.register("com.host.fails", self.fails)
        client.register("com.host.hangs", self.hangs)
        client.register("com.host.later", self.later)
        await client.register("com.host.try", self.attempt).confirmed()

    def fails(self) -> None:
        raise ApplicationError("com.host.error", "as asked")

    async def hangs(self) -> None:
        await asyncio.sleep(60)

    def later(self, what: str, session: int) -> None:
        task = asyncio.create_task(self.act(what, session))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def act(self, what: str, session: int) -> None:
        await asyncio.sleep(0.01)
        if what == "event":
            for n in range(4):
                await self.client.publish("com.event", n, "x" * n * 40)
        elif what == "killed":
            with suppress(ApplicationError):
                await self.client.call("wamp.session.kill", session)
        else:
            try:
                await self.client.call(f"com.device.{what}", 7, timeout_ms=6000)
            except RequestTimeout:
                self.hung.append(what)
            except Error:
                pass

    async def attempt(self, session: int) -> bool:
        """Whether the device has all that it declared, and answers."""
        found = await self.client.call("com.device.coroutine", 7, timeout_ms=3000)
        return bool(found == [7] * 5)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("doing", ACTIONS)
@pytest.mark.parametrize("kept", [NEAR, FAR], ids=["near", "far"])
async def test_memory_runs_out(doing: str, kept: str) -> None:
    config = RouterConfig((REALM,), listen=("rs://127.0.0.1:0",))
    async with Router(config, lambda *report: None) as router, wamp.Client(router.urls[0]) as host:
        peer = Peer(host)
        await peer.declare()
        environment: dict[str, Any] = micropython.environment()
        free = IMPORTS.get(doing, kept) if kept == NEAR else kept
        environment |= {"MICROWAMP_URL": router.urls[0], "KEPT": free, "DOING": doing}
        process = await asyncio.create_subprocess_exec(
            *(*micropython.command("unix32", HEAP), str(PROGRAM)),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 180)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        lines = out.decode(errors="replace").splitlines()
        assert process.returncode == 0, (process.returncode, "\n".join(lines[-40:]))
        assert lines[-1:] == ["all done"], "\n".join(lines[-40:])
        assert not peer.hung
        counts = {}
        for line in lines:
            words = line.split()
            if words[:1] == ["ok"]:
                counts[words[1]] = [int(word) for word in words[2:]]
        assert list(counts) == doing.split(",")
        for name, (points, errors, joins) in counts.items():
            print(f"{name}: {points} points, {errors} errors, {joins} joins")
            if kept == NEAR and doing not in IMPORTS:
                assert errors + joins > 0, f"{name}: the memory did not run out"
        await asyncio.gather(*peer.tasks)
