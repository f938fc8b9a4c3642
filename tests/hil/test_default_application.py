"""The default application on the emulated Pico: what it offers, its watchdog, the prompt, and its
configuration through power cuts.

Frozen into the firmware, and as `microwamp deploy` leaves it on stock MicroPython (.mpy).
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from hil_bench import AUTHID, KEY, Log, until

import wamp
from microwamp import boards
from microwamp.bridge import Device
from microwamp.router import Principal, RealmConfig, Router, RouterConfig
from microwamp_rig.crossbar import CRYPTOSIGN_PUBLIC
from microwamp_rig.rp2040 import Machine, Peer, Rp2040Board, forked

# The limit is in the board's time, which goes on with the wall clock while the board sleeps.
pytestmark = [pytest.mark.emulated, pytest.mark.timeout(120)]

STOCK = Path(__file__).parents[2] / "build" / "RPI_PICO-stock" / "firmware.uf2"
UART = "serial:0?tx=0&rx=1&baud=921600"
PROCEDURES = {"info", "ping", "led", "memory", "reset", "log"}
WATCHDOG_MS = 4000  # long enough for a prompt to be reached on a host that is busy
LED = 25

# The application, with one procedure that does not return. It sleeps: a loop of nothing hangs the
# board no better, and costs thirty seconds of a processor.
HANGING = """
import micropython
micropython.kbd_intr(-1)
import time
from wampapp.application import Application

def hang(self):
    time.sleep(60)

