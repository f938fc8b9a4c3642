"""What a hop between a tty and a router adds to a message of 64 octets.

socat, a bare asyncio splice and the bridge stand between the same two ends, which are both in
this process: a pty and a socket. They take turns, so that what else the machine does meets all.
"""

from __future__ import annotations

import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripted import HANDSHAKE, WELCOME, Device, publish, whole

from microwamp.bridge.line import Line
from microwamp.bridge.splice import Splice
from microwamp_rig import process
from microwamp_rig.pty import Pty
from wamp.link import OPENED, STREAM, Link

HERE = Path(__file__).parent
SIZE = 64
MESSAGES = 200  # of a turn
_LIMIT_S = 20.0


def cpu_s(pid: int) -> float:
    """CPU time of a process so far, user and system (clock_getcpuclockid(3), Linux)."""
    return time.clock_gettime((~pid << 3) | 2)


class Hop:
    """One of the three, as a process, with both of its ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.device: Device | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="microwamp-hop-")
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(_LIMIT_S)
            port = server.getsockname()[1]
            if name == "bridge":
                self.device = Device()
                self.pty = self.device.pty
            else:
                self.pty = Pty()
            self._process = process.start(
                self._command(port), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            if self.device is not None:
                self._run(lambda: self.device.link.is_open)
            self.router, _ = server.accept()
        self.router.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pid = self._process.pid
        if self.device is not None:
            self._join()

    def _command(self, port: int) -> list[str | Path]:
        if self.name == "socat":
            tty = f"{self.pty.path},raw,echo=0"
            return ["/usr/bin/env", "socat", "-b", "8192", tty, f"TCP:127.0.0.1:{port},nodelay"]
        if self.name == "bare":
            return [sys.executable, HERE / "bare.py", self.pty.path, str(port)]
        config = Path(self._folder.name) / "bridge.toml"
        config.write_text(
            f'router = "rs://127.0.0.1:{port}"\nlimits = {{ messages_per_s = 0 }}\n'
            f'[[port]]\nid = "{self.pty.path}"\nbaud = 921600\n'
        )
        words = ("-m", "microwamp", "bridge", "--config", config, "--control", "", "--json")
        return [sys.executable, *words]

    def _run(self, done: Any) -> None:
        """The device's part until something is so."""
        assert self.device is not None
        end = time.monotonic() + _LIMIT_S
        while not done():
            if self.device.connections == 0:
                self.device.connect()
            if time.monotonic() > end:
                raise RuntimeError("the bridge does not answer")
            wait = self.device.tick()
            select.select([self.device.fd], [], [], max(wait, 10) / 1000)
            self.device.readable()

    def _join(self) -> None:
        device = self.device
        assert device is not None
        assert self.router.recv(4) == HANDSHAKE
        self.router.sendall(HANDSHAKE)
        self._run(lambda: device.shaken)
        hello = bytearray()
        while not whole(hello):
            hello += self.router.recv(4096)
        self.router.sendall(WELCOME)
        self._run(lambda: device.joined)

    # -- one message, in seconds

    def up(self, octets: bytes) -> float:
        """From the device's write until all of it is at the router."""
        frame: bytes | memoryview | None = octets
        if self.device is not None:
            self.device.readable()  # acknowledgements
            frame = self.device.frame(octets)
            assert frame is not None
        begin = time.perf_counter()
        os.write(self.pty.fd, frame)
        left = len(octets)
        while left:
            left -= len(self.router.recv(left))
        return time.perf_counter() - begin

    def down(self, octets: bytes) -> float:
        """From the router's write until all of it is at the device."""
        left = len(octets)
        begin = time.perf_counter()
        self.router.sendall(octets)
        while True:
            select.select([self.pty.fd], [], [])
            came = os.read(self.pty.fd, 65536)
            took = time.perf_counter() - begin
            if self.device is None:
                left -= len(came)
                if not left:
                    return took
            else:
                self.device.take(came)
                if self.device.came:
                    assert self.device.came.pop() == octets
                    return took

    def settle(self) -> None:
        """Read what is left on the line, such as acknowledgements."""
        time.sleep(0.03)
        if self.device is not None:
            self.device.readable()

    def close(self) -> None:
        process.stop(self._process)
        self.router.close()
        self.pty.close()
        self._folder.cleanup()


