"""Figures through the real bridge, in the board's time: reported, compared with nothing.

    python bench/device/bridge.py [--json]

An emulated Pico with the real firmware, the real bridge on its UART, the embedded router, a host
client. Bridge, router and client live in the board's time but take none of it, so these are the
board's and the line's share.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from typing import Any

import wamp
from microwamp.bridge.device import Device
from microwamp.router import Principal, RealmConfig, Router, RouterConfig
from microwamp_rig.boardtime import emulated_time
from microwamp_rig.rp2040 import Rp2040Board
from wamp import ed25519

SEED = bytes(range(32))
PUBLIC = bytes(ed25519.run(ed25519.public_key(SEED))).hex()
KEY = f"public-key-ed25519: {PUBLIC}\nprivate-key-ed25519: {SEED.hex()}\n"
CALLS = 20
EVENTS, SIZE = 20, 1024
CYCLES_MS = 125_000
OVERHEAD = 14  # octets of a frame

PROGRAM = """
import asyncio
import wamp

URL = "serial:0?tx=0&rx=1&baud={baud}"
client = wamp.Client(URL, auth=wamp.Cryptosign("/device.key"), log=print)
payload = bytes({size})


@client.register("com.example.ping")
def ping(x):
    return x


@client.register("com.example.send")
async def send(n):
    for _ in range(n):
        await client.publish("com.example.data", payload)


async def main():
    async with client:
        print("ready")
        await asyncio.sleep(1000)

asyncio.run(main())
"""


async def measure(baud: int) -> dict[str, Any]:
    """The figures at one baud rate; times in emulated milliseconds, goodput in kB/s."""
    principal = Principal("board", "device", public_keys=(PUBLIC,))
    realm = RealmConfig("devices", anonymous="user", principals=(principal,))
    config = RouterConfig((realm,), listen=("rs://127.0.0.1:0",))
    program = PROGRAM.format(baud=baud, size=SIZE)
    board = Rp2040Board(program, files={"device.key": KEY}, baud=baud)
    got = 0
    all_here = asyncio.Event()

    def heard(octets: bytes) -> None:
        nonlocal got
        got += len(octets)
        if got >= EVENTS * SIZE:
            all_here.set()

    async with Router(config, lambda *report: None) as router, board:
        bridge = Device(board.port, router.urls[0], lambda *report: None, baud=baud)
        serving = asyncio.create_task(bridge.run())
        host = wamp.Client(router.urls[0], realm="devices")
        host.subscribe("com.example.data", heard)
        async with asyncio.timeout(60), host:
            await board.expect("ready")
            trips = []
            for number in range(CALLS):
                begin = board.emulated_ms
                assert await host.call("com.example.ping", number) == number
                trips.append(board.emulated_ms - begin)
            link = bridge.status()["link"]
            begin, cycles = board.emulated_ms, board.cycles
            stream, frames = bridge.status()["counts"]["octets_in"], link["received"]
            await host.call("com.example.send", EVENTS, timeout_ms=50000)
            await all_here.wait()
            took = board.emulated_ms - begin
            goodput = EVENTS * SIZE / took
            cpu_ms = (board.cycles - cycles) / CYCLES_MS
            status = bridge.status()
            stream = status["counts"]["octets_in"] - stream
            carried = stream + OVERHEAD * (status["link"]["received"] - frames)
            wire_ms = carried * 10 / baud * 1000
            begin = board.emulated_ms
            await board.hard_reset()
            await board.expect("ready")
            rejoined = board.emulated_ms - begin
        await bridge.stop()
        await serving
    return {
        "baud": baud,
        "call_ms": round(statistics.median(trips), 2),
        "goodput_kB_s": round(goodput, 1),
        "of_the_line": round(goodput * 1000 / (baud / 10), 2),
        # Of one message. The line and the processor work at the same time, mostly.
        "message_ms": round(took / EVENTS, 2),
        "wire_ms": round(wire_ms / EVENTS, 2),
        "cpu_ms": round(cpu_ms / EVENTS, 2),
        "reset_to_joined_ms": round(rejoined, 1),
    }


def main() -> int:
    """Measure at both rates and print."""
    parser = argparse.ArgumentParser(description="Figures through the real bridge.")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    for baud in (115200, 921600):
        with emulated_time() as runner:
            found = runner.run(measure(baud))
        if options.json:
            print(json.dumps(found), flush=True)
        else:
            share = f"{found['of_the_line']:.0%} of the line"
            print(
                f"{baud:7} baud: a call {found['call_ms']} ms (median of {CALLS}), "
                f"plain events of {SIZE} octets {found['goodput_kB_s']} kB/s ({share}; of "
                f"{found['message_ms']} ms each the line is busy for {found['wire_ms']}, the "
                f"processor for {found['cpu_ms']}), "
                f"reset to joined {found['reset_to_joined_ms']} ms",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
