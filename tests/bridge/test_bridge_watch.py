"""What can be seen of a running bridge: control socket, monitor, trace, metrics."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import json
import os
import re
import socket
import stat
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from plant import Plant, until

from microwamp import cli
from microwamp.bridge import control as bridge_control
from microwamp.cli import trace
from microwamp.cli.monitor import HEIGHT, WIDTH, View
from microwamp_rig import process
from microwamp_rig.program import Program, microwamp


async def off(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """A call that blocks, while the event loop carries the line."""
    return await asyncio.to_thread(function, *args, **options)


class Running:
    """A bridge as a process with a control socket, and a device on it."""

    def __init__(self, plant: Plant, command: Program, control: str) -> None:
        self.plant = plant
        self.command = command
        self.control = control
        self.port = plant.cables[0].port


@contextlib.asynccontextmanager
async def running(folder: Path, *words: str) -> AsyncIterator[Running]:
    control = f"{folder}/c.sock"
    async with Plant(bridge=False) as plant:
        port = plant.cables[0].port
        arguments = ("bridge", port, "--router", plant.url, "--baud", "921600", "--json")
        with microwamp(*arguments, "--control", control, *words) as command:
            await off(command.event, "port", state="open")
            yield Running(plant, command, control)
            assert await off(command.stop) == 0
        assert not os.path.exists(control), "the socket is left behind"


class Asking:
    """A client of the control socket."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def __aenter__(self) -> Asking:
        self.reader, self.writer = await asyncio.open_unix_connection(self._path, limit=1 << 22)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def answer(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self.reader.readline(), 60)
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    async def ask(self, **what: Any) -> dict[str, Any]:
        self.writer.write(json.dumps(what).encode() + b"\n")
        return await self.answer()


async def test_the_status_of_devices(tmp_path):
    async with running(tmp_path) as bridge, Asking(bridge.control) as asking:
        assert stat.S_IMODE(os.stat(bridge.control).st_mode) == 0o600
        answer = await asking.ask(do="status")
        (one,) = answer["status"]
        assert (one["name"], one["state"], one["session"]) == (bridge.port, "open", None)
        assert answer["bridge"]["pid"] == bridge.command.pid
        async with bridge.plant.device() as device:
            for n in range(20):
                await device.publish("com.example.x", n, acknowledge=True)
            (one,) = (await asking.ask(do="status"))["status"]
            assert (one["state"], one["realm"]) == ("joined", "devices")
            assert one["session"] == device.session
            assert one["software"].startswith("microwamp ")
            assert one["counts"]["joins"] == one["counts"]["connections"] == 1
            assert one["counts"]["messages_in"] >= 22 <= one["counts"]["messages_out"]
            assert one["link"]["received"] > 20 < one["link"]["sent"]
            assert 0 < one["round_trip_ms"] < 1000
            assert one["buffers"]["router"] == one["buffers"]["device"] == 0
        # Counters stay when the device has left.
        await off(bridge.command.event, "device", state="disconnected")
        (left,) = (await asking.ask(do="status"))["status"]
        assert left["state"] == "open" and left["session"] is None
        assert left["counts"]["messages_in"] >= one["counts"]["messages_in"]


async def test_watching(tmp_path):
    async with running(tmp_path) as bridge, Asking(bridge.control) as asking:
        assert "status" in await asking.ask(do="watch", every_ms=100)
        async with bridge.plant.device():
            events: list[dict[str, Any]] = []
            tables = 0
            while not any(one.get("state") == "joined" for one in events) or tables < 3:
                one = await asking.answer()
                tables += "status" in one
                events += [one] if "event" in one else []
            assert [one["event"] for one in events][:2] == ["device", "session"]
            assert abs(events[0]["time"] - time.time()) < 60


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (b"nonsense\n", "Expecting value"),
        (b"[]\n", "an object is needed"),
        (b"{}\n", "do is status, watch, trace or type"),
        (b'{"do": 3}\n', "do is status, watch, trace or type"),
        (b'{"do": "watch", "every_ms": 1}\n', "every_ms is an integer from 100 to"),
        (b'{"do": "watch", "every_ms": "x"}\n', "every_ms is an integer"),
        (b'{"do": "trace"}\n', "there is no device None; known: "),
        (b'{"do": "type", "device": "\x1b[2J"}\n', "Invalid control character"),
        (b"[" * 5000 + b"\n", ""),
        (b'{"do": "' + b"x" * 9000 + b'"}\n', "a request has 8192 octets at most"),
        (b"\xff\xfe\n", ""),
    ],
)
async def test_requests_that_cannot_be_met(request_, words, tmp_path):
    async with running(tmp_path) as bridge, Asking(bridge.control) as asking:
        asking.writer.write(request_)
        answer = await asking.answer()
        assert words in answer["error"]
        async with Asking(bridge.control) as other:
            assert "status" in await other.ask(do="status")


