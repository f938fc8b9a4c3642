"""Many devices on one bridge: all busy, and all idle. Each part is a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hops import cpu_s

from microwamp_rig import process

HERE = Path(__file__).parent
_LIMIT_S = 150.0


class Worker:
    """A program of this folder that prints JSON lines."""

    def __init__(self, *words: str | Path) -> None:
        self.process = process.start(
            [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def line(self) -> Any:
        """The next that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} has ended")
        return json.loads(line)

    def ask(self, text: str) -> Any:
        """Its answer to a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        return self.line()

    def close(self) -> None:
        process.stop(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


class Rack:
    """A bridge with so many devices, all joined: `with Rack(100) as rack`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._folder = tempfile.TemporaryDirectory(prefix="microwamp-rack-")
        self.log = Path(self._folder.name) / "log"
        self._workers: list[Worker] = []
        self._bridge: subprocess.Popen[bytes] | None = None
        self.pid = 0

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self) -> None:
        router = Worker(HERE / "router.py")
        self._workers.append(router)
        port = router.line()
        self.devices = Worker(HERE / "devices.py", str(self.count))
        self._workers.append(self.devices)
        ttys = self.devices.line()
        config = Path(self._folder.name) / "bridge.toml"
        config.write_text(
            f'router = "rs://127.0.0.1:{port}"\nbaud = 921600\n'
            + "".join(f'[[port]]\nid = "{tty}"\n' for tty in ttys)
        )
        words = ("-m", "microwamp", "bridge", "--config", config, "--control", "", "--json")
        command = [sys.executable, *words]
        with self.log.open("wb") as log:
            self._bridge = process.start(command, stdin=subprocess.DEVNULL, stdout=log)
        self.pid = self._bridge.pid
        begin = time.monotonic()
        self.devices.ask("join")
        self.join_s = time.monotonic() - begin

    def resident_kb(self) -> int:
        """Memory of the bridge."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0])

    def cpu_s(self) -> float:
        """CPU time of the bridge so far."""
        return cpu_s(self.pid)

    def close(self) -> None:
        """End all of it."""
        if self._bridge is not None:
            process.stop(self._bridge)
        for worker in reversed(self._workers):
            worker.close()
        self._workers.clear()
        self._folder.cleanup()


def busy(count: int, rate: float, seconds: float) -> dict[str, Any]:
    """All publish at that rate: who was served how, and what it cost the bridge."""
    with Rack(1) as alone:
        first_kb = alone.resident_kb()
    with Rack(count) as rack:
        idle_kb = rack.resident_kb()
        before = rack.cpu_s()
        found = rack.devices.ask(f"run {rate} {seconds}")
        used = rack.cpu_s() - before
        busy_kb = rack.resident_kb()
    answered = found["answered"]
    wanted = int(rate * seconds)
    return {
        "devices": count,
        "messages_per_s": rate,
        "seconds": seconds,
        "wanted": wanted,
        "answered": [min(answered), statistics.median(answered), max(answered)],
        "median_ms": [min(found["median_ms"]), max(found["median_ms"])],
        "worst_ms": max(found["worst_ms"]),
        "connections": max(found["connections"]),
        "cpu_us_message": round(used / (sum(answered) * 2) * 1e6, 1),
        "cpu_percent_device": round(used / seconds / count * 100, 3),
        "kb_device": round((busy_kb - first_kb) / max(count - 1, 1), 1),
        "idle_kb_device": round((idle_kb - first_kb) / max(count - 1, 1), 1),
    }


def idle(count: int, seconds: float) -> dict[str, Any]:
    """All are joined and silent."""
    with Rack(1) as alone:
        first_kb = alone.resident_kb()
    with Rack(count) as rack:
        joined_s = rack.join_s
        begin, before = time.monotonic(), rack.cpu_s()
        time.sleep(seconds)
        used = (rack.cpu_s() - before) / (time.monotonic() - begin)
        kb = rack.resident_kb()
        # Whether they still have their sessions: one message of each.
        found = rack.devices.ask("run 1 1")
    return {
        "devices": count,
        "joined_s": round(joined_s, 1),
        "held": sum(n == 1 for n in found["answered"]),
        "connections": max(found["connections"]),
        "cpu_us_device_s": round(used / count * 1e6, 1),
        "kb_device": round((kb - first_kb) / max(count - 1, 1), 1),
    }