def turn(hop: Hop, ways: str, found: dict[str, list[float]]) -> None:
    """MESSAGES messages one way, or there and back; adds to times and to CPU time per message."""
    octets = publish(1, SIZE)
    before = cpu_s(hop.pid)
    for _ in range(MESSAGES):
        if ways != "down":
            found["us"].append(hop.up(octets) * 1e6)
        if ways != "up":
            found["us"].append(hop.down(octets) * 1e6)
    hop.settle()
    each = 2 if ways == "both" else 1
    found["cpu"].append((cpu_s(hop.pid) - before) / (MESSAGES * each) * 1e6)


def measure(names: list[str], rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """By hop and way: the median and the 99th percentile of the latency, the CPU time (the median
    of the turns), all in microseconds a message."""
    ways = ("up", "down", "both")
    hops = [Hop(name) for name in names]
    try:
        all_: dict[tuple[str, str], dict[str, list[float]]] = {
            (name, way): {"us": [], "cpu": []} for name in names for way in ways
        }
        for hop in hops:
            turn(hop, "both", {"us": [], "cpu": []})
        for _ in range(rounds):
            for way in ways:
                for hop in hops:
                    turn(hop, way, all_[hop.name, way])
    finally:
        for hop in hops:
            hop.close()
    figures: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    for (name, way), found in all_.items():
        times = sorted(found["us"])
        figures[name][way] = {
            "median_us": round(statistics.median(times), 1),
            "p99_us": round(times[len(times) * 99 // 100], 1),
            "cpu_us": round(statistics.median(found["cpu"]), 1),
        }
    return figures


def parts(rounds: int = 2000) -> dict[str, dict[str, float]]:
    """What the bridge's own code takes of a message, alone and without descriptors: the link (a
    frame taken or made, and what acknowledges it) and the framing, by way; medians in
    microseconds."""
    device, bridge = Link(), Line(10000)
    splice = Splice(lambda *message: None)
    bridge.announce(0)
    device.open(1, 0)
    while not bridge.is_open:
        for kind, _ in bridge.receive(bytes(device.output(0) or b""), 0):
            if kind == OPENED:
                bridge.accept(2, 0, 0)
    while octets := bridge.output(0):
        device.receive(bytes(octets), 0)
    splice.from_device(HANDSHAKE)
    splice.from_router(HANDSHAKE)
    message = publish(1, SIZE)
    found: dict[str, dict[str, list[float]]] = {
        "up": {"link": [], "framing": []},
        "down": {"link": [], "framing": []},
    }
    clock = time.perf_counter
    for now in range(rounds):
        splice.to_router.clear()
        splice.to_device.clear()
        frame = bytes(device.put(message, now))
        begin = clock()
        events = bridge.receive(frame, now)
        bridge.output(now)  # the acknowledgement waits for the next frame
        bridge.timeout(now)
        linked = clock()
        splice.from_device(message)
        framed = clock()
        assert events == [(STREAM, message)] and splice.to_router
        found["up"]["link"].append(linked - begin)
        found["up"]["framing"].append(framed - linked)
        begin = clock()
        splice.from_router(message)
        framed = clock()
        bridge.send(message)
        frame = bytes(bridge.output(now))
        bridge.output(now)
        bridge.timeout(now)
        sent = clock()
        assert device.receive(frame, now)
        answer = bytes(device.output(now))
        again = clock()
        bridge.receive(answer, now)
        bridge.output(now)
        linked = clock()
        found["down"]["framing"].append(framed - begin)
        found["down"]["link"].append(sent - framed + linked - again)
    return {
        way: {name: round(statistics.median(times) * 1e6, 1) for name, times in both.items()}
        for way, both in found.items()
    }
