"""A bridge as a service: signals, systemd, control socket, metrics, privileges."""

import asyncio
import contextlib
import os
from collections.abc import Callable, MutableMapping
from typing import Any

from wamp.errors import ConfigurationError, TransportError

from . import systemd
from .config import BridgeConfig
from .control import Control
from .device import Report
from .manager import Bridge
from .metrics import Metrics

_STATUS_S = 10.0


class Daemon:
    """Runs a Bridge until `end` or `hand_over`.

    control: path of the control socket where the configuration names none; "" for none. A default
    that cannot be used is no error, a configured one is.
    """

    def __init__(self, config: BridgeConfig, report: Report, control: str = "") -> None:
        self.config = config
        self._report = report
        self.bridge = Bridge.of(config, report)
        self.reload: Callable[[], BridgeConfig] | None = None
        self._control = Control(self.bridge, config.control or control)
        self._control_wanted = bool(config.control)
        self._metrics = Metrics(self.bridge, config.metrics)
        self._notify = systemd.Notify()
        self._given: dict[str, int] = {}
        self._ended = asyncio.Event()
        self._handing = False
        self._watchdog_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def say(self, state: str, **fields: Any) -> None:
        """A line about the bridge as a whole."""
        self.bridge.report("bridge", {"state": state, **fields})

    # -- before anything is opened

    def take_descriptors(self, environment: MutableMapping[str, str]) -> None:
        """What systemd passes to this process: descriptors, where to report to, the watchdog."""
        self._notify = systemd.Notify(environment.get("NOTIFY_SOCKET", ""))
        self._given = systemd.descriptors(environment)
        self._watchdog_s = systemd.watchdog_s(environment)
        if self._given:
            # Before they are used: should we crash, the next one must not find them too.
            for name in self._given:
                self._notify.remove(name)
            self._notify.barrier()

    def drop_privileges(self) -> None:
        """Become the configured user, with his groups, if we are root. Raises
        ConfigurationError."""
        name = self.config.user
        if not name:
            return
        import pwd

        try:
            user = pwd.getpwnam(name)
        except KeyError:
            raise ConfigurationError(f"user {name} does not exist here") from None
        if os.geteuid() == user.pw_uid:
            return
        try:
            os.initgroups(name, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        except PermissionError:
            raise ConfigurationError(f"user {name}: only root can become somebody else") from None

    # -- what signals do

    def end(self) -> None:
        """SIGTERM, SIGINT."""
        self._ended.set()

    def reload_soon(self, read: Callable[[], BridgeConfig]) -> None:
        """SIGHUP: take what `read` gives, or stay as we are and say why."""

        async def again() -> None:
            self._notify.send("RELOADING=1", f"MONOTONIC_USEC={_now_us()}")
            try:
                config = read()
                if (config.user, config.control, config.metrics) != (
                    self.config.user,
                    self.config.control,
                    self.config.metrics,
                ):
                    self.say("warning", reason="user, control and metrics change with a restart")
                done = await self.bridge.reload(config)
                self.say("reloaded", **done)
            except ConfigurationError as e:
                self.say("not reloaded", reason=str(e))
            self._notify.send("READY=1", self._status())

        self._spawn(again())

    def hand_over(self) -> None:
        """SIGUSR2: give ports and sessions to the next process, and end."""
        if not self._notify.there:
            self.say("not handed over", reason="there is no systemd to hand over to")
            return
        self._handing = True
        self._ended.set()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the life of it

    async def run(self) -> None:
        """Until a signal ends it. Raises ConfigurationError and TransportError."""
        bridge = self.bridge
        await self._open()
        if self._given:
            found = await bridge.take_over(self._given)
            self.say("taken over", **{k: v for k, v in found.items() if v != ""})
        serving = asyncio.create_task(bridge.run())
        helping = asyncio.create_task(self._watch())
        waiting = asyncio.create_task(self._ended.wait())
        self._notify.send("READY=1", self._status())
        try:
            done, _ = await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
            if serving in done:
                serving.result()
            if self._handing:
                await self._give()
            else:
                self._notify.send("STOPPING=1", "STATUS=telling the devices")
                await bridge.stop()
        finally:
            for task in (serving, helping, waiting, *self._tasks):
                task.cancel()
            await asyncio.gather(serving, helping, waiting, return_exceptions=True)
            await self._control.close()
            await self._metrics.close()
        self.say("handed over" if self._handing else "stopped")

    async def _open(self) -> None:
        try:
            await self._control.open()
        except TransportError as e:
            if self._control_wanted:
                raise
            self.say("warning", reason=str(e))
        await self._metrics.open()

    async def _give(self) -> None:
        given = await self.bridge.hand_over()
        # The next process must not take over half of it: the state goes last.
        for name, fd in (*given[1:], given[0]):
            self._notify.store(name, fd)
        self._notify.send("STATUS=handed over")
        with contextlib.suppress(OSError):
            self._notify.barrier()

    async def _watch(self) -> None:
        """The watchdog hears of us as long as the event loop turns."""
        every = min(self._watchdog_s or _STATUS_S, _STATUS_S)
        said = ""
        while self._notify.there:
            if self._watchdog_s:
                self._notify.send("WATCHDOG=1")
            status = self._status()
            if status != said:
                self._notify.send(status)
                said = status
            await asyncio.sleep(every)

    def _status(self) -> str:
        states = [device.state for device in self.bridge.devices]
        joined = states.count("joined")
        absent = states.count("absent")
        return f"STATUS={len(states)} ports, {joined} devices joined, {absent} absent"


def _now_us() -> int:
    import time

    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