Application.do_log = hang
import wampapp
wampapp.main()
"""


def options(kind: str, config: dict[str, Any], main: str = "") -> dict[str, Any]:
    """Firmware and files of a board. kind: "frozen" or "mpy"."""
    files: dict[str, bytes | str] = {
        "main.py": main or boards.main_program(),
        "wamp.json": json.dumps(config),
        "device.key": KEY,
    }
    if kind == "frozen":
        return {"files": files}
    return {"files": files | boards.device_files("armv6m"), "firmware": STOCK}


class Plant:
    """A router and a host's client; a bridge on the board's line that comes and goes."""

    def __init__(self, router: Router, host: wamp.Client, port: str) -> None:
        self.host = host
        self.log = Log()
        self.beats: list[dict[str, Any]] = []
        self._url = router.urls[0]
        self._port = port
        self._device: Device | None = None
        self._serving: asyncio.Task[None] | None = None
        host.subscribe("com.example.heartbeat", lambda **values: self.beats.append(values))

    def connect(self) -> None:
        self._device = Device(self._port, self._url, self.log, baud=921600)
        self._serving = asyncio.create_task(self._device.run())

    async def disconnect(self) -> None:
        if self._device is not None and self._serving is not None:
            await self._device.stop()
            await self._serving
        self._device = None

    async def joined(self, times: int) -> None:
        """Until the board has joined so often, and its procedures are there."""
        await until(
            lambda: len(self.log.all("session", state="joined")) >= times,
            lambda: f"no session: {self.log}",
        )
        for _ in range(200):
            try:
                await self.call("log")
                return
            except wamp.ApplicationError:
                await asyncio.sleep(0.05)
            except wamp.RequestTimeout:
                return  # it hangs, as it should
        raise AssertionError(f"no procedures: {self.log}")

    async def call(self, name: str, *args: Any) -> Any:
        return await self.host.call("com.example." + name, *args, timeout_ms=1000)

    def type(self, octets: bytes) -> None:
        """As an operator at the console, between two frames."""
        assert self._device is not None and self._device._port is not None
        self._device._port.write(octets)

    @property
    def console(self) -> str:
        """What the board prints on the line, as the bridge tells it."""
        return "\n".join(self.log.console)


@asynccontextmanager
async def plant(board: Rp2040Board, port: str) -> AsyncIterator[Plant]:
    principal = Principal(AUTHID, "device", public_keys=(CRYPTOSIGN_PUBLIC,))
    realm = RealmConfig("devices", anonymous="user", principals=(principal,))
    config = RouterConfig((realm,), listen=("rs://127.0.0.1:0",))
    async with Router(config, lambda *report: None) as router:
        host = wamp.Client(router.urls[0])
        made = Plant(router, host, port)
        async with host:
            made.connect()
            try:
                yield made
            finally:
                await made.disconnect()


async def offers_what_it_should(board: Rp2040Board, it: Plant, kind: str) -> None:
    lit: list[int] = []
    pin = board.machine.mcu.gpio[LED]
    pin.add_listener(lambda value, before: lit.append(value.value))
    assert await it.call("led", True) is True
    assert await it.call("led") is False
    assert lit[-2:] == [1, 0]
    info = await it.call("info")
    assert "RP2040" in info["machine"] and info["wamp"] == wamp.__version__
    assert info["channel"] == "serial-rawsocket-cbor" and info["config"] == "/wamp.json"
    assert info["id"] == board.machine.flash.unique_id.hex()
    assert (await it.call("ping", 1, "two")).args == (1, "two")
    memory = await it.call("memory")
    assert memory["free"] > (190_000 if kind == "frozen" else 140_000)
    assert memory["flash_free"] > 500_000
    assert any("joined devices" in line for line in await it.call("log"))
    await until(lambda: len(it.beats) > 1, "no heartbeat")
    assert it.beats[0]["joins"] == 1


@pytest.mark.hil_smoke
@pytest.mark.emulated_time
async def test_frozen_through_the_bridge(rp2040: Callable[..., Rp2040Board]) -> None:
    """Procedures, a bridge that is away, a reset that was asked for, the prompt, safe mode."""
    config = {"url": UART, "watchdog_ms": WATCHDOG_MS, "heartbeat_s": 1}
    async with rp2040(**options("frozen", config)) as board, plant(board, board.port) as it:
        await it.joined(1)
        text = "\n".join(board.lines)
        assert text.index("joined devices") < text.index(f"watchdog is armed: {WATCHDOG_MS} ms")
        await offers_what_it_should(board, it, "frozen")

        # Longer than the watchdog allows: attempts to join are progress.
        await it.disconnect()
        await asyncio.sleep(1.5 * WATCHDOG_MS / 1000)
        it.connect()
        await it.joined(2)
        assert [reset.cause for reset in board.resets] == ["power"]

        await it.call("reset")
        await board.expect_reset("software")
        await it.joined(3)

        # The prompt; the watchdog takes it away, unless there is the marker.
        assert await board.exec("print(6 * 7); open('/safe_mode', 'w').close()") == "42\n"
        assert any("will reset the board; to stay here" in line for line in board.lines)
        await board.expect_reset("watchdog")
        await board.expect("safe mode: no application, no watchdog")
        await asyncio.sleep(1.2 * WATCHDOG_MS / 1000)
        assert [r.cause for r in board.resets] == ["power", "software", "watchdog"]
        assert await board.exec("import os; os.remove('/safe_mode')") == ""


@pytest.mark.hil_smoke
@pytest.mark.emulated_time
async def test_the_watchdog_bites_when_the_loop_hangs(rp2040: Callable[..., Rp2040Board]) -> None:
    config = {"url": UART, "watchdog_ms": 1000, "heartbeat_s": 0, "key": None}
    made = options("frozen", config, HANGING)
    async with rp2040(**made) as board, plant(board, board.port) as it:
        await it.joined(1)  # calls `log`
        await board.expect_reset("watchdog")
        await until(lambda: len(it.log.all("session", state="joined")) == 2, "not joined anew")


@pytest.mark.hil
@pytest.mark.emulated_time
@pytest.mark.parametrize(
    "kind, line", [("mpy", "console"), ("mpy", "uart"), ("frozen", "console")]
)
async def test_each_kind_on_each_line(
    rp2040: Callable[..., Rp2040Board], kind: str, line: Literal["uart", "console"]
) -> None:
    url = UART if line == "uart" else "serial:"
    config = {"url": url, "watchdog_ms": 8000, "heartbeat_s": 1}
    made = options(kind, config)
    ports: dict[str, Any] = {"uart": None, "console": None, line: "pty"}
    async with rp2040(**made, **ports) as board:
        port = board.port if line == "uart" else board.console_port
        async with plant(board, port) as it:
            await it.joined(1)
            await offers_what_it_should(board, it, kind)
            await it.call("reset")
            await board.expect_reset("software")
            await it.joined(2)
            if line == "console":  # the prompt, between two frames of the same line
                it.type(b"\x03")
                await until(lambda: "wampapp: interrupted" in it.console, it.log.__str__)
                it.type(b"print(6 * 7)\r")
                await until(lambda: "\n42" in it.console, it.log.__str__)
    assert [reset.cause for reset in board.resets] == ["power", "software"]


@pytest.mark.hil
@pytest.mark.parametrize(
    "config, said",
    [
        ({"url": "serial:7", "key": None}, "URL serial:7: UART(7) doesn't exist"),
        ({"url": "serial:0?tx=3&rx=1", "key": None}, "bad TX pin"),
        ({"url": "serial:0?rxbuf=900000", "key": None}, "rxbuf too large"),
        ({"url": "rs://192.0.2.1:80", "key": None}, "not on this board: no module named 'socket'"),
        ({"url": "rss://192.0.2.1:80", "key": None, "ca": "/main.py"}, "has no TLS"),
        ({"url": UART, "led": "NOPE"}, "no LED NOPE: unknown named pin"),
    ],
)
def test_what_this_board_cannot_do_is_said_and_the_prompt_is_there(
    rp2040_machine: Callable[..., Machine], config: dict[str, Any], said: str
) -> None:
    made = options("frozen", config)
    if "led" in config:
        del made["files"]["device.key"]  # the LED alone ends nothing
    machine = rp2040_machine(**made)
    text = bytearray()

    def take(octets: bytes) -> None:
        text.extend(octets)
        machine.stop()

    machine.console.on_data = take
    machine.power_on()
    assert machine.run_until(lambda: b">>> " in text, 1500), text
    assert said in text.decode() and b"wampapp: ended: " in text and b"Traceback" not in text


# -- power cuts -----------------------------------------------------------------------------------

# A configuration comes while the board runs, as `deploy` brings it; then the application.
CHANGING = """
import micropython
micropython.kbd_intr(-1)
from wampapp import config
with open("/next.json", "rb") as file:
    octets = file.read()
