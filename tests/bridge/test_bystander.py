"""What goes wrong with one device, one file, one terminal: one clear line, and a device beside it
on the same bridge does not notice. The bridge is a process with a configuration."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from plant import REALM, Cable, Plant, until

import wamp
from microwamp import cli
from microwamp.router import Router, RouterConfig
from microwamp_rig.crossbar import make_certificate
from microwamp_rig.program import Program, microwamp
from wamp import linkframe


async def off(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """A call that blocks, while the event loop carries the line."""
    return await asyncio.to_thread(function, *args, **options)


class Rack:
    """A bridge as a process with two ports: what happens to the first, `bad`, must not matter to
    the device on the second, which publishes all the while."""

    def __init__(self, plant: Plant, command: Program, file: Path) -> None:
        self.plant = plant
        self.command = command
        self.file = file
        self.cable: Cable = plant.cables[0]
        self.control = f"{file.parent}/c.sock"

    async def says(self, line: str) -> None:
        """A line of the log for people, without its time; and only once."""
        pattern = rf"^\d\d:\d\d:\d\d {line}$"
        await off(self.command.expect, pattern, 20.0)
        await asyncio.sleep(0.3)
        found = [one for one in self.command.lines if re.search(pattern, one)]
        assert len(found) == 1, self.command.lines


@contextlib.asynccontextmanager
async def rack(folder: Path, *bad: str, top: str = "") -> AsyncIterator[Rack]:
    """bad: further lines of the first port's configuration; top: of the file's beginning."""
    file = folder / "bridge.toml"
    async with Plant(2, bridge=False) as plant:
        one, other = (cable.port for cable in plant.cables)
        lines = [f'router = "{plant.url}"', "baud = 921600", f'control = "{folder}/c.sock"', top]
        lines += ["[[port]]", f'id = "{one}"', 'name = "bad"', *bad]
        lines += ["[[port]]", f'id = "{other}"', 'name = "good"']
        file.write_text("\n".join(lines) + "\n")
        with microwamp("bridge", "--config", file, "--text") as command:
            host, device = plant.host(), plant.device(1)
            heard: list[int] = []
            host.subscribe("com.example.count", heard.append)
            async with host, device:
                session = device.session
                over = asyncio.Event()

                async def publish() -> int:
                    n = 0
                    while not over.is_set():
                        await device.publish("com.example.count", n, acknowledge=True)
                        n += 1
                        await asyncio.sleep(0.01)
                    return n

                publishing = asyncio.create_task(publish())
                try:
                    await until(lambda: len(heard) > 3, "the first events")
                    yield Rack(plant, command, file)
                    before = len(heard)
                    await until(lambda: len(heard) > before + 3, "events after it")
                finally:
                    over.set()
                    count = await publishing
                await until(lambda: len(heard) == count, "all events")
                assert heard == list(range(count))
                assert (device.session, device.joins, device.error) == (session, 1, None)
            assert await off(command.stop) == 0
        assert not any("Traceback" in line for line in command.lines)


async def test_a_second_bridge_on_its_port(tmp_path):
    async with rack(tmp_path) as bridge, bridge.plant.device(0) as device:
        words = ("bridge", bridge.cable.port, "--router", bridge.plant.url)
        with microwamp(*words) as second:
            assert await off(second.wait) == 3
            port = bridge.cable.port
            assert second.lines == [
                f"microwamp bridge: port {port}: it is in use by another program"
            ]
        await device.publish("com.example.x", acknowledge=True)
        assert device.joins == 1, "the first bridge has lost it"


async def test_a_port_that_vanishes(tmp_path):
    async with rack(tmp_path) as bridge, bridge.plant.device(0) as device:
        bridge.cable.line.unplug()
        await bridge.says("port      bad gone (the line has hung up|input/output error)")
        await bridge.says("port      bad unavailable it does not exist")
        bridge.cable.line.replug()
        await device.publish("com.example.x", acknowledge=True)
        assert device.joins == 1, "it was away for less than lost_ms"


async def test_a_device_with_another_version_of_the_link(tmp_path):
    async with rack(tmp_path) as bridge:
        payload = b"\x42\x43" + b"\0\0\0\x01\x04\0\x64new"
        heard = b""
        for _ in range(3):
            bridge.cable.to_host(linkframe.frame(linkframe.T_OPEN, payload))
            await asyncio.sleep(0.2)
            with contextlib.suppress(BlockingIOError):
                heard += os.read(bridge.cable.pty.fd, 4096)
        words = "the device speaks link versions 2 to 3, the bridge 1"
        await bridge.says(f"device    bad refused {words}")
        assert words.encode() in heard, "the device is told, too"


async def test_a_typo_in_a_new_configuration(tmp_path):
    async with rack(tmp_path) as bridge, bridge.plant.device(0) as device:
        text = bridge.file.read_text()
        bridge.file.write_text(text.replace('name = "bad"', 'name = "bad"\nconsol = "out"'))
        os.kill(bridge.command.pid, signal.SIGHUP)
        number = text.splitlines().index('name = "bad"') + 2
        words = f"{bridge.file}: line {number}: unknown key 'consol'; known here: baud, .*"
        await bridge.says(f"bridge    not reloaded {words}")
        assert (await off(cli.main, ["bridge", "--config", str(bridge.file), "--check"])) == 2
        await device.publish("com.example.x", acknowledge=True)
        assert device.joins == 1, "the old configuration holds"


@pytest.mark.parametrize(
    ("host", "hours", "words"),
    [
        ("localhost", -1.0, "certificate has expired"),
        ("router.example", 24.0, "Hostname mismatch, certificate is not valid for 'localhost'."),
    ],
    ids=["expired", "for another name"],
)
async def test_a_certificate_that_is_no_good(tmp_path, host, hours, words):
    pair = tmp_path / "c.pem", tmp_path / "k.pem"
    make_certificate(*pair, host, hours)
    config = RouterConfig(
        realms=(REALM,),
        listen=("rss://127.0.0.1:0",),
        certificate=str(pair[0]),
        key=str(pair[1]),
    )
    async with Router(config, lambda event, fields: None) as router:
        url = router.urls[0].replace("127.0.0.1", "localhost")
        top = f'[routers.office]\nurl = "{url}"\ncafile = "{pair[0]}"\n'
        async with rack(tmp_path, 'router = "office"', top=top) as bridge:
            said: list[str] = []
            device = bridge.plant.device(0, log=said.append)
            device.start()
            words = f"its certificate is not trusted: {words}"
            pattern = rf"^[\d:]* router    bad unreachable {url}: {words}"
            await off(bridge.command.expect, pattern, 20.0)
            await until(lambda: device.failures > 0, "the device is told")
            assert words in str(device.error)
            assert not any(event == "joined" for event in router.counters)


SMALL_DISK = (
    "import resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
    "from microwamp import cli\n"
    "sys.exit(cli.main(sys.argv[1:]))\n"
)


async def test_a_disk_that_is_full_under_a_trace(tmp_path):
    """In the middle of it: the file is good up to there, and the bridge goes on."""
    file = tmp_path / "trace.jsonl"
    async with rack(tmp_path) as bridge:
        command = [sys.executable, "-c", SMALL_DISK, "trace", "good", "--quiet"]
        with Program([*command, "--control", bridge.control, "--write", str(file)]) as tracing:
            assert await off(tracing.wait, 20.0) == 1
            pattern = rf"microwamp trace: {file}: File too large; (\d+) records are in it"
            match = re.fullmatch(pattern, tracing.lines[-1])
            assert match is not None and len(tracing.lines) == 1, tracing.lines
        assert int(match[1]) > 3
        with microwamp("trace", "--replay", file) as replay:
            assert await off(replay.wait, 20.0) == 0
        assert len(replay.lines) == int(match[1])
        assert all(re.match(r"[\d:.]+ good (->|<-) \w+ ", line) for line in replay.lines)


async def test_a_terminal_that_is_too_small_for_the_monitor(tmp_path):
    async with rack(tmp_path) as bridge:
        fd, other = os.openpty()
        os.set_blocking(fd, False)
        with Program(
            [sys.executable, "-m", "microwamp", "monitor", "--control", bridge.control],
            stdout=other,
            env={**os.environ, "COLUMNS": "40", "LINES": "5"},
        ) as monitor:
            os.close(other)
            assert await off(monitor.wait, 20.0) == 2
        text = os.read(fd, 4096).decode()
        os.close(fd)
        assert text.count("\n") == 1 and "the monitor needs" in text, text


async def test_a_device_that_is_not_served_any_more_is_told_why(tmp_path):
    """A port taken out of the configuration."""
    async with rack(tmp_path) as bridge:
        device: wamp.Client = bridge.plant.device(0)
        await device.join()
        text = bridge.file.read_text()
        begin, end = text.index("[[port]]"), text.rindex("[[port]]")
        bridge.file.write_text(text[:begin] + text[end:])
        os.kill(bridge.command.pid, signal.SIGHUP)
        words = "the bridge does not serve this port any more"
        await bridge.says(f"device    bad disconnected {words}")
        await until(lambda: device.error is not None, "the device is told")
        assert words in str(device.error)
