"""`microwamp-rig pico`: an emulated Pico for those who have none, from its boot loader on."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
import serial

from microwamp_rig.__main__ import main
from microwamp_rig.program import Program

FIRMWARE = Path(__file__).parents[2] / "build" / "RPI_PICO" / "firmware.uf2"
COMMAND = (sys.executable, "-m", "microwamp_rig", "pico")


def rp2350(blocks: int) -> bytes:
    made = b""
    for n in range(blocks):
        head = (0x0A324655, 0x9E5D5157, 0x2000, 0x10000000 + 256 * n, 256, n, blocks, 0xE48BFF59)
        made += struct.pack("<8I", *head) + bytes(476) + struct.pack("<I", 0x0AB16F30)
    return made


def test_a_new_board_takes_a_firmware_and_runs_it(tmp_path):
    drive, port, uart = tmp_path / "drive", tmp_path / "console", tmp_path / "uart"
    port.symlink_to("/dev/nope")  # of an earlier one that was killed
    with Program([*COMMAND, "--drive", drive, "--port", port, "--uart", uart]) as board:
        board.expect("boot loader: its drive is")
        assert "Board-ID: RPI-RP2" in (drive / "INFO_UF2.TXT").read_text()
        (drive / "half.uf2").write_bytes(rp2350(4)[:-512])
        (drive / "other.uf2").write_bytes(rp2350(4))
        board.expect(r"boot loader: .*other.uf2 is a firmware for an RP2350 \(ARM\)", 60)
        assert not (drive / "other.uf2").exists()
        (drive / "half.uf2").unlink()
        (drive / "new.uf2").write_bytes(FIRMWARE.read_bytes())
        board.expect(f"MicroPython v.*: console {port}, UART0 {uart}", 60)
        assert not drive.exists()
        with serial.Serial(str(port), timeout=60) as console:
            console.write(b"\r\nprint(6 * 7)\r\n")
            assert console.read_until(b"\r\n42\r\n").endswith(b"\r\n42\r\n")
        assert board.stop() == 0
    assert not port.is_symlink() and not uart.is_symlink()


@pytest.mark.parametrize("words", [("--firmware", "nope.uf2"), ("--drive", ".")])
def test_what_it_cannot_do_is_said(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").touch()
    assert main(["pico", *words]) == 2
    said = {
        "--firmware": "there is no firmware at nope.uf2",
        "--drive": ". is not empty: name another folder with --drive",
    }[words[0]]
    assert f"microwamp-rig pico: {said}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "usage: microwamp-rig" in capsys.readouterr().err
