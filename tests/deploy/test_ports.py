"""`microwamp ports`: stable names, what a port may be, and what stands in the way."""

import grp
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import serial

from microwamp import cli
from microwamp.boards import finding, flashing
from microwamp_rig.pty import Pty


def info(device: str, vid: int, pid: int) -> SimpleNamespace:
    return SimpleNamespace(
        device=device, vid=vid, pid=pid, serial_number="E66", product="Board", description=""
    )


@pytest.fixture
def port():
    pty = Pty(hold=False)
    yield pty.path
    pty.close()


def test_a_port_has_its_stable_name_and_what_it_may_be(tmp_path):
    stable = {os.path.realpath("/dev/null"): "/dev/serial/by-id/usb-MicroPython_E66"}
    pico = finding.describe(info("/dev/null", 0x2E8A, 0x0005), stable)
    assert pico.name == "/dev/serial/by-id/usb-MicroPython_E66"
    assert pico.boards == ["RPI_PICO", "RPI_PICO2", "RPI_PICO2_W", "RPI_PICO_W"]
    assert not pico.boot
    s3 = finding.describe(info("/dev/zero", 0x303A, 0x4001), stable)
    assert (s3.name, s3.boards) == ("/dev/zero", ["ESP32_GENERIC_S3"])
    boot = finding.describe(info("/dev/zero", 0x2E8A, 0x000F), stable)
    assert boot.boot and boot.boards == ["RPI_PICO2", "RPI_PICO2_W"]
    assert finding.describe(info("/dev/zero", 1, 2), stable).boards == []


def process(proc: Path, number: int, name: str, opens: str = "") -> None:
    folder = proc / str(number)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(name + "\n")
    if opens:
        (folder / "fd" / "3").symlink_to(opens)


def test_traps(tmp_path, port):
    proc = tmp_path / "proc"
    process(proc, 10, "ModemManager")
    process(proc, 11, "brltty")
    process(proc, 12, "screen", port)
    found = [finding.describe(info(port, 0x1A86, 0x7523), {})]
    texts = [trap.text for trap in finding.traps(found, proc)]
    assert len(texts) == 3
    assert "ModemManager talks to new ports" in texts[0]
    assert "apt remove brltty" in texts[1]
    assert texts[2] == "in use by screen (process 12)"
    # brltty claims USB-serial chips only.
    pico = [finding.describe(info(port, 0x2E8A, 5), {})]
    assert not any("brltty" in trap.text for trap in finding.traps(pico, proc))


def test_nothing_in_the_way(tmp_path, port):
    proc = tmp_path / "proc"
    process(proc, 12, "bash")
    assert finding.traps([finding.describe(info(port, 0x2E8A, 5), {})], proc) == []
    assert "does not exist" in finding.trap("/dev/nope", proc)


def test_listing(monkeypatch, capsys, port):
    monkeypatch.setattr(
        "serial.tools.list_ports.comports", lambda: [info(port, 0x2E8A, 5), info("/dev/x", 1, 2)]
    )
    assert cli.main(["ports", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["ports"]
    assert [one["device"] for one in found] == [port, "/dev/x"]
    assert cli.main(["ports", "--check"]) == 1, "/dev/x does not exist"
    out = capsys.readouterr().out
    assert f"{port}  {port}  2e8a:0005  RPI_PICO or RPI_PICO2 or" in out
    assert "trap: /dev/x: it does not exist" in out
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [])
    assert cli.main(["ports"]) == 0
    assert "is the cable one for data" in capsys.readouterr().out


def test_boot_loaders_drives_are_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [])
    monkeypatch.setattr(flashing, "drives", lambda: [tmp_path])
    (tmp_path / "INFO_UF2.TXT").write_text("UF2 Bootloader v3.0\nBoard-ID: RPI-RP2\n")
    assert cli.main(["ports", "--check"]) == 0
    out = capsys.readouterr().out
    assert f"{tmp_path}  RPI_PICO or RPI_PICO_W, in its boot loader: `microwamp flash`\n" in out
    assert "nothing stands in the way" in out
    (tmp_path / "INFO_UF2.TXT").write_text("Board-ID: Other\n")
    assert cli.main(["ports", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["drives"] == [{"path": str(tmp_path), "boards": []}]


def test_a_port_that_others_own(monkeypatch, port):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    group = grp.getgrgid(os.stat(port).st_gid).gr_name
    assert finding.trap(port) == (
        f"no permission: `sudo usermod -aG {group} $USER`, then log in anew"
    )


def test_a_port_that_another_program_has(port):
    with serial.Serial(port, exclusive=True):
        assert finding.trap(port).startswith("in use by")
        assert finding.trap(port).endswith("; stop it first")
    assert finding.trap(port) == ""


def test_a_port_that_another_program_has_for_a_moment(port):
    """A modem manager that looks at it, say."""
    held = serial.Serial(port, exclusive=True)
    threading.Timer(0.2, held.close).start()
    assert finding.trap(port) == ""
    assert not held.is_open
