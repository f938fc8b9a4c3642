"""Unplugging, resets and kills without end, in time a hundred times as fast: what is left of them.

A cell is a device with its client, a line of ptys, a bridge and a router, all in this process and
its event loop (`scaled_time`). In some cells the bridge is a process of its own (`killed`), and is
killed by SIGKILL; then its device has to be in a new session before anything else happens.
Something happens to it at a random moment: after so many octets
on the line since the last time, or when nothing moves any more. Every few times its device has to
get a publication through to the router and its acknowledgement back. When all cells are at rest,
what the process holds is counted: descriptors, tasks, objects, memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import statistics
import tempfile
import time
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import killed

import wamp
from microwamp.bridge import Bridge
from microwamp.router import RealmConfig, Router, RouterConfig
from microwamp_rig.line import Line
from microwamp_rig.pty import Pty

FACTOR = 100
CELLS = 4
PROCESSES = 2  # cells of these whose bridge is a process
_STUCK_S = 120.0  # on the wall: more than three hours of the cell's time
_QUIET_S = 20.0  # on the wall, until what is over has gone
# What happens, and how often of a hundred times.
EVENTS = {
    "unplugged": 30,  # and plugged in again, mostly before lost_ms
    "reset": 25,
    "power cut": 10,
    "bridge killed": 15,
    "router killed": 12,
    "cut": 8,  # octets are lost, and nobody notices a hang-up
}
# The name of "bridge killed" where the bridge is a process.
SIGKILL = "bridge SIGKILLed"


def _ignore(event: str, fields: Mapping[str, Any]) -> None:
    """A log that nobody keeps."""


class Cell:
    """One device with all that is between it and its router. bridges: who starts its bridge as a
    process; None: it is part of this one."""

    def __init__(
        self,
        folder: Path,
        number: int,
        seed: int,
        counts: Counter[str],
        bridges: killed.Bridges | None,
    ) -> None:
        self._rng = random.Random(f"{seed} {number}")
        self._counts = counts
        self._pty = Pty()
        self._line = Line(self._pty.path, seed=seed + number)
        self._said: deque[str] = deque(maxlen=20)  # by the bridge, and what happened; for errors
        self._url = f"rs://unix:{folder}/router-{number}"
        self._bridges = bridges
        self._pid = 0  # of the bridge
        self._log = folder / f"bridge-{number}.log"
        self._router: Router | None = None
        self._bridge: Bridge | None = None
        self._serving: asyncio.Task[None] | None = None
        self._client: wamp.Client | None = None
        self._talking: asyncio.Task[None] | None = None
        self.slowest_s = 0.0  # of the cell's time, from the last event to an answer
        self.rejoined_s: list[float] = []  # from the start of the next bridge process

    async def start(self) -> None:
        """Everything on."""
        self._line.start()
        await self._start_router()
        await self._start_bridge()
        self._power_on()

    async def _start_router(self) -> None:
        realm = RealmConfig("devices", anonymous="device")
        self._router = Router(RouterConfig((realm,), listen=(self._url,)), _ignore)
        await self._router.start()

    async def _start_bridge(self) -> None:
        if self._bridges is not None:
            self._pid = await self._bridges.start(self._line.port, self._url, self._log)
            return
        self._bridge = Bridge.of(killed.config(self._line.port, self._url), self._hear)
        self._serving = asyncio.create_task(self._bridge.run())

    def _hear(self, event: str, fields: Mapping[str, Any]) -> None:
        self._said.append(f"{event} {fields.get('state', '')} {fields.get('reason', '')}")

    def _power_on(self) -> None:
        self._pty.discard()
        self._client = wamp.Client(f"serial:fd/{self._pty.fd}")
        self._client.start()

    # -- what happens to it

    async def event(self) -> None:
        """One of EVENTS."""
        rng = self._rng
        name = rng.choices(list(EVENTS), list(EVENTS.values()))[0]
        if name == "bridge killed" and self._bridges is not None:
            name = SIGKILL
        self._counts[name] += 1
        self._said.append(name)
        # Short ones are survived, long ones are not.
        pause = rng.uniform(0, 3) if rng.random() < 0.8 else rng.uniform(8, 14)
        if name == "unplugged":
            self._line.unplug()
            await asyncio.sleep(pause)
            self._line.replug()
        elif name in ("reset", "power cut"):
            await self._power_off()
            # In the middle of a frame, as it may be, and then the boot message.
            self._print(rng.randbytes(rng.randrange(40)) + b"\r\nMicroPython on nothing\r\n")
            if name == "power cut":
                await asyncio.sleep(pause)
            self._power_on()
        elif name == "bridge killed":
            await self._kill_bridge()
            await asyncio.sleep(rng.uniform(0, 2))
            await self._start_bridge()
        elif name == SIGKILL:
            await self._sigkill(rng.uniform(0, 2))
        elif name == "router killed":
            self._kill_router()
            await asyncio.sleep(rng.uniform(0, 2))
            await self._start_router()
        else:
            self._line.cut()
            await asyncio.sleep(pause)
            self._line.restore()

    async def _power_off(self) -> None:
        """The client's end, without a word on the line."""
        client, self._client = self._client, None
        assert client is not None
        transport, task = client._transport, client._task
        if transport is not None and getattr(transport, "_port", None) is not None:
            transport._ended = "there is no power"
            transport._port.close()
        client._leaving = True  # it does not try again
        task.cancel()
        await asyncio.wait([task])

    def _print(self, octets: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._pty.fd, octets)

    async def _kill_bridge(self) -> None:
        """What the system does for a process that is killed: its descriptors are closed."""
        bridge, serving = self._bridge, self._serving
        assert bridge is not None and serving is not None
        serving.cancel()
        await asyncio.wait([serving])
        for device in bridge.devices:
            device._alarm.stop()
            device._drop_relay()
            if device._port is not None:
                device._port.close()

    async def _sigkill(self, pause: float) -> None:
        """The bridge's process is killed, and another takes its place: the device joins anew."""
        client, bridges = self._client, self._bridges
        assert client is not None and bridges is not None
        joins, joined = client.joins, client.session is not None
        await bridges.kill(self._pid)
        await asyncio.sleep(pause)
        await self._start_bridge()
        took = await self.proof()
        if joined:
            if client.joins == joins:
                raise RuntimeError(f"a session outlived its bridge: {self.story()}")
            self.rejoined_s.append(took)

    def _kill_router(self) -> None:
        router = self._router
        assert router is not None
        router._stop_listening()
        for connection in list(router._connections):
            connection.abort()

    # -- between two events

    async def traffic(self) -> None:
        """Until a random moment: so many octets on the line, or nothing for a while."""
        counters = self._line.to_host.counters, self._line.to_board.counters
        mark = self._rng.randrange(1500)
        begin = now = sum(one.read for one in counters)
        while now - begin < mark:
            await asyncio.sleep(0.1)
            before, now = now, sum(one.read for one in counters)
            if now == before:
                return

    async def proof(self) -> float:
        """The device gets through, however long it takes; says how long. Raises if it never
        does."""
        loop = asyncio.get_running_loop()
        begin, wall = loop.time(), time.monotonic()
        client = self._client
        assert client is not None
        while True:
            try:
                await client.publish("com.example.alive", begin, acknowledge=True)
                break
            except wamp.Error as e:
                if time.monotonic() - wall > _STUCK_S:
                    raise RuntimeError(f"a device is stuck: {self.story()}") from e
                await asyncio.sleep(0.1)
        took = loop.time() - begin
        self.slowest_s = max(self.slowest_s, took)
        return took

    def story(self) -> str:
        """Where everything is, for an error."""
        assert self._client is not None
        if self._bridge is not None:
            bridge = self._bridge.devices[0].state
        else:
            bridge = "; ".join(self._log.read_text().splitlines()[-10:])
        client = f"client {self._client.state} ({self._client.error!r})"
        return f"{client}, bridge {bridge}; {'; '.join(self._said)}"

    async def run(self, cycles: int) -> None:
        """So many events; every third time or so the device has to prove that it lives."""
        for _ in range(cycles):
            if self._talking is None:
                self._talking = asyncio.create_task(self._talk())
            await self.traffic()
            await self.event()
            if self._rng.random() < 0.4:
                await self.proof()
        await self.proof()
        assert self._talking is not None
        self._talking.cancel()
        await asyncio.wait([self._talking])
        self._talking = None

    async def _talk(self) -> None:
        """Publications of all lengths, so that events hit messages."""
        rng = random.Random(self._rng.random())
        while True:
            await asyncio.sleep(0.02)
            client = self._client
            if client is None:
                continue
            with contextlib.suppress(wamp.Error):
                octets = bytes(rng.randrange(1200))
                await client.publish("com.example.data", octets, acknowledge=True, timeout_ms=500)

    async def close(self) -> None:
        """Everything off."""
        assert self._client is not None and self._router is not None
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.wait([self._talking])
        await self._client.leave()
        if self._bridges is not None:
            await self._bridges.kill(self._pid)
        elif self._bridge is not None and self._serving is not None:
            await self._bridge.stop()
            self._serving.cancel()
            await asyncio.wait([self._serving])
        await self._router.close()
        self._line.close()
        self._pty.close()