async def test_a_client_that_does_not_read_loses_records_and_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(bridge_control, "BACKLOG_MAX", 20000)
    async with Plant() as plant:
        assert plant.bridge is not None
        control = bridge_control.Control(plant.bridge, f"{tmp_path}/c.sock")
        await control.open()
        host, device = plant.host(), plant.device()
        device.register("com.example.echo", lambda octets: octets)
        async with Asking(control.path) as deaf, device, host:
            await deaf.ask(do="trace", device=plant.cables[0].port)
            # Nothing is read from now on, in the kernel's buffer neither.
            deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(40):
                assert await host.call("com.example.echo", bytes(20000)) == bytes(20000)
            (client,) = control._clients
            assert client._lost > 0
            waiting = client._writer.transport.get_write_buffer_size()
            assert waiting < 200000, waiting
            deaf.writer.transport.resume_reading()  # type: ignore[attr-defined]
            while client._writer.transport.get_write_buffer_size():
                await deaf.answer()
            await host.call("com.example.echo", b"x")
            while "lost" not in (one := await deaf.answer()):
                pass
            assert one["lost"] > 0
        await until(lambda: plant.served().tap is None, "nobody looks any more")
        await control.close()


async def test_two_bridges_want_one_control_socket(tmp_path):
    async with running(tmp_path) as bridge:
        words = ("--router", "rs://127.0.0.1:9", "--control", bridge.control, "--wait")
        with microwamp("bridge", "/dev/ttyX", *words) as second:
            assert await off(second.wait) == 3
            assert second.lines[-1] == (
                f"microwamp bridge: control socket {bridge.control}: another bridge serves it"
            )
    # One that a killed bridge has left is taken.
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{tmp_path}/c.sock")
    listener.close()
    async with running(tmp_path) as bridge:
        assert stat.S_ISSOCK(os.stat(bridge.control).st_mode)
    Path(f"{tmp_path}/file").write_text("precious")
    words = ("bridge", "/dev/ttyX", "--wait", "--router", "rs://127.0.0.1:9")
    with microwamp(*words, "--control", f"{tmp_path}/file") as refused:
        assert await off(refused.wait) == 3
        assert "it exists, and is no socket" in refused.lines[-1]
    assert Path(f"{tmp_path}/file").read_text() == "precious"


# -- typing


async def typed(bridge: Running, text: str) -> dict[str, Any]:
    async with Asking(bridge.control) as asking:
        return await asking.ask(do="type", device=bridge.port, text=text)


async def read_until(fd: int, words: bytes) -> bytes:
    octets = b""

    def more() -> bool:
        nonlocal octets
        with contextlib.suppress(BlockingIOError):
            octets += os.read(fd, 65536)
        return words in octets

    await until(more, f"{words!r}")
    return octets


