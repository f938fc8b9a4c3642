"""Boards that come, go and move; and who else has a port."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from typing import Any

import pytest
from plant import Plant, until

from microwamp.bridge import BridgeConfig, Discover, PortConfig, ports
from microwamp.bridge.ports import Found, Ports
from microwamp_rig.pty import Pty
from wamp import _posixport

PICO = (0x2E8A, 0x0005)
MODEM = (0x12D1, 0x1506)
TIOCGEXCL = 0x80045440


class Usb:
    """What is plugged in, in place of pyserial's look at /sys."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[Found] = []
        monkeypatch.setattr(ports, "EVERY_S", 0.02)
        monkeypatch.setattr(ports, "scan", lambda: list(self.found))
        monkeypatch.setattr(
            ports, "names", lambda: frozenset((f.path, f.vid, f.pid) for f in self.found)
        )

    def plug(self, path: str, serial: str = "A1", pair: tuple[int, int] = PICO) -> None:
        self.found.append(Found(path, *pair, serial))

    def unplug(self, path: str) -> None:
        self.found = [one for one in self.found if one.path != path]


@pytest.fixture
def usb(monkeypatch: pytest.MonkeyPatch) -> Usb:
    return Usb(monkeypatch)


async def test_the_same_board_on_another_tty_goes_on_in_its_session(usb):
    async with Plant(1, bridge=False) as plant:
        cable = plant.cables[0]
        one, other = f"{cable.port}-one", f"{cable.port}-other"
        os.symlink(os.readlink(cable.port), one)
        config = PortConfig("usb:2E8A:0005:A1", plant.url, name="board", baud=921600)
        plant.start_bridge(config=BridgeConfig((config,)))
        absent = await plant.log.expect("port", state="unavailable")
        assert absent == {
            "port": "board", "state": "unavailable", "reason": "no such board is plugged in",
        }  # fmt: skip
        usb.plug(one)
        device = plant.device()
        async with device:
            assert plant.log.all("port", state="open")[-1]["tty"] == one
            # It comes back under another name, as the same board.
            usb.unplug(one)
            os.unlink(one)
            cable.line.unplug()
            await plant.log.expect("port", state="gone")
            cable.line.replug()
            os.symlink(os.readlink(cable.port), other)
            usb.plug(other)
            await plant.log.expect("port", state="open", tty=other)
            await device.publish("com.example.x", acknowledge=True)
            assert (device.joins, device.error) == (1, None)
            status = plant.served().status()
            assert (status["tty"], status["counts"]["resumed"]) == (other, 1)


async def test_boards_that_appear_are_served_and_others_left_alone(usb):
    async with Plant(3, bridge=False) as plant:
        paths = [cable.port for cable in plant.cables]
        like = PortConfig("discovered", plant.url, baud=921600)
        plant.start_bridge(config=BridgeConfig((), Discover((PICO,), like, most=2)))
        usb.plug(paths[0], "A1")
        usb.plug(paths[1], "M1", MODEM)
        async with plant.device(0) as device:
            assert device.joins == 1
            await plant.log.expect("session", port="usb:2E8A:0005:A1", state="joined")
            usb.plug(paths[2], "A2")
            async with plant.device(2):
                await plant.log.expect("session", port="usb:2E8A:0005:A2", state="joined")
                usb.plug("/dev/null", "A3")
                ignored = await plant.log.expect("discover", state="ignored")
                assert ignored["reason"] == "2 boards are served already"
        assert not plant.cables[1].line.opened, "the modem's port was opened"
        assert plant.bridge is not None and len(plant.bridge.devices) == 2


async def test_a_board_that_has_a_port_of_its_own_is_not_discovered_too(usb):
    async with Plant(1, bridge=False) as plant:
        path = plant.cables[0].port
        usb.plug(path, "A1")
        like = PortConfig("discovered", plant.url, baud=921600)
        own = PortConfig("usb:2E8A:0005", plant.url, name="own", baud=921600)
        plant.start_bridge(config=BridgeConfig((own,), Discover((PICO,), like)))
        async with plant.device():
            await plant.log.expect("session", port="own", state="joined")
            assert plant.log.all("discover") == []


def test_two_boards_that_fit_one_name():
    plugged = Ports()
    plugged.found = [Found("/dev/ttyACM0", *PICO, "A1"), Found("/dev/ttyACM1", *PICO, "A2")]
    with pytest.raises(OSError, match="2 such boards .*usb:2E8A:0005:A1, usb:2E8A:0005:A2.: give"):
        plugged.path("usb:2E8A:0005")
    assert plugged.path("usb:2e8a:0005:A2") == "/dev/ttyACM1"
    assert plugged.path("/dev/ttyS0") == "/dev/ttyS0"
    # One board with two ports: the first.
    plugged.found = [Found("/dev/ttyACM3", *PICO, "A1"), Found("/dev/ttyACM2", *PICO, "A1")]
    assert plugged.path("usb:2E8A:0005:A1") == "/dev/ttyACM2"
    # Without serial numbers nobody can tell them apart.
    plugged.found = [Found("/dev/ttyACM0", *PICO, ""), Found("/dev/ttyACM1", *PICO, "")]
    with pytest.raises(OSError, match="2 such boards are plugged in"):
        plugged.path("usb:2E8A:0005")
    assert plugged.discovered(
        Discover((PICO,), PortConfig("x", "rs://h:1")), ["/dev/ttyACM0"]
    ) == ["/dev/ttyACM1"]


