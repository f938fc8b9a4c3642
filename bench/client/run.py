"""The client's CPU time on MicroPython's unix port: run.py [--count N] [--json FILE]

For a call and for an acknowledged publish, and how many it makes a second, one after another.
The callee is in the process of the embedded router; TCP on loopback. What a client takes to start,
to join and to leave is measured and subtracted. Not gated. The figures of the MQTT clients are
recorded ones, of another day and machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from pathlib import Path
from typing import Any

import wamp
from microwamp.router import RealmConfig, Router, RouterConfig
from microwamp_rig import micropython

WORKER = Path(__file__).with_name("worker.py")
RECORDED = {
    "umqtt.simple, QoS 1, TCP_NODELAY": "3,500-4,200 a second (recorded)",
    "mqtt_as, QoS 1": "10 a second (recorded)",
}


async def run(url: str, what: str, count: int) -> tuple[float, float]:
    """CPU seconds and wall seconds of a worker."""
    environment = micropython.environment()
    environment |= {"MICROWAMP_URL": url, "WHAT": what, "COUNT": str(count)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(*micropython.command("unix"), str(WORKER)),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
    )
    status = await asyncio.wait_for(process.wait(), 300)
    wall = time.monotonic() - begin
    if status:
        raise SystemExit(f"the worker ended with status {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return used, wall


async def measure(count: int) -> dict[str, Any]:
    config = RouterConfig((RealmConfig(anonymous="a"),), listen=("rs://127.0.0.1:0",))
    figures: dict[str, Any] = {"count": count}
    async with Router(config, lambda *report: None) as router, wamp.Client(router.urls[0]) as host:
        await host.register("com.bench.echo", lambda x: x).confirmed()
        for what in ("call", "publish"):
            idle = await run(router.urls[0], what, 0)
            busy = await run(router.urls[0], what, count)
            cpu, wall = (b - i for b, i in zip(busy, idle, strict=True))
            figures[what] = {"cpu_us": round(cpu / count * 1e6), "a_second": round(count / wall)}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.count))
    print("| | CPU of the client, us | a second |\n|---|---|---|")
    for what, name in (("call", "call"), ("publish", "acknowledged publish")):
        found = figures[what]
        print(f"| {name} | {found['cpu_us']} | {found['a_second']} |")
    for name, rate in RECORDED.items():
        print(f"| {name} | | {rate} |")
    if options.json:
        text = json.dumps({**figures, "recorded": RECORDED}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
