"""The five minutes on emulated silicon: stock MicroPython, the commands of an installed wheel.

The board is an emulated Pico behind a port; the wheel is built and unpacked, the commands run in
an empty folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from microwamp.bridge.device import Device
from microwamp.router import Principal, RealmConfig, Router, RouterConfig
from microwamp_rig.program import Program
from wamp import Client

ROOT = Path(__file__).parents[2]
STOCK = ROOT / "build" / "RPI_PICO-stock" / "firmware.uf2"
WAIT = ("--wait", "120")  # an emulated board starts thirty times slower


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    (path,) = folder.glob("microwamp-*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def console() -> Iterator[str]:
    words = ("-m", "microwamp_rig.emulate", "--firmware", str(STOCK), "--ports")
    command = [sys.executable, *words]
    with Program(command) as board:
        yield board.expect(r"CONSOLE=(\S+)", 60)[1]


@pytest.mark.timeout(290)
async def test_from_stock_micropython_to_a_call(
    wheel: Path, console: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def microwamp(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "microwamp", *words),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(wheel)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        octets, _ = await asyncio.wait_for(process.communicate(), 280)
        assert process.returncode == 0, octets.decode()
        return octets.decode()

    first = json.loads(await microwamp("deploy", console, "--json", *WAIT))
    assert first["written"] > 25 and first["kept"] == 0
    made = json.loads(await microwamp("provision", console, "--name", "pico", "--json", *WAIT))
    second = json.loads(await microwamp("deploy", console, "--json", *WAIT))
    assert second["written"] == 0

    principal = Principal("pico", "device", public_keys=(made["public_key"],))
    realm = RealmConfig("devices", anonymous="user", principals=(principal,))
    config = RouterConfig((realm,), listen=("rs://127.0.0.1:0",))
    reports: list[object] = []
    async with Router(config, lambda *report: None) as router:
        bridge = Device(console, router.urls[0], lambda *report: reports.append(report))
        serving = asyncio.create_task(bridge.run())
        async with asyncio.timeout(200), Client(router.urls[0], timeout_ms=60000) as host:
            while "session" not in str(reports):
                await asyncio.sleep(0.1)
            while True:
                try:
                    led = await host.call("com.example.led", True)
                    break
                except Exception as e:
                    if "no_such_procedure" not in str(e):
                        raise
                    await asyncio.sleep(0.5)
            memory = await host.call("com.example.memory")
            info = await host.call("com.example.info")
        await bridge.stop()
        await serving
    assert led is True
    assert info["channel"] == "serial-rawsocket-cbor" and "RP2040" in info["machine"]
    assert memory["free"] > 60000
    with capsys.disabled():
        print(f"\ndeploy: {first['octets']:,} octets, {first['sent']:,} sent;", end=" ")
        print(f"again {second['sent']:,} sent; RAM free, joined: {memory['free']:,}")
