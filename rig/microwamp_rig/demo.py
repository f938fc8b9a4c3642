"""`make demo`: a MicroPython device on a serial line logs in to a router, and nothing stops it.

Real processes throughout: the router, the bridge, MicroPython's unix port at the end of a pty, and
a host program (this one). Prints what happens as it happens; the last line is one JSON object.
Exit status 0 when everything held, else 1 with the reason.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wamp
from microwamp_rig.board import BoardError
from microwamp_rig.boards import UnixBoard
from microwamp_rig.crossbar import CrossbarError, CrossbarNode
from microwamp_rig.line import Line
from microwamp_rig.process import signal_group, start, stop

AUTHID = "demo-device"
CUT_S = 2.0
STEP_S = 60.0  # no single step may take longer

_COLOURS = {"router": 35, "bridge": 33, "device": 32, "host": 36, "demo": 1}


class DemoFailed(Exception):
    """What did not hold, in one sentence."""


def say(who: str, text: str) -> None:
    """One line of the story."""
    word = f"{who:7}"
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        word = f"\x1b[{_COLOURS[who]}m{word}\x1b[0m"
    print(f"{time.monotonic() - _BEGIN:6.2f}  {word} {text}", flush=True)


_BEGIN = time.monotonic()


class Command:
    """`microwamp ...` as a child process whose events (`--json`) are told as they come."""

    def __init__(self, who: str, *words: str) -> None:
        self.who = who
        self.events: list[dict[str, Any]] = []
        self._process = start(
            [sys.executable, "-m", "microwamp", *words, "--json"], stdout=-1, stderr=-2
        )
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, stream.readline):
            try:
                event = json.loads(line)
            except ValueError:
                say(self.who, line.decode("utf-8", "replace").rstrip())
                continue
            self.events.append(event)
            hidden = ("time", "event", "pid", "port")
            rest = " ".join(str(v) for k, v in event.items() if k not in hidden and v)
            say(self.who, f"{event['event']}: {rest}")

    async def expect(self, event: str, **fields: str) -> dict[str, Any]:
        """Wait for an event with these fields, among all so far."""

        def found() -> dict[str, Any] | None:
            for one in self.events:
                if one["event"] == event and fields.items() <= one.items():
                    return one
            return None

        await until(lambda: found() is not None, f"{self.who}: no event {event} {fields}")
        one = found()
        assert one is not None
        return one

    def kill(self) -> None:
        """SIGKILL: it cannot tell anybody."""
        signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        status = await asyncio.to_thread(stop, self._process)
        await self._reader
        return status


async def until(condition: Callable[[], bool], failure: str, limit_s: float = STEP_S) -> None:
    """Wait for a condition, or fail with a sentence."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise DemoFailed(f"{failure} within {limit_s:.0f} s")
        await asyncio.sleep(0.005)


class Host:
    """The host's program: offers the time, follows the temperature, works the LED."""

    def __init__(self, url: str) -> None:
        self.client = wamp.Client(url, log=lambda text: say("host", text))
        self.events: list[int] = []
        self.times = 0
        self.hold = asyncio.Event()  # while clear, `time` keeps its caller waiting
        self.hold.set()
        self.held = 0
        self.client.register("com.example.time", self._time)
        self.client.subscribe("com.example.temperature", self._temperature)
        self.rtt_ms: list[float] = []

    async def _time(self) -> float:
        self.times += 1
        if not self.hold.is_set():
            self.held += 1
            await self.hold.wait()
        return time.time()

    def _temperature(self, value: float, n: int) -> None:
        self.events.append(n)
        if n < 3 or n % 20 == 0:
            say("host", f"event: temperature {value} C, number {n}")

    async def led(self, count: int) -> None:
        """Call the device `count` times, one after another."""
        for number in range(count):
            begin = time.perf_counter()
            on = number % 2 == 0
            if await self.client.call("com.example.led", on) is not on:
                raise DemoFailed("the device answered something else than it was asked")
            self.rtt_ms.append((time.perf_counter() - begin) * 1000)

    async def seen(self) -> dict[str, Any]:
        """What the device tells of itself."""
        told = await self.client.call("com.example.seen")
        assert isinstance(told, dict)
        if told["other"]:
            raise DemoFailed(f"the device saw other errors: {told['other']}")
        return told


