"""The library on the emulated RP2040: joins with its key over either line, calls and is called."""

import asyncio
from binascii import hexlify
from typing import Any

import pytest
from emulated import Console

import wamp
from microwamp.bridge.device import Device
from microwamp.router import Principal, RealmConfig, Router, RouterConfig
from microwamp_rig.boardtime import emulated_time
from microwamp_rig.rp2040 import Machine, Peer, Rp2040Board, forked
from wamp import ed25519

SEED = bytes(range(32))
PUBLIC = hexlify(ed25519.run(ed25519.public_key(SEED))).decode()
KEY = f"public-key-ed25519: {PUBLIC}\nprivate-key-ed25519: {hexlify(SEED).decode()}\n"

PROGRAM = """
import asyncio
import wamp
URL = "{url}"

async def main():
    client = wamp.Client(URL, realm="devices", auth=wamp.Cryptosign("/device.key"), log=print)

    @client.register("com.example.double")
    def double(x):
        return 2 * x

    async with client:
        print("echoed", await client.call("com.example.echo", "from the board"))
        await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "url, line",
    [("serial:0?tx=0&rx=1&baud=921600", 0), ("serial:", "console")],
    ids=["uart", "console"],
)
def test_join_call_and_be_called_and_again_after_a_power_cut(url, line):
    machine = Machine(files={"main.py": PROGRAM.format(url=url), "device.key": KEY})
    console = Console(machine)
    peer = Peer(machine, line)
    results: list[Any] = []

    def results_only(message: list[Any]) -> bool:
        if message[0] != 70:  # YIELD
            return False
        results.append(message)
        machine.stop()
        return True

    peer.on_message = results_only
    machine.power_on()
    peer.start()
    assert machine.run_until(lambda: any(m[0] == 48 for _, m in peer.received), 1000)
    joined_ms = peer.welcomed_at
    assert joined_ms < 500, "boot to joined"
    machine.run(30)
    peer.send([68, 1, peer.ids["com.example.double"], {}, [21]])
    assert machine.run_until(lambda: bool(results), 100)
    assert results[0][3] == [42]
    text = console.text if line == 0 else peer.console.decode()
    assert "echoed from the board" in text

    def again() -> float:
        machine.power_cut()
        machine.run(50)
        cut_ms = machine.ms
        machine.power_on()
        assert machine.run_until(lambda: peer.joins == 2, 1000)
        return peer.welcomed_at - cut_ms

    with forked(again) as copy:
        assert copy.result() < 500, "reset to joined"


def test_through_the_bridge_to_a_router_in_the_boards_time():
    async def scenario() -> None:
        principal = Principal("board", "device", public_keys=(PUBLIC,))
        realm = RealmConfig("devices", anonymous="user", principals=(principal,))
        config = RouterConfig((realm,), listen=("rs://127.0.0.1:0",))
        board = Rp2040Board(PROGRAM.format(url="serial:0?tx=0&rx=1"), files={"device.key": KEY})
        reports: list[Any] = []
        async with Router(config, lambda *report: None) as router, board:
            bridge = Device(board.port, router.urls[0], lambda *report: reports.append(report))
            serving = asyncio.create_task(bridge.run())
            host = wamp.Client(router.urls[0], realm="devices")

            @host.register("com.example.echo")
            def echo(text: str) -> str:
                return text

            async with asyncio.timeout(60), host:
                await board.expect("joined devices as board")
                await board.expect("echoed from the board")
                assert await host.call("com.example.double", 21) == 42
            assert board.emulated_ms < 2000
            await bridge.stop()
            await serving

    with emulated_time() as runner:
        runner.run(scenario())
