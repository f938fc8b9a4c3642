"""`microwamp bridge` as a process, and MicroPython's unix port as the device behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plant import SEED, Plant, until

import wamp
from microwamp_rig.boards import UnixBoard
from microwamp_rig.line import Line
from microwamp_rig.program import Program, microwamp
from microwamp_rig.pty import Pty

PROGRAM = Path(__file__).parents[1] / "programs" / "device.py"


def board(prefix: str = "com.test.device", **options: Any) -> UnixBoard:
    """A device with a login, not started."""
    settings = {"login": ["cryptosign", SEED.hex(), None], "prefix": prefix, "options": options}
    return UnixBoard(PROGRAM, env={"TEST_DEVICE": json.dumps(settings)})


async def off(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """A call that blocks, while the event loop carries the line."""
    return await asyncio.to_thread(function, *args, **options)


def bridge(ports: list[str], url: str, *words: str) -> Program:
    return microwamp("bridge", *ports, "--router", url, "--baud", "921600", *words)


async def test_a_micropython_device_through_the_command():
    """Joins with its key, is called, calls, publishes, hears; SIGTERM ends it, all in order."""
    async with Plant(bridge=False) as plant, board() as device, Line(device.port) as line:
        host = plant.host()
        heard: list[Any] = []
        host.register("com.test.host.add", lambda a, b=0: wamp.Result(a + b, a=a))
        host.subscribe("com.test.host.news", lambda *args, **kwargs: heard.append((args, kwargs)))
        with bridge([line.port], plant.url, "--json") as command:
            async with host:
                await off(command.event, "session", state="joined", realm="devices")
                await device.expect("^ready$")
                about = await host.call("com.test.device.about")
                assert about["details"]["authmethod"] == "cryptosign"
                assert about["details"]["authid"] == "device"
                assert about["channel"] == "serial-rawsocket-cbor"
                assert about["python"] == "micropython"
                echo = await host.call(
                    "com.test.device.echo", 1, "zwei", kwargs={"k": [3.5, None]}
                )
                assert echo == wamp.Result(1, "zwei", k=[3.5, None])
                with pytest.raises(wamp.ApplicationError) as raised:
                    await host.call("com.test.device.fail", 1, kwargs={"k": 2})
                assert (raised.value.error, raised.value.args) == ("com.test.failed", (1,))
                assert raised.value.kwargs == {"k": 2}
                came = await host.call("com.test.device.call", "com.test.host.add", [2], {"b": 3})
                assert came == {"args": [5], "kwargs": {"a": 2}}
                for acknowledge in (True, False):
                    done = await host.call(
                        "com.test.device.publish", "com.test.host.news", [1], {"k": 2}, acknowledge
                    )
                    assert (done["publication"] is not None) == acknowledge
                await until(lambda: heard == [((1,), {"k": 2})] * 2, "both events")
                command.terminate()
                assert await off(command.wait) == 0
                await device.expect("session ended: .*the bridge was stopped")
        events = [json.loads(line) for line in command.lines]
        assert [(one["event"], one["state"]) for one in events] == [
            ("bridge", "started"),
            ("port", "open"),
            ("device", "connected"),
            ("session", "joined"),
            ("device", "disconnected"),
            ("bridge", "stopped"),
        ]
        assert events[4]["reason"] == "the bridge was stopped"
        assert abs(events[0]["time"] - time.time()) < 120


async def test_the_log_for_people_is_one_line_an_event():
    async with Plant(bridge=False) as plant, board() as device, Line(device.port) as line:
        with bridge([line.port], plant.url, "--text") as command:
            async with plant.host() as host:
                await off(command.expect, r"^\d\d:\d\d:\d\d session   .* joined realm=devices$")
                await device.expect("^ready$")
                await host.call("com.test.device.print", "\x1b[2J\x07boot ok, nothing to see\r\n")
                await off(command.expect, r"^\d\d:\d\d:\d\d console   .* {2}boot ok, nothing")
                await host.call("com.test.device.print", "Traceback\n  File 'x'\n")
                await off(command.expect, "console .* Traceback$")
            assert await off(command.stop) == 0
        assert all(re.match(r"\d\d:\d\d:\d\d \w+ +\S", line) for line in command.lines)
        assert not any("\x1b" in line or "\x07" in line for line in command.lines)


async def test_two_devices_on_one_bridge():
    async with (
        Plant(bridge=False) as plant,
        board("com.test.one") as one,
        board("com.test.two") as two,
    ):
        ports = [one.port, two.port]
        with bridge(ports, plant.url, "--json", "--console", "off") as command:
            for port in ports:
                await off(command.event, "session", state="joined", port=port)
            await one.expect("^ready$")
            await two.expect("^ready$")
            async with plant.host() as host:
                for first, second in (("one", "two"), ("two", "one")):
                    came = await host.call(
                        f"com.test.{first}.call", f"com.test.{second}.echo", [first], {}
                    )
                    assert came == {"value": first}
                # One is switched off and on: the other does not notice.
                await one.reset()
                await one.expect("^ready$")
                joins = [(await host.call(f"com.test.{n}.about"))["joins"] for n in ("one", "two")]
                assert joins == [1, 1]
            assert await off(command.stop) == 0


async def test_a_killed_bridge_means_a_clean_join_and_a_call_in_flight_fails():
    async with Plant(bridge=False) as plant, board() as device, Line(device.port) as line:
        host = plant.host()
        waiting = asyncio.Event()
        never = asyncio.Event()

        async def slow() -> None:
            waiting.set()
            await never.wait()

        host.register("com.test.host.slow", slow)
        async with host:
            with bridge([line.port], plant.url, "--json") as command:
                await device.expect("^ready$")
                caller = plant.host()
                await caller.join()
                calling = asyncio.create_task(
                    caller.call("com.test.device.call", "com.test.host.slow", [], {})
                )
                await waiting.wait()
                await off(command.kill)
            # The router saw the connection end: whoever called the device is told.
            with pytest.raises(wamp.ApplicationError):
                await calling
            with bridge([line.port], plant.url, "--json") as command:
                await device.expect("caught TransportLost .*the bridge was restarted")
                await off(command.event, "session", state="joined")
                await until(lambda: len(plant.router_log.all("joined", authid="device")) == 2, "x")
                await device.expect("joined devices as device")
                # What was declared is declared again, before anything else is asked.
                await asyncio.sleep(0.1)
                about = await caller.call("com.test.device.about")
                assert about["joins"] == 2
                await caller.publish("com.test.device.news", 1, acknowledge=True)
                assert await caller.call("com.test.device.heard") == [[[1], {}]]
                assert await off(command.stop) == 0
            never.set()


async def test_boards_that_reset_under_traffic():
    async with (
        Plant(bridge=False) as plant,
        board() as device,
        Line(device.port, baud=460800) as line,
    ):
        async with plant.host(timeout_ms=3000) as host:
            with bridge([line.port], plant.url, "--json") as command:
                for _ in range(3):
                    await device.expect("^ready$")
                    calls = [
                        asyncio.create_task(host.call("com.test.device.twice", bytes(2000)))
                        for _ in range(8)
                    ]
                    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
                    await device.reset()
                    results = await asyncio.gather(*calls, return_exceptions=True)
                    for result in results:
                        assert isinstance(result, wamp.Error) or result == bytes(4000)
                await device.expect("^ready$")
                assert await host.call("com.test.device.twice", b"x") == b"xx"
                assert await off(command.stop) == 0


async def test_ctrl_c_ends_the_command_in_order():
    async with Plant(bridge=False) as plant:
        with bridge([plant.cables[0].port], plant.url, "--json") as command:
            said: list[str] = []
            plant.device(log=said.append).start()
            await off(command.event, "session", state="joined")
            os.kill(command.pid, signal.SIGINT)
            assert await off(command.wait) == 0
            await until(lambda: "the bridge was stopped" in "".join(said), "the device is told")


async def test_a_log_that_nobody_reads_any_more_stops_nothing():
    async with Plant(bridge=False) as plant:
        reader, writer = os.pipe()
        words = ("bridge", plant.cables[0].port, "--router", plant.url)
        with microwamp(*words, stdout=writer, stderr=writer) as command:
            os.close(writer)
            os.close(reader)
            async with plant.device() as device:
                assert device.joins == 1
            assert await off(command.stop) == 0


async def test_waiting_for_a_port():
    async with Plant(bridge=False) as plant:
        plant.line.unplug()
        with bridge([plant.cables[0].port], plant.url, "--json", "--wait") as command:
            event = await off(command.event, "port", state="unavailable")
            assert event["reason"] == "it does not exist"
            plant.line.replug()
            plant.device().start()
            await off(command.event, "session", state="joined")
            assert await off(command.stop) == 0


@contextlib.contextmanager
def network_line(fd: int) -> Iterator[str]:
    """A serial line behind a TCP port, as terminal servers offer it; yields its pyserial URL.

    Serves one client after another, in threads.
    """
    server = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def carry() -> None:
        server.settimeout(0.1)
        while not ended.is_set():
            with contextlib.suppress(OSError):  # nobody came, or who came left
                client, _ = server.accept()
                with client:
                    while not ended.is_set():
                        ends = [client.fileno(), fd]
                        readable, _, _ = select.select(ends, [], [], 0.1)
                        if client.fileno() in readable:
                            octets = client.recv(4096)
                            if not octets:
                                break
                            os.write(fd, octets)
                        if fd in readable:
                            client.sendall(os.read(fd, 4096))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
    finally:
        ended.set()
        thread.join()
        server.close()


async def test_a_port_that_is_a_pyserial_url():
    async with Plant(bridge=False) as plant:
        pty = Pty()
        host_end = os.open(pty.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            with network_line(host_end) as url:
                plant.cables[0].url = f"serial:fd/{pty.fd}"
                device = plant.device()
                device.register("com.example.echo", lambda octets: octets)
                plant.start_bridge(ports=[url])
                async with device, plant.host() as host:
                    octets = os.urandom(20000)
                    assert await host.call("com.example.echo", octets) == octets
                    await plant.stop_bridge()
                    await until(lambda: "bridge was stopped" in str(device.error), "it is told")
                    plant.start_bridge(ports=[url])
                    await until(lambda: device.joins == 2, "the new join")
            # The terminal server is gone: the bridge says so, and waits for it.
            gone = await plant.log.expect("port", state="gone")
            absent = await plant.log.expect("port", state="unavailable")
            assert "disconnected" in gone["reason"] and "\n" not in gone["reason"]
            assert "Connection refused" in absent["reason"] and "Errno 5" not in absent["reason"]
        finally:
            os.close(host_end)
            pty.close()


async def test_a_device_whose_port_is_a_pyserial_url():
    async with Plant(bridge=False) as plant:
        cable = plant.cables[0]
        host_end = os.open(cable.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            plant.start_bridge(ports=[f"fd/{cable.pty.fd}"])
            with network_line(host_end) as url:
                cable.url = f"serial:{url}"
                device = plant.device()
                device.register("com.example.echo", lambda octets: octets)
                async with device, plant.host() as host:
                    octets = os.urandom(20000)
                    assert await host.call("com.example.echo", octets) == octets
                # It said that it leaves.
                left = await plant.log.expect("device", state="disconnected")
                assert left["reason"] == "the device left"
        finally:
            os.close(host_end)


def test_more_devices_than_descriptors_is_said_once(tmp_path: Path):
    """Whatever the soft limit is, the bridge asks for the hard one, and says if it is too low."""
    config = tmp_path / "bridge.toml"
    ports = "".join(f'[[port]]\nid = "/nowhere/{n}"\n' for n in range(20))
    config.write_text(f'router = "rs://127.0.0.1:1"\n{ports}')
    words = ("-m", "microwamp", "bridge", "--config", str(config), "--control", "", "--json")
    for limits, few in (("ulimit -n 60", True), ("ulimit -Sn 60", False)):
        shell = ["/bin/sh", "-c", f'{limits} && exec "$@"', "sh", sys.executable, *words]
        with Program(shell) as command:
            command.event("port", state="unavailable")
            warnings = [
                event["reason"]
                for event in command.events("bridge")
                if "descriptors" in event.get("reason", "")
            ]
            soft = Path(f"/proc/{command.pid}/limits").read_text().partition("open files")[2]
            assert command.stop() == 0
        assert warnings == (
            [
                "20 devices need 100 descriptors, 60 are allowed: raise `ulimit -Hn`, or "
                "LimitNOFILE in the unit"
            ]
            if few
            else []
        )
        assert (int(soft.split()[0]) == 60) is few