async def story(
    router: str, url: str, device_url: str, board: UnixBoard, line: Line
) -> dict[str, Any]:
    """Everything after the router is up; returns the JSON line."""
    host = Host(url)
    bridge = Command("bridge", "bridge", line.port, "--router", device_url, "--baud", "921600")
    async with host.client:
        await bridge.expect("session", state="joined")
        await until(lambda: len(host.events) >= 3, "no telemetry from the device")
        say("demo", "the device is logged in with its own key and publishes; now it is called")
        await host.led(50)
        rtt = statistics.median(host.rtt_ms)
        say("host", f"50 calls of com.example.led, median round trip {rtt:.2f} ms")
        told = await host.seen()
        await until(lambda: host.times > 3, "the device does not call the host")
        say("host", f"the device has called com.example.time {host.times} times")

        say("demo", f"cutting the line for {CUT_S:.0f} s")
        line.cut()
        await asyncio.sleep(CUT_S)
        before = len(host.events)
        line.restore()
        begin = time.monotonic()
        say("demo", "the line is back")
        await until(lambda: len(host.events) > before, "no telemetry after the cut")
        resumed = time.monotonic() - begin
        after = await host.seen()
        if after["joins"] != told["joins"]:
            raise DemoFailed("the cut of the line cost a new join")
        await host.led(10)
        say("demo", f"went on after {resumed:.2f} s, in the same session")

        host.hold.clear()
        await until(lambda: host.held > 0, "the device does not call the host")
        say("demo", "killing the bridge (SIGKILL) while a call of the device is under way")
        bridge.kill()
        await asyncio.sleep(0.3)
        host.hold.set()
        before = len(host.events)
        begin = time.monotonic()
        bridge = Command("bridge", "bridge", line.port, "--router", device_url, "--baud", "921600")
        await until(lambda: len(host.events) > before, "no telemetry after the bridge's restart")
        rejoined = time.monotonic() - begin
        final = await host.seen()
        if final["joins"] != after["joins"] + 1:
            raise DemoFailed(f"{final['joins']} joins, {after['joins'] + 1} expected")
        if final["lost"] != after["lost"] + 1:
            raise DemoFailed("the call in flight did not fail with TransportLost")
        await host.led(10)
        say(
            "demo", f"everything is back after {rejoined:.2f} s: a new join, nothing to do by hand"
        )
        missing = set(range(host.events[0], host.events[-1])) - set(host.events)
        if missing:
            raise DemoFailed(f"acknowledged events never came: {sorted(missing)}")
    status = await bridge.stop()
    if status != 0:
        raise DemoFailed(f"the bridge ended with status {status}")
    await board.kill()
    channel = [text for text in board.lines if text.startswith("channel ")][0].split()[1]
    method = [text for text in board.lines if text.startswith("joined ")][0]
    return {
        "demo": "ok",
        "router": router,
        "authmethod": method.rsplit("(", 1)[1].rstrip(")"),
        "channel": channel,
        "calls": len(host.rtt_ms) + host.times,
        "events": len(host.events),
        "rtt_ms": round(statistics.median(host.rtt_ms), 2),
        "resumed_s": round(resumed, 2),
        "rejoined_s": round(rejoined, 2),
    }


async def demo(router: str, folder: Path) -> dict[str, Any]:
    """Start the router, then tell the story."""
    program = Path(__file__).with_name("demo_device.py")
    board = UnixBoard(program, on_line=lambda text: say("device", text))
    node: CrossbarNode | None = None
    embedded: Command | None = None
    try:
        made = await asyncio.to_thread(_keygen, board.root / "device.key")
        await board.start()
        say("demo", f"a fresh key for the device, public part {made[:16]}...")
        if router == "crossbar":
            say("router", "starting crossbar.io, which takes a while")
            node = CrossbarNode(folder, {AUTHID: made})
            await asyncio.to_thread(node.start)
            url, device_url = node.url, node.auth_url
            say("router", f"crossbar accepts connections on {url} and {device_url}")
        else:
            embedded = Command(
                "router",
                "router",
                *("--listen", "rs://127.0.0.1:0"),
                *("--cryptosign", f"{made}:{AUTHID}", "--anonymous"),
            )
            url = device_url = (await embedded.expect("listening"))["url"]
        async with Line(board.port) as line:
            return await story(router, url, device_url, board, line)
    finally:
        await board.close()
        if embedded is not None:
            await embedded.stop()
        if node is not None:
            await asyncio.to_thread(node.stop)


def _keygen(path: Path) -> str:
    from wamp import ed25519, keys

    seed = os.urandom(32)
    public = ed25519.run(ed25519.public_key(seed))
    keys.write_key(str(path), seed, public, "demo device")
    return bytes(public).hex()


def main(argv: list[str] | None = None) -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--router", choices=("microwamp", "crossbar"), default="microwamp")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="microwamp-demo-") as folder:
        try:
            result = asyncio.run(demo(options.router, Path(folder)))
        except (DemoFailed, BoardError, CrossbarError, wamp.Error) as e:
            print(json.dumps({"demo": "failed", "router": options.router, "reason": str(e)}))
            return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
