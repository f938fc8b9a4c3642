"""A board with the suite's device program, a bridge, a router and a host client, in one loop."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import wamp
from microwamp.bridge import Device
from microwamp.router import Limits, Principal, RealmConfig, Router, RouterConfig
from microwamp_rig.crossbar import CRYPTOSIGN_AUTHID, CRYPTOSIGN_PUBLIC, CRYPTOSIGN_SEED
from microwamp_rig.line import Line, Rates
from microwamp_rig.real import RealBoard
from microwamp_rig.rp2040 import Rp2040Board

_PROGRAM = Path(__file__).with_name("hil_device.py")
# First of all: a bridge that has not yet noticed a reset sends frames of the last connection, and
# one with an 03 in it would end the program before it has begun.
_CONSOLE_PROGRAM = "import micropython; micropython.kbd_intr(-1)\n"
KEY = f"public-key-ed25519: {CRYPTOSIGN_PUBLIC}\nprivate-key-ed25519: {CRYPTOSIGN_SEED.hex()}\n"
AUTHID = CRYPTOSIGN_AUTHID
HOST = "com.example.host."

#: Seconds of the board's time that one step may take, and of this machine's processors: a board
#: that works without an end would cost fifty of these for one of its own. MICROWAMP_HIL_LIMIT_S is
#: for a board that is slow because it is emulated elsewhere.
LIMIT_S = float(os.environ.get("MICROWAMP_HIL_LIMIT_S", "20"))
CPU_LIMIT_S = 90.0

Board = Rp2040Board | RealBoard


async def until(condition: Callable[[], bool], what: Callable[[], str] | str) -> None:
    """Waits for a condition, or fails and says for what."""
    loop = asyncio.get_running_loop()
    deadline, budget = loop.time() + LIMIT_S, time.process_time() + CPU_LIMIT_S
    while not condition():
        if loop.time() > deadline or time.process_time() > budget:
            raise AssertionError(what if isinstance(what, str) else what())
        await asyncio.sleep(0.01)


def device(line: str, baud: int = 921600) -> tuple[str, dict[str, bytes | str]]:
    """The device program for a line, and its files."""
    text = _PROGRAM.read_text(encoding="utf-8")
    url = f"serial:0?tx=0&rx=1&baud={baud}"
    if line == "console":
        text, url = _CONSOLE_PROGRAM + text, "serial:"
    return text, {"device.key": KEY, "hil.json": json.dumps({"url": url})}


class Log:
    """What the bridge reports."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, fields: Mapping[str, Any]) -> None:
        self.events.append((event, dict(fields)))

    def all(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The events of that name with these fields."""
        return [f for name, f in self.events if name == event and fields.items() <= f.items()]

    @property
    def console(self) -> list[str]:
        """What the board printed between frames."""
        return [fields["text"] for fields in self.all("console")]

    def __str__(self) -> str:
        return "".join(f"\n  bridge {name} {fields}" for name, fields in self.events[-30:])


class Bench:
    """make(program, **options): the factory `pico`. line: "uart" or "console". router: URLs for
    the device and for the host; None: an embedded router with `limits`. rates: faults of the line
    in both directions."""

    def __init__(
        self,
        make: Callable[..., Board],
        line: str = "uart",
        baud: int = 921600,
        router: tuple[str, str] | None = None,
        limits: Limits | None = None,
        rates: Rates | None = None,
    ) -> None:
        self.line = line
        self.baud = baud
        program, files = device(line, baud)
        self.board = make(program, line=line, files=files, baud=baud)
        self.log = Log()
        self.host: wamp.Client = None  # type: ignore[assignment]
        self.first: dict[str, Any] = {}  # what the device told after its first join
        self.heard: list[Any] = []  # first arguments of events of the device
        self.held = 0  # calls of the device that nobody answers
        self.wanted = 0  # so many calls of the device are answered together
        self._enough = asyncio.Event()
        self._now = 0
        self._urls = router
        self._limits = limits or Limits()
        self._rates = rates
        self._router: Router | None = None
        self._cable: Line | None = None
        self._device: Device | None = None
        self._serving: asyncio.Task[None] | None = None
        self._joined = 0  # sessions that the bridge saw when the last one was waited for
        #: A test leaves the board not joined: it is restarted for the next one.
        self.spent = False

    # -- life

    async def start(self) -> None:
        """Everything, up to a board that has joined."""
        if self._urls is None:
            principal = Principal(AUTHID, "user", public_keys=(CRYPTOSIGN_PUBLIC,))
            realm = RealmConfig("devices", anonymous="anonymous", principals=(principal,))
            config = RouterConfig((realm,), listen=("rs://127.0.0.1:0",), limits=self._limits)
            self._router = Router(config, lambda event, fields: None)
            await self._router.start()
            self._urls = self._router.urls[0], self._router.urls[0]
        self.host = wamp.Client(self._urls[1])
        self.host.subscribe(HOST + "heard", self._heard)
        self.host.register(HOST + "add", self._add)
        self.host.register(HOST + "hold", self._hold)
        await self.host.join()
        await self.board.start()
        if self._rates is not None:
            self._cable = Line(self._port())
            self._cable.start()
            self._cable.set_rates(self._rates)
        self.start_bridge()
        self.first = await self.joined()

    async def restart(self) -> None:
        """The board and the bridge anew, whatever they are doing."""
        await self.stop_bridge()
        if isinstance(self.board, Rp2040Board):
            self.board.power_cut()
            await self.board.start()
        else:
            await self.board.stop()
            await self.board.start()
        self.spent = False
        self.start_bridge()
        await self.joined()

    async def close(self) -> None:
        """Ends everything; what never began too."""
        if self.host is not None:
            await self.host.leave()
        await self.stop_bridge()
        if self._cable is not None:
            self._cable.close()
        await self.board.close()
        if self._router is not None:
            await self._router.close()
        await asyncio.sleep(0.05)

    def _port(self) -> str:
        if self._cable is not None:
            return self._cable.port
        return self.board.port if self.line == "uart" else self.board.console_port

    def start_bridge(self) -> None:
        assert self._urls is not None
        self._device = Device(self._port(), self._urls[0], self.log, baud=self.baud)
        self._serving = asyncio.create_task(self._device.run())

    async def stop_bridge(self) -> None:
        """In good order: the device is told."""
        if self._device is not None:
            await self._device.stop()
        await self._end_bridge()

    async def kill_bridge(self) -> None:
        """As SIGKILL: the port and the connection to the router are closed, nobody is told."""
        assert self._device is not None
        self._device._alarm.stop()
        self._device._drop_upstream()
        await self._end_bridge()

    async def _end_bridge(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving])
        if self._device is not None and self._device._port is not None:
            self._device._port.close()
        self._device = self._serving = None

    @property
    def embedded(self) -> bool:
        """Whether the router is ours, which nobody else uses."""
        return self._router is not None

    @property
    def open_calls(self) -> int:
        """Calls of the device that wait for an answer."""
        return self._now

    def release_calls(self) -> None:
        """Answers them."""
        self._enough.set()

    @property
    def emulated(self) -> bool:
        return isinstance(self.board, Rp2040Board)

    # -- the board

    async def joined(self, joins: int = 1) -> dict[str, Any]:
        """Waits for the board's next session, or one after that, and until it answers; returns
        its state."""
        await until(
            lambda: len(self.log.all("session", state="joined")) >= self._joined + joins,
            lambda: f"the board does not join; {self.story()}",
        )
        self._joined = len(self.log.all("session", state="joined"))
        self.wanted = 0
        return await self.state()

    async def state(self) -> dict[str, Any]:
        """What the device tells of itself, as soon as it is registered."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LIMIT_S
        while True:
            try:
                state = await self.call("state")
                assert isinstance(state, dict)
                return state
            except wamp.ApplicationError as error:
                if loop.time() > deadline:
                    raise AssertionError(f"{error}; {self.story()}") from error
            await asyncio.sleep(0.02)

    async def call(self, name: str, *args: Any, **options: Any) -> Any:
        """A call of the device."""
        return await self.host.call("com.example." + name, *args, **options)

    async def hard_reset(self) -> None:
        """The reset button; over a console that is the line, `machine.reset()`."""
        if isinstance(self.board, Rp2040Board) or self.line == "uart":
            await self.board.hard_reset()
        else:
            await self.call("fault", "hard", "now")

    def type(self, octets: bytes) -> None:
        """Octets on the line between two frames, as an operator at the console would."""
        assert self._device is not None
        self._device._port.write(octets)

    def unplug(self) -> None:
        """The host's end of a line with `rates` hangs up and is gone."""
        assert self._cable is not None
        self._cable.unplug()

    def replug(self) -> None:
        """It is there again, under the same path."""
        assert self._cable is not None
        self._cable.replug()

    @property
    def cable(self) -> Line:
        """The line with `rates`."""
        assert self._cable is not None
        return self._cable

    @property
    def flipped(self) -> int:
        """Bits that a line with faults has changed."""
        assert self._cable is not None
        return self._cable.to_host.counters.flipped + self._cable.to_board.counters.flipped

    def story(self) -> str:
        """For messages of failed tests."""
        lines = "".join(f"\n  board  {line}" for line in list(self.board.lines)[-30:])
        return f"the bridge and the board say:{self.log}{lines if self.line == 'uart' else ''}"

    # -- what the host offers

    def _heard(self, number: Any, *rest: Any) -> None:
        self.heard.append(number)

    async def _add(self, a: int, b: int) -> int:
        self._now += 1
        if self._now >= self.wanted:
            self._enough.set()
        await self._enough.wait()
        self._now -= 1
        if not self._now:
            self._enough.clear()
            self.wanted = 0
        return a + b

    async def _hold(self) -> None:
        self.held += 1
        await asyncio.sleep(60)


async def gathered(awaitables: Iterable[Awaitable[Any]]) -> list[Any]:
    """All results; the first error if there is one."""
    return list(await asyncio.gather(*awaitables))
