"""Flashing: what the file is for, a folder that plays the UF2 drive, a stand-in for an ESP32."""

from __future__ import annotations

import contextlib
import functools
import json
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from esp32_mock_bootloader import mock_bootloader
from flashboard import FlashBoard

import wamp
from microwamp import boards, cli
from microwamp.boards import flashing

ROOT = Path(__file__).parents[2]
UF2 = ROOT / "build" / "RPI_PICO" / "firmware.uf2"


def uf2(family: int, blocks: int = 4, start: int = 0, flags: int = 0x2000) -> bytes:
    made = b""
    for n in range(blocks):
        target = 0x10000000 + start + 256 * n
        head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, target, 256, n, blocks, family)
        made += head + bytes(476) + struct.pack("<I", 0x0AB16F30)
    return made


def esp(chip: int, offset: int, size: int = 0x9000) -> bytes:
    image = bytearray(size)
    image[0] = 0xE9
    struct.pack_into("<H", image, 12, chip)
    table = 0x8000 - offset
    image[table : table + 2] = b"\xaa\x50"
    return bytes(image)


def run(capsys, *words: str) -> tuple[int, str, str]:
    status = cli.main(["flash", *words])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize(
    "board, octets, said",
    [
        ("RPI_PICO", uf2(0xE48BFF59), r"is for RP2350 \(ARM\), and RPI_PICO has the chip RP2040"),
        ("RPI_PICO2", uf2(0xE48BFF56), "is for RP2040, and RPI_PICO2 has the chip RP2350"),
        ("RPI_PICO", uf2(0x12345678), "is for the family 0x12345678"),
        ("RPI_PICO", esp(0, 0x1000), "is not UF2, as RPI_PICO needs it"),
        ("RPI_PICO", uf2(0xE48BFF56)[:-100], "is cut off"),
        ("RPI_PICO", uf2(0xE48BFF56)[:-512], "is not whole"),
        ("RPI_PICO", uf2(0xE48BFF56, start=0xA0000), "reaches beyond the 655,360 octets"),
        ("RPI_PICO", uf2(0xE48BFF56)[:512] + bytes(512), "is damaged at octet 512"),
        ("RPI_PICO", uf2(0xE48BFF56, flags=0), "does not say what chip it is for"),
        ("RPI_PICO", b"", "has 0 octets"),
        ("ESP32_GENERIC", uf2(0xE48BFF56), "is no image for an ESP32"),
        ("ESP32_GENERIC", esp(5, 0x1000), "is for ESP32-C3, and ESP32_GENERIC has the chip ESP32"),
        ("ESP32_GENERIC_S3", esp(0, 0), "is for ESP32, and ESP32_GENERIC_S3 has"),
        ("ESP32_GENERIC", esp(0, 0), "has no partition table where ESP32_GENERIC has it"),
        ("ESP32_GENERIC_C3", esp(5, 0, 0x210000), "would reach into the file system"),
        ("UNIX", b"x", "UNIX is not flashed"),
    ],
)
def test_a_file_that_is_not_for_this_board(tmp_path, board, octets, said):
    path = tmp_path / "firmware"
    path.write_bytes(octets)
    with pytest.raises(wamp.ConfigurationError, match=said):
        flashing.check(boards.board(board), path)


@pytest.mark.parametrize(
    "board, octets",
    [
        ("RPI_PICO", uf2(0xE48BFF56)),
        ("RPI_PICO_W", uf2(0xE48BFF56)),
        ("RPI_PICO2", uf2(0xE48BFF57, 1, 0xFFFF00) + uf2(0xE48BFF59)),
        ("RPI_PICO2_W", uf2(0xE48BFF5A)),
        ("ESP32_GENERIC", esp(0, 0x1000)),
        ("ESP32_GENERIC_C3", esp(5, 0)),
        ("ESP32_GENERIC_S3", esp(9, 0)),
    ],
)
def test_a_file_that_is(tmp_path, board, octets):
    path = tmp_path / "firmware"
    path.write_bytes(octets)
    assert flashing.check(boards.board(board), path) == octets