async def test_typing_at_a_prompt_and_between_frames(tmp_path):
    async with running(tmp_path, "--console", "both") as bridge:
        fd = bridge.plant.cables[0].pty.fd
        # No link yet: it is a prompt.
        assert await typed(bridge, "print(1)\r\n") == {"typed": bridge.port}
        await read_until(fd, b"print(1)\r\n")
        heard: list[bytes] = []
        device: Any = bridge.plant.device()
        async with device:
            transport = device._transport
            transport._port.on_console = heard.append
            assert "typed" in await typed(bridge, "status\r\n")
            await until(lambda: b"status\r\n" in b"".join(heard), "the line")
            # In the middle of traffic, and whole: it is a frame of its own.
            octets = os.urandom(3000)
            host = bridge.plant.host()
            host.register("com.example.echo", lambda one: one)
            async with host:
                calls = [device.call("com.example.echo", octets) for _ in range(4)]
                work = asyncio.gather(*calls)
                assert "typed" in await typed(bridge, "ümlaut\r\n")
                assert await work == [octets] * 4
            await until(lambda: "ümlaut\r\n".encode() in b"".join(heard), "the second line")
            assert device.joins == 1
        answer = await typed(bridge, "x" * 2000)
        assert "1024 are the most" in answer["error"]


@pytest.mark.parametrize("console", ["out", "off"])
async def test_typing_needs_leave(console, tmp_path):
    async with running(tmp_path, "--console", console) as bridge:
        answer = await typed(bridge, "import os\r\n")
        assert f'typing needs console = "both", it is "{console}"' in answer["error"]
        bridge.plant.cables[0].to_host(b"hello from the board\r\n")
        if console == "out":
            await off(bridge.command.event, "console", text="hello from the board")
            return
        # "off" drops it: it is in no log, on no socket and in no counter of lines.
        async with Asking(bridge.control) as asking, bridge.plant.device():
            (one,) = (await asking.ask(do="status"))["status"]
            assert (one["counts"]["console_lines"], one["state"]) == (0, "joined")
        assert "hello" not in "".join(bridge.command.lines)


# -- trace


