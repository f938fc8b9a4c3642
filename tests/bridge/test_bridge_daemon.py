"""The bridge as a service: reload, hand-over, what it tells systemd, privileges."""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import pwd
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plant import Plant, until

import wamp
from microwamp.bridge import Bridge, BridgeConfig, PortConfig, handover, systemd
from microwamp.bridge.config import Limits
from microwamp_rig.program import Program, microwamp
from wamp import _posixport
from wamp._port import ticks
from wamp.linkacceptor import Acceptor


async def off(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """A call that blocks, while the event loop carries the line."""
    return await asyncio.to_thread(function, *args, **options)


class Manager:
    """As much of systemd as the bridge sees: takes its datagrams, keeps descriptors, answers
    barriers by closing them."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self.said: list[str] = []
        self.kept: dict[str, int] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Manager:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()
        self.forget()

    def forget(self) -> None:
        for fd in self.kept.values():
            os.close(fd)
        self.kept.clear()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                octets, ancillary, _, _ = self._socket.recvmsg(65536, socket.CMSG_SPACE(64))
            except TimeoutError:
                continue
            fds = array.array("i")
            for _, _, data in ancillary:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
            lines = octets.decode().split("\n")
            self.said += lines
            words = dict(line.split("=", 1) for line in lines)
            if "FDSTORE" in words:
                (self.kept[words["FDNAME"]],) = fds
            else:
                for fd in fds:
                    os.close(fd)
            if "FDSTOREREMOVE" in words and words["FDNAME"] in self.kept:
                os.close(self.kept.pop(words["FDNAME"]))

    def start(self, *words: str) -> Program:
        """A bridge, as a service of this manager, with the descriptors that it keeps."""
        names, fds = list(self.kept), list(self.kept.values())
        code = (
            "import fcntl, os, sys\n"
            "count, names = int(sys.argv[1]), sys.argv[2]\n"
            "high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 200) for fd in sys.argv[3:3 + count]]\n"
            "for i, fd in enumerate(high): os.dup2(fd, 3 + i)\n"
            "os.closerange(3 + count, 1000)\n"
            "if count: os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count),\n"
            "                            LISTEN_FDNAMES=names)\n"
            "words = [sys.executable, '-m', 'microwamp', *sys.argv[3 + count:]]\n"
            "os.execv(sys.executable, words)\n"
        )
        numbers = [str(fd) for fd in fds]
        command = [sys.executable, "-c", code, str(len(fds)), ":".join(names), *numbers]
        environment = {**os.environ, "NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "200000"}
        return Program([*command, "bridge", *words], pass_fds=fds, env=environment)


def write(path: Path, url: str, *ports: str, more: str = "") -> str:
    """A configuration with these ports; `more` counts for all of them."""
    lines = [f'router = "{url}"', "baud = 921600", f'control = "{path.parent}/c.sock"', more]
    lines += [f'[[port]]\nid = "{port}"\nname = "port-{i}"' for i, port in enumerate(ports)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


async def test_a_reload_keeps_the_sessions_of_ports_that_are_as_before(tmp_path):
    async with Plant(3, bridge=False) as plant:
        ports = [cable.port for cable in plant.cables]
        file = tmp_path / "bridge.toml"
        path = write(file, plant.url, *ports[:2])
        devices = [plant.device(n) for n in range(3)]
        devices[0].register("com.example.echo", lambda octets: octets)
        with microwamp("bridge", "--config", path, "--json") as command:
            for device in devices:
                device.start()
            await until(lambda: devices[0].joins == devices[1].joins == 1, "both join")
            host = plant.host()
            async with host:
                sending = asyncio.create_task(flood(host))
                # The second port gets another rate, the third is new.
                text = file.read_text() + 'baud = 460800\n[[port]]\nid = "' + ports[2] + '"\n'
                file.write_text(text)
                os.kill(command.pid, signal.SIGHUP)
                done = await off(command.event, "bridge", state="reloaded")
                assert (done["kept"], done["restarted"], done["new"]) == (1, 1, 1)
                await until(lambda: devices[1].joins == 2, "the second joins anew")
                await until(lambda: devices[2].joins == 1, "the third joins")
                assert "the bridge has new settings for this port" in str(devices[1].error)
                # Limits, realms and console change without a new connection.
                write(file, plant.url, *ports[:2], more='console = "off"\nrealms = ["devices"]')
                os.kill(command.pid, signal.SIGHUP)

                def reloads() -> list[dict[str, Any]]:
                    return [one for one in command.events("bridge") if one["state"] == "reloaded"]

                await until(lambda: len(reloads()) == 2, "the second reload")
                done = reloads()[-1]
                assert (done["kept"], done["restarted"], done["stopped"]) == (1, 1, 1)
                # One that is wrong changes nothing.
                file.write_text("baud = 3\n" + file.read_text())
                os.kill(command.pid, signal.SIGHUP)
                refused = await off(command.event, "bridge", state="not reloaded")
                assert refused["reason"].startswith(f"{path}: ")
                sending.cancel()
                await asyncio.wait([sending])
                assert sending.cancelled(), "a call failed"
                assert (devices[0].joins, devices[0].error) == (1, None)
                assert await host.call("com.example.echo", b"x") == b"x"
            assert await off(command.stop) == 0


async def flood(host: wamp.Client) -> None:
    while True:
        octets = os.urandom(500)
        assert await host.call("com.example.echo", octets) == octets


async def test_without_a_file_there_is_nothing_to_reload():
    async with Plant(bridge=False) as plant:
        words = ("bridge", plant.cables[0].port, "--router", plant.url, "--json")
        with microwamp(*words) as command:
            async with plant.device() as device:
                os.kill(command.pid, signal.SIGHUP)
                await off(command.event, "bridge", state="not reloaded")
                os.kill(command.pid, signal.SIGUSR2)
                said = await off(command.event, "bridge", state="not handed over")
                assert said["reason"] == "there is no systemd to hand over to"
                assert device.joins == 1
            assert await off(command.stop) == 0


async def test_sessions_go_on_in_the_next_process(tmp_path):
    """Two devices under traffic, a call in flight on each side, a hand-over, and another."""
    async with Plant(2, bridge=False) as plant:
        path = write(tmp_path / "bridge.toml", plant.url, *(c.port for c in plant.cables))
        host = plant.host()
        heard: list[list[int]] = [[], []]
        release = asyncio.Event()
        host.register("com.example.slow", lambda: wait(release))
        devices = [plant.device(n) for n in range(2)]
        for n, device in enumerate(devices):
            device.register(f"com.example.echo{n}", lambda octets: octets)
            host.subscribe(f"com.example.news{n}", heard[n].append)
        with Manager(tmp_path) as manager, contextlib.ExitStack() as stack:
            command = stack.enter_context(manager.start("--config", path, "--json"))
            async with host, devices[0], devices[1]:
                sessions = [device.session for device in devices]
                slow = asyncio.create_task(devices[0].call("com.example.slow", timeout_ms=30000))
                ended = asyncio.Event()

                async def publish(n: int) -> int:
                    count = 0
                    while not ended.is_set():
                        await devices[n].publish(f"com.example.news{n}", count, acknowledge=True)
                        count += 1
                    return count

                async def call(n: int) -> None:
                    while not ended.is_set():
                        octets = os.urandom(3000)
                        assert await host.call(f"com.example.echo{n}", octets) == octets

                work = [asyncio.create_task(publish(n)) for n in range(2)]
                calls = [asyncio.create_task(call(n)) for n in range(2)]
                for turn in (1, 2):
                    await until(lambda: len(heard[0]) > 10 * turn < len(heard[1]), "traffic")
                    os.kill(command.pid, signal.SIGUSR2)
                    assert await off(command.wait) == 0
                    assert set(manager.kept) == {
                        "state", "port-0", "port-1", "router-0", "router-1",
                    }  # fmt: skip
                    await asyncio.sleep(0.2)
                    command = stack.enter_context(manager.start("--config", path, "--json"))
                    taken = await off(command.event, "bridge", state="taken over")
                    assert (taken["sessions"], taken["ports"]) == (2, 2), taken
                    # What was handed over is forgotten: a crash must not resume an old state.
                    await until(lambda: not manager.kept, "the store is empty")
                ended.set()
                counts = await asyncio.gather(*work)
                await asyncio.gather(*calls)
                release.set()
                assert await slow == "done"
                for n, device in enumerate(devices):
                    assert (device.joins, device.error) == (1, None)
                    assert device.session == sessions[n]
                    await until(lambda: len(heard[n]) >= counts[n], "all events")
                    assert heard[n] == list(range(counts[n]))
            assert await off(command.stop) == 0
        assert "STOPPING=1" in manager.said


async def wait(event: asyncio.Event) -> str:
    await event.wait()
    return "done"


async def test_what_the_manager_hears(tmp_path):
    async with Plant(bridge=False) as plant:
        path = write(tmp_path / "bridge.toml", plant.url, plant.cables[0].port)
        with Manager(tmp_path) as manager, manager.start("--config", path, "--json") as command:
            async with plant.device():
                await until(lambda: "READY=1" in manager.said, "ready")
                await until(lambda: manager.said.count("WATCHDOG=1") > 2, "the watchdog's food")
                said = "STATUS=1 ports, 1 devices joined, 0 absent"
                await until(lambda: said in manager.said, "the status")
                os.kill(command.pid, signal.SIGHUP)
                await until(lambda: manager.said.count("READY=1") == 2, "ready again")
                assert "RELOADING=1" in manager.said
                assert any(line.startswith("MONOTONIC_USEC=") for line in manager.said)
            assert await off(command.stop) == 0
            await until(lambda: "STOPPING=1" in manager.said, "stopping")


async def test_a_port_whose_settings_changed_joins_anew_after_a_hand_over(tmp_path):
    async with Plant(bridge=False) as plant:
        port = plant.cables[0].port
        path = write(tmp_path / "bridge.toml", plant.url, port)
        device = plant.device()
        with Manager(tmp_path) as manager, contextlib.ExitStack() as stack:
            command = stack.enter_context(manager.start("--config", path, "--json"))
            async with device:
                os.kill(command.pid, signal.SIGUSR2)
                assert await off(command.wait) == 0
                write(tmp_path / "bridge.toml", plant.url, port, more="lost_ms = 5000")
                command = stack.enter_context(manager.start("--config", path, "--json"))
                taken = await off(command.event, "bridge", state="taken over")
                assert taken["sessions"] == 0
                assert taken["reason"] == "port-0 has other settings"
                await until(lambda: device.joins == 2, "the new join")
            assert await off(command.stop) == 0


async def test_a_bridge_that_was_killed_hands_nothing_over(tmp_path):
    async with Plant(bridge=False) as plant:
        path = write(tmp_path / "bridge.toml", plant.url, plant.cables[0].port)
        device = plant.device()
        with Manager(tmp_path) as manager, contextlib.ExitStack() as stack:
            command = stack.enter_context(manager.start("--config", path, "--json"))
            async with device:
                await off(command.kill)
                assert manager.kept == {}
                command = stack.enter_context(manager.start("--config", path, "--json"))
                await until(lambda: device.joins == 2, "the clean join")
                assert "the bridge was restarted" in str(device.error)
            assert await off(command.stop) == 0


def test_a_state_that_is_old_or_of_other_code_is_not_used(monkeypatch):
    def packed() -> dict[str, int]:
        return dict(handover.pack([]))

    for change, words in (
        (lambda: None, ""),
        (lambda: monkeypatch.setattr(handover, "code", lambda: "x"), "the code of the link has"),
        (lambda: monkeypatch.setattr(handover, "ticks", lambda: ticks() + 60000), "it is 600"),
    ):
        given = packed()
        change()
        devices, reason = handover.unpack(given)
        assert devices == [] and reason.startswith(words) and bool(reason) == bool(words)
        os.close(given["state"])
        monkeypatch.undo()
    assert handover.unpack({})[1] == "no state is among the descriptors"
    memory = os.memfd_create("x")
    for octets in (b"", b"\xff\xff", b"\xa0", b"\x83\x01"):
        os.truncate(memory, 0)
        os.pwrite(memory, octets, 0)
        assert handover.unpack({"state": memory})[1].startswith("the state cannot be read")
    os.close(memory)


def test_a_link_is_data():
    """What the hand-over rests on: no attribute of a link is a function or an object, and one
    that was restored sends the same octets."""
    one, other = (Acceptor(window=16320, send_buffer=16384) for _ in range(2))
    one.announce(5)
    state = handover.state_of(one)
    handover.restore(other, state)
    assert handover.state_of(other) == state
    assert bytes(one.output(5) or b"") == bytes(other.output(5) or b"") != b""
    with pytest.raises(ValueError):
        handover.restore(Acceptor(window=256, send_buffer=256), state)
    with pytest.raises(ValueError):
        handover.restore(other, {**state, "something": 1})


def test_descriptors_of_others_are_not_taken():
    for environment in (
        {},
        {"LISTEN_FDS": "2", "LISTEN_PID": "1", "LISTEN_FDNAMES": "a:b"},
        {"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())},
    ):
        before: dict[str, str] = dict(environment)
        assert systemd.descriptors(before) == {}
        assert before == {}
    assert systemd.watchdog_s({"WATCHDOG_USEC": "4000000"}) == 2.0
    assert systemd.watchdog_s({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}) == 0.0
    assert systemd.watchdog_s({}) == 0.0


async def test_one_port_that_cannot_be_set_up_leaves_the_others_alone(monkeypatch):
    """A baud rate that the driver refuses is found out when the port is opened."""
    async with Plant(2, bridge=False) as plant:
        original = _posixport.open_port

        async def open_port(path: str, options: Any) -> Any:
            if options["baud"] == 460801:
                raise wamp.ConfigurationError(f"port {path}: no such rate")
            return await original(path, options)

        monkeypatch.setattr(_posixport, "open_port", open_port)
        ports = (
            PortConfig(plant.cables[0].port, plant.url, baud=460801),
            PortConfig(plant.cables[1].port, plant.url),
        )
        plant.start_bridge(config=BridgeConfig(ports))
        refused = await plant.log.expect("port", state="refused")
        assert refused["reason"].endswith(": no such rate")
        async with plant.device(1) as device:
            assert device.joins == 1
        assert plant.bridge is not None
        assert [one.state for one in plant.bridge.devices][0] == "absent"


async def test_a_mistake_of_ours_costs_one_connection_and_no_other_device(monkeypatch):
    async with Plant(2) as plant:
        first, second = plant.device(0), plant.device(1)
        async with first, second:
            served: Any = plant.served(0)
            monkeypatch.setattr(
                served._relay.splice, "from_device", lambda octets: 1 // 0, raising=True
            )
            with contextlib.suppress(wamp.Error):
                await first.publish("com.example.x", acknowledge=True)
            fault = await plant.log.expect("fault")
            assert "ZeroDivisionError" in fault["reason"]
            await until(lambda: first.joins == 2, "it joins anew")
            assert second.joins == 1


def test_becoming_somebody_else(tmp_path):
    """Root becomes the user before anything is opened; others cannot."""
    root = os.geteuid() == 0
    user = "nobody" if root else "root"
    with Plant_port() as (port, path):
        file = tmp_path / "bridge.toml"
        tmp_path.chmod(0o755)
        file.write_text(f'router = "rs://127.0.0.1:9"\nuser = "{user}"\n[[port]]\nid = "{path}"\n')
        os.chmod(path, 0o666)
        with microwamp("bridge", "--config", str(file), "--json") as command:
            if root:
                command.event("port", state="open")
                status = Path(f"/proc/{command.pid}/status").read_text()
                uid = pwd.getpwnam("nobody").pw_uid
                assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in status
                assert command.stop() == 0
            else:
                assert command.wait() == 2
                assert "only root can become somebody else" in command.lines[-1]


@contextlib.contextmanager
def Plant_port() -> Iterator[tuple[int, str]]:
    from microwamp_rig.pty import Pty

    pty = Pty()
    try:
        yield pty.fd, pty.path
    finally:
        pty.close()


def test_limits_of_a_port_are_those_of_its_configuration():
    port = PortConfig("/dev/a", "rs://127.0.0.1:1", limits=Limits(messages_per_s=5))
    bridge = Bridge.of(BridgeConfig((port,)), lambda event, fields: None)
    assert bridge.devices[0].config.limits.messages_per_s == 5
    assert time.time() - bridge.devices[0].since < 60