def held() -> dict[str, int]:
    """What this process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()),
        "resident_kb": pages * os.sysconf("SC_PAGESIZE") // 1024,
    }


async def rest(first: dict[str, int] | None) -> dict[str, int]:
    """What is held once nothing moves: as much as at first, or what is left after a while."""
    end = time.monotonic() + _QUIET_S
    while True:
        await asyncio.sleep(5)
        now = held()
        names = ("descriptors", "tasks")
        if first is None or all(now[name] <= first[name] for name in names):
            return now
        if time.monotonic() > end:
            return now


async def measure(
    cycles: int, seed: int, cells: int = CELLS, parts: int = 10, processes: int = PROCESSES
) -> dict[str, Any]:
    """So many events, shared by the cells; counts what is held after each of the parts. processes:
    how many of the cells have their bridge as a process."""
    counts: Counter[str] = Counter()
    share = max(cycles // cells // (parts + 1), 1)
    counted = []
    begin, cpu = time.monotonic(), time.process_time()
    async with contextlib.AsyncExitStack() as stack:
        bridges = await stack.enter_async_context(killed.Bridges(FACTOR)) if processes else None
        prefix = "microwamp-cycles-"
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))
        all_ = [
            Cell(folder, number, seed, counts, bridges if number < processes else None)
            for number in range(cells)
        ]
        for cell in all_:
            await cell.start()
        for _ in range(parts + 1):  # the first warms up
            await asyncio.gather(*(cell.run(share) for cell in all_))
            counted.append(await rest(counted[0] if counted else None))
        for cell in all_:
            await cell.close()
    rejoined = [took for cell in all_ for took in cell.rejoined_s]
    return {
        "cycles": sum(counts.values()),
        "seed": seed,
        "cells": cells,
        "processes": processes,
        "events": dict(counts),
        "slowest_s": round(max(cell.slowest_s for cell in all_), 1),
        "killed_joined": len(rejoined),
        "rejoined_s": [
            round(one, 1) for one in (statistics.median(rejoined or [0.0]), max(rejoined or [0.0]))
        ],
        "wall_s": round(time.monotonic() - begin, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "first": counted[0],
        "last": counted[-1],
        "grown": {name: counted[-1][name] - counted[0][name] for name in counted[0]},
    }
