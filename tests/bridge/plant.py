"""Router, bridge, lines and devices in one event loop, for the tests of the bridge."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import wamp
from microwamp.bridge import Bridge, Device
from microwamp.router import Principal, RealmConfig, Router, RouterConfig
from microwamp_rig import process
from microwamp_rig.line import Line
from microwamp_rig.pty import Pty
from wamp import ed25519
from wamp.auth import Cryptosign

SEED = bytes(range(32))
PUBLIC = bytes(ed25519.run(ed25519.public_key(SEED)))
REALM = RealmConfig(
    name="devices",
    anonymous="anonymous",
    principals=(Principal("device", public_keys=(PUBLIC.hex(),)),),
)


def key() -> Cryptosign:
    """The login of the device."""
    return Cryptosign(SEED, PUBLIC)


async def until(condition: Callable[[], bool], what: str, limit_s: float = 60.0) -> None:
    """Wait for a condition, or fail and say what was waited for."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {limit_s:g} s"
        await asyncio.sleep(0.005)


class Log:
    """What a bridge or a router reports."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, fields: Mapping[str, Any]) -> None:
        self.events.append((event, dict(fields)))

    def all(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The events of that name with these fields."""
        return [f for name, f in self.events if name == event and fields.items() <= f.items()]

    async def expect(self, event: str, limit_s: float = 60.0, **fields: object) -> dict[str, Any]:
        """Wait for one, among all so far; the last of them."""
        await until(
            lambda: bool(self.all(event, **fields)), f"{event} {fields} among {self}", limit_s
        )
        return self.all(event, **fields)[-1]

    def __repr__(self) -> str:
        return "\n".join(f"{name} {fields}" for name, fields in self.events)


class Cable:
    """A board's end as a descriptor, the line, and the host's end."""

    def __init__(self, baud: int | None = None, seed: int = 0) -> None:
        self.pty = Pty()
        self.url = f"serial:fd/{self.pty.fd}"
        self.line = Line(self.pty.path, baud=baud, seed=seed)
        self.port = self.line.port

    def to_host(self, octets: bytes) -> None:
        """As if the board had printed them."""
        assert os.write(self.pty.fd, octets) == len(octets)

    def close(self) -> None:
        self.line.close()
        self.pty.close()


class Plant:
    """An embedded router, one bridge in this process, and cables to it.

    Use as `async with Plant(...) as plant`: router and bridge are started then, unless `router`
    or `bridge` is False. Clients made by `device` and `host` are ended with it.
    """

    def __init__(
        self,
        cables: int = 1,
        *,
        router: bool = True,
        bridge: bool = True,
        baud: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        self._at_once = router, bridge
        self._options = options
        self.tcp_port = process.free_ports(1)[0]
        self.url = f"rs://127.0.0.1:{self.tcp_port}"
        self.cables = [Cable(baud, seed + n) for n in range(cables)]
        self.log = Log()  # of the bridge
        self.router_log = Log()
        self.router: Router | None = None
        self.bridge: Bridge | None = None
        self._serving: asyncio.Task[None] | None = None
        self._clients: list[wamp.Client] = []

    @property
    def line(self) -> Line:
        return self.cables[0].line

    async def __aenter__(self) -> Self:
        for cable in self.cables:
            cable.line.start()
        router, bridge = self._at_once
        if router:
            await self.start_router()
        if bridge:
            self.start_bridge()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._clients:
            await client.leave()
        await self.stop_bridge()
        await self.stop_router()
        for cable in self.cables:
            cable.close()
        # Transports that were aborted close their sockets in the loop's next turns.
        await asyncio.sleep(0.01)

    async def start_router(self, **options: Any) -> Router:
        config = RouterConfig(realms=(REALM,), listen=(self.url,), **options)
        self.router = Router(config, self.router_log)
        await self.router.start()
        return self.router

    async def stop_router(self) -> None:
        router, self.router = self.router, None
        if router is not None:
            await router.close()

    def start_bridge(self, **options: Any) -> Bridge:
        options = {"baud": 921600, **self._options, **options}
        ports = options.pop("ports", [cable.port for cable in self.cables])
        self.bridge = Bridge(ports, options.pop("url", self.url), self.log, **options)
        self._serving = asyncio.create_task(self.bridge.run())
        return self.bridge

    def served(self, number: int = 0) -> Device:
        """The bridge's side of a cable."""
        assert self.bridge is not None
        return self.bridge.devices[number]

    async def stop_bridge(self) -> None:
        """As the command does it at SIGTERM."""
        bridge, self.bridge = self.bridge, None
        if bridge is not None:
            await bridge.stop()
            await self._end_serving()

    async def _end_serving(self) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
            await asyncio.wait([serving])

    def device(self, cable: int = 0, **options: Any) -> wamp.Client:
        """A client on a cable; not started."""
        options = {"auth": key(), **options}
        return self._keep(wamp.Client(self.cables[cable].url, **options))

    def host(self, **options: Any) -> wamp.Client:
        """A client that is connected to the router directly; not started."""
        return self._keep(wamp.Client(self.url, **options))

    def _keep(self, client: wamp.Client) -> wamp.Client:
        self._clients.append(client)
        return client