def drive(folder: Path, name: str = "RPI-RP2") -> Path:
    folder.mkdir()
    text = f"UF2 Bootloader v3.0\nModel: Raspberry Pi\nBoard-ID: {name}\n"
    (folder / "INFO_UF2.TXT").write_text(text)
    return folder


class BootLoader(threading.Thread):
    """Plays the board behind a drive: takes the file, then goes away."""

    def __init__(self, folder: Path, size: int) -> None:
        super().__init__(daemon=True)
        self.folder, self.size = folder, size
        self.taken = b""

    def run(self) -> None:
        path = self.folder / "firmware.uf2"
        while not path.exists() or path.stat().st_size < self.size:
            time.sleep(0.01)
        self.taken = path.read_bytes()
        (self.folder / "INFO_UF2.TXT").unlink()


def test_the_firmware_built_here_goes_onto_a_drive(tmp_path, capsys):
    folder = drive(tmp_path / "drive")
    status, out, _ = run(capsys, "RPI_PICO", "--drive", str(folder), "--dry-run")
    assert status == 0 and f"would go onto RPI_PICO: the drive {folder}" in out
    assert not (folder / "firmware.uf2").exists()
    board = BootLoader(folder, UF2.stat().st_size)
    board.start()
    status, out, _ = run(capsys, "RPI_PICO", "--drive", str(folder), "--json")
    board.join(60)
    assert status == 0 and json.loads(out)["octets"] == UF2.stat().st_size
    assert board.taken == UF2.read_bytes()


def test_the_drive_of_another_board(tmp_path, capsys):
    folder = drive(tmp_path / "drive", "RP2350")
    status, _, err = run(capsys, "RPI_PICO", "--drive", str(folder))
    assert status == 2
    assert "is the drive of another board: its INFO_UF2.TXT says RP2350, and RPI_PICO would" in err
    status, _, err = run(capsys, "RPI_PICO", "--drive", str(tmp_path))
    assert status == 2 and "is no drive of a UF2 boot loader" in err


def test_a_board_that_does_not_take_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(flashing, "_DRIVE_S", 0.3)
    folder = drive(tmp_path / "drive")
    status, _, err = run(capsys, "RPI_PICO", "--drive", str(folder))
    assert status == 3 and "it did not take the firmware; unplug it" in err


def test_drives_are_found_among_what_is_mounted(tmp_path):
    first = drive(tmp_path / "a b")
    other = tmp_path / "stick"
    other.mkdir()
    mounts = tmp_path / "mounts"
    shown = str(first).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda1 {shown} vfat rw 0 0\n/dev/sdb1 {other} vfat rw 0 0\nx y\n")
    assert flashing.drives(mounts) == [first]
    pico = boards.board("RPI_PICO")
    with pytest.raises(wamp.ConfigurationError, match="several boot loaders are there"):
        flashing.wait_for_drive(pico, 1.0, lambda: [first, other])
    with pytest.raises(wamp.TransportError, match="no drive RPI-RP2 is there: hold BOOTSEL"):
        flashing.wait_for_drive(pico, 0.0, lambda: [])


# The stand-in leaves a pipe open when it ends.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "name, chip, number", [("ESP32_GENERIC", "esp32", 0), ("ESP32_GENERIC_C3", "esp32c3", 5)]
)
def test_esptools_path(tmp_path, capsys, name, chip, number):
    board = boards.board(name)
    path = tmp_path / "firmware.bin"
    path.write_bytes(esp(number, board.flashing.offset))
    with mock_bootloader(chip) as mock:
        port = f"socket://127.0.0.1:{mock.port()}"
        status, out, _ = run(capsys, name, port, "--firmware", str(path), "--dry-run")
        assert status == 0 and f"write-flash {board.flashing.offset:#x} {path}" in out
        status, out, err = run(capsys, name, port, "--firmware", str(path))
    assert status == 0, err
    assert "Hash of data verified" in err
    assert f"went onto {name}: esptool --chip {chip} --port {port}" in out