def test_what_is_plugged_in_here_can_be_asked_for():
    """pyserial's scan and the names in /dev, for real; a machine may have none."""
    assert all(one.path.startswith("/dev/") for one in ports.scan())
    assert {name for name, _, _ in ports.names()} <= set(os.listdir("/dev"))


async def test_looks_that_change_nothing_scan_nothing(monkeypatch):
    scans: list[int] = []

    def scan() -> list[Found]:
        scans.append(1)
        return [Found("/dev/ttyACM0", *PICO, "A")]

    monkeypatch.setattr(ports, "names", lambda: frozenset({("ttyACM0", 1, 1)}))
    monkeypatch.setattr(ports, "scan", scan)
    plugged = Ports()
    assert [await plugged.look() for _ in range(4)] == [True, False, False, False]
    assert len(scans) == 1
    plugged.again()
    assert await plugged.look() and len(scans) == 2


# -- who else has the port


async def test_a_port_is_marked_as_exclusive():
    """Not a pty's: so here a pty passes for a tty."""
    pty = Pty()
    fd = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
    try:
        _posixport.exclusive(fd, "/dev/ttyACM0")
        assert struct.unpack("i", fcntl.ioctl(fd, TIOCGEXCL, bytes(4))) == (1,)
        port = _posixport.TtyPort(pty.path, {"baud": 115200, "fd": fd})
        await port.open()
        assert port.fileno() == fd
        port.close()
        fd = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
        assert struct.unpack("i", fcntl.ioctl(fd, TIOCGEXCL, bytes(4))) == (0,)
        _posixport.exclusive(fd, pty.path)
        assert struct.unpack("i", fcntl.ioctl(fd, TIOCGEXCL, bytes(4))) == (0,)
    finally:
        os.close(fd)
        pty.close()


async def test_two_bridges_on_one_port_and_the_second_takes_over_later():
    async with Plant() as plant:
        first = plant.bridge
        assert first is not None
        await plant.log.expect("port", state="open")
        second = type(first)([plant.cables[0].port], plant.url, plant.log, baud=921600)
        serving = asyncio.create_task(second.run())
        event = await plant.log.expect("port", state="unavailable")
        assert event["reason"] == "it is in use by another program"
        async with plant.device() as device:
            assert device.joins == 1
        await asyncio.sleep(1.2)
        assert len(plant.log.all("port", state="unavailable")) == 1, "said once"
        await plant.stop_bridge()
        await until(lambda: second.devices[0].state == "open", "the second has it")
        await second.stop()
        serving.cancel()
        await asyncio.wait([serving])


def flags(fd: int) -> list[Any]:
    return termios.tcgetattr(fd)


@pytest.mark.parametrize("hupcl", [True, False, None])
async def test_hang_up_on_close(hupcl):
    pty = Pty()
    try:
        port = _posixport.TtyPort(pty.path, {"baud": 115200, "hupcl": hupcl, "dtr": False})
        await port.open()
        on = bool(termios.tcgetattr(port.fileno())[2] & termios.HUPCL)
        if hupcl is not None:
            assert on == hupcl
        port.close()
    finally:
        pty.close()


async def test_modem_lines_are_set_before_the_port_is_opened(monkeypatch):
    """A pty has none, so pyserial's end is watched."""
    import serial

    said: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        serial.Serial, "_update_dtr_state", lambda self: said.append(("dtr", self._dtr_state))
    )
    monkeypatch.setattr(
        serial.Serial, "_update_rts_state", lambda self: said.append(("rts", self._rts_state))
    )
    pty = Pty()
    try:
        for dtr, rts in ((False, False), (True, False), (None, None)):
            said.clear()
            options = {"baud": 115200, "dtr": dtr, "rts": rts}
            port = _posixport.TtyPort(pty.path, options)
            await port.open()
            port.close()
            assert dict(said) == {"dtr": dtr is not False, "rts": rts is not False}
    finally:
        pty.close()


async def test_a_board_gets_its_time_after_the_port_was_opened():
    async with Plant(bridge=False) as plant:
        config = PortConfig(plant.cables[0].port, plant.url, baud=921600, settle_ms=3000)
        plant.start_bridge(config=BridgeConfig((config,)))
        await plant.log.expect("port", state="open")
        # What the board prints meanwhile is not lost; and nothing was sent to it.
        plant.cables[0].to_host(b"booting\r\n")
        await plant.log.expect("console", text="booting")
        with pytest.raises(BlockingIOError):
            os.read(plant.cables[0].pty.fd, 100)
        device = plant.device()
        async with device:
            assert device.joins == 1


async def test_a_foreign_device_costs_nothing():
    """One that speaks, but not the link: text is a log, noise is counted, no session, no router
    connection, and it hears one ANNOUNCE without control characters."""
    async with Plant() as plant:
        await until(lambda: plant.line.opened, "the port")
        plant.cables[0].to_host(b"$GPGGA,123519,4807.038,N\r\n")
        await plant.log.expect("console")
        await asyncio.sleep(0.3)
        octets = os.read(plant.cables[0].pty.fd, 4096)
        assert octets[:2] == b"\xf8\xc1" and len(octets) == 21
        assert not any(0 < octet < 6 for octet in octets)
        status = plant.served().status()
        assert (status["state"], status["counts"]["connections"]) == ("open", 0)
        assert plant.router_log.all("connected") == []
        alarm: Any = plant.served()._alarm
        assert alarm._handle is None, "a timer runs"
