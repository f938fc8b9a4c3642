"""Flashing: what the file is for, a folder that plays the UF2 drive, a stand-in for an ESP32."""

from __future__ import annotations

import json
import struct
import threading
import time
from pathlib import Path

import pytest
from esp32_mock_bootloader import mock_bootloader

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
    board.join(10)
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
    assert status == 3 and "esptool failed: " in err
    status, _, err = run(capsys, "ESP32_GENERIC", "--firmware", str(path))
    assert status == 2 and "is flashed through its port: name it" in err
    status, _, err = run(capsys, "ESP32_GENERIC")
    assert status == 2 and "no firmware for ESP32_GENERIC: give --firmware FILE.bin" in err
