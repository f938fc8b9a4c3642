"""All ports of a bridge: which are served, reload, hand-over."""

import asyncio
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from wamp.errors import ConfigurationError

from . import config as settings
from . import handover
from .config import BridgeConfig, PortConfig, usb
from .device import Device, Report
from .ports import Ports


class Bridge:
    """Serves a number of ports; each device gets a router connection of its own.

    ports: ttys, ptys, pyserial URLs or usb:VID:PID:SERIAL. router: rs://host:port,
    rss://host:port (the certificate is verified; tls overrides how), rs://unix:/path, ws:// or
    wss://. config: all of the settings instead of the single ones. Raises ConfigurationError.
    """

    def __init__(
        self,
        ports: Sequence[str],
        router: str,
        report: Report,
        *,
        baud: int = 115200,
        tls: ssl.SSLContext | None = None,
        console: str = "out",
        lost_ms: int = 10000,
        config: BridgeConfig | None = None,
    ) -> None:
        if config is None:
            config = BridgeConfig(
                tuple(
                    PortConfig(p, router, baud=baud, console=console, lost_ms=lost_ms)
                    for p in ports
                )
            )
        self.config = config
        self.plugged = Ports()
        self.listeners: set[Report] = set()
        self._report_to = report
        self._tls = tls
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running = False
        self._reloading = asyncio.Lock()
        self.reloads = 0
        self.devices = [self._device(port) for port in config.ports]

    @classmethod
    def of(cls, config: BridgeConfig, report: Report) -> "Bridge":
        """The bridge of a configuration."""
        return cls((), "", report, config=config)

    def report(self, event: str, fields: Mapping[str, Any]) -> None:
        """One line in the log, and to whoever listens."""
        self._report_to(event, fields)
        for listener in tuple(self.listeners):
            listener(event, fields)

    def _device(self, config: PortConfig) -> Device:
        return Device(
            config.port,
            config.router,
            self.report,
            tls=self._tls,
            config=config,
            find=self.plugged.path,
        )

    def device(self, name: str) -> Device | None:
        """The device that has this name, port or tty."""
        for one in self.devices:
            if name in (one.name, one.config.port, one.path):
                return one
        return None

    # -- the life of it

    async def run(self) -> None:
        """Serve until cancelled."""
        self._running = True
        watching: asyncio.Task[None] | None = None
        try:
            if self._wants_watch():
                await self.plugged.look()
                self._discover()
            for device in self.devices:
                self._start(device)
            watching = asyncio.create_task(self._watch())
            await asyncio.Event().wait()
        finally:
            tasks = [*self._tasks.values(), *([watching] if watching is not None else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, device: Device) -> None:
        if self._running and device.name not in self._tasks:
            self._tasks[device.name] = asyncio.create_task(self._serve(device))

    async def _serve(self, device: Device) -> None:
        """A fault of ours in one device must not end the others."""
        while True:
            try:
                await device.run()
                return
            except Exception as e:
                device.report("fault", reason=f"{type(e).__name__}: {e}")
                await asyncio.sleep(1.0)

    def _wants_watch(self) -> bool:
        if self.config.discover is not None:
            return True
        return any(usb(port.port) is not None for port in self.config.ports)

    async def _watch(self) -> None:
        while not self._wants_watch():
            await asyncio.sleep(1.0)  # a reload may bring such a port
        await self.plugged.watch(self.look)

    def look(self) -> None:
        """Something was plugged in or out: serve what is new, look for what was missed."""
        self._discover()
        for device in self.devices:
            device.look()

    def _discover(self) -> None:
        rule = self.config.discover
        if rule is None:
            return
        known = {device.config.port for device in self.devices}
        taken = {device.path for device in self.devices if device.state != "absent"}
        for port in self.config.ports:
            try:
                taken.add(self.plugged.path(port.port))
            except OSError:
                continue
        for identity in self.plugged.discovered(rule, taken):
            if identity in known:
                continue
            found = sum(1 for one in self.devices if one.config.port not in self._named())
            if found >= rule.most:
                self.report(
                    "discover",
                    {
                        "port": identity,
                        "state": "ignored",
                        "reason": f"{rule.most} boards are served already",
                    },
                )
                known.add(identity)
                continue
            self.report("discover", {"port": identity, "state": "found"})
            device = self._device(replace(rule.like, port=identity))
            self.devices.append(device)
            self._start(device)

    def _named(self) -> set[str]:
        return {port.port for port in self.config.ports}

    async def stop(self) -> None:
        """Tell all devices, and close the ports."""
        await asyncio.gather(*(device.stop() for device in self.devices))

    # -- reload

    async def reload(self, config: BridgeConfig) -> dict[str, int]:
        """Serve what `config` says. What is as before keeps its session; says how many are
        kept, restarted, stopped and new."""
        async with self._reloading:
            return await self._reload(config)

    async def _reload(self, config: BridgeConfig) -> dict[str, int]:
        settings.context.cache_clear()
        wanted = {port.called: port for port in config.ports}
        ports = {port.port for port in config.ports}
        rule = config.discover
        named = self._named()
        kept, ended = [], []
        fresh = dict(wanted)
        for device in self.devices:
            now = wanted.get(device.name)
            if now is None and rule is not None and device.config.port not in named | ports:
                now = replace(rule.like, port=device.config.port)
                vid_pid = usb(device.config.port)
                if vid_pid is not None and vid_pid[:2] not in rule.match:
                    now = None
            if now is not None and device.config.same_line(now):
                device.apply(now)
                kept.append(device)
                fresh.pop(device.name, None)
            else:
                ended.append(device)
        await asyncio.gather(*(self._end(device, device.name in fresh) for device in ended))
        self.config = config
        made = [self._device(port) for port in fresh.values()]
        order = {name: i for i, name in enumerate(wanted)}
        self.devices = sorted(
            [*kept, *made], key=lambda device: order.get(device.name, len(order))
        )
        for device in made:
            self._start(device)
        self.reloads += 1
        self.plugged.again()
        restarted = sum(1 for device in ended if device.name in fresh)
        return {
            "kept": len(kept),
            "restarted": restarted,
            "stopped": len(ended) - restarted,
            "new": len(made) - restarted,
        }

    async def _end(self, device: Device, again: bool) -> None:
        await device.stop(
            "the bridge has new settings for this port"
            if again
            else "the bridge does not serve this port any more"
        )
        task = self._tasks.pop(device.name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    # -- hand-over

    async def hand_over(self) -> list[tuple[str, int]]:
        """Stop all traffic; returns descriptors, by name, for a successor. Devices that cannot go
        on are told that the bridge stops."""
        states = await asyncio.gather(*(device.keep() for device in self.devices))
        rest = [d for d, state in zip(self.devices, states, strict=True) if state is None]
        await asyncio.gather(*(device.stop() for device in rest))
        return handover.pack([state for state in states if state is not None])

    async def take_over(self, descriptors: Mapping[str, int]) -> dict[str, Any]:
        """Before `run`: go on with what a predecessor handed over. What cannot go on is closed,
        and joins anew. Says how many sessions and ports go on, and why others do not."""
        left = dict(descriptors)
        states, reason = handover.unpack(left)
        sessions = ports = 0
        for state in states:
            device = self.device(state["name"])
            if device is None and self.config.discover is not None:
                device = self._device(replace(self.config.discover.like, port=state["name"]))
                self.devices.append(device)
            port = left.get(state["port"], -1)
            router = left.get(state["router"], -1)
            same = device is not None and repr(device.config) == state["config"]
            if device is None or not same or (state["port"] and port < 0):
                reason = reason or f"{state['name']} has other settings"
                continue
            if state["link"] is not None and router < 0:
                reason = reason or f"{state['name']} has lost its router"
                continue
            left.pop(state["port"], None)
            left.pop(state["router"], None)
            try:
                await device.adopt(state, port, router)
            except (OSError, ValueError, ConfigurationError) as e:
                reason = str(e)
                continue
            ports += port >= 0
            sessions += state["link"] is not None
        for fd in left.values():
            os.close(fd)
        return {"sessions": sessions, "ports": ports, "reason": reason}

    # -- for people and programs that watch

    def status(self) -> list[dict[str, Any]]:
        """The status of all devices."""
        return [device.status() for device in self.devices]