async def test_a_trace_shows_what_passes_and_its_file_again(tmp_path, capsys):
    file = tmp_path / "trace.jsonl"
    async with running(tmp_path) as bridge:
        words = ("trace", bridge.port, "--control", bridge.control)
        with (
            microwamp(*words, "--write", str(file)) as tracing,
            microwamp(*words, "--json") as second,
        ):
            await off(tracing.expect, "^tracing ")
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            device, host = bridge.plant.device(), bridge.plant.host()
            device.register("com.example.led", lambda on: not on)
            await until(lambda: second.running, "it runs")
            await asyncio.sleep(0.5)
            async with device, host:
                assert await host.call("com.example.led", True) is False
                await off(tracing.expect, '-> HELLO +"devices"')
                await off(tracing.expect, '<- CHALLENGE +"cryptosign"')
                await off(tracing.expect, r'-> AUTHENTICATE "\(not shown\)" {}$')
                await off(tracing.expect, f"<- WELCOME +{device.session} ")
                await off(tracing.expect, '-> REGISTER .*"com.example.led"')
                await off(tracing.expect, r"<- INVOCATION .*\[true\]")
                await off(tracing.expect, r"-> YIELD .*\[false\]")
                await device.publish("com.example.x", "\x1b[31mred", acknowledge=True)
                await off(tracing.expect, r"-> PUBLISH")
            await off(tracing.expect, '-> GOODBYE .*"wamp.close')
            await off(tracing.expect, '<- GOODBYE .*"wamp.close')
            assert await off(tracing.stop) == 0
            await until(lambda: len(second.lines) >= 10, "the other one's lines")
            assert await off(second.stop) == 0
        assert not any("\x1b" in line for line in tracing.lines)
        records = [json.loads(line) for line in second.lines]
        assert {one["from"] for one in records} == {"device", "router"}
        # Nobody looks: nothing is kept any more.
        async with Asking(bridge.control) as asking:
            assert "status" in await asking.ask(do="status")
    shown = tracing.lines[1:-1]
    count = f"{len(shown)} records are in {file}; --replay shows them again"
    assert tracing.lines[0].startswith("tracing") and tracing.lines[-1] == count
    assert cli.main(["trace", "--replay", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == shown and err == ""
    assert cli.main(["trace", "--replay", str(file), "--speed", "5", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(shown)


async def test_a_full_disk_ends_the_trace_and_not_the_bridge(tmp_path):
    async with running(tmp_path) as bridge, bridge.plant.device() as device:
        words = ("trace", bridge.port, "--control", bridge.control, "--write", "/dev/full")
        with microwamp(*words) as tracing:
            assert await off(tracing.wait) == 1
            assert tracing.lines == [
                "microwamp trace: /dev/full: No space left on device; 0 records are in it"
            ]
        await device.publish("com.example.x", acknowledge=True)
        assert device.joins == 1


async def test_a_trace_of_a_device_that_is_not_there(tmp_path):
    async with running(tmp_path) as bridge:
        arguments = ["trace", "nobody", "--control", bridge.control]
        done = await off(run, *arguments)
        assert done.returncode == 2
        assert done.stderr == (
            f"microwamp trace: there is no device nobody; known: {bridge.port}\n"
        )


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "microwamp", *words], capture_output=True, text=True, timeout=60
    )


def test_the_words_of_trace_and_monitor(tmp_path):
    file = tmp_path / "t"
    file.write_text('{"microwamp-trace": 1, "device": "x"}\n{"time": 1}\nnonsense\n')
    (tmp_path / "other").write_text("hello\n")
    rows: list[tuple[list[str], int, str]] = [
        (["trace"], 2, "DEVICE or --replay FILE is needed"),
        (["trace", "x", "--replay", "y"], 2, "DEVICE or --replay FILE is needed"),
        (["trace", "--replay", f"{tmp_path}/none"], 2, "cannot read "),
        (["trace", "--replay", f"{tmp_path}/other"], 2, "line 1 is not of a trace (version 1)"),
        (["trace", "--replay", str(file)], 2, "line 3 is not of a trace"),
        (
            ["trace", "x", "--control", f"{tmp_path}/no.sock"],
            3,
            "it does not exist: is the bridge",
        ),
        (["trace", "x", "--speed", "-1"], 2, "--speed -1: 0 or more"),
        (
            ["monitor", "--control", f"{tmp_path}/no.sock", "--once"],
            3,
            "it does not exist: is the",
        ),
        (["monitor", "--every", "0"], 2, "--every 0: 0.1 to 3600 seconds"),
        (["monitor", "--control", "x"], 2, "the monitor needs a terminal; --once prints one"),
    ]
    for words, status, text in rows:
        done = run(*words)
        assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
        assert text in done.stderr
    # A file that was cut off in its last line is good up to there.
    file.write_text('{"microwamp-trace": 1, "device": "x"}\n{"time": 1, "octe')
    assert run("trace", "--replay", str(file)).returncode == 0


def test_a_line_of_a_trace_whatever_it_holds():
    def shown(octets: bytes, **more: Any) -> str:
        record = {
            "time": 1.5, "device": "x", "from": "device", "kind": "message",
            "length": len(octets), "octets": base64.b64encode(octets).decode(), **more,
        }  # fmt: skip
        return trace.line(record, 60, False)

    assert shown(b"\x83\x01\x67devices\xa0").endswith('x -> HELLO        "devices" {}')
    assert "not CBOR" in shown(b"\xff")
    assert shown(b"").find("not CBOR") > 0
    assert "LONG" in shown(b"\x83", length=99999) and "99999 octets" in shown(
        b"\x83", length=99999
    )
    assert shown(b"\x82\x19\x01\x51\x41\x00").endswith("-> 337          h'00'")
    assert shown(b"\x82\x10\x78\x50" + b"y" * 80).endswith("... (84 octets)")
    assert "PING" in shown(b"\x00\x01", kind="ping")
    assert "<-" in shown(b"\x80", **{"from": "router"})
    odd: list[dict[str, Any]] = [
        {},
        {"octets": 3},
        {"octets": "%"},
        {"time": "x", "octets": "", "from": ""},
    ]
    for record in odd:
        assert trace.line(record, None, False).startswith("not a record")
    record = {
        "time": 0, "device": "x", "from": "device", "kind": "pong", "length": 0, "octets": "",
    }  # fmt: skip
    assert "\x1b[90m-> PONG" in trace.line(record, None, True)


# -- monitor


class Terminal:
    """A terminal with a program on it."""

    def __init__(self, *words: str, size: tuple[int, int] = (100, 24)) -> None:
        self.fd, other = os.openpty()
        self.resize(*size, fd=other)
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        command = [sys.executable, "-m", "microwamp", *words]
        self.program = process.start(
            command, stdin=other, stdout=other, stderr=other, env=environment
        )
        os.close(other)
        self.octets = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def resize(self, width: int, height: int, fd: int | None = None) -> None:
        size = struct.pack("HHHH", height, width, 0, 0)
        fcntl.ioctl(self.fd if fd is None else fd, termios.TIOCSWINSZ, size)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while octets := os.read(self.fd, 65536):
                self.octets += octets

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.octets.decode("utf-8", "replace"))

    async def shows(self, words: str) -> None:
        await until(lambda: words in self.text, f"{words!r} in {self.text[-3000:]!r}")

    def type(self, octets: bytes) -> None:
        os.write(self.fd, octets)

    async def ended(self) -> int:
        status = await off(self.program.wait, 10)
        await off(self._thread.join, 5)
        os.close(self.fd)
        return int(status)


async def test_the_monitor(tmp_path):
    async with running(tmp_path, "--console", "both") as bridge:
        terminal = Terminal("monitor", "--control", bridge.control, "--every", "0.1")
        await terminal.shows("1 devices, 0 joined")
        heard: list[bytes] = []
        joining: Any = bridge.plant.device()
        async with joining as device:
            transport = device._transport
            transport._port.on_console = heard.append
            await terminal.shows("1 devices, 1 joined")
            await terminal.shows("devices")
            bridge.plant.cables[0].to_host(b"temperature 21.5\r\n")
            await terminal.shows("console: temperature 21.5")
            terminal.type(b"hellp\x7fo\r")
            await until(lambda: b"hello\r\n" in b"".join(heard), "the typed line")
            # Too small, and large again.
            terminal.resize(40, 5)
            os.kill(terminal.program.pid, 28)  # SIGWINCH: the pty has no session of its own
            await terminal.shows(f"the terminal has 40 x 5, the monitor needs {WIDTH}"[:40])
            before = len(terminal.octets)
            terminal.resize(120, 30)
            os.kill(terminal.program.pid, 28)
            await until(lambda: b"trip ms" in terminal.octets[before:], "the table again")
        terminal.type(b"\x04")
        assert await terminal.ended() == 0
        assert terminal.octets.endswith(b"\x1b[?25h\x1b[?1049l")


async def test_a_monitor_whose_bridge_ends(tmp_path):
    async with running(tmp_path) as bridge:
        terminal = Terminal("monitor", "--control", bridge.control)
        await terminal.shows("1 devices, 0 joined")
    assert await terminal.ended() == 3
    assert terminal.text.endswith("microwamp monitor: the bridge has ended\r\n")


async def test_a_terminal_that_is_too_small(tmp_path):
    terminal = Terminal("monitor", "--control", "/nowhere", size=(60, 9))
    assert await terminal.ended() == 2
    assert terminal.text == (
        f"microwamp monitor: the terminal has 60 x 9, the monitor needs {WIDTH} x {HEIGHT}\r\n"
    )


async def test_the_table_once(tmp_path):
    async with running(tmp_path) as bridge, bridge.plant.device():
        done = await off(run, "monitor", "--once", "--control", bridge.control)
        assert (done.returncode, done.stderr) == (0, "")
        head, row = done.stdout.splitlines()
        assert head.split()[:3] == ["device", "state", "realm"]
        assert row.split()[1:3] == ["joined", "devices"]


def test_no_screen_is_larger_than_its_terminal():
    """Any size, any number of devices, any text."""
    view = View()
    assert view.lines(80, 24)[-1] == "> "
    status = {
        "state": "joined", "realm": "r" * 50, "held": ["rate"], "round_trip_ms": 12.3,
        "counts": {"messages_in": 5, "messages_out": 10**9, "joins": 3}, "join_ms": 10**9,
        "link": {"resent": 1, "damaged": 2}, "buffers": {"link": 1, "device": 2, "router": 10**7},
        "session": 2**53, "tty": "/dev/\x1b[2J", "port": "usb", "software": "\x1b[2Jx" * 9,
    }  # fmt: skip
    for count in (0, 1, 5, 50):
        devices = [{**status, "name": f"/dev/\x1b[2Jdevice-{n}-{'x' * n}"} for n in range(count)]
        bridge = {"pid": 1, "began": 0, "now": 100.0, "cpu_s": 1.0}
        view.take({"status": devices, "bridge": bridge})
        view.take({"status": devices, "bridge": {**bridge, "now": 101.0, "cpu_s": 1.5}})
        for n in range(20):
            text = f"{n} \x1b[2J\x07 long " + "y" * 300
            view.take({"time": 1, "event": "console", "port": "p", "text": text})
        view.take({"error": "no\x1b[2J"})
        for width, height in ((WIDTH, HEIGHT), (200, 60), (80, 24), (10, 3), (1, 1), (100, 0)):
            for keys in ("\x1b[B", "\x1b[B", "\x1b[A", "abc", "\x1b[C", "\x00"):
                assert view.key(keys) is None
            lines = view.lines(width, height)
            assert len(lines) <= height
            plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
            assert all(len(line) <= width for line in plain)
            assert all(line.isprintable() for line in plain)
    assert "CPU 50 %" in view.lines(80, 24)[0]
    # Names have what the other columns leave, which are all there at any width.
    view.take({"status": [{**status, "name": "a-greenhouse-with-tomatoes"}], "bridge": bridge})
    for width in (WIDTH, 80, 120):
        head, row = (re.sub(r"\x1b\[[0-9;]*m", "", one) for one in view.lines(width, 24)[1:3])
        assert head.endswith("damaged waiting") and row.endswith(" 10.0M")
        assert row.startswith("a-greenhouse-with-tomatoes" if width == 120 else "~")
    text = view.lines(120, 24)[3]
    joins = "joins 3, the last after 1000000.0 s"
    assert text.startswith(f"-- session {2**53}  {joins}  waiting: link 1, device 2, ")
    # Keys that come all at once, as from a terminal far away.
    view.typed = ""
    view.key("ab\x1b[Bc\x1b[1;5Cd\x7f")
    assert view.typed == "abc"
    assert view.key("x\r") is not None and view.typed == ""


# -- metrics


async def fetch(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionError:
        return b""  # closed with some of the request unread: how that looks is the system's choice
    finally:
        writer.close()


async def test_metrics(tmp_path):
    port = process.free_ports(1)[0]
    async with running(tmp_path, "--metrics", f"127.0.0.1:{port}") as bridge:
        async with bridge.plant.device() as device:
            await device.publish("com.example.x", acknowledge=True)
            octets = await fetch(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            head, _, body = octets.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"Content-Length: %d\r\n" % len(body) in head
            lines = body.decode().splitlines()
            label = f'{{device="{bridge.port}"}}'
            assert f"microwamp_device_joins_total{label} 1" in lines
            name = f"microwamp_device_join_seconds{label} "
            (took,) = (float(line[len(name) :]) for line in lines if line.startswith(name))
            assert 0 < took < 60, "from the bridge's start to the session"
            assert f'microwamp_device_state{{device="{bridge.port}",state="joined"}} 1' in lines
            form = re.compile(r"[a-z_]+(\{[a-z_]+=\"[^\"]*\"(,[a-z_]+=\"[^\"]*\")*\})? -?[0-9.]+")
            names = set()
            for line in lines:
                if line.startswith("# TYPE "):
                    _, _, name, kind = line.split()
                    assert kind in ("counter", "gauge") and name not in names
                    names.add(name)
                elif not line.startswith("#"):
                    assert form.fullmatch(line), line
                    assert line.split("{")[0].split()[0] in names
        assert (await fetch(port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert (await fetch(port, b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert (await fetch(port, b"HEAD /metrics HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\n")
        assert await fetch(port, b"x" * 100000 + b"\r\n\r\n") == b""
        words = ("bridge", "/dev/ttyX", "--wait", "--router", "rs://127.0.0.1:9")
        with microwamp(*words, "--metrics", f"127.0.0.1:{port}", "--control", "") as second:
            assert await off(second.wait) == 3
            assert f"microwamp bridge: metrics 127.0.0.1:{port}: " in second.lines[-1]