def test_esptool_that_fails_says_why(tmp_path, capsys):
    path = tmp_path / "firmware.bin"
    path.write_bytes(esp(0, 0x1000))
    words = ("ESP32_GENERIC", "socket://127.0.0.1:1", "--firmware", str(path))
    status, _, err = run(capsys, *words)
    assert status == 3 and "esptool failed: " in err and "Could not open" in err.splitlines()[-1]
    status, _, err = run(capsys, "ESP32_GENERIC", "--firmware", str(path))
    assert status == 2 and "is flashed through its port: name it" in err
    status, _, err = run(capsys, "ESP32_GENERIC")
    assert status == 2 and "no firmware for ESP32_GENERIC: give --firmware FILE.bin" in err


# The stand-in leaves a pipe open when it ends.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_esp32_of_another_kind(tmp_path, capsys):
    path = tmp_path / "firmware.bin"
    path.write_bytes(esp(0, 0x1000))
    with mock_bootloader("esp32c3") as mock:
        port = f"socket://127.0.0.1:{mock.port()}"
        status, _, err = run(capsys, "ESP32_GENERIC", port, "--firmware", str(path), "--json")
    assert status == 2
    assert f"port {port}: there is an ESP32-C3, and ESP32_GENERIC has the chip ESP32" in err


@contextlib.contextmanager
def cable(port: int, octets: int) -> Iterator[int]:
    """A port in front of another that is pulled after so many octets."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def carry() -> None:
            near, _ = server.accept()
            with near, socket.create_connection(("127.0.0.1", port)) as far:
                left = octets
                while left > 0:
                    for one in select.select([near, far], [], [])[0]:
                        found = one.recv(4096)
                        if one is near:
                            left -= len(found)
                        if left > 0:
                            (far if one is near else near).sendall(found)

        thread = threading.Thread(target=carry, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(60)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("octets", [10, 2000])
def test_cable_of_an_esp32_pulled(tmp_path, capsys, octets):
    path = tmp_path / "firmware.bin"
    path.write_bytes(esp(0, 0x1000))
    with mock_bootloader("esp32") as mock:
        with cable(mock.port(), octets) as number:
            port = f"socket://127.0.0.1:{number}"
            status, _, err = run(capsys, "ESP32_GENERIC", port, "--firmware", str(path))
        assert status == 3
        assert "the board stopped answering: was the cable pulled?" in err.splitlines()[-1]
        port = f"socket://127.0.0.1:{mock.port()}"
        assert run(capsys, "ESP32_GENERIC", port, "--firmware", str(path))[0] == 0


def tool(folder: Path, name: str, script: str) -> None:
    """A program of that name first in the PATH."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(flashing, "drives", lambda: [])
    return functools.partial(tool, tmp_path)


def test_picotool_where_no_drive_is_mounted(tmp_path, capsys, tools):
    path = tmp_path / "firmware.uf2"
    path.write_bytes(uf2(0xE48BFF56))
    words = ("RPI_PICO", "--firmware", str(path))
    tools("picotool", f'echo "$@" > {tmp_path}/asked')
    status, out, _ = run(capsys, *words, "--dry-run")
    assert status == 0 and f"would go onto RPI_PICO: picotool load -v -x {path}" in out
    assert not (tmp_path / "asked").exists()
    status, out, _ = run(capsys, *words, "--json")
    assert status == 0 and json.loads(out)["how"] == f"picotool load -v -x {path}"
    assert (tmp_path / "asked").read_text() == f"load -v -x {path}\n"
    said = "No accessible RP-series devices in BOOTSEL mode were found."
    tools("picotool", f'echo "{said}"; exit 249')
    status, _, err = run(capsys, *words)
    assert status == 3
    assert f"picotool failed: {said}: hold BOOTSEL while plugging the board in" in err


def test_tool_that_never_ends(tmp_path, capsys, tools, monkeypatch):
    monkeypatch.setattr(flashing, "_TOOL_S", 0.3)
    path = tmp_path / "firmware.uf2"
    path.write_bytes(uf2(0xE48BFF56))
    tools("picotool", "exec sleep 60")
    status, _, err = run(capsys, "RPI_PICO", "--firmware", str(path))
    assert status == 3 and "picotool did not end within 0 s, and was ended" in err


