"""Goodput through the bridge of a real program on MicroPython's unix port, in real time.

The program is at one end of the rig's line, which carries 921,600 bits a second each way and
spoils them as asked; the bridge, as the command, is at the other; behind it the embedded router,
and a client that counts. Messages carry 1,024 octets, numbered: each has to come once, in order.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import wamp
from microwamp_rig.boards import UnixBoard
from microwamp_rig.line import Line, Rates
from microwamp_rig.program import Program, microwamp

BAUD = 921600
SIZE = 1024
WARM = 100  # messages until the fragments are at their longest (75,000 octets, docs/link.md)
RATES = (0.0, 1e-4, 1e-3)
_LIMIT_S = 120.0

PROGRAM = f"""
import asyncio
import os
import wamp

client = wamp.Client(os.getenv("MICROWAMP_URL"), log=print, timeout_ms=60000)
tail = bytes({SIZE} - 4)
heard = 0


@client.register("com.example.send")
async def send(first, n):
    for i in range(first, first + n):
        await client.publish("com.example.up", i.to_bytes(4, "big") + tail)


@client.subscribe("com.example.down")
def take(octets):
    global heard
    if int.from_bytes(octets[:4], "big") != heard or len(octets) != {SIZE}:
        print("wrong", octets[:4], heard)
    heard += 1


@client.register("com.example.heard")
def how_many():
    return heard


async def main():
    async with client:
        print("ready")
        await asyncio.sleep(10000)

asyncio.run(main())
"""


class Chain:
    """All of it: `async with Chain(seed) as chain`."""

    def __init__(self, seed: int) -> None:
        self._programs: list[Program] = []
        self._folder = tempfile.TemporaryDirectory(prefix="microwamp-goodput-")
        self.board = UnixBoard(PROGRAM)
        self.line = Line(self.board.port, baud=BAUD, seed=seed)
        self.heard = 0
        self.wrong: list[int] = []
        self.joins = 0

    async def __aenter__(self) -> Chain:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        words = ("router", "--anonymous", "--listen", "rs://127.0.0.1:0", "--json")
        router = microwamp(*words)
        self._programs.append(router)
        url = (await asyncio.to_thread(router.event, "listening"))["url"]
        self.line.start()
        config = Path(self._folder.name) / "bridge.toml"
        config.write_text(
            f'router = "{url}"\nbaud = {BAUD}\n[[port]]\nid = "{self.line.port}"\nname = "it"\n'
        )
        self.bridge = microwamp("bridge", "--config", config, "--control", "", "--json")
        self._programs.append(self.bridge)
        self.host = wamp.Client(url, timeout_ms=60000)
        self.host.subscribe("com.example.up", self._hear)
        await self.host.join()
        await self.board.start()
        await self.board.expect("ready", 30)

    async def _stop(self) -> None:
        if hasattr(self, "host"):
            await self.host.leave()
        await self.board.close()
        for program in reversed(self._programs):
            await asyncio.to_thread(program.stop)
        self.line.close()
        self._folder.cleanup()

    def _hear(self, octets: bytes) -> None:
        number = int.from_bytes(octets[:4], "big")
        if number != self.heard or len(octets) != SIZE:
            self.wrong.append(number)
        self.heard += 1

    async def up(self, first: int, n: int) -> None:
        """The device publishes n messages; until the last one is here."""
        await self.host.call("com.example.send", first, n, timeout_ms=60000)
        async with asyncio.timeout(_LIMIT_S):
            while self.heard < first + n:
                await asyncio.sleep(0.001)

    async def down(self, first: int, n: int) -> None:
        """The host publishes n messages; until the last one is there."""
        tail = bytes(SIZE - 4)
        for i in range(first, first + n):
            await self.host.publish("com.example.down", i.to_bytes(4, "big") + tail)
        async with asyncio.timeout(_LIMIT_S):
            while await self.host.call("com.example.heard", timeout_ms=60000) < first + n:
                await asyncio.sleep(0.001)


async def measure(rate: float, way: str, seed: int, messages: int) -> dict[str, Any]:
    """One way of one line."""
    async with Chain(seed) as chain:
        run = chain.up if way == "up" else chain.down
        await run(0, WARM)
        chain.line.set_rates(Rates(bit_error=rate))
        direction = chain.line.to_host if way == "up" else chain.line.to_board
        carried, begin = direction.counters.written, time.monotonic()
        await run(WARM, messages)
        seconds = time.monotonic() - begin
        carried = direction.counters.written - carried
        chain.line.set_rates(Rates())
        wrong = len(chain.wrong) + sum("wrong" in line for line in chain.board.lines)
        connections = len(chain.bridge.events("device"))
        flipped = chain.line.to_host.counters.flipped + chain.line.to_board.counters.flipped
    octets = messages * SIZE
    return {
        "bit_errors": rate,
        "way": way,
        "seed": seed,
        "messages": messages,
        "kB_s": round(octets / seconds / 1000, 2),
        "of_the_line": round(octets / seconds / (BAUD / 10), 3),
        # What was carried, beside the payload: framing of WAMP and link, and what was sent again.
        "of_the_octets": round(octets / carried, 3),
        "line_busy": round(carried / seconds / (BAUD / 10), 3),
        "flipped": flipped,
        "wrong": wrong,
        "connections": connections,
    }
