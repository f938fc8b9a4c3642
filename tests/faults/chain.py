"""A device, its line, a bridge, a router and a host's program in virtual time, all the real code;
and what was promised about what passes between them."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import wamp
from microwamp.bridge import Bridge, BridgeConfig, Device, PortConfig
from microwamp.bridge import device as bridge_device
from microwamp.router import Principal, RealmConfig, Router, RouterConfig
from microwamp_rig.virtual_link import CLEAN, Faults
from microwamp_rig.virtual_port import VirtualCable
from wamp import _posixport, client, serialcontrol
from wamp.errors import ApplicationError, Error

#: After a single fault: the pauses of a client whose router is away for three seconds, at most.
AT_ONCE_S = 8.0
SECRET = "not much of a secret"
REALM = RealmConfig(
    name="devices",
    anonymous="anonymous",
    principals=(Principal("device", secret=SECRET),),
)


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(condition: Callable[[], bool], what: Callable[[], str], limit_s: float) -> float:
    """Wait for a condition, at most so long; returns how long it took."""
    begin = now()
    while not condition():
        assert now() - begin < limit_s, f"not within {limit_s:g} s: {what()}"
        await asyncio.sleep(0.005)
    return now() - begin


class Chain:
    """Use as `async with Chain(seed, folder)`, within `virtual_time`: router, bridge and device
    are started, the device has not joined yet.

    published, acknowledged: numbers that the device has begun to publish, and those whose
    PUBLISHED has arrived. routed: those that the router took. settled: by what name, how often
    requests ended in a result, and in an error. taken: what each hand-over brought over.
    """

    def __init__(
        self, seed: int, folder: str, baud: int = 115200, faults: Faults = CLEAN, **device: Any
    ) -> None:
        self.rng = random.Random(seed)
        self.cable = VirtualCable(seed, baud, faults)
        self.baud = baud
        self.url = f"rs://unix:{folder}/router"
        self.port_config = PortConfig(self.cable.host.path, self.url, baud=baud)
        self.router: Router | None = None
        self.bridge: Bridge | None = None
        self._serving: asyncio.Task[None] | None = None
        self._options = device
        self.devices: list[wamp.Client] = []
        self.host = wamp.Client(self.url)
        self.published: list[int] = []
        self.acknowledged: list[int] = []
        self.routed: list[int] = []
        self.settled: dict[str, list[int]] = {"calls": [0, 0], "called": [0, 0], "told": [0, 0]}
        self.sizes: tuple[int, ...] = (1, 100, 2000)  # of what the host sends
        self.log: list[tuple[float, str, dict[str, Any]]] = []
        self._work: list[asyncio.Task[None]] = []
        self._program: list[asyncio.Task[None]] = []  # the device's own, which end with it
        self._soon: list[asyncio.Task[None]] = []
        self._one = {part: asyncio.Lock() for part in ("bridge", "router", "device")}
        self.taken: list[dict[str, Any]] = []
        self._undo: list[Callable[[], None]] = []

    # -- the parts

    async def __aenter__(self) -> Self:
        for module in (client, serialcontrol, bridge_device):
            self._replace(module, "random32", lambda: self.rng.randrange(1, 1 << 32))
        self._replace(_posixport, "open_port", self.cable.open_port)
        await self.start_router()
        await self.start_bridge()
        self.start_device()
        self.host.register("com.host.double", self._double)
        self.host.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cable.clean()
        tasks = [*self._work, *self._program, *self._soon]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in (*self.devices, self.host):
            await one.leave()
        await self.kill_bridge()
        await self.kill_router()
        for undo in self._undo:
            undo()

    def _replace(self, module: Any, name: str, value: Any) -> None:
        before = getattr(module, name)
        self._undo.append(lambda: setattr(module, name, before))
        setattr(module, name, value)

    @property
    def device(self) -> wamp.Client:
        """The board as it is now."""
        return self.devices[-1]

    @property
    def port(self) -> Device:
        assert self.bridge is not None
        return self.bridge.devices[0]

    def _report(self, event: str, fields: Any) -> None:
        self.log.append((now(), event, dict(fields)))

    async def start_router(self) -> None:
        self.router = Router(RouterConfig((REALM,), listen=(self.url,)), lambda *report: None)
        broker = self.router.realms["devices"].broker
        publish = broker.publish

        def observed(session: Any, message: Any, octets: int = 0) -> Any:
            if message[3] == "com.device.count":
                self.routed.append(message[4][0])
            return publish(session, message, octets)

        broker.publish = observed  # type: ignore[method-assign]
        await self.router.start()

    async def kill_router(self) -> None:
        """As SIGKILL: the system closes its sockets, nobody is told why."""
        router, self.router = self.router, None
        if router is not None:
            router._stop_listening()
            for connection in list(router._connections):
                connection.abort()
            await asyncio.sleep(0)

    async def start_bridge(self, given: Mapping[str, int] | None = None) -> None:
        """given: descriptors that a predecessor handed over."""
        self.bridge = Bridge.of(BridgeConfig((self.port_config,)), self._report)
        if given is not None:
            self.taken.append(await self.bridge.take_over(given))
        self._serving = asyncio.create_task(self.bridge.run())

    async def kill_bridge(self) -> None:
        """As SIGKILL: port and connection to the router are closed, the device is not told."""
        bridge, self.bridge = self.bridge, None
        serving, self._serving = self._serving, None
        if bridge is not None and serving is not None:
            device = bridge.devices[0]
            device._alarm.stop()
            device._drop_upstream()
            serving.cancel()
            await asyncio.wait([serving])
            if device._port is not None:
                device._port.close()

    async def hand_over(self, seconds: float) -> None:
        """As SIGUSR2: the process ends, and the next one goes on with its descriptors, which
        somebody keeps so long."""
        assert self.bridge is not None
        given = await self.bridge.hand_over()
        kept = {name: os.dup(fd) for name, fd in given}
        await self.kill_bridge()
        for _, fd in given:
            os.close(fd)
        await asyncio.sleep(seconds)
        await self.start_bridge(kept)

    async def reload(self, **settings: Any) -> dict[str, int]:
        """As SIGHUP, with these in the file."""
        assert self.bridge is not None
        self.port_config = replace(self.port_config, **settings)
        return await self.bridge.reload(BridgeConfig((self.port_config,)))

    def start_device(self) -> None:
        """The board begins, or begins anew after a reset."""
        device = wamp.Client(
            f"serial:{self.cable.board.path}?baud={self.baud}",
            auth=wamp.CRA("device", SECRET),
            **self._options,
        )
        device.register("com.device.echo", lambda octets: octets)
        device.subscribe("com.device.down", lambda *args: None)
        self.devices.append(device)
        self.cable.processor.run(device.start)
        if self._work:
            self._start_program()

    def _start_program(self) -> None:
        task = self.cable.processor.task
        self._program = [task(self._publish()), task(self._call())]

    async def reset_device(self) -> None:
        """It loses its power without a word, and begins anew a little later."""
        self.cable.processor.go()
        device: Any = self.device
        transport = device._transport
        if transport is not None:
            transport._alarm.stop()
            if transport._flushing is not None:
                transport._flushing.cancel()
            if transport._port is not None:
                transport._port.close()
        tasks: list[Any] = [*self._program, *([device._task] if device._task else [])]
        self._program.clear()
        if tasks:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await asyncio.sleep(self.rng.random() * 0.4)
        self.start_device()

    def hold_router(self, hold: bool) -> None:
        """The router does not read what the bridge sends, or does again."""
        if self.router is not None:
            for connection in self.router._connections:
                transport: Any = connection._transport
                if transport is not None and not transport.is_closing():
                    (transport.pause_reading if hold else transport.resume_reading)()

    def soon(
        self, part: str, what: Callable[[Chain, float], Awaitable[None]], seconds: float
    ) -> None:
        """Do something to the bridge, the router or the device beside whatever else happens; one
        such thing at a time to each."""

        async def do() -> None:
            async with self._one[part]:
                await what(self, seconds)

        self._soon.append(asyncio.create_task(do()))

    async def settle_down(self) -> None:
        """Until all of `soon` has been done, and nobody holds anything back."""
        await asyncio.gather(*self._soon)
        self.hold_router(False)

    # -- what passes

    def work(self) -> None:
        """From now on: the device publishes and calls, the host calls and publishes."""
        self._work = [asyncio.create_task(one()) for one in (self._be_called, self._tell)]
        self._start_program()

    async def _publish(self) -> None:
        while True:
            text = "x" * self.rng.choice((0, 40, 700, 3000))
            n = len(self.published)
            self.published.append(n)
            try:
                await self.device.publish("com.device.count", n, text, acknowledge=True)
                self.acknowledged.append(n)
            except Error:
                pass
            await asyncio.sleep(self.rng.random() * 0.2)

    async def _settle(self, name: str, request: Awaitable[Any], expected: Any) -> None:
        try:
            assert await request == expected, f"{name}: another result"
            self.settled[name][0] += 1
        except (ApplicationError, Error):
            self.settled[name][1] += 1
        await asyncio.sleep(self.rng.random() * 0.2)

    async def _call(self) -> None:
        n = 0
        while True:
            n += 1
            await self._settle("calls", self.device.call("com.host.double", n), n + n)

    async def _be_called(self) -> None:
        while True:
            octets = self.rng.randbytes(self.rng.choice(self.sizes))
            await self._settle("called", self.host.call("com.device.echo", octets), octets)

    async def _tell(self) -> None:
        while True:
            octets = bytes(self.rng.choice(self.sizes))
            publishing = self.host.publish("com.device.down", octets, acknowledge=True)
            try:
                await publishing
                self.settled["told"][0] += 1
            except Error:
                self.settled["told"][1] += 1
            await asyncio.sleep(self.rng.random() * 0.2)

    def _double(self, n: int) -> int:
        return n + n

    # -- what was promised

    def check(self) -> None:
        """The promises that hold at any time."""
        assert self.routed == sorted(set(self.routed)), "a publication came twice, or out of order"
        missing = set(self.acknowledged) - set(self.routed)
        assert not missing, f"acknowledged, and not at the router: {missing}"
        self.check_device()
        if self.bridge is not None:
            buffers = self.port.status()["buffers"]
            # A CLOSE counts one.
            assert buffers["link"] <= 16385 and buffers["device"] <= 1 << 18, buffers
            assert buffers["router"] <= 1 << 18, buffers

    def check_device(self) -> None:
        """What the device keeps is bounded."""
        device: Any = self.device
        assert len(device._due) <= 16 and len(device._waiting) <= 16, "requests pile up"
        assert device._transport is None or device._transport.backlog() <= 1 << 17

    async def recovers(self, limit_s: float) -> float:
        """The line is clean: within so long a session is up in which everything works; returns
        after how long."""
        self.cable.clean()
        before = self._good()
        took = await until(lambda: self.all_worked(before), self.story, limit_s)
        self.check()
        return took

    def all_worked(self, before: Sequence[int] = (0, 0, 0, 0)) -> bool:
        """Whether requests of each kind have succeeded, since `before`."""
        return all(a > b for a, b in zip(self._good(), before, strict=True))

    def _good(self) -> list[int]:
        return [len(self.acknowledged), *(one[0] for one in self.settled.values())]

    def story(self) -> str:
        """For messages of failed tests."""
        lines = [f"{at:9.3f} {event} {fields}" for at, event, fields in self.log[-20:]]
        clients = [f"{one.url} {one.state} {one.joins} joins, {one.error}" for one in
                   (*self.devices[-2:], self.host)]  # fmt: skip
        return "\n".join(["", *lines, *clients, str(self.settled)])


# -- what may happen to it, and for how long


async def unplugged(chain: Chain, seconds: float) -> None:
    chain.cable.host.unplug()
    await asyncio.sleep(seconds)
    chain.cable.host.replug()


async def unplugged_at_the_board(chain: Chain, seconds: float) -> None:
    chain.cable.board.unplug()
    await asyncio.sleep(seconds)
    chain.cable.board.replug()


async def bridge_killed(chain: Chain, seconds: float) -> None:
    await chain.kill_bridge()
    await asyncio.sleep(seconds)
    await chain.start_bridge()


async def handed_over(chain: Chain, seconds: float) -> None:
    await chain.hand_over(seconds)


async def handed_over_unplugged(chain: Chain, seconds: float) -> None:
    """The cable is out when the process changes."""
    chain.cable.host.unplug()
    await asyncio.sleep(0.1)
    await chain.hand_over(seconds)
    chain.cable.host.replug()


async def reloaded(chain: Chain, seconds: float) -> None:
    """Settings that a session outlives."""
    rng, limits = chain.rng, chain.port_config.limits
    done = await chain.reload(
        console=rng.choice(("off", "out", "both")),
        realms=rng.choice(((), ("devices",))),
        limits=replace(limits, messages_per_s=rng.choice((500, 2000))),
    )
    assert done == {"kept": 1, "restarted": 0, "stopped": 0, "new": 0}


async def reloaded_anew(chain: Chain, seconds: float) -> None:
    """Settings of the line: the device is told, and joins anew."""
    done = await chain.reload(lost_ms=9000 + 10000 - chain.port_config.lost_ms)
    assert done == {"kept": 0, "restarted": 1, "stopped": 0, "new": 0}


async def router_killed(chain: Chain, seconds: float) -> None:
    await chain.kill_router()
    await asyncio.sleep(seconds)
    await chain.start_router()


async def device_reset(chain: Chain, seconds: float) -> None:
    await chain.reset_device()


async def erased(chain: Chain, seconds: float) -> None:
    chain.cable.erase(seconds * 1000)
    await asyncio.sleep(seconds)


async def held_low(chain: Chain, seconds: float) -> None:
    for wire in (chain.cable.up, chain.cable.down):
        wire.hold_low(now() * 1e6, seconds * 1000)
    await asyncio.sleep(seconds)