if config.read(config.PATH)[1] != octets:
    print("saving")
    config.save(config.PATH, octets)
import wampapp
wampapp.main()
"""
# Longer than what littlefs keeps beside a file's name: blocks of their own.
OLD, NEW = (
    json.dumps({"url": UART, "key": None, "heartbeat_s": 0, "ntp": letter * 900})
    for letter in "on"
)
_NAMES = {OLD.encode(): "old", NEW.encode(): "new"}


class Changing:
    """A machine on its way through the change of its configuration."""

    def __init__(self, make: Callable[..., Machine], seed: int) -> None:
        files = {"wamp.json": OLD, "wamp.good.json": OLD, "next.json": NEW, "main.py": CHANGING}
        self.machine = make(files=files, seed=seed)
        self.peer = Peer(self.machine, 0)
        self.text = ""
        self.machine.console.on_data = self._printed

    def _printed(self, octets: bytes) -> None:
        self.text += octets.decode("utf-8", "replace")
        self.machine.stop()

    def start(self) -> None:
        self.machine.power_on()
        self.peer.start()

    def until_saving(self) -> None:
        assert self.machine.run_until(lambda: "saving" in self.text, 2000), self.text

    def until_joined(self) -> bool:
        """Joined, with all procedures, and the copy kept."""
        there = "com.example.log"
        return self.machine.run_until(lambda: there in self.peer.ids, 3000)

    def ahead(self) -> list[float]:
        """When the flash is at work, in ms, until all is written: beginning, end, beginning..."""
        machine = self.machine
        busy = False
        edges = []
        end = machine.ms + 600
        while machine.ms < end:
            machine.run(0.2)
            if machine.flash.busy != busy:
                busy = not busy
                edges.append(machine.ms)
        assert self.until_joined() and self.kept() == ("new", "new"), self.text
        return edges

    def kept(self) -> tuple[str, str]:
        """Which configuration the two files hold, as a host reads the flash."""
        files = self.machine.files()
        wanted, good = files["/wamp.json"], files["/wamp.good.json"]
        assert wanted in _NAMES and good in _NAMES, (wanted[-40:], good[-40:])
        return _NAMES[wanted], _NAMES[good]

    def cut(self) -> dict[str, Any]:
        """The power fails now, and is back: what is there then."""
        machine = self.machine
        machine.power_cut()
        kept = self.kept()
        machine.run(20)
        self.text = ""
        self.peer.ids.clear()
        joins = self.peer.joins
        machine.power_on()
        joined = self.until_joined() and self.peer.joins == joins + 1
        for _ in range(20):  # what was torn costs an erase or two more
            machine.run(50)
            if (then := self.kept()) == ("new", "new"):
                break
        return {
            "torn": machine.torn,
            "kept": kept,
            "joined": joined,
            "complaints": [line for line in self.text.splitlines() if "wampapp:" in line],
            "then": then,
        }


def cuts(make: Callable[..., Machine], seed: int, count: int) -> list[dict[str, Any]]:
    """What is there after cuts at so many instants, drawn from the seed, in their order: after
    the last write, and while the flash is at work, each time in another erase or program."""
    changing = Changing(make, seed)
    changing.start()
    changing.until_saving()
    with forked(changing.ahead) as copy:
        edges = copy.result()
    work = list(zip(edges[::2], edges[1::2], strict=True))
    draw = random.Random(f"{seed} cuts")
    spans = draw.sample(work, min(count - 1, len(work))) + [(edges[-1], edges[-1] + 20)]
    found = []
    for at in sorted(draw.uniform(*span) for span in spans):
        changing.machine.run(at - changing.machine.ms)
        with forked(changing.cut) as copy_then:
            found.append(copy_then.result())
    return found


def check(found: list[dict[str, Any]]) -> None:
    """Old or new, whole, and no way back; each time the board boots and joins by itself."""
    for after in found:
        assert after["joined"] and not after["complaints"], after
        assert after["then"] == ("new", "new"), after
    order = [("old", "old"), ("new", "old"), ("new", "new")]
    steps = [order.index(after["kept"]) for after in found]
    assert steps == sorted(steps), steps


@pytest.mark.hil_smoke
def test_power_cuts_while_the_configuration_changes(
    rp2040_machine: Callable[..., Machine],
) -> None:
    check(cuts(rp2040_machine, 3, 2))


@pytest.mark.hil
@pytest.mark.parametrize("seed", [1, 2])
def test_power_cuts_at_many_instants(rp2040_machine: Callable[..., Machine], seed: int) -> None:
    found = cuts(rp2040_machine, seed, 12)
    check(found)
    assert {after["kept"] for after in found} == {("old", "old"), ("new", "old"), ("new", "new")}
    assert sum(after["torn"] for after in found) >= 4, "hardly one of them met a write"