# What mpflash 1.29 does: PORT/BOARD-vVERSION.uf2 below the folder, and status 0 whatever happens.
MPFLASH = """
[ "$1 $2 $3 $4" = "download --board RPI_PICO --version" ] || exit 2
mkdir -p $MPFLASH_FIRMWARE/rp2
[ "$5" = 1.24.0 ] || cp {} $MPFLASH_FIRMWARE/rp2/RPI_PICO-v1.25.0.uf2
: > $MPFLASH_FIRMWARE/rp2/RPI_PICO-v1.26.0-preview.3.uf2
: > $MPFLASH_FIRMWARE/rp2/RPI_PICO-v1.9.0.uf2
"""


@pytest.mark.parametrize("version", ["stable", "1.25.0", "v1.25.0"])
def test_micropythons_own_firmware_through_mpflash(tmp_path, capsys, tools, version):
    path = tmp_path / "firmware.uf2"
    path.write_bytes(uf2(0xE48BFF56))
    tools("mpflash", MPFLASH.format(path))
    folder = drive(tmp_path / "drive")
    words = ("RPI_PICO", "--drive", str(folder), "--dry-run", "--json", "--download", version)
    status, out, err = run(capsys, *words)
    assert status == 0, err
    found = tmp_path / "cache/microwamp/firmware/rp2/RPI_PICO-v1.25.0.uf2"
    assert json.loads(out)["firmware"] == str(found) and found.read_bytes() == path.read_bytes()


def test_firmware_that_mpflash_does_not_find(tmp_path, capsys, tools):
    words = ("RPI_PICO", "--download")
    status, _, err = run(capsys, *words, "stable")
    assert status == 2 and "mpflash is missing: pip install mpflash (or take the file from" in err
    tools("mpflash", MPFLASH.format("/dev/null"))
    status, _, err = run(capsys, *words, "1.24.0")
    assert status == 3 and "mpflash found no firmware 1.24.0 for RPI_PICO: is there a ne" in err
    status, _, err = run(capsys, *words, "latest")
    assert status == 2 and '--download latest: "stable" or a number as 1.25.0' in err
    status, _, err = run(capsys, *words, "stable", "--firmware", "x")
    assert status == 2 and "--firmware or --download, not both" in err


def test_drive_that_is_not_mounted(tmp_path):
    pico = boards.board("RPI_PICO")
    (tmp_path / "RPI-RP2").touch()
    said = "the drive RPI-RP2 is there and not mounted: `sudo mount .*/RPI-RP2 FOLDER`"
    with pytest.raises(wamp.TransportError, match=said):
        flashing.wait_for_drive(pico, 0.0, lambda: [], tmp_path)


def test_board_that_is_not_known(capsys):
    status, _, err = run(capsys, "RPI_PIC0", "--firmware", "x.uf2")
    assert status == 2
    assert "BOARD RPI_PIC0 is not known; known: ESP32_GENERIC, " in err
    assert "nearest: RPI_PICO" in err


def test_another_board_on_the_port(tmp_path, capsys):
    path = tmp_path / "firmware.uf2"
    path.write_bytes(uf2(0xE48BFF56))
    with FlashBoard(tmp_path / "flash") as board:
        board.wait(">>> ")
        status, _, err = run(capsys, "RPI_PICO", board.port, "--firmware", str(path))
        assert status == 2
        assert f"port {board.port}: there is a " in err
        assert "and RPI_PICO has the chip RP2040" in err
        with serial.Serial(board.port, exclusive=True):
            status, _, err = run(capsys, "RPI_PICO", board.port, "--firmware", str(path))
        assert status == 3 and "in use by" in err and "stop it first" in err
    status, _, err = run(capsys, "RPI_PICO", "/dev/null", "--firmware", str(path))
    assert status == 2 and "port /dev/null: it is not a serial port" in err
